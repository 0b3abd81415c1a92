import { finishAt, type RaceView } from '../../bridge/frames.ts';

/** Optimistic progress, percent. `solid` was reported; up to `shown` is predicted. 0 <= solid <= shown <= 100. */
export type Bar = {
  readonly solid: number;
  readonly shown: number;
  /** false = the report is too old for its promise: the prediction stands still. */
  readonly isTrusted: boolean;
};

// The rules of predictProgress in src/race, carried on between two revisions: what a guess may add to a report, from
// which report on, where one without any report stops, and that 100 is for the end.
const MAX_LEAD = 20;
const MIN_REPORT_TO_LEAD = 5;
const MAX_ESTIMATE = 95;
const MAX_UNFINISHED = 99;
/** Intervals without a report after which nothing is predicted any more. */
const TRUSTED_INTERVALS = 3;
const DEFAULT_INTERVAL_SEC = 10;

const unpredictable: ReadonlySet<string> = new Set(['cold', 'unknown', 'stuck']);

/**
 * The bar of a race now. Never below `shownBefore` (what the same attempt has shown already), never 100 before it has
 * passed; a race whose end nobody knows shows what was reported only.
 */
export function barOf(race: RaceView, nowMs: number, shownBefore: number): Bar {
  const reported = Math.max(0, race.progress ?? 0);
  if (race.state === 'passed') return { solid: 100, shown: 100, isTrusted: true };
  if (race.state !== 'running') {
    const reached = Math.min(100, Math.max(reported, shownBefore));
    return { solid: reached, shown: reached, isTrusted: true };
  }
  const solid = Math.min(MAX_UNFINISHED, reported);
  const floor = Math.max(solid, Math.min(MAX_UNFINISHED, shownBefore));
  const { eta } = race;
  const finishAtMs = finishAt(race);
  if (eta === null || finishAtMs === null || race.started_at === null || unpredictable.has(eta.display.state)) return { solid, shown: floor, isTrusted: true };
  const intervalMs = 1_000 * (race.update_interval_hint_sec ?? DEFAULT_INTERVAL_SEC);
  const isTrusted = race.progress === null || nowMs - race.updated_at <= TRUSTED_INTERVALS * intervalMs;
  // Without a report the start is the only thing to go by; with one, what the last revision made of it, or the report itself.
  const anchor = race.progress === null
    ? { atMs: race.started_at, value: 0 }
    : { atMs: Math.max(eta.issued_at, race.updated_at), value: Math.max(solid, eta.issued_at >= race.updated_at ? eta.progress?.current ?? 0 : 0) };
  const cap = race.progress === null ? MAX_ESTIMATE : reported === 0 || reported >= MIN_REPORT_TO_LEAD ? reported + MAX_LEAD : reported;
  const guess = isTrusted ? lineAt(anchor, finishAtMs, nowMs) : anchor.value;
  return { solid, shown: Math.max(floor, round(Math.min(guess, cap, MAX_UNFINISHED))), isTrusted };
}

function lineAt({ atMs, value }: { atMs: number; value: number }, finishAtMs: number, nowMs: number): number {
  if (nowMs <= atMs) return value;
  if (nowMs >= finishAtMs) return MAX_UNFINISHED;
  return value + (100 - value) * ((nowMs - atMs) / (finishAtMs - atMs));
}

function round(percent: number): number {
  return Math.round(percent * 10) / 10;
}
