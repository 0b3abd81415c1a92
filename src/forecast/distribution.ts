import { room } from './scratch.ts';

// All densities lie on one grid of log duration: mixing is a weighted sum, conditioning a resampling, a window of +-20 % a
// constant number of bins, and smoothing one exponential filter forwards and one back. Times are seconds, masses sum to 1.

/**
 * A probability distribution of a duration T in seconds: `cumulative[i]` = P(T <= originSec + g), g being value `low + i` of the
 * grid (a millisecond at 0, 2 % more each step), ascending to 1; linear in between, and from the origin (0) to the first. A race of some age has its age as the origin of its
 * distributions, so that the grid is as fine as what remains is short.
 */
export type Distribution = {
  /** No mass at or below it; >= 0. */
  readonly originSec: number;
  readonly low: number;
  /** At least two. Scratch inside `withScratch` (scratch.ts): gone when it ends. */
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
const PER_STEP = 1 / STEP;
const DECAYS = KERNEL_WIDTHS.map((width) => Math.exp(-STEP / width));
/** From a millisecond to 300,000 years: durations end at ten, the rest is room for the kernel and the tail law. */
const LOWEST_LOG = Math.log(1e-3);
const BINS = Math.ceil((Math.log(1e13) - LOWEST_LOG) / STEP) + 1;
/** The times of the grid, in seconds. */
export const GRID = Float64Array.from({ length: BINS }, (_, i) => Math.exp(LOWEST_LOG + i * STEP));
/** 1 / distance to the next. */
const SLOPES = Float64Array.from({ length: BINS }, (_, i) => 1 / (GRID[i]! * Math.expm1(STEP)));
/** Room around the outermost samples: beyond it the widest kernel has about 0.1 % of a sample's mass. */
const PADDING_BINS = Math.ceil((3 * 0.6) / STEP);
/** Below this share of what was expected to last as long, the samples say nothing any more. Chosen, not tuned. */
const TAIL_SHARE = 0.05;
/** The tail law is cut where one in a thousand is left, to stay finite. */
const TAIL_END = 1000;
/** On the grid from a new origin this share of the mass, at most, lies before the first value, in a straight line. */
const LEAST_SHARE = 0.02;
/** And about so much less than it; of a tail, half a percent. */
const ROOM_BELOW = 0.5;
const TAIL_START = 0.005;
/** A forecast within 20 % of T is one with T in [p / 1.2, p / 0.8]. */
const WINDOW_LOW = 1 / 1.2;
const WINDOW_HIGH = 1 / 0.8;
/** Of the windows with at least this share of the best mass, the one nearest the median is taken. */
const NEAR_BEST = 0.985;

const mass = new Float64Array(BINS);

/**
 * Smooths weighted samples with the kernel on log duration.
 * @param seconds > 0, any order; clamped to 1 ms..10 years.
 * @param weights > 0, of any sum; the same length. At least one sample.
 * Cost: O(samples + bins between the outermost ones): 3 µs for 100 samples.
 */
export function distributionOf(seconds: ArrayLike<number>, weights: ArrayLike<number>): Distribution {
  const logs = room(seconds.length);
  for (let i = 0; i < logs.length; i++) logs[i] = logSec(seconds[i]!);
  return blendLogs(logs, weights, logs.length);
}

/** The same for the first `count` samples of log duration. */
export function blendLogs(logs: ArrayLike<number>, weights: ArrayLike<number>, count: number, kernel: ArrayLike<number> = KERNEL_WEIGHTS): Distribution {
  let first = BINS;
  let last = -1;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const at = positionOf(logs[i]!);
    const bin = at | 0;
    const weight = weights[i]!;
    const share = (at - bin) * weight;
    mass[bin] = mass[bin]! + weight - share;
    mass[bin + 1] = mass[bin + 1]! + share;
    if (bin < first) first = bin;
    if (bin > last) last = bin;
    total += weight;
  }
  if (last < 0 || !(total > 0)) {
    mass.fill(0);
    throw new RangeError('Cannot make a distribution of no samples');
  }
  const low = Math.max(first - PADDING_BINS, 0);
  const size = Math.min(last + 1 + PADDING_BINS, BINS - 1) - low + 1;
  const cumulative = smoothed(low, size, first - low, last + 1 - low, kernel);
  mass.fill(0, first, last + 2);
  return { originSec: 0, low, cumulative, overdue: false };
}

/** The logarithm of a time, of a millisecond at least. */
export function logSec(sec: number): number {
  return Math.log(Math.max(sec, 1e-3));
}

