import type { StageState } from '../race/update.ts';

/** What a stage must say to have a place in the course of a race. */
type TimedStage = { name: string; occurrence: number; state: StageState; started_at: number | null; completed_at: number | null };

/** A stage began or ended: the race is in that state from then on. */
export type Transition = { readonly state: string; readonly stage: string; readonly atMs: number };

/** Names a stage within its race: a repeat of a stage is another stage. */
export function stageKey(stage: { name: string; occurrence: number }): string {
  return `${stage.name}#${stage.occurrence}`;
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
    const key = stageKey(stage);
    if (isWithin(stage.started_at, fromMs, untilMs)) found.push({ state: startedState(key), stage: key, atMs: stage.started_at });
    if (isWithin(stage.completed_at, fromMs, untilMs)) found.push({ state: doneState(key), stage: key, atMs: stage.completed_at });
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
  const key = stageKey(last);
  return { state: isDone ? doneState(key) : startedState(key), stage: key, atMs };
}

function startedState(stage: string): string {
  return `${stage}:started`;
}

function isWithin(atMs: number | null, fromMs: number, untilMs: number): atMs is number {
  return atMs !== null && atMs >= fromMs && atMs < untilMs;
}
