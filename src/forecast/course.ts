import type { StageState } from '../race/update.ts';

/** What a stage must say to have a place in the course of a race. */
type TimedStage = { name: string; occurrence: number; state: StageState; started_at: number | null; completed_at: number | null };

/** A stage began or ended: the race is in that state from then on. */
export type Transition = { readonly state: string; readonly stage: string; readonly atMs: number };

/** A stage within its race, and the states that it brings the race to. */
type StageNames = { readonly key: string; readonly started: string; readonly done: string };

/** By name, then occurrence: each forecast asks for the same ones. */
const namesByStage = new Map<string, StageNames[]>();
const MOST_NAMED = 10_000;
const MOST_OCCURRENCES = 100;

function namesOf({ name, occurrence }: { readonly name: string; readonly occurrence: number }): StageNames {
  let ofName = namesByStage.get(name);
  const known = ofName?.[occurrence];
  if (known !== undefined) return known;
  const key = `${name}#${occurrence}`;
  const names = { key, started: `${key}:started`, done: doneState(key) };
  if (occurrence > MOST_OCCURRENCES) return names;
  if (ofName === undefined) {
    if (namesByStage.size === MOST_NAMED) namesByStage.clear();
    namesByStage.set(name, (ofName = []));
  }
  ofName[occurrence] = names;
  return names;
}

/** Names a stage within its race: a repeat of a stage is another stage. */
export function stageKey(stage: { readonly name: string; readonly occurrence: number }): string {
  return namesOf(stage).key;
}

/** The state a race is in once that stage has ended. */
export function doneState(stage: string): string {
  return `${stage}:done`;
}

/**
 * The transitions of a race in order of time, those of [fromMs, untilMs) only; at one instant in the order of the
 * stages, a start before its end. A skipped stage has none. O(n log n).
 */
export function transitionsOf(stages: readonly TimedStage[], fromMs: number, untilMs: number): Transition[] {
  const found: Transition[] = [];
  for (const stage of stages) {
    if (stage.state === 'skipped' || stage.state === 'pending') continue;
    const { key, started, done } = namesOf(stage);
    if (isWithin(stage.started_at, fromMs, untilMs)) found.push({ state: started, stage: key, atMs: stage.started_at });
    if (isWithin(stage.completed_at, fromMs, untilMs)) found.push({ state: done, stage: key, atMs: stage.completed_at });
  }
  return found.sort((a, b) => a.atMs - b.atMs);
}

/** The last of `transitionsOf(stages, fromMs, untilMs)`; null = there is none. O(n). */
export function lastTransition(stages: readonly TimedStage[], fromMs: number, untilMs: number): Transition | null {
  let last: TimedStage | null = null;
  let atMs = fromMs;
  let isDone = false;
  for (const stage of stages) {
    if (stage.state === 'skipped' || stage.state === 'pending') continue;
    const { started_at, completed_at } = stage;
    if (isWithin(started_at, fromMs, untilMs) && started_at >= atMs) [last, atMs, isDone] = [stage, started_at, false];
    if (isWithin(completed_at, fromMs, untilMs) && completed_at >= atMs) [last, atMs, isDone] = [stage, completed_at, true];
  }
  if (last === null) return null;
  const { key, started, done } = namesOf(last);
  return { state: isDone ? done : started, stage: key, atMs };
}

function isWithin(atMs: number | null, fromMs: number, untilMs: number): atMs is number {
  return atMs !== null && atMs >= fromMs && atMs < untilMs;
}
