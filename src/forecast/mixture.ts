import { maskTitle } from '../race/mask.ts';
import { createCells, dropSamples, findCell, pushSample, readCell, type Cells } from './cells.ts';
import { chooseKeys, emptyChoice, type Choice } from './choose-keys.ts';
import { blendLogs, densityIndex, KERNEL_DENSITIES, KERNEL_WIDTHS, startingKernel, type Distribution } from './distribution.ts';
import { combine, hashText } from './hash.ts';
import { createRecentRaces, dropRecent, RECENT_LIMIT, remember, type RecentRaces } from './recent-races.ts';
import { createRegression, learnRegression, regress, REGRESSED_NUMBERS, type Regression } from './regression.ts';
import {
  admitTrait, clearReading, createReading, createTraits, isSampled, isTelling, noteNovelty, noteNumber, readTrait, SLOTS, type Reading, type Traits,
} from './traits.ts';

/** Cells of a source and samples in each: about 100 bytes a full one. What is older says nothing that these do not. */
export const MOST_CELLS = 65_536;
export const CELL_SAMPLES = 20;
/** Titles (and the source) with a long memory: 400 bytes a full one. */
export const MOST_LONG_CELLS = 1_000;
export const LONG_SAMPLES = 100;
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
/** Runs of a kind of title from which on its cluster is not asked. Of 1, 3 and 6 the best on the first 40 % of jobs whose titles were made rare. */
const KNOWN_RUNS = 6;
/** How fast it is forgotten what clusters were worth. Chosen, not tuned. */
const CLUSTER_GAIN_RATE = 0.05;
const MOST_GAIN = 6;
/** How fast it is followed what is the better centre. Chosen, not tuned. */
const CENTRE_RATE = 0.02;
const MOST_CENTRE_ERROR = 1;
/** How fast the kernel's widths follow, and the least share of one. */
const KERNEL_RATE = 0.015;
const LEAST_WIDTH = 0.01;
const NEIGHBOUR_RACES = 400;
const TITLE_LIKENESS = 1;

/** Contexts by number; from SLOT_BASE on three per slot. */
const CONTEXT = { source: 0, longSource: 1, longTitle: 2, mask: 3, title: 4, passed: 5, common: 6, neighbours: 7, regression: 8, ratioTitle: 9, ratioSource: 12, pair: 15, chain: 25, cluster: 28, slot: 29 } as const;
const PER_SLOT = 3;
const CONTEXTS = CONTEXT.slot + PER_SLOT * SLOTS;
const PER_CONTEXT = BUCKETS * MEMORIES.length;
/** What is known of a context before any race: the factor of its weight. Those across titles must earn theirs. */
const PRIOR = Float64Array.from({ length: CONTEXTS }, (_, id) => {
  if (id === CONTEXT.source || id === CONTEXT.longSource) return Math.exp(-3);
  if (id >= CONTEXT.ratioSource && id < CONTEXT.pair) return Math.exp(-2);
  if (id === CONTEXT.mask || id === CONTEXT.regression || id === CONTEXT.longTitle) return Math.exp(-1);
  return id >= CONTEXT.slot && (id - CONTEXT.slot) % PER_SLOT > 0 ? Math.exp(-2) : 1;
});

const SALT = { title: 1, passed: 2, mask: 3, source: 4, alone: 5, sibling: 6, ratioTitle: 7, ratioSource: 8, common: 9, pair: 10, chain: 11, regression: 12, cluster: 13 } as const;
const ABSENT = 0x5bd1e995;

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

/**
 * What is learned of a source for forecasts at submission: samples of log duration under many contexts, and how far
 * each context is to be believed.
 */
export type Mixture = {
  taught: number;
  cells: Cells;
  long: Cells;
  traits: Traits;
  recent: RecentRaces;
  choice: Choice;
  /** Log weights by (context, support, memory), of the source and of titles. */
  weights: Float32Array;
  /** Log weights of races that a cluster speaks for, beside those of the source. */
  clusterWeights: Float32Array;
  /** What clusters have added to the log of the truth's density of late, a mean over the races that they speak for: below 0 they are not heard. */
  clusterGain: number;
  /** Weights of the kernel's widths, summing to 1. */
  kernel: Float64Array;
  titles: Map<number, Float32Array>;
  regression: Regression;
  /** How much less the ratio to a number of the metadata has been off than the title's median, of late, in log duration: above 0 it is the centre. */
  ratioLead: number;
};