/** Where a log duration lies on the grid, in its steps. */
export function gridPlaceOf(log: number): number {
  return (log - LOWEST_LOG) * PER_STEP;
}

/** The log duration at a place on the grid. */
export function logAt(place: number): number {
  return LOWEST_LOG + place * STEP;
}

function positionOf(log: number): number {
  return Math.min(Math.max(gridPlaceOf(log), 0), BINS - 2 - PADDING_BINS);
}

/**
 * A Laplace kernel on a grid is one exponential filter forwards and one backwards: here for the four widths at once.
 * All mass lies from value `from` to value `to`: before it no filter has anything to go on from.
 */
function smoothed(low: number, size: number, from: number, to: number, kernel: ArrayLike<number>): Float64Array {
  const out = room(size);
  const da = DECAYS[0]!;
  const db = DECAYS[1]!;
  const dc = DECAYS[2]!;
  const dd = DECAYS[3]!;
  const sa = (kernel[0]! * (1 - da)) / (1 + da);
  const sb = (kernel[1]! * (1 - db)) / (1 + db);
  const sc = (kernel[2]! * (1 - dc)) / (1 + dc);
  const sd = (kernel[3]! * (1 - dd)) / (1 + dd);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < from; i++) out[i] = 0;
  for (let i = from; i < size; i++) {
    const m = mass[low + i]!;
    a = a * da + m;
    b = b * db + m;
    c = c * dc + m;
    d = d * dd + m;
    out[i] = sa * a + sb * b + sc * c + sd * d;
  }
  [a, b, c, d] = [0, 0, 0, 0];
  let sum = 0;
  for (let i = size - 1; i > to; i--) sum += out[i]!;
  for (let i = to; i >= 0; i--) {
    const m = mass[low + i]!;
    const density = out[i]! + sa * a + sb * b + sc * c + sd * d;
    out[i] = density;
    sum += density;
    a = (a + m) * da;
    b = (b + m) * db;
    c = (c + m) * dc;
    d = (d + m) * dd;
  }
  // Between two bins half of each.
  const scale = 1 / (sum - (out[0]! + out[size - 1]!) / 2);
  let before = out[0]! * scale;
  let below = 0;
  out[0] = 0;
  for (let i = 1; i < size; i++) {
    const here = out[i]! * scale;
    below += (before + here) / 2;
    before = here;
    out[i] = below;
  }
  out[size - 1] = 1;
  return out;
}

/** Weights of the widths before anything is known. */
export function startingKernel(): Float64Array {
  return Float64Array.from(KERNEL_WEIGHTS);
}

const DENSITY_STEP = 0.004;
const DENSITY_REACH = 4;
/** Densities of the kernel's widths, by distance in log duration, then by width: where `densityIndex` says. */
export const KERNEL_DENSITIES = Float64Array.from({ length: KERNEL_WIDTHS.length * (Math.round(DENSITY_REACH / DENSITY_STEP) + 1) }, (_, i) => {
  const width = KERNEL_WIDTHS[i % KERNEL_WIDTHS.length]!;
  return Math.exp(-(Math.floor(i / KERNEL_WIDTHS.length) * DENSITY_STEP) / width) / (2 * width);
});

/** Where the densities of the four widths begin at a distance in log duration; -1 beyond 4, where there are none. O(1). */
export function densityIndex(away: number): number {
  return away < DENSITY_REACH && away > -DENSITY_REACH ? KERNEL_WIDTHS.length * ((Math.abs(away) * (1 / DENSITY_STEP) + 0.5) | 0) : -1;
}

const BELOW_STEP = 0.002;
const BELOW_REACH = 4;
const BELOW = Float64Array.from({ length: 2 * Math.round(BELOW_REACH / BELOW_STEP) + 1 }, (_, i) => {
  const at = i * BELOW_STEP - BELOW_REACH;
  return KERNEL_WIDTHS.reduce((sum, width, w) => {
    const beyond = Math.exp(-Math.abs(at) / width) / 2;
    return sum + KERNEL_WEIGHTS[w]! * (at < 0 ? beyond : 1 - beyond);
  }, 0);
});

/** The share of a sample's mass, under the standing kernel, at most `away` above it in log duration: 0..1. O(1), from a table. */
export function kernelBelow(away: number): number {
  if (away >= BELOW_REACH) return 1;
  return away > -BELOW_REACH ? BELOW[((away + BELOW_REACH) * (1 / BELOW_STEP) + 0.5) | 0]! : 0;
}

