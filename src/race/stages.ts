import { noteChange, wins, type Tally } from './ordering.ts';
import { sharedText } from './shared-text.ts';
import { MAX_STAGES, type Stage } from './state.ts';
import type { StageState, StageUpdate } from './update.ts';

/** Which stages there are, and what the update did to the one it names. `stages` is the input itself if nothing changed. */
export type MergedStages = {
  readonly stages: Stage[];
  /** How many finished ones were dropped to stay within MAX_STAGES. */
  readonly dropped: number;
  /** The stage as it is now, if its state changed or it is new; else null. */
  readonly moved: Stage | null;
};

export function isStageOpen(state: StageState): boolean {
  return state === 'pending' || state === 'running';
}

/** True for a report from which it follows that the stage has begun, and so has its race. */
export function hasBegun(state: StageState): boolean {
  return state === 'running' || state === 'passed' || state === 'failed';
}

/** When the stage began at the latest, as one report tells it; null if it does not. */
export function beginOf(update: StageUpdate, at: number): number | null {
  if (update.started_at !== null) return update.started_at;
  if (!hasBegun(update.state)) return null;
  return update.state === 'running' ? at : (update.completed_at ?? at);
}

/**
 * Merges one stage report. Never changes its input; O(stages).
 *
 * Which stage is meant: with `seq`, the one of that (name, seq). Without, the last of that name which had begun by `at`;
 * if that one has ended since and the report tells of a new start, it is the next occurrence. So repeats of a name that
 * come out of order without `seq` may melt into one.
 *
 * Last writer wins by `at`. An older report can still bring times that are not known, or earlier ones: the earliest
 * start and end that were told stand, unless a newer report says otherwise. A running stage without `started_at` began
 * at `at`, an ended one without `completed_at` ended at `at`. Stages are kept in order of their starts.
 */
export function mergeStage(stages: Stage[], update: StageUpdate, at: number, tally: Tally): MergedStages {
  const index = find(stages, update, at);
  if (index < 0) return append(stages, update, at, tally);
  const known = stages[index]!;
  const merged = at >= known.at ? overlay(known, update, at, tally) : backfill(known, update, at, tally);
  if (merged === known) return { stages, dropped: 0, moved: null };
  const next = stages.slice();
  next[index] = merged;
  settle(next, index);
  return { stages: next, dropped: 0, moved: merged.state === known.state ? null : merged };
}

/** The index of the stage that the update is about; -1 = it is a new one. */
function find(stages: readonly Stage[], update: StageUpdate, at: number): number {
  if (update.seq !== null) return stages.findLastIndex((stage) => stage.name === update.name && stage.seq === update.seq);
  const last = lastOccurrence(stages, update.name, Infinity);
  if (last < 0) return -1;
  const stage = stages[last]!;
  if (at <= stage.at || isStageOpen(stage.state)) return begunBy(stages, update, at, last);
  return opensNext(stage, update) ? -1 : last;
}

/** An ended stage is followed by another occurrence when a report newer than its end starts it again. */
function opensNext(ended: Stage, update: StageUpdate): boolean {
  if (update.started_at === null) return isStageOpen(update.state);
  if (update.started_at === ended.started_at) return false;
  return isStageOpen(update.state) || (ended.completed_at !== null && update.started_at >= ended.completed_at);
}

/** The last occurrence which had begun when the report was made, else the first one. */
function begunBy(stages: readonly Stage[], update: StageUpdate, at: number, last: number): number {
  let index = last;
  for (;;) {
    const startedAt = stages[index]!.started_at;
    if (startedAt === null || startedAt <= at || startedAt === update.started_at) return index;
    const before = lastOccurrence(stages, update.name, stages[index]!.occurrence);
    if (before < 0) return index;
    index = before;
  }
}

function lastOccurrence(stages: readonly Stage[], name: string, below: number): number {
  let found = -1;
  for (let i = 0; i < stages.length; i++) {
    const stage = stages[i]!;
    if (stage.name === name && stage.occurrence < below && (found < 0 || stage.occurrence > stages[found]!.occurrence)) found = i;
  }
  return found;
}

