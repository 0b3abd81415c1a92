import { GRID, quantile, type Distribution } from './distribution.ts';
import { room } from './scratch.ts';

/** Age, as a share of the median, from which a race counts as being on its way. Chosen, not tuned. */
const YOUNG_RATIO = 0.1;

/**
 * What a race of that age is looked at as. Forecasts are to be right for the same share of every race's life, so that
 * a long race counts no more than a short one; a look at age t falls on a race of length T with a density of 1 / T of
 * its life. Hence the density of T given T > t is weighed by 1 / T, which narrow distributions hardly feel and keeps
 * wide ones from running away; a young race is weighed by less, 1 / (T + s) with s falling to 0. At submission every race is looked at once: nothing is changed then. O(values).
 * @param distribution T given T > elapsedSec.
 */
export function byShareOfLife(distribution: Distribution, elapsedSec: number): Distribution {
  if (!(elapsedSec > 0)) return distribution;
  const { cumulative, low, originSec } = distribution;
  const median = quantile(distribution, 0.5);
  const sharedSec = median * (1 / Math.min(1, elapsedSec / (YOUNG_RATIO * median)) - 1);
  const size = cumulative.length;
  const weighed = room(size);
  let sum = 0;
  let before = 0;
  // Twice the time at which a race is looked at, between two values: the 2 falls out.
  const ageSec = 2 * (originSec + sharedSec);
  let fromSec = 0;
  for (let i = 0; i < size; i++) {
    const toSec = GRID[low + i]!;
    const below = cumulative[i]!;
    sum += (below - before) / (ageSec + fromSec + toSec);
    weighed[i] = sum;
    fromSec = toSec;
    before = below;
  }
  if (!(sum > 0)) return distribution;
  const scale = 1 / sum;
  for (let i = 0; i < size; i++) weighed[i] = weighed[i]! * scale;
  weighed[size - 1] = 1;
  return { ...distribution, cumulative: weighed };
}