/** The last value of the grid at or below a time; sec >= a millisecond. */
function binBelow(sec: number): number {
  let bin = Math.min(((Math.log(sec) - LOWEST_LOG) * PER_STEP) | 0, BINS - 2);
  if (GRID[bin]! > sec) bin -= 1;
  else if (GRID[bin + 1]! <= sec && bin < BINS - 2) bin += 1;
  return Math.max(bin, 0);
}

/** P(T <= sec). O(1). */
export function massBelow({ originSec, low, cumulative }: Distribution, sec: number): number {
  const away = sec - originSec;
  if (!(away > 0)) return 0;
  if (away <= GRID[low]!) return (cumulative[0]! * away) / GRID[low]!;
  if (away >= GRID[low + cumulative.length - 1]!) return 1;
  const bin = binBelow(away);
  const below = cumulative[bin - low]!;
  return below + (cumulative[bin - low + 1]! - below) * (away - GRID[bin]!) * SLOPES[bin]!;
}

/** P(low < T <= high); 0 when high <= low. */
export function massWithin(distribution: Distribution, low: number, high: number): number {
  return Math.max(0, massBelow(distribution, high) - massBelow(distribution, low));
}

/** The smallest time by which a share `q` in 0..1 is over. Finite, and never falls as q rises. O(log bins). */
export function quantile({ originSec, low, cumulative }: Distribution, q: number): number {
  let below = 0;
  let above = cumulative.length - 1;
  if (q >= 1) return originSec + GRID[low + above]!;
  if (cumulative[0]! > q) return originSec + (GRID[low]! * Math.max(0, q)) / cumulative[0]!;
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (cumulative[middle]! <= q) below = middle;
    else above = middle;
  }
  const from = GRID[low + below]!;
  const to = GRID[low + above]!;
  const rise = cumulative[above]! - cumulative[below]!;
  return originSec + (rise <= 0 ? from : from + ((to - from) * Math.max(0, q - cumulative[below]!)) / rise);
}

/**
 * T given T > elapsedSec, with elapsedSec as its origin. Where (nearly) nothing is left to condition on, a tail law
 * P(T > t) = elapsed / t takes over (process lifetimes: Leland and Ott 1986, Harchol-Balter and Downey 1997) and the
 * result is `overdue`. O(bins), 1 µs.
 */
export function conditionOn(distribution: Distribution, elapsedSec: number): Distribution {
  if (!(elapsedSec > distribution.originSec)) return distribution;
  const gone = massBelow(distribution, elapsedSec);
  return isSpent(1 - gone) ? tailFrom(elapsedSec) : resampled(distribution, elapsedSec, gone);
}

/** Whether so little was expected to last as long that samples say nothing any more, and the tail law takes over. */
export function isSpent(left: number): boolean {
  return left < TAIL_SHARE;
}

/** P(low < T <= high) of `conditionOn(distribution, elapsedSec)`, without making it; low >= elapsedSec. O(1). */
export function massAfter(distribution: Distribution, elapsedSec: number, low: number, high: number): number {
  const left = 1 - massBelow(distribution, elapsedSec);
  return elapsedSec > 0 && isSpent(left) ? tailMass(elapsedSec, low, high) : massWithin(distribution, low, high) / left;
}

/** P(low < T <= high) under the tail law; low >= elapsedSec > 0. O(1). */
export function tailMass(elapsedSec: number, low: number, high: number): number {
  const end = TAIL_END * elapsedSec;
  return Math.max(0, elapsedSec / Math.min(low, end) - elapsedSec / Math.min(high, end)) / (1 - 1 / TAIL_END);
}