export function createMixture(): Mixture {
  return {
    taught: 0, cells: createCells(MOST_CELLS, CELL_SAMPLES), long: createCells(MOST_LONG_CELLS, LONG_SAMPLES), traits: createTraits(), recent: createRecentRaces(), choice: emptyChoice(),
    weights: new Float32Array(0), clusterWeights: new Float32Array(0), clusterGain: 0, kernel: startingKernel(), titles: new Map(), regression: createRegression(), ratioLead: 0,
  };
}

/** What is known of a race when it is submitted. */
export type Subject = {
  readonly title: string;
  readonly startedAtMs: number;
  /** In any order; a null value is none. */
  readonly metadata: readonly { readonly key: string; readonly value: string | null }[];
  /** Where its cluster's samples lie, by the version in force; 0 or absent = it is in none. */
  readonly cluster?: number;
  /** The same by versions on trial: taught, and heard only where asked for. */
  readonly trialClusters?: readonly number[];
};

// One forecast at a time: everything below is filled by `gather` and read before the next one.
const MOST_SAMPLES = CONTEXTS * CELL_SAMPLES + 2 * LONG_SAMPLES;
const reading: Reading = createReading();
const gathered = {
  experts: 0,
  ids: new Int32Array(CONTEXTS),
  from: new Int32Array(CONTEXTS),
  sizes: new Int32Array(CONTEXTS),
  samples: new Float64Array(MOST_SAMPLES),
  used: 0,
  title: 0,
  mask: 0,
  /** What a race like it takes, log, from which others are told apart; by its title, and by ratio (NaN = none). */
  centre: 0,
  titleCentre: 0,
  ratioCentre: Number.NaN,
  last: 0,
  titleSize: 0,
  maskSize: 0,
  clusterSize: 0,
  numbers: new Float64Array(REGRESSED_NUMBERS),
  expected: 0,
};
const sampleWeights = new Float64Array(MOST_SAMPLES);
const sorted = new Float64Array(CELL_SAMPLES);
const expertWeights = new Float64Array(CONTEXTS * MEMORIES.length);
const densities = new Float64Array(CONTEXTS * MEMORIES.length);
const ofWidth = new Float64Array(KERNEL_WIDTHS.length);

/**
 * A forecast, and how many runs of the same title, of the same masked title and of its cluster are behind it (at most 20).
 * `byCluster`: its title is unknown, and of all contexts its cluster weighs most.
 */
export type Blend = { readonly distribution: Distribution; readonly titleRuns: number; readonly kindRuns: number; readonly clusterRuns: number; readonly byCluster: boolean };

/** What like races say of the total. null = nothing is known of the source. Cost: 19 µs with 6 metadata keys, 40 with 20. */
export function blend(mixture: Mixture, subject: Subject): Blend | null {
  if (mixture.taught === 0) return null;
  gather(mixture, subject);
  if (mixture.clusterGain >= 0) addCluster(mixture, subject);
  if (gathered.experts === 0) return null;
  const total = weigh(mixture);
  return { distribution: blended(mixture, total), titleRuns: gathered.titleSize, kindRuns: gathered.maskSize, clusterRuns: gathered.clusterSize, byCluster: isByCluster() };
}

function blended({ kernel }: Mixture, total: number): Distribution {
  const { experts, from, sizes, ids, samples, used } = gathered;
  for (let e = 0; e < experts; e++) {
    const n = sizes[e]!;
    const table = tableOf(ids[e]!, n);
    const at = from[e]!;
    const [a, b, c] = [expertWeights[3 * e]! / total, expertWeights[3 * e + 1]! / total, expertWeights[3 * e + 2]! / total];
    for (let i = 0; i < n; i++) sampleWeights[at + i] = a * table[i]! + b * table[n + i]! + c * table[2 * n + i]!;
  }
  return blendLogs(samples, sampleWeights, used, kernel);
}

function isByCluster(): boolean {
  const { experts, ids } = gathered;
  const weightOf = (e: number): number => expertWeights[3 * e]! + expertWeights[3 * e + 1]! + expertWeights[3 * e + 2]!;
  let cluster = 0;
  let most = 0;
  for (let e = 0; e < experts; e++) {
    if (ids[e] === CONTEXT.cluster) cluster = weightOf(e);
    most = Math.max(most, weightOf(e));
  }
  return cluster > 0 && cluster === most;
}

function tableOf(id: number, n: number): Float64Array {
  return id === CONTEXT.longSource || id === CONTEXT.longTitle ? LONG_RECENCY[n]! : RECENCY[n]!;
}

