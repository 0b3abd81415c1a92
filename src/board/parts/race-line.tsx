import { useMemo } from 'preact/hooks';
import type { RaceRow } from '../live/race-list.ts';
import { raceLink } from '../routes.ts';
import { togglePinned } from '../settings.ts';
import { finishText, moved, percent, reasonText, spell, standingWords } from '../words.ts';
import { ProgressBar } from './progress-bar.tsx';
import { StageStrip } from './stage-strip.tsx';

type RaceLineProps = { readonly row: RaceRow; readonly nowMs: number; readonly timeZone: string | null };

/** One race of the list. Each message of the worker brings all rows in sight anew; only what differs is drawn again. */
export function RaceLine({ row, nowMs, timeZone }: RaceLineProps) {
  const { id, version, bar, isPinned } = row;
  return useMemo(() => <Line row={row} nowMs={nowMs} timeZone={timeZone} />, [id, version, bar.solid, bar.shown, bar.isTrusted, isPinned, nowMs, timeZone]);
}

function Line({ row, nowMs, timeZone }: RaceLineProps) {
  const finish = finishText(row, nowMs, timeZone);
  const branch = row.metadata['branch'] ?? row.metadata['ref'];
  return (
    <article class={`race is-${row.standing}`} data-race-id={row.id} data-shown={row.bar.shown} data-finish={row.finishAt ?? ''} data-state={row.standing}>
      <PinButton row={row} />
      <div class="who">
        <a class="title" href={raceLink(row.id)} title={row.title}>{row.title}</a>
        <span class="sub">
          {branch !== undefined && <span class="chip" title="branch">{branch}</span>}
          {row.attempt > 1 && <span class="chip">attempt {row.attempt}</span>}
          <span class="since">{sinceText(row, nowMs)}</span>
        </span>
      </div>
      <div class="course">
        <ProgressBar row={row} />
        {row.stages.length > 0 && <StageStrip stages={row.stages} nowMs={nowMs} timeZone={timeZone} isSmall />}
      </div>
      <div class="finish" title={rangeTitle(row)}>
        <strong>{finish.main}</strong>
        <span class="sub">{finish.detail}</span>
      </div>
      <RevisionPill row={row} nowMs={nowMs} />
    </article>
  );
}

export function PinButton({ row }: { readonly row: RaceRow }) {
  return (
    <button type="button" class="pin" aria-pressed={row.isPinned} aria-label={`${row.isPinned ? 'Unpin' : 'Pin'} ${row.title}`} title={row.isPinned ? 'Unpin' : 'Pin: keep it on top, in the tab’s title and in notifications'} onClick={() => togglePinned(row.id)}>
      {row.isPinned ? '★' : '☆'}
    </button>
  );
}

/** The standing and, after a change of the forecast, how it moved and why. */
export function RevisionPill({ row, nowMs }: { readonly row: RaceRow; readonly nowMs: number }) {
  const isFresh = row.issuedAt !== null && nowMs - row.issuedAt < 60_000 && row.movedSec !== null && Math.abs(row.movedSec) >= 1;
  const isLive = row.standing === 'running' || row.standing === 'correcting' || row.standing === 'overdue';
  const why = row.reason === null || row.standing === 'cold' ? '' : `Revision ${row.revision}: ${reasonText(row.reason)}${row.movedSec === null ? '' : `, ${moved(row.movedSec)}`}; ${percent(row.confidence)} sure to be within 20 %`;
  return (
    <span class={`pill is-${row.standing}`} title={why}>
      {isLive && isFresh && row.movedSec !== null ? `${moved(row.movedSec)} · ${reasonText(row.reason ?? 'other')}` : standingWords[row.standing]}
    </span>
  );
}

function sinceText(row: RaceRow, nowMs: number): string {
  if (row.completedAt !== null) return `ended ${spell((nowMs - row.completedAt) / 1_000)} ago`;
  if (row.startedAt === null) return '';
  return `${spell((nowMs - row.startedAt) / 1_000)} so far`;
}

function rangeTitle(row: RaceRow): string {
  if (row.standing === 'cold' || row.p10At === null || row.p90At === null || row.startedAt === null || row.completedAt !== null) return '';
  return `8 of 10 such runs end after ${spell((row.p10At - row.startedAt) / 1_000)} to ${spell((row.p90At - row.startedAt) / 1_000)}`;
}