/** The same distribution of T > originSec on the grid from another origin. */
function resampled(distribution: Distribution, originSec: number, gone: number): Distribution {
  const { low: oldLow, cumulative: old, overdue } = distribution;
  const shift = originSec - distribution.originSec;
  const oldHigh = oldLow + old.length - 1;
  const scale = 1 / (1 - gone);
  const leastSec = ROOM_BELOW * (quantile(distribution, gone + LEAST_SHARE * (1 - gone)) - originSec);
  const high = Math.min(binBelow(Math.max(GRID[oldHigh]! - shift, GRID[1]!)) + 1, BINS - 1);
  const low = Math.min(binBelow(Math.max(leastSec, GRID[0]!)), high - 1);
  const size = high - low + 1;
  const cumulative = room(size);
  const floorSec = GRID[oldLow]!;
  let i = 0;
  // From the old origin to its first value.
  for (; i < size; i++) {
    const at = GRID[low + i]! + shift;
    if (at > floorSec) break;
    cumulative[i] = Math.max(0, ((old[0]! * Math.max(0, at)) / floorSec - gone) * scale);
  }
  let bin = Math.min(binBelow(Math.max(GRID[low + i]! + shift, floorSec)), oldHigh - 1);
  let next = GRID[bin + 1]!;
  for (; i < size; i++) {
    const at = GRID[low + i]! + shift;
    while (next <= at) next = GRID[++bin + 1]!;
    if (bin >= oldHigh) break;
    const below = old[bin - oldLow]!;
    cumulative[i] = Math.max(0, (below + (old[bin - oldLow + 1]! - below) * (at - GRID[bin]!) * SLOPES[bin]! - gone) * scale);
  }
  for (; i < size; i++) cumulative[i] = 1;
  cumulative[size - 1] = 1;
  return { originSec, low, cumulative, overdue };
}

/** T where the tail law alone speaks: P(T > t) = elapsed / t. elapsedSec > 0. */
export function tailFrom(elapsedSec: number): Distribution {
  const low = binBelow(Math.max(elapsedSec * TAIL_START, GRID[0]!));
  const size = Math.max(2, binBelow(Math.max(elapsedSec * (TAIL_END - 1), GRID[0]!)) - low + 2);
  const cumulative = room(size);
  const scale = 1 / (1 - 1 / TAIL_END);
  for (let i = 0; i < size; i++) {
    const sec = GRID[low + i]!;
    cumulative[i] = Math.min(1, (sec / (elapsedSec + sec)) * scale);
  }
  cumulative[size - 1] = 1;
  return { originSec: elapsedSec, low, cumulative, overdue: true };
}

/**
 * T by a function that gives P(T - originSec <= sec), rising from about 0 at `fromSec` (> 0) to about 1 at `toSec` (> fromSec): what lies
 * outside is left out. O(bins between).
 */
export function distributionFrom(originSec: number, below: (sec: number) => number, fromSec: number, toSec: number): Distribution {
  const low = binBelow(Math.max(fromSec, GRID[0]!));
  const size = Math.max(2, Math.min(binBelow(toSec) + 1, BINS - 1) - low + 1);
  const cumulative = room(size);
  const [least, most] = [below(GRID[low]!), below(GRID[low + size - 1]!)];
  for (let i = 0; i < size; i++) cumulative[i] = (below(GRID[low + i]!) - least) / (most - least);
  return { originSec, low, cumulative, overdue: false };
}

/** T + sec: a distribution of what remains becomes one of the total. sec >= 0. O(1). */
export function shiftBy(distribution: Distribution, sec: number): Distribution {
  return sec === 0 ? distribution : { ...distribution, originSec: distribution.originSec + sec };
}

/**
 * The mixture of distributions by weight (> 0, of any sum). Overdue when more than half of it is. O(bins) a part; exact
 * where all have one origin, otherwise as fine as the grid from the least of them.
 */
export function mix(parts: readonly { distribution: Distribution; weight: number }[]): Distribution {
  let total = 0;
  let overdueWeight = 0;
  let originSec = Infinity;
  let speaking = 0;
  let only: Distribution | null = null;
  for (const { distribution, weight } of parts) {
    if (!(weight > 0)) continue;
    only = distribution;
    speaking += 1;
    total += weight;
    originSec = Math.min(originSec, distribution.originSec);
    if (distribution.overdue) overdueWeight += weight;
  }
  if (only === null) throw new RangeError('Cannot mix no distributions');
  if (speaking === 1) return only;
  let low = BINS;
  let high = 0;
  const aligned = parts.map(({ distribution, weight }) => {
    const part = distribution.originSec === originSec || !(weight > 0) ? distribution : resampled(distribution, originSec, 0);
    if (weight > 0) {
      low = Math.min(low, part.low);
      high = Math.max(high, part.low + part.cumulative.length - 1);
    }
    return part;
  });
  const size = high - low + 1;
  const cumulative = room(size);
  let isFirst = true;
  for (let p = 0; p < parts.length; p++) {
    const { weight } = parts[p]!;
    if (!(weight > 0)) continue;
    if (isFirst) setPart(cumulative, low, aligned[p]!, weight / total);
    else addPart(cumulative, low, aligned[p]!, weight / total);
    isFirst = false;
  }
  cumulative[size - 1] = 1;
  return { originSec, low, cumulative, overdue: overdueWeight > total / 2 };
}

