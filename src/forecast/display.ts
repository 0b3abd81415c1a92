import type { Display, DisplayState, Published, RaceState } from '../race/state.ts';
import type { Forecast } from './forecast.ts';

/** A change of the finish below this much is noise to a reader. Seconds; share of what remains; share of the interquartile range. */
const LEAST_MOVE_SEC = 5;
const MOVE_OF_REMAINING = 0.05;
const MOVE_OF_IQR = 0.5;
/** Less than this does not remain, for shares of it. */
const LEAST_REMAINING_SEC = 1e-3;
/** A stage or the time passing is not told of when it moves the finish by less: seconds, share of what remains. */
const LEAST_TOLD_SEC = 2.2;
const TOLD_OF_REMAINING = 0.03;
/**
 * A revision is worth sending when the probability that what remains is within 20 % rises by this much times the cube of
 * how often a reader has been told (`timesTold`), over the root of the share of life that is left for it to be right.
 * Chosen, like the two below, on the first 40 % of jobs, bus trips, tickets and bitcoin/bitcoin.
 */
const REVISION_COST = 0.00045;
/** What moving a shown finish by as much as remains must gain in that probability, over how often a reader has been told. */
const MOVE_PRICE = 0.42;
/** A move to later costs this share of it: that a race is not done is certain, that it will be early is only likely. */
const LATER_PRICE = 0.5;
/** Places between the shown finish and the forecast's that are weighed. */
const PLACES = 8;
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

/** Whether the forecast of a race under way is worth a revision: for the finish it publishes, or for the one it shows. */
export function isWorthTelling(race: RaceState, published: Published, { etaSec, shown, lossOfPublished }: Forecast, elapsedSec: number): boolean {
  const leftOfLife = Math.max(etaSec - elapsedSec, LEAST_REMAINING_SEC) / etaSec;
  // One that has passed loses all there is.
  const cost = Math.min(1, (REVISION_COST * timesTold(race, elapsedSec) ** 3) / Math.sqrt(leftOfLife));
  const isFar = (fromSec: number, toSec: number): boolean => Math.abs(toSec - fromSec) > Math.max(LEAST_TOLD_SEC, TOLD_OF_REMAINING * (Math.max(fromSec, toSec) - elapsedSec));
  if (isFar(published.eta_sec, etaSec) && lossOfPublished >= cost) return true;
  return race.started_at !== null && race.display.finish_at !== null && isFar((race.display.finish_at - race.started_at) / 1000, shown.sec) && shown.gain > cost;
}

/**
 * How often a reader has been told of a race lately, >= 1: each revision counts by its age's share of the race's age now.
 * What was said early, as when nothing was known yet, counts ever less, and does not use up what may be said later.
 * O(checkpoints).
 */
export function timesTold({ checkpoints }: RaceState, elapsedSec: number): number {
  if (!(elapsedSec > 0)) return 1;
  let times = 1;
  for (const { role, elapsed_sec } of checkpoints) if (role === 'served') times += Math.min(1, elapsed_sec / elapsedSec);
  return times;
}

/** Where to show a finish (total, s), and how much likelier what remains is then still within 20 % at the next look, the price of the move taken off. */
export type ShownMove = { readonly sec: number; readonly gain: number };

/**
 * Of the places from the shown finish to the forecast's, the one worth most: a move must pay for every second of it, so
 * a finish holds still while little is lost, and goes as far as the forecast is sure of. Going later is cheaper than
 * earlier, and any move of a finish that has moved of late is cheaper than one of a finish that has stood. One that
 * has passed is let go of. O(1).
 * @param told `timesTold`. @param massAt the probability that at the next look what remains is still within 20 % of what a total (s) leaves.
 */
export function worthwhileMove(shownSec: number, etaSec: number, elapsedSec: number, told: number, massAt: (totalSec: number) => number): ShownMove {
  const hasPassed = shownSec <= elapsedSec;
  const fromSec = hasPassed ? elapsedSec : shownSec;
  const price = (MOVE_PRICE * (etaSec > fromSec ? LATER_PRICE : 1)) / (told * Math.max(etaSec - elapsedSec, LEAST_REMAINING_SEC));
  const held = hasPassed ? 0 : massAt(shownSec);
  let [sec, worth] = hasPassed ? [etaSec, -Infinity] : [shownSec, held];
  for (let k = 1; k <= PLACES; k++) {
    const placeSec = fromSec + ((etaSec - fromSec) * k) / PLACES;
    const placeWorth = massAt(placeSec) - price * Math.abs(placeSec - fromSec);
    if (placeWorth > worth) [sec, worth] = [placeSec, placeWorth];
  }
  return { sec, gain: worth - held };
}

/** What a screen should show: the finish that is worth showing, and how the race stands to it. */
export function nextDisplay(race: RaceState, forecast: Forecast, nowMs: number): Display {
  if (race.started_at === null) return { finish_at: null, state: isCold(forecast) ? 'cold' : 'stable' };
  const held = race.display.finish_at;
  const finishAtMs = Math.round(race.started_at + 1000 * (held === null ? forecast.etaSec : forecast.shown.sec));
  return { finish_at: finishAtMs, state: stateOf(race, forecast, nowMs, held === null || held === finishAtMs) };
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
