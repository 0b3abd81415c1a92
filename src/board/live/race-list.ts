import { finishAt, type EtaView, type RaceView } from '../../bridge/frames.ts';
import { barOf, type Bar } from './bar.ts';

/** What a person calls the situation: the state, refined by what its ETA says. */
export type Standing = 'queued' | 'running' | 'cold' | 'correcting' | 'overdue' | 'stuck' | 'passed' | 'failed' | 'canceled' | 'abandoned';

/** A race as a line of the list shows it. Instants are epoch ms, durations seconds. */
export type RaceRow = {
  readonly kind: 'race';
  readonly id: string;
  readonly source: string;
  readonly title: string;
  readonly standing: Standing;
  readonly attempt: number;
  readonly queuedAt: number | null;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly durationSec: number | null;
  /** The finish that is held still; null = not known. */
  readonly finishAt: number | null;
  readonly p10At: number | null;
  readonly p90At: number | null;
  /** Predicted total, for a race that has not started. */
  readonly totalSec: number | null;
  readonly confidence: number;
  readonly basis: string | null;
  readonly reason: string | null;
  readonly revision: number;
  readonly issuedAt: number | null;
  /** By how much the last revision moved the total; null = the first one. */
  readonly movedSec: number | null;
  readonly bar: Bar;
  readonly reported: number | null;
  readonly updatedAt: number;
  readonly stages: readonly StageMark[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly deeplink: string | null;
  readonly deadlineAt: number | null;
  readonly deadlineProbability: number | null;
  readonly isPinned: boolean;
  /** Another one for the same race = more than its bar may have to be drawn anew. */
  readonly version: number;
};

export type StageMark = { readonly name: string; readonly state: string; readonly etaAt: number | null; readonly p90At: number | null; readonly passedAt: number | null };

export type GroupRow = { readonly kind: 'group'; readonly source: string; readonly count: number; readonly running: number; readonly troubled: number; readonly isCollapsed: boolean };

export type ListRow = GroupRow | RaceRow;

export type Sorting = 'finish' | 'newest' | 'title' | 'uncertain';

export type ListQuery = {
  /** Words that must all occur in id, source, title or a metadata value; any case. */
  readonly text: string;
  /** Empty = all. */
  readonly standings: readonly Standing[];
  readonly sorting: Sorting;
  readonly isGrouped: boolean;
  readonly collapsed: readonly string[];
  readonly pinned: readonly string[];
};

export type RaceList = { readonly rows: readonly ListEntry[]; readonly matched: number; readonly counts: Readonly<Partial<Record<Standing, number>>> };
/** An entry is drawn only when it is in sight. */
type ListEntry = GroupRow | { readonly kind: 'race'; readonly race: RaceView };

const SOURCE_OF_PINNED = '★ pinned';

/** Filters, sorts and groups. O(n log n); 5,000 races take some milliseconds. Ties are broken by id: the order never flickers. */
export function listRaces(races: Iterable<RaceView>, query: ListQuery): RaceList {
  const words = query.text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const wanted = new Set(query.standings);
  const pinned = new Set(query.pinned);
  const counts: Partial<Record<Standing, number>> = {};
  const found: RaceView[] = [];
  for (const race of races) {
    if (words.length > 0 && !words.every((word) => occursIn(race, word))) continue;
    const standing = standingOf(race);
    counts[standing] = (counts[standing] ?? 0) + 1;
    if (wanted.size === 0 || wanted.has(standing)) found.push(race);
  }
  const before = orders[query.sorting];
  found.sort((a, b) => before(a, b) || (a.race_id < b.race_id ? -1 : 1));
  const rows: ListEntry[] = [];
  const first = found.filter((race) => pinned.has(race.race_id));
  const rest = first.length === 0 ? found : found.filter((race) => !pinned.has(race.race_id));
  const collapsed = new Set(query.collapsed);
  if (first.length > 0) addGroup(rows, SOURCE_OF_PINNED, first, collapsed);
  if (!query.isGrouped) for (const race of rest) rows.push({ kind: 'race', race });
  else {
    const groups = Map.groupBy(rest, ({ source }) => source);
    for (const source of [...groups.keys()].sort()) addGroup(rows, source, groups.get(source)!, collapsed);
  }
  return { rows, matched: found.length, counts };
}

function addGroup(rows: ListEntry[], source: string, races: readonly RaceView[], collapsed: ReadonlySet<string>): void {
  const isCollapsed = collapsed.has(source);
  let running = 0;
  let troubled = 0;
  for (const race of races) {
    const standing = standingOf(race);
    if (race.state === 'running') running++;
    if (standing === 'overdue' || standing === 'stuck' || standing === 'failed') troubled++;
  }
  rows.push({ kind: 'group', source, count: races.length, running, troubled, isCollapsed });
  if (!isCollapsed) for (const race of races) rows.push({ kind: 'race', race });
}

const orders: Record<Sorting, (a: RaceView, b: RaceView) => number> = {
  finish: (a, b) => finishOf(a) - finishOf(b),
  newest: (a, b) => (b.started_at ?? b.queued_at ?? b.updated_at) - (a.started_at ?? a.queued_at ?? a.updated_at),
  title: (a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0),
  uncertain: (a, b) => (a.eta?.confidence ?? 0) - (b.eta?.confidence ?? 0),
};

/** Ended ones last, queued ones before them. */
function finishOf(race: RaceView): number {
  const { state, completed_at: completedAt } = race;
  if (state === 'running') return finishAt(race) ?? 8e15;
  return state === 'queued' ? 8.1e15 : 8.2e15 - (completedAt ?? 0) / 1e3;
}

function occursIn(race: RaceView, word: string): boolean {
  if (race.title.toLowerCase().includes(word) || race.source.toLowerCase().includes(word) || race.race_id.toLowerCase().includes(word)) return true;
  for (const key in race.metadata) if (race.metadata[key]!.toLowerCase().includes(word)) return true;
  return false;
}

function standingOf({ state, eta }: Pick<RaceView, 'state' | 'eta'>): Standing {
  if (state !== 'running') return state;
  const shown = eta?.display.state ?? 'unknown';
  if (shown === 'stuck' || shown === 'overdue' || shown === 'correcting') return shown;
  return shown === 'cold' || shown === 'unknown' ? 'cold' : 'running';
}

/** One race as it is drawn; `shownBefore` as in barOf. */
export function rowOf(race: RaceView, nowMs: number, shownBefore: number, isPinned: boolean, version = 0): RaceRow {
  const { eta, started_at: startedAt } = race;
  const instant = (sec: number | null | undefined): number | null => (sec === null || sec === undefined || startedAt === null ? null : startedAt + Math.round(1_000 * sec));
  return {
    kind: 'race', id: race.race_id, source: race.source, title: race.title, standing: standingOf(race), attempt: race.attempt,
    queuedAt: race.queued_at, startedAt, completedAt: race.completed_at, durationSec: race.duration_sec,
    finishAt: finishAt(race), p10At: instant(eta?.p10_sec), p90At: instant(eta?.p90_sec),
    totalSec: eta?.eta_sec ?? null, confidence: eta?.confidence ?? 0, basis: eta?.basis ?? null, reason: eta?.reason ?? null,
    revision: eta?.revision ?? 0, issuedAt: eta?.issued_at ?? null, movedSec: movedSecOf(eta),
    bar: barOf(race, nowMs, shownBefore), reported: race.progress, updatedAt: race.updated_at,
    stages: (eta?.milestones ?? []).map((milestone) => ({ name: milestone.name, state: milestone.state, etaAt: milestone.eta_at, p90At: milestone.p90_at, passedAt: milestone.passed_at })),
    metadata: race.metadata, deeplink: race.deeplink, deadlineAt: race.deadline_at, deadlineProbability: eta?.deadline_probability ?? null, isPinned, version,
  };
}

function movedSecOf(eta: EtaView | null): number | null {
  return eta === null || eta.eta_sec === null || eta.previous_eta_sec === null ? null : eta.eta_sec - eta.previous_eta_sec;
}
