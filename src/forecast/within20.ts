/** What a forecast may be off to count as right, as a share. */
const TOLERANCE = 0.2;

/** True if the forecast is off by at most a fifth of the truth, or of a share of it (0..1: what was left, say). */
export function isWithin20(forecastSec: number, truthSec: number, share = 1): boolean {
  return Math.abs(forecastSec - truthSec) <= TOLERANCE * truthSec * share;
}
