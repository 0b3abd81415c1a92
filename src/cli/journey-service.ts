import type { EtaUpdate } from '../forecast/eta-update.ts';
import type { FollowedJourney } from '../journey/journey-record.ts';
import { takeTelemetry } from '../journey/take-position.ts';
import type { Waypoint } from '../journey/route.ts';
import type { Codec } from '../ports/codec.ts';
import { emptyUpdate, type RaceUpdate } from '../race/update.ts';
import { runBacktest } from '../runtime/backtest.ts';
import type { JourneyRows } from './journey-rows.ts';
import type { JourneyCounts, RecordedJourneys } from './recorded-journeys.ts';

const SOURCE = 'recording';
const DAY_MS = 86_400_000;

/**
 * Recorded journeys through the operators of the service in event time: what follow-route tells of each position through the graph of the
 * pipeline, its learner, and what it publishes as rows. Nothing rests on what comes later.
 */
export async function replayThroughService({ routes, positions }: RecordedJourneys, codec: Codec, rows: JourneyRows, counts: JourneyCounts): Promise<void> {
  const versions = new Map([...routes.keys()].map((raceId, version) => [raceId, version]));
  /** When the two newest positions of a race were. */
  const between = new Map<string, { fromMs: number; untilMs: number }>();

  function* updates(): Generator<RaceUpdate> {
    const followed = new Map<string, FollowedJourney>();
    for (const [offset, { raceId, atMs, lat, lon, speedMps, accuracyM }] of positions.entries()) {
      const { route } = routes.get(raceId)!;
      const seen = between.get(raceId);
      if (seen === undefined || atMs > seen.untilMs) between.set(raceId, { fromMs: seen?.untilMs ?? atMs, untilMs: atMs });
      const before = followed.get(raceId);
      if (before === undefined) yield { ...emptyUpdate(raceId, SOURCE, atMs), title: `${route.waypoints[0]!.name} - ${route.waypoints.at(-1)!.name}`, state: 'queued', route_id: raceId };
      const identity = { race_id: raceId, source: SOURCE, first_offset: 0, attempt: 1, route_id: raceId, route_version: versions.get(raceId)! };
      const point = { race_id: raceId, at: atMs, lat, lon, speed_mps: speedMps, accuracy_m: accuracyM, heading_deg: null, altitude_m: null, device: null };
      const step = takeTelemetry(before, { identity, byHand: { departedAtMs: null, arrivedAtMs: null } }, route, point, { epoch: 0, offset });
      followed.set(raceId, step.followed);
      counts[before === undefined ? 'started' : step.outcome]++;
      if (step.outcome !== 'followed') continue;
      for (const update of step.updates) if (update.stage !== null) counts.passages++;
      yield* step.updates;
    }
  }

  function onRevision({ race_id: raceId, event_at: atMs, basis, milestones }: EtaUpdate): void {
    const seen = between.get(raceId);
    if ((basis !== 'telemetry' && basis !== 'plan') || seen === undefined) return;
    const first = firstShown(routes.get(raceId)!.route.waypoints, milestones);
    for (const [i, { passed_at: passedAtMs, eta_at: etaMs, p10_at: p10Ms, p90_at: p90Ms }] of milestones.entries()) {
      if (passedAtMs !== null) rows.passage(raceId, first + i, passedAtMs, seen);
      else if (etaMs !== null && p10Ms !== null && p90Ms !== null) rows.eta(raceId, atMs, first + i, { etaMs, p10Ms, p90Ms });
    }
  }

  await runBacktest({
    updates: updates(), codec, finishedTtlMs: DAY_MS, onRevision, onProgress: () => rows.drained(),
    routeOf: (routeId) => {
      const known = routes.get(routeId);
      return known === undefined ? undefined : { version: versions.get(routeId)!, route: known.route };
    },
  });
}

/** Which waypoint the first milestone is: of a long route not all are shown, but some in a row. */
function firstShown(waypoints: readonly Waypoint[], milestones: EtaUpdate['milestones']): number {
  if (milestones.length === waypoints.length) return 0;
  return waypoints.findIndex((_, first) => milestones.every(({ name }, i) => waypoints[first + i]?.name === name));
}