/** The first: there is no sum yet. */
function setPart(sum: Float64Array, low: number, part: Distribution, share: number): void {
  const from = part.low - low;
  const { cumulative } = part;
  const until = from + cumulative.length;
  const slope = (share * cumulative[0]!) / GRID[part.low]!;
  for (let i = 0; i < from; i++) sum[i] = slope * GRID[low + i]!;
  for (let i = from; i < until; i++) sum[i] = share * cumulative[i - from]!;
  sum.fill(share, until);
}

function addPart(sum: Float64Array, low: number, part: Distribution, share: number): void {
  const from = part.low - low;
  const { cumulative } = part;
  const until = from + cumulative.length;
  const slope = (share * cumulative[0]!) / GRID[part.low]!;
  if (slope > 0) for (let i = 0; i < from; i++) sum[i] = sum[i]! + slope * GRID[low + i]!;
  for (let i = from; i < until; i++) sum[i] = sum[i]! + share * cumulative[i - from]!;
  for (let i = until; i < sum.length; i++) sum[i] = sum[i]! + share;
}

/** Bins from a time to the ends of its window, and where between two bins they lie. */
const BINS_DOWN = Math.ceil(-Math.log(WINDOW_LOW) * PER_STEP);
const BINS_UP = Math.floor(Math.log(WINDOW_HIGH) * PER_STEP);
const SHARE_DOWN = (WINDOW_LOW - Math.exp(-BINS_DOWN * STEP)) / (Math.exp((1 - BINS_DOWN) * STEP) - Math.exp(-BINS_DOWN * STEP));
const SHARE_UP = (WINDOW_HIGH - Math.exp(BINS_UP * STEP)) / (Math.exp((BINS_UP + 1) * STEP) - Math.exp(BINS_UP * STEP));
const windows = new Float64Array(BINS);
const padded = new Float64Array(BINS + BINS_DOWN + BINS_UP + 1);
/** Below its first value a distribution rises in a straight line from its origin. */
const FACTORS_DOWN = Float64Array.from({ length: BINS_DOWN }, (_, i) => Math.exp((i - BINS_DOWN) * STEP));

/**
 * The forecast as one number: the point whose ±20 % window of what remains holds the most mass; of those with at least
 * 98.5 % of the best, the one nearest the median (so a flat optimum costs no bias). `mass` is the probability that the
 * true total is within 20 % of it. O(bins), 1 µs.
 * @param elapsedSec >= 0; the distribution has no mass below it.
 */
export function point(distribution: Distribution, elapsedSec = 0): { sec: number; mass: number } {
  const { low, cumulative } = distribution.originSec === elapsedSec ? distribution : resampled(distribution, elapsedSec, massBelow(distribution, elapsedSec));
  const size = cumulative.length;
  for (let i = 0; i < BINS_DOWN; i++) padded[i] = cumulative[0]! * FACTORS_DOWN[i]!;
  padded.set(cumulative, BINS_DOWN);
  padded.fill(1, BINS_DOWN + size, BINS_DOWN + size + BINS_UP + 1);
  let best = 0;
  for (let i = 0; i < size; i++) {
    const above = i + BINS_DOWN + BINS_UP;
    const mass = padded[above]! + SHARE_UP * (padded[above + 1]! - padded[above]!) - padded[i]! - SHARE_DOWN * (padded[i + 1]! - padded[i]!);
    windows[i] = mass;
    if (mass > best) best = mass;
  }
  const median = quantile(distribution, 0.5);
  const half = median - elapsedSec;
  let chosen = median;
  if (massWithin(distribution, elapsedSec + half * WINDOW_LOW, elapsedSec + half * WINDOW_HIGH) < NEAR_BEST * best) {
    // The grid rises: the nearest on either side of the median.
    let above = Math.max(0, binBelow(Math.max(half, GRID[0]!)) + 1 - low);
    let below = Math.min(above, size) - 1;
    while (below >= 0 && windows[below]! < NEAR_BEST * best) below -= 1;
    while (above < size && windows[above]! < NEAR_BEST * best) above += 1;
    const isBelow = above >= size || (below >= 0 && half / GRID[low + below]! <= GRID[low + above]! / half);
    if (isBelow ? below >= 0 : above < size) chosen = elapsedSec + GRID[low + (isBelow ? below : above)]!;
  }
  return { sec: chosen, mass: Math.min(1, massWithin(distribution, chosen * WINDOW_LOW, chosen * WINDOW_HIGH)) };
}
