import { maskTitle } from '../race/mask.ts';
import { findCell, pushSample, readCell, type Cells } from './cells.ts';
import { logSec } from './distribution.ts';
import { combine, hashText } from './hash.ts';
import { readLikeRaces } from './like-races.ts';
import { CELL_SAMPLES, LONG_SAMPLES, type Mixture } from './mixture.ts';
import { learnRegression, regress, REGRESSED_NUMBERS } from './regression.ts';
import { clearReading, createReading, isSampled, isTelling, noteNovelty, readTrait, SLOTS, type Reading, type Traits } from './traits.ts';

/** Runs of a kind of title from which on its cluster is not asked. Of 1, 3 and 6 the best on the first 40 % of jobs whose titles were made rare. */
const KNOWN_RUNS = 6;
/** How fast it is followed what is the better centre. Chosen, not tuned. */
const CENTRE_RATE = 0.02;
const MOST_CENTRE_ERROR = 1;

/** Contexts by number; from `slot` on three per slot. */
export const CONTEXT = { source: 0, longSource: 1, longTitle: 2, mask: 3, title: 4, passed: 5, common: 6, neighbours: 7, regression: 8, ratioTitle: 9, ratioSource: 12, pair: 15, chain: 25, cluster: 28, slot: 29 } as const;
export const PER_SLOT = 3;
export const CONTEXTS = CONTEXT.slot + PER_SLOT * SLOTS;

const SALT = { title: 1, passed: 2, mask: 3, source: 4, alone: 5, sibling: 6, ratioTitle: 7, ratioSource: 8, common: 9, pair: 10, chain: 11, regression: 12, cluster: 13 } as const;
const ABSENT = 0x5bd1e995;

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
export const MOST_SAMPLES = CONTEXTS * CELL_SAMPLES + 2 * LONG_SAMPLES;
export const reading: Reading = createReading();
export const gathered = {
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
const sorted = new Float64Array(CELL_SAMPLES);

/** Gathers what every context that a race lies in knows of the duration; each is an expert. */
export function gather(mixture: Mixture, { title, startedAtMs, metadata }: Subject): void {
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
  if (traits.list.length > 0) addLikeRaces(mixture);
  readNumbers(traits);
  g.expected = g.centre + regress(mixture.regression, g.centre, g.last, startedAtMs, g.numbers);
  addCellOf(cells, CONTEXT.regression, SALT.regression, g.expected);
}

/**
 * Has the cluster of a race speak where little is known of its kind of title; elsewhere titles say more. Such races have
 * weights of their own beside those that are learned without it: on all other races, clusters change nothing.
 */
export function addCluster({ cells }: Mixture, { cluster = 0 }: Subject): boolean {
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

function addLikeRaces({ recent, choice: { weights }, traits: { list } }: Mixture): void {
  const g = gathered;
  const found = readLikeRaces(recent, { title: g.title, hashes: reading.hashes, weights, slots: 2 * list.length }, g.samples, g.used);
  if (found > 0) addExpert(CONTEXT.neighbours, found);
}

/** Teaches every context a race lies in, as it was gathered, its log duration. */
export function teachContexts(mixture: Mixture, subject: Subject, log: number, hasPassed: boolean): void {
  teachRegression(mixture, subject, log);
  followCentre(mixture, log);
  teachCells(mixture, log, hasPassed);
  teachClusters(mixture, subject, log);
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

function teachClusters({ cells, taught }: Mixture, { cluster = 0, trialClusters = [] }: Subject, log: number): void {
  if (cluster !== 0) pushSample(cells, combine(cluster, SALT.cluster), log, taught);
  for (const trial of trialClusters) if (trial !== 0 && trial !== cluster) pushSample(cells, combine(trial, SALT.cluster), log, taught);
}

/** Gives a cluster its first samples, seconds, oldest first; nothing where it has some already. */
export function seedCluster({ cells, taught }: Mixture, cluster: number, samplesSec: readonly number[]): void {
  const key = combine(cluster, SALT.cluster);
  if (findCell(cells, key) >= 0) return;
  for (const sec of samplesSec) if (sec > 0) pushSample(cells, key, logSec(sec), taught);
}
