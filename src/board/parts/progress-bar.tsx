import type { RaceRow } from '../live/race-list.ts';

/** Solid = reported, striped = predicted. */
export function ProgressBar({ row }: { readonly row: RaceRow }) {
  const { solid, shown, isTrusted } = row.bar;
  const isUnknown = row.standing === 'cold' && row.reported === null;
  const text = isUnknown ? 'progress not known' : shown > solid ? `${Math.round(solid)} % reported, about ${Math.round(shown)} % predicted` : `${Math.round(solid)} %`;
  return (
    <div
      class={`bar is-${row.standing}${isTrusted ? '' : ' is-old'}${isUnknown ? ' is-unknown' : ''}`} role="progressbar" aria-label={`Progress of ${row.title}`}
      aria-valuemin={0} aria-valuemax={100} {...(isUnknown ? {} : { 'aria-valuenow': Math.round(shown) })} aria-valuetext={text} title={text}
    >
      <span class="predicted" style={{ transform: `translateX(${shown - 100}%)` }} />
      <span class="reported" style={{ transform: `translateX(${solid - 100}%)` }} />
    </div>
  );
}
