import { densityIndex, KERNEL_DENSITIES, KERNEL_WIDTHS } from './distribution.ts';
import { CONTEXT, CONTEXTS, gathered, PER_SLOT } from './contexts.ts';
import { CELL_SAMPLES, LONG_SAMPLES, type Mixture } from './mixture.ts';
import { touch } from './touch.ts';
import type { Traits } from './traits.ts';

/** Titles with weights of their own. */
const MOST_WEIGHTED_TITLES = 500;
/** Memories: a sample that is i runs old counts m^i. The long contexts have slower ones. */
const MEMORIES = [0.5, 0.85, 1];
const LONG_MEMORIES = [0.9, 0.97, 1];
const DENSITY_FLOOR = 1e-3;
/** What a context with 1, 2, 3-5, 6-14, 15+ samples starts with. */
const BUCKETS = 5;
const START = [0.2, 0.5, 0.8, 1, 1];
const RATE_TITLE = 0.1;
const RATE_SOURCE = 0.05;
const FORGET_TITLE = 0.01;
const FORGET_SOURCE = 0.0005;
const MOST_GAIN = 6;
/** How fast the kernel's widths follow, and the least share of one. */
const KERNEL_RATE = 0.015;
const LEAST_WIDTH = 0.01;

const PER_CONTEXT = BUCKETS * MEMORIES.length;
/** What is known of a context before any race: the factor of its weight. Those across titles must earn theirs. */
const PRIOR = Float64Array.from({ length: CONTEXTS }, (_, id) => {
  if (id === CONTEXT.source || id === CONTEXT.longSource) return Math.exp(-3);
  if (id >= CONTEXT.ratioSource && id < CONTEXT.pair) return Math.exp(-2);
  if (id === CONTEXT.mask || id === CONTEXT.regression || id === CONTEXT.longTitle) return Math.exp(-1);
  return id >= CONTEXT.slot && (id - CONTEXT.slot) % PER_SLOT > 0 ? Math.exp(-2) : 1;
});

const RECENCY = recencyOf(MEMORIES, CELL_SAMPLES);
const LONG_RECENCY = recencyOf(LONG_MEMORIES, LONG_SAMPLES);

/** For n samples, the weight of the one i runs old, per memory: [n][memory][i], summing to 1. */
function recencyOf(memories: readonly number[], most: number): Float64Array[] {
  return Array.from({ length: most + 1 }, (_, n) => {
    const table = new Float64Array(memories.length * n);
    memories.forEach((memory, m) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += memory ** i;
      for (let i = 0; i < n; i++) table[m * n + i] = memory ** i / sum;
    });
    return table;
  });
}

export const expertWeights = new Float64Array(CONTEXTS * MEMORIES.length);
const densities = new Float64Array(CONTEXTS * MEMORIES.length);
const ofWidth = new Float64Array(KERNEL_WIDTHS.length);

/** By memory and age, what the samples of a context count. */
export function tableOf(id: number, n: number): Float64Array {
  return id === CONTEXT.longSource || id === CONTEXT.longTitle ? LONG_RECENCY[n]! : RECENCY[n]!;
}

function bucketOf(size: number): number {
  if (size >= 15) return 4;
  if (size >= 6) return 3;
  return size >= 3 ? 2 : size - 1;
}

/** Weighs all gathered experts by memory, into `expertWeights`; returns their sum. */
export function weigh({ weights, titles, clusterWeights }: Mixture): number {
  const { experts, ids, sizes, title, clusterSize } = gathered;
  const own = clusterSize > 0 ? clusterWeights : titles.get(title);
  let total = 0;
  for (let e = 0; e < experts; e++) {
    const bucket = bucketOf(sizes[e]!);
    const at = ids[e]! * PER_CONTEXT + bucket * 3;
    const scale = START[bucket]! * PRIOR[ids[e]!]!;
    for (let m = 0; m < 3; m++) {
      const weight = scale * Math.exp(learned(weights, at + m) + (own === undefined ? 0 : learned(own, at + m)));
      expertWeights[3 * e + m] = weight;
      total += weight;
    }
  }
  return total;
}

/** Weights beyond the end are those of keys that nothing was learned of yet. */
function learned(weights: Float32Array, at: number): number {
  return at < weights.length ? weights[at]! : 0;
}

/**
 * Moves weights towards the experts, and the kernel towards the widths, that gave the truth a higher density than the
 * mixture did: where a cluster speaks, only the weights of such races. Returns the density that the mixture gave it.
 */
