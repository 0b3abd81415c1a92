import { finishAt, type RaceView } from '../bridge/frames.ts';
import { fit, formatClock, formatDuration, plainText } from './format.ts';
import { describeEta, progressAt, renderBar, renderPercent } from './progress-bar.ts';

type Column = {
  readonly title: string;
  /** Columns of the screen; a flexible column gets its share of what is left as well. */
  readonly width: number;
  readonly share?: number;
  /** Dropped first on a narrow screen when low. */
  readonly rank: number;
  readonly cell: (race: RaceView, context: CellContext, width: number) => string;
};

type CellContext = { readonly nowMs: number; readonly shown: number };

const columns: readonly Column[] = [
  { title: 'RACE', width: 10, share: 1, rank: 8, cell: (race) => race.race_id },
  { title: 'TITLE', width: 14, share: 3, rank: 9, cell: (race) => race.title },
  { title: 'STATE', width: 9, rank: 7, cell: (race) => race.eta?.display.state === 'overdue' || race.eta?.display.state === 'stuck' ? race.eta.display.state : race.state },
  { title: 'PROGRESS', width: 18, rank: 6, cell: progressCell },
  { title: 'DONE AT', width: 33, rank: 5, cell: finishCell },
  { title: 'LEFT', width: 22, rank: 10, cell: (race, { nowMs }) => leftOf(race, nowMs) },
  { title: 'BASIS', width: 9, rank: 2, cell: (race) => race.eta?.basis ?? '' },
  { title: 'REASON', width: 13, rank: 1, cell: (race) => race.eta?.reason ?? '' },
  { title: 'CONF', width: 5, rank: 3, cell: (race) => confidenceOf(race) },
];

/** The order on the screen: running by finish, then queued, then ended, newest first. Does not change `races`. */
export function sortForTable(races: readonly RaceView[]): RaceView[] {
  const rank = (race: RaceView): number => (race.state === 'running' ? 0 : race.state === 'queued' ? 1 : 2);
  return [...races].sort((a, b) => rank(a) - rank(b)
    || (rank(a) === 0 ? (finishAt(a) ?? Infinity) === (finishAt(b) ?? Infinity) ? 0 : (finishAt(a) ?? Infinity) - (finishAt(b) ?? Infinity) : b.updated_at - a.updated_at)
    || (a.race_id < b.race_id ? -1 : 1));
}

/**
 * The table as lines of at most `width` columns: a heading, then one line a race. Columns that do not fit go, the least
 * telling first; titles get what is left. `shownOf` gives what was shown before of a race's progress.
 */
export function renderTable(races: readonly RaceView[], nowMs: number, width: number, shownOf: (raceId: string) => number): string[] {
  const chosen = chooseColumns(width);
  const spare = Math.max(0, width - widthOf(chosen));
  const shares = chosen.reduce((sum, column) => sum + (column.share ?? 0), 0);
  const widths = chosen.map((column) => column.width + (shares === 0 ? 0 : Math.floor((spare * (column.share ?? 0)) / shares)));
  const line = (cells: (column: Column, width: number) => string): string =>
    fit(chosen.map((column, index) => fit(cells(column, widths[index]!), widths[index]!)).join(' ').trimEnd(), width).trimEnd();
  return [
    line((column) => column.title),
    ...races.map((race) => line((column, columnWidth) => column.cell(race, { nowMs, shown: shownOf(race.race_id) }, columnWidth))),
  ];
}

function chooseColumns(width: number): readonly Column[] {
  let chosen = [...columns];
  while (chosen.length > 1 && widthOf(chosen) > width) {
    const least = Math.min(...chosen.map((column) => column.rank));
    chosen = chosen.filter((column) => column.rank !== least);
  }
  return chosen;
}

function widthOf(chosen: readonly Column[]): number {
  return chosen.reduce((sum, column) => sum + column.width, chosen.length - 1);
}

/** One race as a line of text, for pipes and logs. */
export function describeRace(race: RaceView, nowMs: number): string {
  const { eta } = race;
  const why = eta === null ? '' : ` [revision ${eta.revision}, ${eta.reason}, by ${eta.basis}, ${confidenceOf(race)}]`;
  return `${new Date(eta?.issued_at ?? race.updated_at).toISOString()} ${plainText(race.race_id)} ${plainText(race.source)} "${plainText(race.title)}" ${race.state}: ${describeEta(race, nowMs)}${why}`;
}

function progressCell(race: RaceView, { nowMs, shown }: CellContext, width: number): string {
  const progress = progressAt(race, nowMs, shown);
  const percent = renderPercent(progress);
  return `${renderBar(progress, Math.max(0, width - 7))} ${percent.padStart(6)}`;
}

/** `≈ 14:32 (14:30..14:36)`: the finish, and where it lies with 80 % probability; dates of the range only where they differ. */
function finishCell(race: RaceView, { nowMs }: CellContext): string {
  if (race.completed_at !== null) return formatClock(race.completed_at, nowMs, true);
  const atMs = finishAt(race);
  const { eta, started_at: startedAtMs } = race;
  if (atMs === null || startedAtMs === null) return '';
  if (eta === null || eta.p10_sec === null || eta.p90_sec === null) return `≈ ${formatClock(atMs, nowMs, false)}`;
  const [fromMs, toMs] = [startedAtMs + eta.p10_sec * 1_000, startedAtMs + eta.p90_sec * 1_000];
  const withSeconds = toMs - fromMs < 300_000;
  return `≈ ${formatClock(atMs, nowMs, withSeconds)} (${formatClock(fromMs, atMs, withSeconds)}..${formatClock(toMs, atMs, withSeconds)})`;
}

function leftOf(race: RaceView, nowMs: number): string {
  if (race.completed_at !== null) return race.duration_sec === null ? '' : `took ${formatDuration(race.duration_sec)}`;
  const atMs = finishAt(race);
  if (atMs === null || race.started_at === null) return race.eta?.eta_sec == null ? '' : `takes ≈ ${formatDuration(race.eta.eta_sec)}`;
  const leftSec = (atMs - nowMs) / 1_000;
  return leftSec > 0 ? formatDuration(leftSec) : `overdue by ${formatDuration(leftSec)}`;
}

function confidenceOf(race: RaceView): string {
  return race.eta === null || race.eta.eta_sec === null ? '' : `${Math.round(race.eta.confidence * 100)} %`;
}