/**
 * Teaches the mixture a duration: first the weights, from the densities as they stand; then the samples.
 * @param beforeIt called with what was expected of it (scratch), unless nothing is known of the source.
 */
export function learnMixture(mixture: Mixture, subject: Subject, sec: number, hasPassed: boolean, beforeIt?: (expected: Distribution) => void): void {
  const log = Math.log(Math.max(sec, 1e-3));
  const { traits } = mixture;
  for (const { key, value } of subject.metadata) if (value !== null) admitTrait(traits, key, mixture.taught);
  gather(mixture, subject);
  // All that was learned may have been forgotten.
  if (gathered.experts > 0) {
    const total = weigh(mixture);
    beforeIt?.(blended(mixture, total));
    const without = judge(mixture, log, total);
    if (addCluster(mixture, subject)) {
      const gain = Math.log(judge(mixture, log, weigh(mixture)) / without);
      mixture.clusterGain += CLUSTER_GAIN_RATE * (gain - mixture.clusterGain);
    }
  }
  teachRegression(mixture, subject, log);
  followCentre(mixture, log);
  teachCells(mixture, log, hasPassed);
  teachClusters(mixture, subject, log);
  for (let i = 0; i < traits.list.length; i++) noteNumber(traits.list[i]!, reading.numbers[i]!);
  remember(mixture.recent, log, gathered.title, reading, mixture.taught);
  mixture.taught += 1;
  if (isTimeToChoose(mixture.taught)) mixture.choice = chooseKeys(mixture.recent, traits);
}

function teachClusters({ cells, taught }: Mixture, { cluster = 0, trialClusters = [] }: Subject, log: number): void {
  if (cluster !== 0) pushSample(cells, combine(cluster, SALT.cluster), log, taught);
  for (const trial of trialClusters) if (trial !== 0 && trial !== cluster) pushSample(cells, combine(trial, SALT.cluster), log, taught);
}

/** Gives a cluster its first samples, seconds, oldest first; nothing where it has some already. */
export function seedCluster({ cells, taught }: Mixture, cluster: number, samplesSec: readonly number[]): void {
  const key = combine(cluster, SALT.cluster);
  if (findCell(cells, key) >= 0) return;
  for (const sec of samplesSec) if (sec > 0) pushSample(cells, key, Math.log(Math.max(sec, 1e-3)), taught);
}

/**
 * Drops the samples of the races that were taught as the first (0), second... of the source. Weights and regressions that
 * they have moved stay as they are: they are sums over all races and tell of none.
 */
export function forgetTaught(mixture: Mixture, ordinals: ReadonlySet<number>): void {
  dropSamples(mixture.cells, ordinals);
  dropSamples(mixture.long, ordinals);
  dropRecent(mixture.recent, ordinals);
}

function isTimeToChoose(taught: number): boolean {
  return taught >= 512 ? taught % 512 === 0 : taught >= 8 && (taught & (taught - 1)) === 0;
}

