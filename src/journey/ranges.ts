// How far off the forecasts were: the tenth and the ninetieth percentile of their errors, by horizon, followed online.

import { around } from './knots.ts';

const HORIZONS_SEC = [0, 60, 120, 240, 420, 660, 1000, 1600, 2600, 4200] as const;
/** Errors are measured in units of this many seconds and this share of the horizon. */
const [UNIT_SEC, UNIT_SHARE] = [20, 0.15];
/** Before anything is learned. */
const [FIRST_LOW, FIRST_HIGH] = [-1.2, 1.5];
const LEAST_RATE = 0.01;
const [LOW, HIGH, COUNT] = [0, 1, 2];

/** Lower and upper bound in units and how many errors were seen, for each horizon. */
export type Ranges = { readonly bounds: readonly Float64Array[] };

export function createRanges(): Ranges {
  return { bounds: HORIZONS_SEC.map(() => Float64Array.of(FIRST_LOW, FIRST_HIGH, 0)) };
}

/** Seconds from a forecast to the ends of the range that holds four of five truths: the first at most 0, the second at least 0. O(1). */
export function rangeSec({ bounds }: Ranges, horizonSec: number): readonly [low: number, high: number] {
  const [a, b, share] = around(HORIZONS_SEC, horizonSec);
  const unit = UNIT_SEC + UNIT_SHARE * horizonSec;
  const at = (which: number) => unit * ((1 - share) * bounds[a]![which]! + share * bounds[b]![which]!);
  return [Math.min(0, at(LOW)), Math.max(0, at(HIGH))];
}

/** Learns that what was forecast `horizonSec` ahead came `errorSec` later. Each bound moves as the pinball loss asks. O(1). */
export function learnRange({ bounds }: Ranges, horizonSec: number, errorSec: number): void {
  const [a, b, share] = around(HORIZONS_SEC, horizonSec);
  const error = errorSec / (UNIT_SEC + UNIT_SHARE * horizonSec);
  for (const [index, part] of [[a, 1 - share], [b, share]] as const) {
    const bound = bounds[index]!;
    bound[COUNT] = bound[COUNT]! + part;
    const step = part * Math.max(LEAST_RATE, 1 / (10 + bound[COUNT]! / 5)) * Math.max(0.3, bound[HIGH]! - bound[LOW]!);
    bound[LOW] = bound[LOW]! + step * (error < bound[LOW]! ? -0.9 : 0.1);
    bound[HIGH] = bound[HIGH]! + step * (error > bound[HIGH]! ? 0.9 : -0.1);
  }
}
