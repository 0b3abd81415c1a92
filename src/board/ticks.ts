const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Steps of an axis of durations, seconds: what a person counts in. */
export const durationSteps: number[] = [1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 360 * DAY];

const round = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 40, ...[1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 40].map((n) => n * MINUTE), ...[1, 1.5, 2, 3, 5, 8, 12].map((n) => n * HOUR), ...[1, 2, 3, 5, 7, 14, 30, 60, 120, 360].map((n) => n * DAY),
];

/** At most `most` round durations from `lowSec` to `highSec`, for an axis by their logarithm; its ends when fewer than two lie within. */
export function roundDurations(lowSec: number, highSec: number, most: number): number[] {
  const within = round.filter((sec) => sec >= lowSec && sec <= highSec);
  return within.length < 2 ? [lowSec, highSec] : thinned(within, most);
}

/** Every so manieth, so that at most `most` are left. */
export function thinned<T>(values: readonly T[], most: number): T[] {
  const step = Math.ceil(values.length / Math.max(1, most));
  return values.filter((_, index) => index % step === 0);
}
