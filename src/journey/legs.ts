// How long the legs between waypoints take, learned from every vehicle that drives them, on whatever route.

const HOURS = 8;
const HOUR_BUCKET_MS = 3 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
const [SEC, NOMINAL, RECENT_EXCESS, RECENT_SEC, RECENT_AT, EXCESS, EXPECTED] = [0, 1, 2, 3, 4, 5, 5 + HOURS];
export const LEG_NUMBERS = 5 + 2 * HOURS;
/** Half of what is known of a leg comes from its last 15 passages. */
const KEEP = 0.5 ** (1 / 15);
/** The nominal time, scaled as the source is, counts as so many passages. */
const SHRINK = 4;
const HOUR_SHRINK = 3;
const SOURCE_KEEP = 0.5 ** (1 / 3000);
const SOURCE_HOUR_SEC = 3000;
/** What the vehicle in front met is half as true 45 minutes later. */
const RECENT_HALF_LIFE_MS = 45 * 60_000;
const LEAST_SEC = 10;
/** Beyond these multiples of the nominal time something else happened than driving the leg. */
const [LEAST_RATIO, MOST_RATIO, MOST_EXTRA_SEC] = [0.3, 4, 90];
export const MOST_LEGS = 20_000;

/** Learned times of the legs of one source: at most 20,000, those not driven for longest give way. 168 bytes a leg. */
export type LegTimes = {
  readonly legs: Map<string, Float64Array>;
  /** Seconds driven and nominal seconds of all legs; metres driven, of which the mean speed is made. */
  sec: number;
  nominalSec: number;
  metres: number;
  metresSec: number;
  /** Excess over the expectation and expected seconds of all legs, by three hours of the day (UTC). */
  readonly hourExcess: Float64Array;
  readonly hourExpected: Float64Array;
};

export function createLegTimes(): LegTimes {
  return { legs: new Map(), sec: 100, nominalSec: 100, metres: 0, metresSec: 0, hourExcess: new Float64Array(HOURS), hourExpected: new Float64Array(HOURS) };
}

/** A leg by its ends; the same leg of other routes is the same. */
export function legKey(from: string, to: string): string {
  return `${from}\n${to}`;
}

function hourOf(atMs: number): number {
  return Math.floor((((atMs % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_BUCKET_MS);
}

/** Metres per second of all that was driven; null = nothing was. */
export function meanSpeedMps({ metres, metresSec }: LegTimes): number | null {
  return metresSec > 0 ? metres / metresSec : null;
}

/**
 * Seconds a leg is expected to take: its nominal time (by the plan, or its length at the usual speed) times how it went lately,
 * which with few passages is how all legs of the source went. O(1).
 */
export function expectedSec(times: LegTimes, key: string, nominalSec: number): number {
  const nominal = Math.max(LEAST_SEC, nominalSec);
  const leg = times.legs.get(key);
  const usual = times.sec / times.nominalSec;
  return leg === undefined ? nominal * usual : (nominal * (leg[SEC]! + SHRINK * nominal * usual)) / (leg[NOMINAL]! + SHRINK * nominal);
}

/** Seconds that vehicles in front took longer than expected, fading with the time since; below 0 = less. O(1). */
export function recentExcessSec(times: LegTimes, key: string, expected: number, atMs: number): number {
  const leg = times.legs.get(key);
  if (leg === undefined || !(leg[RECENT_SEC]! > 0)) return 0;
  const fade = 0.5 ** (Math.max(0, atMs - leg[RECENT_AT]!) / RECENT_HALF_LIFE_MS);
  return (expected * leg[RECENT_EXCESS]! * fade) / (leg[RECENT_SEC]! * fade + expected);
}

/** Seconds a leg takes longer than expected at this time of day, shrunk to what all legs of the source do then. O(1). */
export function hourExcessSec(times: LegTimes, key: string, expected: number, atMs: number): number {
  const hour = hourOf(atMs);
  const usual = times.hourExcess[hour]! / (times.hourExpected[hour]! + SOURCE_HOUR_SEC);
  const leg = times.legs.get(key);
  const own = HOUR_SHRINK * expected;
  return (expected * ((leg?.[EXCESS + hour] ?? 0) + own * usual)) / ((leg?.[EXPECTED + hour] ?? 0) + own);
}

/** Learns that a leg of `lengthM` took `sec`, ending at `atMs`. O(1). */
export function learnLeg(times: LegTimes, key: string, nominalSec: number, sec: number, lengthM: number, atMs: number): void {
  const nominal = Math.max(LEAST_SEC, nominalSec);
  const took = Math.min(Math.max(sec, LEAST_RATIO * nominal), MOST_RATIO * nominal + MOST_EXTRA_SEC);
  const expected = expectedSec(times, key, nominal);
  const hour = hourOf(atMs);
  const leg = times.legs.get(key) ?? new Float64Array(LEG_NUMBERS);
  // Moved to the end: the first of the map is the one not driven for longest.
  times.legs.delete(key);
  times.legs.set(key, leg);
  if (times.legs.size > MOST_LEGS) times.legs.delete(times.legs.keys().next().value!);
  const fade = 0.5 ** (Math.max(0, atMs - leg[RECENT_AT]!) / RECENT_HALF_LIFE_MS);
  leg[RECENT_EXCESS] = leg[RECENT_EXCESS]! * fade + took - expected;
  leg[RECENT_SEC] = leg[RECENT_SEC]! * fade + expected;
  leg[RECENT_AT] = Math.max(leg[RECENT_AT]!, atMs);
  leg[SEC] = leg[SEC]! * KEEP + took;
  leg[NOMINAL] = leg[NOMINAL]! * KEEP + nominal;
  leg[EXCESS + hour] = leg[EXCESS + hour]! * KEEP + took - expected;
  leg[EXPECTED + hour] = leg[EXPECTED + hour]! * KEEP + expected;
  times.sec = times.sec * SOURCE_KEEP + took;
  times.nominalSec = times.nominalSec * SOURCE_KEEP + nominal;
  times.metres = times.metres * SOURCE_KEEP + lengthM;
  times.metresSec = times.metresSec * SOURCE_KEEP + took;
  times.hourExcess[hour] = times.hourExcess[hour]! * SOURCE_KEEP + took - expected;
  times.hourExpected[hour] = times.hourExpected[hour]! * SOURCE_KEEP + expected;
}
