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
    if (isWithin(stage.started_at, fromMs, untilMs)) found.push({ state: `${key}:started`, stage: key, atMs: stage.started_at });
    if (isWithin(stage.completed_at, fromMs, untilMs)) found.push({ state: doneState(key), stage: key, atMs: stage.completed_at });
  }
  return found.sort((a, b) => a.atMs - b.atMs);
}

function isWithin(atMs: number | null, fromMs: number, untilMs: number): atMs is number {
  return atMs !== null && atMs >= fromMs && atMs < untilMs;
}