export function judge(mixture: Mixture, log: number, total: number): number {
  const { experts, ids, sizes, from, samples, title, clusterSize } = gathered;
  const { kernel } = mixture;
  const widths = KERNEL_WIDTHS.length;
  const ka = kernel[0]!;
  const kb = kernel[1]!;
  const kc = kernel[2]!;
  const kd = kernel[3]!;
  let mixed = DENSITY_FLOOR;
  // What each width adds to the density. Summed up in place: numbers that begin as whole ones are boxed each time they change.
  ofWidth.fill(0);
  for (let e = 0; e < experts; e++) {
    const n = sizes[e]!;
    const table = tableOf(ids[e]!, n);
    const wa = expertWeights[3 * e]! / total;
    const wb = expertWeights[3 * e + 1]! / total;
    const wc = expertWeights[3 * e + 2]! / total;
    let a = DENSITY_FLOOR;
    let b = DENSITY_FLOOR;
    let c = DENSITY_FLOOR;
    const first = from[e]!;
    for (let i = 0; i < n; i++) {
      const at = densityIndex(samples[first + i]! - log);
      if (at < 0) continue;
      const ra = table[i]!;
      const rb = table[n + i]!;
      const rc = table[2 * n + i]!;
      const weight = wa * ra + wb * rb + wc * rc;
      const pa = ka * KERNEL_DENSITIES[at]!;
      const pb = kb * KERNEL_DENSITIES[at + 1]!;
      const pc = kc * KERNEL_DENSITIES[at + 2]!;
      const pd = kd * KERNEL_DENSITIES[at + 3]!;
      ofWidth[0] = ofWidth[0]! + weight * pa;
      ofWidth[1] = ofWidth[1]! + weight * pb;
      ofWidth[2] = ofWidth[2]! + weight * pc;
      ofWidth[3] = ofWidth[3]! + weight * pd;
      const density = pa + pb + pc + pd;
      a += ra * density;
      b += rb * density;
      c += rc * density;
    }
    densities[3 * e] = a;
    densities[3 * e + 1] = b;
    densities[3 * e + 2] = c;
    mixed += wa * (a - DENSITY_FLOOR) + wb * (b - DENSITY_FLOOR) + wc * (c - DENSITY_FLOOR);
  }
  mixture.weights = longEnough(mixture.weights, mixture.traits);
  const own = clusterSize > 0 ? mixture.clusterWeights = longEnough(mixture.clusterWeights, mixture.traits) : ownWeights(mixture, title);
  for (let e = 0; e < experts; e++) {
    const at = ids[e]! * PER_CONTEXT + bucketOf(sizes[e]!) * 3;
    for (let m = 0; m < 3; m++) {
      const gain = Math.min(Math.max(densities[3 * e + m]! / mixed - 1, -1), MOST_GAIN);
      if (clusterSize === 0) mixture.weights[at + m] = mixture.weights[at + m]! * (1 - FORGET_SOURCE) + RATE_SOURCE * gain;
      if (own !== null) own[at + m] = own[at + m]! * (1 - FORGET_TITLE) + RATE_TITLE * gain;
    }
  }
  // One step of expectation maximisation, by a small share.
  if (gathered.titleSize > 0 && clusterSize === 0) {
    let sum = 0;
    for (let w = 0; w < widths; w++) {
      kernel[w] = Math.max(LEAST_WIDTH, kernel[w]! + KERNEL_RATE * (ofWidth[w]! / mixed - kernel[w]!));
      sum += kernel[w]!;
    }
    for (let w = 0; w < widths; w++) kernel[w] = kernel[w]! / sum;
  }
  return mixed;
}

/** The weights of a title that has come before, those of the title used longest ago leaving. */
function ownWeights({ titles, traits }: Mixture, title: number): Float32Array | null {
  if (gathered.titleSize === 0) return null;
  const own = longEnough(touch(titles, title, MOST_WEIGHTED_TITLES, () => new Float32Array(0)), traits);
  titles.set(title, own);
  return own;
}

function longEnough(weights: Float32Array, { list }: Traits): Float32Array {
  const size = (CONTEXT.slot + PER_SLOT * 2 * list.length) * PER_CONTEXT;
  if (weights.length >= size) return weights;
  const grown = new Float32Array(size);
  grown.set(weights);
  return grown;
}
