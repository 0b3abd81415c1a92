// Densities are kept on one fixed grid of log duration, so that smoothing is two passes of an exponential filter per
// kernel and mixing is a merge. Times are seconds, masses sum to 1.

/** A probability distribution of a duration in seconds: piecewise linear between its knots. */
export type Distribution = {
  /** Ascending, finite, at least two. The distribution has all its mass between the first and the last. */
  readonly knots: Float64Array;
  /** P(T <= knots[i]): ascending from 0 to 1. */
  readonly cumulative: Float64Array;
  /** Older than (nearly) all that was known: what is left is the tail law alone. */
  readonly overdue: boolean;
};

/**
 * Widths in log duration and first weights of the kernel: equal repeats, like repeats, ordinary spread, surprises. The
 * mixture learns the weights of a source (mixture.ts); these are for the rest, and held P10-P90 at 80 to 90 % on the
 * first 40 % of CI, HPC and bus histories.
 */
export const KERNEL_WIDTHS = [0.015, 0.04, 0.15, 0.6];
const KERNEL_WEIGHTS = [0.1, 0.55, 0.3, 0.05];
const STEP = 0.02;
const DECAYS = KERNEL_WIDTHS.map((width) => Math.exp(-STEP / width));
/** From a millisecond to 3,000 years: durations end at ten, the rest is room for the kernel. */
const LOWEST_LOG = Math.log(1e-3);
const BINS = Math.ceil((Math.log(1e11) - LOWEST_LOG) / STEP) + 1;
const GRID = Float64Array.from({ length: BINS }, (_, i) => Math.exp(LOWEST_LOG + i * STEP));
/** Room around the outermost samples: beyond it the widest kernel has less than 0.1 % of a sample's mass. */
const PADDING_BINS = Math.ceil((4.2 * 0.6) / STEP);
/** Below this share of what was expected to last as long, the samples say nothing any more. Chosen, not tuned. */
const TAIL_SHARE = 0.05;
/** The tail law is cut where one in a thousand is left, to stay finite. */
const TAIL_END = 1000;
const TAIL_KNOTS = 128;
/** A forecast within 20 % of T is one with T in [p / 1.2, p / 0.8]. */
const WINDOW_LOW = 1 / 1.2;
const WINDOW_HIGH = 1 / 0.8;
/** Of the windows with at least this share of the best mass, the one nearest the median is taken. */
const NEAR_BEST = 0.985;

const scratch = { mass: new Float64Array(BINS), smooth: new Float64Array(BINS) };

/**
 * Smooths weighted samples with the kernel on log duration.
 * @param seconds > 0, any order; clamped to 1 ms..10 years.
 * @param weights > 0, of any sum; the same length. At least one sample.
 * Cost: O(samples + bins between the outermost ones), about 20 µs for 100 samples.
 */
export function distributionOf(seconds: ArrayLike<number>, weights: ArrayLike<number>): Distribution {
  const logs = new Float64Array(seconds.length);
  for (let i = 0; i < logs.length; i++) logs[i] = Math.log(Math.max(seconds[i]!, 1e-3));
  return blendLogs(logs, weights, logs.length);
}

/** The same for the first `count` samples of log duration. */
export function blendLogs(logs: ArrayLike<number>, weights: ArrayLike<number>, count: number, kernel: ArrayLike<number> = KERNEL_WEIGHTS): Distribution {
  let first = BINS;
  let last = -1;
  let total = 0;
  const { mass, smooth } = scratch;
  for (let i = 0; i < count; i++) {
    const bin = Math.floor(positionOf(logs[i]!));
    if (bin < first) first = bin;
    if (bin > last) last = bin;
    total += weights[i]!;
  }
  if (last < 0 || !(total > 0)) throw new RangeError('Cannot make a distribution of no samples');
  const low = Math.max(first - PADDING_BINS, 0);
  const high = Math.min(last + 1 + PADDING_BINS, BINS - 1);
  mass.fill(0, low, high + 1);
  smooth.fill(0, low, high + 1);
  for (let i = 0; i < count; i++) {
    const at = positionOf(logs[i]!);
    const bin = Math.floor(at);
    const share = at - bin;
    const weight = weights[i]! / total;
    mass[bin] = mass[bin]! + weight * (1 - share);
    mass[bin + 1] = mass[bin + 1]! + weight * share;
  }
  for (let w = 0; w < KERNEL_WIDTHS.length; w++) addLaplace(mass, smooth, low, high, DECAYS[w]!, kernel[w]!);

  const cumulative = new Float64Array(high - low + 1);
  let sum = 0;
  for (let i = low + 1; i <= high; i++) {
    sum += (smooth[i - 1]! + smooth[i]!) / 2;
    cumulative[i - low] = sum;
  }
  for (let i = 1; i < cumulative.length; i++) cumulative[i] = cumulative[i]! / sum;
  cumulative[cumulative.length - 1] = 1;
  return { knots: GRID.subarray(low, high + 1), cumulative, overdue: false };
}