function gather(mixture: Mixture, { title, startedAtMs, metadata }: Subject): void {
  const { cells, choice, traits, long } = mixture;
  clearReading(reading);
  for (const { key, value } of metadata) if (value !== null) readTrait(traits, key, value, reading);
  const { hashes } = reading;
  const g = gathered;
  g.experts = 0;
  g.used = 0;
  const hashed = hashedTitle(title);
  g.title = hashed.title;
  g.mask = hashed.mask;

  addCellOf(cells, CONTEXT.source, SALT.source, 0);
  addCellOf(long, CONTEXT.longSource, SALT.source, 0);
  g.clusterSize = 0;
  g.maskSize = addCellOf(cells, CONTEXT.mask, combine(g.mask, SALT.mask), 0);
  const titleFrom = g.used;
  g.titleSize = addCellOf(cells, CONTEXT.title, combine(g.title, SALT.title), 0);
  readCentre(g.titleSize > 0 ? titleFrom : 0, g.titleSize > 0 ? g.titleSize : g.experts > 0 ? g.sizes[0]! : 0);
  g.ratioCentre = readRatioCentre(mixture);
  if (mixture.ratioLead > 0 && !Number.isNaN(g.ratioCentre)) g.centre = g.ratioCentre;
  // Until then both hold the same.
  if (g.titleSize === CELL_SAMPLES) addCellOf(long, CONTEXT.longTitle, combine(g.title, SALT.title), 0);
  addCellOf(cells, CONTEXT.passed, combine(g.title, SALT.passed), 0);

  for (let index = 0; index < traits.list.length; index++) {
    const { withTitle, alone } = traits.list[index]!;
    for (let slot = 2 * index; slot <= 2 * index + 1; slot++) {
      const hash = hashes[slot]!;
      if (hash === 0) continue;
      const id = CONTEXT.slot + PER_SLOT * slot;
      if (isTelling(withTitle)) addCellOf(cells, id, combine(g.title, hash), 0);
      if (!isTelling(alone)) continue;
      addCellOf(cells, id + 1, combine(SALT.alone, hash), 0);
      addCellOf(cells, id + 2, combine(SALT.sibling, hash), g.centre);
    }
  }
  for (let i = 0, pair = 0; i < choice.best.length; i++) {
    for (let j = i + 1; j < choice.best.length; j++, pair++) addCellOf(cells, CONTEXT.pair + pair, joinedPair(choice.best[i]!, choice.best[j]!), 0);
  }
  for (let length = 3; length <= choice.chain.length; length++) addCellOf(cells, CONTEXT.chain + length - 3, joined(SALT.chain, choice.chain, length), 0);
  if (choice.common.length > 0) addCellOf(cells, CONTEXT.common, joined(SALT.common, choice.common, choice.common.length), 0);
  for (let i = 0; i < choice.ratios.length; i++) {
    const index = choice.ratios[i]!;
    const number = reading.numbers[index]!;
    if (!(number > 0)) continue;
    const { hash } = traits.list[index]!;
    addCellOf(cells, CONTEXT.ratioTitle + i, combine(combine(g.title, SALT.ratioTitle), hash), Math.log(number));
    addCellOf(cells, CONTEXT.ratioSource + i, combine(SALT.ratioSource, hash), Math.log(number));
  }
  if (traits.list.length > 0) addNeighbours(mixture);
  readNumbers(traits);
  g.expected = g.centre + regress(mixture.regression, g.centre, g.last, startedAtMs, g.numbers);
  addCellOf(cells, CONTEXT.regression, SALT.regression, g.expected);
}

/**
 * Has the cluster of a race speak where little is known of its kind of title; elsewhere titles say more. Such races have
 * weights of their own beside those that are learned without it: on all other races, clusters change nothing.
 */
function addCluster({ cells }: Mixture, { cluster = 0 }: Subject): boolean {
  const g = gathered;
  if (cluster !== 0 && g.maskSize < KNOWN_RUNS) g.clusterSize = addCellOf(cells, CONTEXT.cluster, combine(cluster, SALT.cluster), 0);
  return g.clusterSize > 0;
}

type HashedTitle = { readonly title: number; readonly mask: number };
/** Titles come again and again, and masking one takes ten regular expressions. */
const hashedTitles = new Map<string, HashedTitle>();
const MOST_HASHED_TITLES = 4_096;
/** Longer ones are not worth the memory. */
const LONGEST_HASHED_TITLE = 256;

function hashedTitle(title: string): HashedTitle {
  const known = hashedTitles.get(title);
  if (known !== undefined) return known;
  const hash = hashText(title);
  const mask = maskTitle(title);
  const hashed = { title: hash, mask: mask === title ? hash : hashText(mask) };
  if (hashedTitles.size === MOST_HASHED_TITLES) hashedTitles.clear();
  if (title.length <= LONGEST_HASHED_TITLE) hashedTitles.set(title, hashed);
  return hashed;
}

function joined(salt: number, slots: readonly number[], length: number): number {
  let sum = salt;
  for (let i = 0; i < length; i++) sum = (sum + hashOrAbsent(slots[i]!)) | 0;
  return combine(combine(gathered.title, salt), sum);
}

function joinedPair(a: number, b: number): number {
  return combine(combine(gathered.title, SALT.pair), (((SALT.pair + hashOrAbsent(a)) | 0) + hashOrAbsent(b)) | 0);
}

function hashOrAbsent(slot: number): number {
  const hash = reading.hashes[slot]!;
  return hash === 0 ? ABSENT + slot : hash;
}

function addCellOf(cells: Cells, id: number, key: number, shift: number): number {
  const slot = findCell(cells, key);
  if (slot < 0) return 0;
  const g = gathered;
  const size = readCell(cells, slot, g.samples, g.used);
  if (shift !== 0) for (let i = g.used; i < g.used + size; i++) g.samples[i] = g.samples[i]! + shift;
  addExpert(id, size);
  return size;
}