function append(stages: Stage[], update: StageUpdate, at: number, tally: Tally): MergedStages {
  const stage: Stage = {
    name: sharedText(update.name), occurrence: 1, seq: update.seq, state: update.state,
    started_at: update.started_at ?? (update.state === 'running' ? at : null),
    completed_at: isStageOpen(update.state) ? null : (update.completed_at ?? at),
    planned_sec: update.planned_sec, at,
  };
  forward(stage);
  const next = stages.slice();
  numberOccurrences(next, stage);
  next.push(stage);
  settle(next, next.length - 1);
  let dropped = 0;
  if (next.length > MAX_STAGES) {
    const oldest = next.findIndex((candidate) => !isStageOpen(candidate.state));
    const [gone] = next.splice(Math.max(oldest, 0), 1);
    if (gone === stage) {
      tally.older += 1;
      return { stages, dropped: 0, moved: null };
    }
    dropped = 1;
  }
  noteChange(tally, 'fact');
  // A copy without the room to grow that `push` made.
  return { stages: next.slice(), dropped, moved: stage };
}

/** Gives the new stage its number: by `seq` among stages of its name which have one, else the next. */
function numberOccurrences(stages: Stage[], stage: Stage): void {
  let after = 0;
  let before = Infinity;
  for (const other of stages) {
    if (other.name !== stage.name) continue;
    if (stage.seq !== null && other.seq !== null && other.seq > stage.seq) before = Math.min(before, other.occurrence);
    else after = Math.max(after, other.occurrence);
  }
  stage.occurrence = before === Infinity ? after + 1 : before;
  if (before === Infinity) return;
  for (let i = 0; i < stages.length; i++) {
    const other = stages[i]!;
    if (other.name === stage.name && other.occurrence >= before) stages[i] = { ...other, occurrence: other.occurrence + 1 };
  }
}

/** A report at least as new as what is known: what it says stands, what it leaves out stays. */
function overlay(known: Stage, update: StageUpdate, at: number, tally: Tally): Stage {
  const stage: Stage = {
    ...known,
    state: update.state,
    started_at: update.started_at ?? known.started_at ?? (update.state === 'running' ? at : null),
    completed_at: isStageOpen(update.state) ? null : (update.completed_at ?? known.completed_at ?? at),
    planned_sec: update.planned_sec ?? known.planned_sec,
    at,
  };
  forward(stage);
  return wins(tally, at, known.at, sameFacts(stage, known), 'fact') ? stage : known;
}

/** A report older than what is known: it can only tell of times that were not known, or not known so early. */
function backfill(known: Stage, update: StageUpdate, at: number, tally: Tally): Stage {
  const began = update.started_at ?? (update.state === 'running' ? at : null);
  const ended = isStageOpen(update.state) ? null : (update.completed_at ?? at);
  const stage: Stage = {
    ...known,
    started_at: earliest(known.started_at, began),
    // A stage that was opened again after this end has not ended.
    completed_at: isStageOpen(known.state) ? known.completed_at : earliest(known.completed_at, ended),
    planned_sec: known.planned_sec ?? update.planned_sec,
  };
  forward(stage);
  if (!sameFacts(stage, known)) {
    noteChange(tally, 'fact');
    return stage;
  }
  const told = began ?? ended ?? update.planned_sec;
  const repeats = told !== null
    && (began === null || began === known.started_at)
    && (ended === null || ended === known.completed_at)
    && (update.planned_sec === null || update.planned_sec === known.planned_sec);
  if (repeats) tally.same += 1;
  else tally.older += 1;
  return known;
}

function earliest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

function sameFacts(a: Stage, b: Stage): boolean {
  return a.state === b.state && a.started_at === b.started_at && a.completed_at === b.completed_at && a.planned_sec === b.planned_sec;
}

/** Clocks differ between the reporters of a start and an end: no stage ends before it starts. */
function forward(stage: Stage): void {
  if (stage.completed_at !== null && stage.started_at !== null && stage.completed_at < stage.started_at) {
    stage.completed_at = stage.started_at;
  }
}

/** Moves the stage at `index` to its place; the others are in order already. */
function settle(stages: Stage[], index: number): void {
  const stage = stages[index]!;
  let i = index;
  for (; i > 0 && compareStages(stages[i - 1]!, stage) > 0; i--) stages[i] = stages[i - 1]!;
  for (; i < stages.length - 1 && compareStages(stages[i + 1]!, stage) < 0; i++) stages[i] = stages[i + 1]!;
  stages[i] = stage;
}

/** Order of starts; those that have not begun come last, in the order of `seq`. Total: no two stages of a race are equal. */
function compareStages(a: Stage, b: Stage): number {
  const from = (stage: Stage): number => stage.started_at ?? stage.completed_at ?? Number.MAX_SAFE_INTEGER;
  const seq = (stage: Stage): number => stage.seq ?? Number.MAX_SAFE_INTEGER;
  if (from(a) !== from(b)) return from(a) - from(b);
  if (seq(a) !== seq(b)) return seq(a) - seq(b);
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.occurrence - b.occurrence;
}