function positionOf(log: number): number {
  return Math.min(Math.max((log - LOWEST_LOG) / STEP, 0), BINS - 2 - PADDING_BINS);
}

/** Weights of the widths before anything is known. */
export function startingKernel(): Float64Array {
  return Float64Array.from(KERNEL_WEIGHTS);
}

const DENSITY_STEP = 0.004;
const DENSITIES = KERNEL_WIDTHS.map((width) => Float64Array.from({ length: Math.ceil(4 / DENSITY_STEP) }, (_, i) => Math.exp(-(i * DENSITY_STEP) / width) / (2 * width)));

/** Density of the kernel's width number `width` at a distance in log duration; 0 beyond 4. O(1). */
export function kernelDensity(width: number, away: number): number {
  return DENSITIES[width]![Math.round(Math.abs(away) / DENSITY_STEP)] ?? 0;
}

/** A Laplace kernel on a grid is one exponential filter forwards and one backwards. */
function addLaplace(mass: Float64Array, into: Float64Array, low: number, high: number, decay: number, weight: number): void {
  const scale = (weight * (1 - decay)) / (1 + decay);
  let carried = 0;
  for (let i = low; i <= high; i++) {
    carried = carried * decay + mass[i]!;
    into[i] = into[i]! + scale * carried;
  }
  carried = 0;
  for (let i = high; i >= low; i--) {
    into[i] = into[i]! + scale * carried;
    carried = (carried + mass[i]!) * decay;
  }
}

/** P(T <= sec). O(log knots). */
export function massBelow({ knots, cumulative }: Distribution, sec: number): number {
  const last = knots.length - 1;
  if (!(sec > knots[0]!)) return 0;
  if (sec >= knots[last]!) return 1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle]! <= sec) low = middle;
    else high = middle;
  }
  return between(knots[low]!, cumulative[low]!, knots[high]!, cumulative[high]!, sec);
}

/** P(low < T <= high); 0 when high <= low. */
export function massWithin(distribution: Distribution, low: number, high: number): number {
  return Math.max(0, massBelow(distribution, high) - massBelow(distribution, low));
}

/** The smallest time by which a share `q` in 0..1 is over. Finite, and never falls as q rises. O(log knots). */
export function quantile({ knots, cumulative }: Distribution, q: number): number {
  let low = 0;
  let high = knots.length - 1;
  if (q >= 1) return knots[high]!;
  // The start is the last knot without mass: after conditioning that is the age of the race.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! <= q) low = middle;
    else high = middle;
  }
  const rise = cumulative[high]! - cumulative[low]!;
  return rise <= 0 ? knots[low]! : knots[low]! + ((knots[high]! - knots[low]!) * Math.max(0, q - cumulative[low]!)) / rise;
}

/**
 * T given T > elapsedSec. Where (nearly) nothing is left to condition on, a tail law P(T > t) = elapsed / t takes over
 * (process lifetimes: Leland and Ott 1986, Harchol-Balter and Downey 1997) and the result is `overdue`.
 */
export function conditionOn(distribution: Distribution, elapsedSec: number): Distribution {
  const { knots, cumulative } = distribution;
  if (!(elapsedSec > knots[0]!)) return distribution;
  const gone = massBelow(distribution, elapsedSec);
  const left = 1 - gone;
  if (left < TAIL_SHARE) return tailFrom(elapsedSec);
  let next = 0;
  while (knots[next]! <= elapsedSec) next += 1;
  const size = knots.length - next + 1;
  const cutKnots = new Float64Array(size);
  const cut = new Float64Array(size);
  cutKnots[0] = elapsedSec;
  for (let i = 1; i < size; i++) {
    cutKnots[i] = knots[next + i - 1]!;
    cut[i] = (cumulative[next + i - 1]! - gone) / left;
  }
  cut[size - 1] = 1;
  return { knots: cutKnots, cumulative: cut, overdue: distribution.overdue };
}