function addExpert(id: number, size: number): void {
  const g = gathered;
  g.ids[g.experts] = id;
  g.from[g.experts] = g.used;
  g.sizes[g.experts] = size;
  g.experts += 1;
  g.used += size;
}

/** What the title takes: the median of its samples, and its newest. */
function readCentre(from: number, size: number): void {
  const g = gathered;
  g.last = size === 0 ? 0 : g.samples[from]!;
  for (let i = 0; i < size; i++) sorted[i] = g.samples[from + i]!;
  g.titleCentre = size === 0 ? 0 : medianOfSorted(size);
  g.centre = g.titleCentre;
}

/** The number that tells most of the duration (a plan, a request), times what the source's races take of it; NaN = none. */
function readRatioCentre({ cells, choice, traits }: Mixture): number {
  const [index] = choice.ratios;
  const number = index === undefined ? 0 : reading.numbers[index]!;
  if (!(number > 0)) return Number.NaN;
  const slot = findCell(cells, combine(SALT.ratioSource, traits.list[index!]!.hash));
  return slot < 0 ? Number.NaN : Math.log(number) + medianOfSorted(readCell(cells, slot, sorted, 0));
}

/** The median of the first `size` (> 0) of `sorted`, which are sorted by it. */
function medianOfSorted(size: number): number {
  const values = sorted.subarray(0, size).sort();
  return (values[(size - 1) >> 1]! + values[size >> 1]!) / 2;
}

function readNumbers({ list }: Traits): void {
  const { numbers } = gathered;
  numbers.fill(Number.NaN);
  let next = 0;
  for (let i = 0; i < list.length && next < REGRESSED_NUMBERS; i++) {
    if (list[i]!.numbers.length > 3) numbers[next++] = reading.numbers[i]!;
  }
}

const nearest = { likeness: new Float64Array(CELL_SAMPLES), rows: new Int32Array(CELL_SAMPLES) };
/** By row. */
const likenesses = new Float64Array(RECENT_LIMIT);

/** The 20 of the newest races most like this one, the most like first; of equals the newest. */
function addNeighbours({ recent, choice: { weights }, traits: { list } }: Mixture): void {
  const { likeness, rows } = nearest;
  const count = Math.min(recent.size, NEIGHBOUR_RACES);
  scoreRows(recent, weights, 2 * list.length);
  let found = 0;
  for (let age = 0, row = recent.head; age < count; age++) {
    row = row === 0 ? recent.size - 1 : row - 1;
    const like = likenesses[row]!;
    if (found === CELL_SAMPLES && like <= likeness[found - 1]!) continue;
    let at = found < CELL_SAMPLES ? found++ : found - 1;
    while (at > 0 && likeness[at - 1]! < like) {
      likeness[at] = likeness[at - 1]!;
      rows[at] = rows[at - 1]!;
      at -= 1;
    }
    likeness[at] = like;
    rows[at] = row;
  }
  for (let i = 0; i < found; i++) gathered.samples[gathered.used + i] = recent.logs[rows[i]!]!;
  if (found > 0) addExpert(CONTEXT.neighbours, found);
}

/** A slot at a time over its column, of the two runs of rows in which the newest races lie. */
function scoreRows(recent: RecentRaces, weights: Float32Array, slots: number): void {
  const count = Math.min(recent.size, NEIGHBOUR_RACES);
  const end = recent.head === 0 ? recent.size : recent.head;
  const from = Math.max(0, end - count);
  const wrapped = recent.size - (count - (end - from));
  scoreRun(recent, weights, slots, from, end);
  scoreRun(recent, weights, slots, wrapped, recent.size);
}

function scoreRun(recent: RecentRaces, weights: Float32Array, slots: number, from: number, to: number): void {
  const { title } = gathered;
  const { titles } = recent;
  for (let row = from; row < to; row++) likenesses[row] = TITLE_LIKENESS * isEqual(titles[row]!, title);
  for (let slot = 0; slot < slots; slot++) {
    const hash = reading.hashes[slot]!;
    const weight = weights[slot]!;
    if (hash === 0 || weight === 0) continue;
    const column = recent.hashes[slot]!;
    for (let row = from; row < to; row++) likenesses[row] = likenesses[row]! + weight * isEqual(column[row]!, hash);
  }
}

/** 1 or 0, without a branch that nothing could predict. */
function isEqual(a: number, b: number): number {
  const difference = a ^ b;
  return 1 - ((difference | -difference) >>> 31);
}

