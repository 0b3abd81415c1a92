import type { Display, DisplayState, RaceState } from '../race/state.ts';
import type { Forecast } from './forecast.ts';

/** A change of the finish below this much is noise to a reader. Seconds; share of what remains; share of the interquartile range. */
const LEAST_MOVE_SEC = 5;
const MOVE_OF_REMAINING = 0.05;
const MOVE_OF_IQR = 0.5;
/**
 * What was said stands while it loses little: the probability that what remains is within 20 % of it may be lower than at
 * the new finish by this much times the square of how often a reader has been told, up to so much. Few revisions follow
 * closely, many do not. Chosen with a look at all of the bus trips, CI jobs and tickets, and at a quarter of a marathon's
 * runners.
 */
const PUBLISHED_LOSS = { first: 0.012, most: 0.3 };
const SHOWN_LOSS = { first: 0.009, most: 0.26 };
/** A published finish that moves by more than this share of the interquartile range is known better than before, and told. */
const STANDS_WITHIN_IQR = 0.6;
/** A later finish is approached by this share at each revision. */
const EASE = 0.5;
/** An overdue race is stuck at ten times its first estimate (Jenkins' rule). */
const STUCK_FACTOR = 10;
/** Or when it is silent: this long, this share of its age (TeamCity's rule), and far beyond its own usual gap. */
const SILENT_MS = 360_000;
const SILENT_OF_AGE = 0.2;
const SILENT_GAPS = 10;

/** How far the finish may move before it is worth saying, in seconds. */
export function moveToleranceSec(forecast: Forecast, remainingSec: number): number {
  return Math.max(LEAST_MOVE_SEC, MOVE_OF_REMAINING * Math.max(0, remainingSec), MOVE_OF_IQR * (forecast.p75Sec - forecast.p25Sec));
}

/** Whether the published finish may stand: leaving it loses little, and the move is not more than the forecast itself wavers. */
export function mayStand({ revision, published }: RaceState, { lossOfPublished, etaSec, p25Sec, p75Sec }: Forecast): boolean {
  return lossOfPublished <= bearable(PUBLISHED_LOSS, revision) && published !== null && Math.abs(etaSec - published.eta_sec) <= STANDS_WITHIN_IQR * (p75Sec - p25Sec);
}

function bearable({ first, most }: { readonly first: number; readonly most: number }, revision: number): number {
  return Math.min(most, first * revision ** 2);
}

/** The same when a stage began or ended, which tells more than time passing: without the share of the interquartile range. */
export function stageToleranceSec(remainingSec: number): number {
  return Math.max(LEAST_MOVE_SEC, MOVE_OF_REMAINING * Math.max(0, remainingSec));
}

/**
 * What a screen should show: a finish that holds still while the forecast stays near it, moves earlier at once, and
 * later by steps that are never more than one update interval behind.
 * @param intervalSec what the source takes between two updates.
 */
export function nextDisplay(race: RaceState, forecast: Forecast, nowMs: number, intervalSec: number): Display {
  if (race.started_at === null) return { finish_at: null, state: isCold(forecast) ? 'cold' : 'stable' };
  const finishAtMs = Math.round(race.started_at + 1000 * forecast.etaSec);
  const held = race.display.finish_at;
  const toleranceMs = 1000 * stageToleranceSec((finishAtMs - nowMs) / 1000);
  const isHeld = held !== null && held > nowMs && (Math.abs(finishAtMs - held) <= toleranceMs || forecast.lossOfShown <= bearable(SHOWN_LOSS, race.revision));
  return { finish_at: isHeld ? held : approach(held, finishAtMs, nowMs, intervalSec), state: stateOf(race, forecast, nowMs, isHeld || held === null) };
}

function approach(held: number | null, finishAtMs: number, nowMs: number, intervalSec: number): number {
  if (held === null || finishAtMs <= held) return finishAtMs;
  const eased = Math.max(held + EASE * (finishAtMs - held), finishAtMs - 1000 * intervalSec);
  return Math.round(eased <= nowMs ? finishAtMs : eased);
}

function stateOf(race: RaceState, forecast: Forecast, nowMs: number, isStill: boolean): DisplayState {
  // A guess without history cannot be overrun.
  const isOverdue = forecast.overdue && !isCold(forecast);
  if (isStuck(race, nowMs, isOverdue)) return 'stuck';
  if (isOverdue) return 'overdue';
  if (isCold(forecast)) return 'cold';
  return isStill ? 'stable' : 'correcting';
}

function isStuck(race: RaceState, nowMs: number, isOverdue: boolean): boolean {
  if (!isOverdue) return false;
  const ageMs = nowMs - (race.started_at ?? nowMs);
  const first = race.checkpoints.find(({ role }) => role === 'served');
  if (first !== undefined && first.basis !== 'bootstrap' && ageMs > STUCK_FACTOR * 1000 * first.eta_sec) return true;
  return race.gap_count > 0 && nowMs - race.last_at > Math.max(SILENT_MS, SILENT_OF_AGE * ageMs, SILENT_GAPS * 1000 * race.gap_mean_sec);
}

function isCold({ basis }: Forecast): boolean {
  return basis === 'bootstrap' || basis === 'none';
}