function tailFrom(elapsedSec: number): Distribution {
  const knots = new Float64Array(TAIL_KNOTS);
  const cumulative = new Float64Array(TAIL_KNOTS);
  const growth = TAIL_END ** (1 / (TAIL_KNOTS - 1));
  const whole = 1 - 1 / TAIL_END;
  let factor = 1;
  for (let i = 0; i < TAIL_KNOTS; i++) {
    knots[i] = elapsedSec * factor;
    cumulative[i] = (1 - 1 / factor) / whole;
    factor *= growth;
  }
  cumulative[TAIL_KNOTS - 1] = 1;
  return { knots, cumulative, overdue: true };
}

/** T + sec: a distribution of what remains becomes one of the total. sec >= 0. */
export function shiftBy(distribution: Distribution, sec: number): Distribution {
  return sec === 0 ? distribution : { ...distribution, knots: distribution.knots.map((knot) => knot + sec) };
}

/** The mixture of distributions by weight (> 0, of any sum). Overdue when the heavier part of it is. O(knots). */
export function mix(parts: readonly { distribution: Distribution; weight: number }[]): Distribution {
  const [first, ...rest] = parts.filter((part) => part.weight > 0);
  if (first === undefined) throw new RangeError('Cannot mix no distributions');
  let mixed = first.distribution;
  let weight = first.weight;
  for (const part of rest) {
    mixed = mixTwo(mixed, part.distribution, part.weight / (weight + part.weight));
    weight += part.weight;
  }
  return mixed;
}

function mixTwo(a: Distribution, b: Distribution, share: number): Distribution {
  const knots = new Float64Array(a.knots.length + b.knots.length);
  const cumulative = new Float64Array(knots.length);
  let i = 0;
  let j = 0;
  let size = 0;
  while (i < a.knots.length || j < b.knots.length) {
    const x = Math.min(a.knots[i] ?? Infinity, b.knots[j] ?? Infinity);
    if (a.knots[i] === x) i += 1;
    if (b.knots[j] === x) j += 1;
    knots[size] = x;
    cumulative[size] = (1 - share) * massAt(a, i, x) + share * massAt(b, j, x);
    size += 1;
  }
  cumulative[size - 1] = 1;
  return { knots: knots.subarray(0, size), cumulative: cumulative.subarray(0, size), overdue: share > 0.5 ? b.overdue : a.overdue };
}

/** P(T <= x), where `next` is the first knot above x. */
function massAt({ knots, cumulative }: Distribution, next: number, x: number): number {
  if (next === 0) return 0;
  if (next === knots.length) return 1;
  return between(knots[next - 1]!, cumulative[next - 1]!, knots[next]!, cumulative[next]!, x);
}

function between(x0: number, y0: number, x1: number, y1: number, x: number): number {
  return x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y1;
}

/**
 * The forecast as one number: the point whose ±20 % window of what remains holds the most mass; of those with at least
 * 98.5 % of the best, the one nearest the median (so a flat optimum costs no bias). `mass` is the probability that the
 * true total is within 20 % of it. O(knots).
 * @param elapsedSec >= 0; the distribution has no mass below it.
 */
export function point(distribution: Distribution, elapsedSec = 0): { sec: number; mass: number } {
  const { knots } = distribution;
  const size = knots.length;
  if (windows.length < size) windows = new Float64Array(2 * size);
  let low = 0;
  let high = 0;
  let best = 0;
  for (let i = 0; i < size; i++) {
    const left = knots[i]! - elapsedSec;
    const [from, to] = [elapsedSec + left * WINDOW_LOW, elapsedSec + left * WINDOW_HIGH];
    while (low < size && knots[low]! <= from) low += 1;
    while (high < size && knots[high]! <= to) high += 1;
    const mass = massAt(distribution, high, to) - massAt(distribution, low, from);
    windows[i] = mass;
    if (mass > best) best = mass;
  }
  const median = quantile(distribution, 0.5);
  const half = median - elapsedSec;
  let chosen = median;
  if (massWithin(distribution, elapsedSec + half * WINDOW_LOW, elapsedSec + half * WINDOW_HIGH) < NEAR_BEST * best) {
    // The knots rise: the nearest on either side of the median.
    let above = 0;
    while (above < size && knots[above]! < median) above += 1;
    let below = above - 1;
    while (below >= 0 && windows[below]! < NEAR_BEST * best) below -= 1;
    while (above < size && windows[above]! < NEAR_BEST * best) above += 1;
    const isBelow = above >= size || (below >= 0 && half / (knots[below]! - elapsedSec) <= (knots[above]! - elapsedSec) / half);
    chosen = knots[isBelow ? below : above] ?? median;
  }
  return { sec: chosen, mass: Math.min(1, massWithin(distribution, chosen * WINDOW_LOW, chosen * WINDOW_HIGH)) };
}

let windows = new Float64Array(1024);