function bucketOf(size: number): number {
  if (size >= 15) return 4;
  if (size >= 6) return 3;
  return size >= 3 ? 2 : size - 1;
}

/** Weights of all gathered experts by memory; returns their sum. */
function weigh({ weights, titles, clusterWeights }: Mixture): number {
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
function judge(mixture: Mixture, log: number, total: number): number {
  const { experts, ids, sizes, from, samples, title, clusterSize } = gathered;
  const { kernel } = mixture;
  const widths = KERNEL_WIDTHS.length;
  const [ka, kb, kc, kd] = kernel as unknown as [number, number, number, number];
  let mixed = DENSITY_FLOOR;
  // By width: what each adds to the density.
  let [da, db, dc, dd] = [0, 0, 0, 0];
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
      da += weight * pa;
      db += weight * pb;
      dc += weight * pc;
      dd += weight * pd;
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
    ofWidth.set([da, db, dc, dd]);
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
  const own = longEnough(titles.get(title) ?? new Float32Array(0), traits);
  titles.delete(title);
  titles.set(title, own);
  if (titles.size > MOST_WEIGHTED_TITLES) {
    const [oldest] = titles.keys();
    titles.delete(oldest!);
  }
  return own;
}

function longEnough(weights: Float32Array, { list }: Traits): Float32Array {
  const size = (CONTEXT.slot + PER_SLOT * 2 * list.length) * PER_CONTEXT;
  if (weights.length >= size) return weights;
  const grown = new Float32Array(size);
  grown.set(weights);
  return grown;
}

function teachRegression({ cells, regression, taught }: Mixture, { startedAtMs }: Subject, log: number): void {
  const { expected, centre, last, numbers } = gathered;
  if (taught === 0) return;
  pushSample(cells, SALT.regression, log - expected, taught);
  learnRegression(regression, log, centre, last, startedAtMs, numbers);
}

function followCentre(mixture: Mixture, log: number): void {
  const { titleCentre, ratioCentre } = gathered;
  if (Number.isNaN(ratioCentre)) return;
  const errorOf = (centre: number): number => Math.min(Math.abs(centre - log), MOST_CENTRE_ERROR);
  mixture.ratioLead += CENTRE_RATE * (errorOf(titleCentre) - errorOf(ratioCentre) - mixture.ratioLead);
}

function teachCells({ cells, long, choice, traits, taught }: Mixture, log: number, hasPassed: boolean): void {
  const g = gathered;
  const { hashes, numbers } = reading;
  const push = (key: number, value: number) => pushSample(cells, key, value, taught);
  push(SALT.source, log);
  pushSample(long, SALT.source, log, taught);
  pushSample(long, combine(g.title, SALT.title), log, taught);
  push(combine(g.mask, SALT.mask), log);
  push(combine(g.title, SALT.title), log);
  if (hasPassed) push(combine(g.title, SALT.passed), log);
  for (let index = 0; index < traits.list.length; index++) {
    const { withTitle, alone } = traits.list[index]!;
    const tells = { withTitle: isTelling(withTitle), alone: isTelling(alone) };
    for (let slot = 2 * index; slot <= 2 * index + 1; slot++) {
      const hash = hashes[slot]!;
      if (hash === 0) continue;
      const isRaw = slot % 2 === 0;
      if (tells.withTitle || isSampled(hash)) {
        const key = combine(g.title, hash);
        if (isRaw) noteNovelty(withTitle, findCell(cells, key) >= 0);
        push(key, log);
      }
      if (tells.alone || isSampled(hash)) {
        const key = combine(SALT.alone, hash);
        if (isRaw) noteNovelty(alone, findCell(cells, key) >= 0);
        push(key, log);
        if (g.experts > 0) push(combine(SALT.sibling, hash), log - g.centre);
      }
    }
  }
  for (let i = 0; i < choice.best.length; i++) {
    for (let j = i + 1; j < choice.best.length; j++) push(joinedPair(choice.best[i]!, choice.best[j]!), log);
  }
  for (let length = 3; length <= choice.chain.length; length++) push(joined(SALT.chain, choice.chain, length), log);
  if (choice.common.length > 0) push(joined(SALT.common, choice.common, choice.common.length), log);
  for (const index of choice.ratios) {
    const number = numbers[index]!;
    if (!(number > 0)) continue;
    const { hash } = traits.list[index]!;
    push(combine(combine(g.title, SALT.ratioTitle), hash), log - Math.log(number));
    push(combine(SALT.ratioSource, hash), log - Math.log(number));
  }
}
