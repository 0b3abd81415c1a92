import { quantile, valueSec, type Distribution } from './distribution.ts';
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
  const { cumulative, originSec } = distribution;
  const median = quantile(distribution, 0.5);
  const sharedSec = median * (1 / Math.min(1, elapsedSec / (YOUNG_RATIO * median)) - 1);
  const weighed = room(cumulative.length);
  let sum = 0;
  let [fromSec, before] = [originSec, 0];
  for (let i = 0; i < weighed.length; i++) {
    const toSec = valueSec(distribution, i);
    sum += (cumulative[i]! - before) / ((fromSec + toSec) / 2 + sharedSec);
    weighed[i] = sum;
    [fromSec, before] = [toSec, cumulative[i]!];
  }
  if (!(sum > 0)) return distribution;
  for (let i = 0; i < weighed.length; i++) weighed[i] = weighed[i]! / sum;
  weighed[weighed.length - 1] = 1;
  return { ...distribution, cumulative: weighed };
}
