import { silentAtMs, silentTooLong } from '../race/abandon.ts';
import { updateIntervalHintSec } from '../race/progress.ts';
import { isFinished, type RaceState } from '../race/state.ts';

/** finishedTtlMs: how long a finished race is kept. nowMs: a wake-up is never set before it; without it, when one was due is told. lateAtSec: when its present stage will be late, by the forecast in hand. */
export type WakeOptions = { readonly finishedTtlMs: number; readonly nowMs?: number; readonly lateAtSec?: number | null };

/**
 * What a wake-up asks for: a new forecast because the published finish has passed, one because a promised report did
 * not come, to close a race that fell silent, to forget a finished one, or nothing.
 */
export type WakeDecision = 'reforecast-overdue' | 'reforecast-progress' | 'abandon' | 'expire' | 'wait';

const LEAST_OVERDUE_MS = 5_000;
/** Looks at an overdue race come at growing intervals: a tenth of its age. 1 s to 1 year is some 150 looks. */
const OVERDUE_GROWTH = 0.1;
/** A race on its way is looked at when this share of what remains has passed, and of its age: some five looks. Chosen, not tuned. */
const REFRESH_OF_REMAINING = 0.25;
const REFRESH_OF_AGE = 0.1;
const LEAST_REFRESH_MS = 5_000;
/** A report is missing when three usual intervals have passed. */
const MISSED_INTERVALS = 3;

/** When a race wants to be looked at without an update, epoch ms; null = never. O(1). */
export function nextWakeAtMs(race: RaceState, { finishedTtlMs, nowMs = -Infinity, lateAtSec = null }: WakeOptions): number | null {
  if (isFinished(race.state)) return Math.max(expiryAtMs(race, finishedTtlMs), nowMs);
  const progressAtMs = promisedAtMs(race);
  return Math.min(
    Math.max(silenceEndsAtMs(race), nowMs),
    Math.max(overdueAtMs(race), nowMs === -Infinity ? nowMs : nowMs + overdueStepMs(race, nowMs)),
    refreshAtMs(race, nowMs),
    lateAtMs(race, nowMs, lateAtSec),
    // One look a report: if it has been due already, it has been taken.
    progressAtMs > nowMs ? progressAtMs : Infinity,
  );
}

/** What a wake-up at nowMs is for. 'wait' = it came too early (an update has moved it). */
export function decideWake(race: RaceState, nowMs: number, { finishedTtlMs }: WakeOptions): WakeDecision {
  if (isFinished(race.state)) return nowMs >= expiryAtMs(race, finishedTtlMs) ? 'expire' : 'wait';
  if (silentTooLong(race, p90SecOf(race), nowMs)) return 'abandon';
  if (nowMs >= overdueAtMs(race)) return 'reforecast-overdue';
  const progressAtMs = promisedAtMs(race);
  if (nowMs >= progressAtMs && (race.wake_at === null || race.wake_at <= progressAtMs)) return 'reforecast-progress';
  return race.wake_at !== null && race.wake_at <= nowMs && nowMs < finishAtMs(race) ? 'reforecast-progress' : 'wait';
}

function expiryAtMs(race: RaceState, finishedTtlMs: number): number {
  return Math.max(race.completed_at ?? race.last_at, race.appended_at) + finishedTtlMs;
}

// Due times are stored as whole milliseconds: what learned intervals and shares of an age give is rounded up.

/** The first instant at which an unfinished race has been silent for too long, epoch ms. Follows from its state alone. */
function silenceEndsAtMs(race: RaceState): number {
  return Math.ceil(silentAtMs(race, p90SecOf(race))) + 1;
}

/**
 * The p90 of when the race was last heard of. What has been published since knows only that it is older still: the p90
 * then grows faster than the silence, and it would never be over.
 */
function p90SecOf({ checkpoints, started_at, first_at, last_at }: RaceState): number | null {
  const fromMs = started_at ?? first_at;
  // Mostly the last one: each update asks.
  for (let i = checkpoints.length - 1; i > 0; i--) if (fromMs + 1000 * checkpoints[i]!.elapsed_sec <= last_at) return checkpoints[i]!.p90_sec;
  return checkpoints[0]?.p90_sec ?? null;
}

function overdueAtMs({ published, started_at }: RaceState): number {
  if (published === null || started_at === null) return Infinity;
  const finishAtMs = Math.ceil(started_at + 1000 * published.eta_sec);
  const ageMs = published.issued_at - started_at;
  // A finish published a moment before its time must not wake at once again.
  return Math.max(finishAtMs, ageMs > 0 ? published.issued_at + Math.max(LEAST_OVERDUE_MS, Math.ceil(OVERDUE_GROWTH * ageMs)) : finishAtMs);
}

/** A finish that was published, epoch ms; none = -Infinity. */
function finishAtMs({ published, started_at, state }: RaceState): number {
  return published === null || started_at === null || state !== 'running' ? -Infinity : Math.ceil(started_at + 1000 * published.eta_sec);
}

/** The age tells, too, that a race is not of the short kind: it is looked at on its way, in ever smaller steps. */
function refreshAtMs(race: RaceState, nowMs: number): number {
  const { published, started_at } = race;
  if (published === null || started_at === null) return Infinity;
  const fromMs = Math.max(nowMs, published.issued_at);
  const finishMs = finishAtMs(race);
  const atMs = fromMs + Math.ceil(Math.max(LEAST_REFRESH_MS, REFRESH_OF_REMAINING * (finishMs - fromMs), REFRESH_OF_AGE * (fromMs - started_at)));
  return atMs < finishMs ? atMs : Infinity;
}

/** A stage that should have ended by then: the legs ahead of it will take longer, too. */
function lateAtMs(race: RaceState, nowMs: number, lateAtSec: number | null): number {
  if (lateAtSec === null || race.started_at === null || race.state !== 'running') return Infinity;
  const atMs = Math.max(Math.ceil(race.started_at + 1000 * lateAtSec), nowMs + LEAST_REFRESH_MS);
  return atMs < finishAtMs(race) ? atMs : Infinity;
}

function overdueStepMs(race: RaceState, nowMs: number): number {
  return overdueAtMs(race) > nowMs ? 0 : Math.max(LEAST_OVERDUE_MS, Math.ceil(OVERDUE_GROWTH * (nowMs - (race.started_at ?? nowMs))));
}

/** Only a producer that reports progress has promised anything. */
function promisedAtMs(race: RaceState): number {
  return race.progress_points.length === 0 || race.state !== 'running' ? Infinity : race.last_at + Math.ceil(MISSED_INTERVALS * 1000 * updateIntervalHintSec(race));
}
