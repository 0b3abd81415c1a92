import type { JourneyDetails } from '../api/journeys.ts';

/** The legs side by side, as long as they are: those behind are full, the present one is as far as the vehicle is. */
export function LegStrip({ journey: { waypoints, along_m: alongM, leg } }: { readonly journey: JourneyDetails }) {
  const legs = waypoints.slice(1).map((to, index) => ({ from: waypoints[index]!, to }));
  const label = leg === null ? `${legs.length} legs` : `Leg ${leg.index} of ${legs.length}, from ${leg.from} to ${leg.to}: ${Math.round(100 * leg.fraction)} % of it is behind`;
  return (
    <div class="legs" role="img" aria-label={label}>
      {legs.map(({ from, to }) => {
        const lengthM = Math.max(1, to.along_m - from.along_m);
        // Who has passed the end is through, wherever on a loop it is now.
        const done = to.distance_m === null ? 1 : from.distance_m !== null ? 0 : Math.min(1, Math.max(0, (alongM - from.along_m) / lengthM));
        return <span key={to.index} title={`${from.name} → ${to.name}`} style={{ flexGrow: lengthM }}><i style={{ width: `${100 * done}%` }} /></span>;
      })}
    </div>
  );
}
