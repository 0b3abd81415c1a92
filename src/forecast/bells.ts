import { blendLogs, GRID, gridPlaceOf, logAt, logSec, type Distribution } from './distribution.ts';
import { withScratch } from './scratch.ts';

/** Seven points and weights of a bell curve, in standard deviations: enough under the kernel. */
export const BELL = [-2, -1.2, -0.5, 0, 0.5, 1.2, 2];
export const BELL_WEIGHTS = BELL.map((z) => Math.exp(-0.5 * z * z));

/** Centres are rounded to a sixteenth of the grid's step, 0.06 % at most; spreads to a fiftieth of themselves. */
const PLACES = 16;
const SPREADS = 50;
/** Wider ones may reach the ends of the grid. */
const MOST_SPREAD = 4;
/** Kept of a kernel: some 2 KB each. What is in use comes back by itself. */
const MOST_KEPT = 500;
/** A value in the middle of the grid. */
const ANCHOR = 900;

/** A bell whose middle lies at value `ANCHOR` or up to one behind it; `from` = its first value, counted from there. */
type Shape = { readonly from: number; readonly cumulative: Float64Array };

/** A bell curve on log duration, smoothed: seconds, and spread in log. Its numbers are shared: not to be changed. */
export type Bells = (centreSec: number, spread: number) => Distribution;

/**
 * Bell curves under a kernel. On the grid one of a spread is the same wherever it lies, so that it is smoothed once and then
 * moved. O(1), from the second time on.
 */
export function createBells(kernel?: readonly number[]): Bells {
  const shapes = new Map<number, Shape>();
  const made = (centreLog: number, spread: number): Distribution => blendLogs(BELL.map((z) => centreLog + z * spread), BELL_WEIGHTS, BELL.length, kernel);

  function shapeOf(place: number, spreadStep: number): Shape {
    const key = spreadStep * PLACES + place;
    const known = shapes.get(key);
    if (known !== undefined) return known;
    const shape = withScratch(() => {
      const { low, cumulative } = made(logAt(ANCHOR + place / PLACES), Math.exp(spreadStep / SPREADS));
      return { from: low - ANCHOR, cumulative: cumulative.slice() };
    });
    if (shapes.size === MOST_KEPT) shapes.clear();
    shapes.set(key, shape);
    return shape;
  }

  return (centreSec, spread) => {
    const centreLog = logSec(centreSec);
    if (spread > MOST_SPREAD) return made(centreLog, spread);
    const at = Math.round(gridPlaceOf(centreLog) * PLACES);
    const bin = Math.floor(at / PLACES);
    const { from, cumulative } = shapeOf(at - bin * PLACES, Math.round(Math.log(spread) * SPREADS));
    const low = bin + from;
    // At the ends of the grid it is cut off.
    if (low <= 0 || low + cumulative.length > GRID.length - 1) return made(centreLog, spread);
    return { originSec: 0, low, cumulative, overdue: false };
  };
}
