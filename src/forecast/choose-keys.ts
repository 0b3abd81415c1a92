import { rowOf, type RecentRaces } from './recent-races.ts';
import { isTelling, MOST_TRAITS, noveltyRatio, SLOTS, type Traits } from './traits.ts';

const BEST_KEYS = 5;
const LONGEST_CHAIN = 5;
const CHAIN_CANDIDATES = 12;
const LEAST_CHAIN_GAIN = 0.001;
const RATIOS = 3;
const LEAST_CORRELATION = 0.3;
const LEAST_NUMBERS = 20;
/** Keys with fewer new values than this identify a kind of race together. */
const COMMON_NOVELTY = 0.15;
/** Errors beyond this are all the same, in log duration. */
const MOST_LOSS = 0.4;

/** Which metadata keys are joined in contexts: slots, and for ratios traits. */
export type Choice = {
  readonly best: readonly number[];
  readonly chain: readonly number[];
  readonly common: readonly number[];
  readonly ratios: readonly number[];
  /** By slot: how much it says about the duration; what neighbours are weighed by. */
  readonly weights: Float32Array;
};

export function emptyChoice(): Choice {
  return { best: [], chain: [], common: [], ratios: [], weights: new Float32Array(SLOTS) };
}

/**
 * Chooses keys on the newest races, replayed in their order: a key is as good as "like the last one with the same
 * title and value" would have been. Some milliseconds at 1,024 races: done at growing intervals.
 */
export function chooseKeys(recent: RecentRaces, { list }: Traits): Choice {
  const plain = lossOf(recent, []);
  const weights = new Float32Array(SLOTS);
  const scored: { slot: number; loss: number }[] = [];
  const common: number[] = [];
  for (let index = 0; index < list.length; index++) {
    const trait = list[index]!;
    if (!isTelling(trait.withTitle)) continue;
    if (noveltyRatio(trait.alone) < COMMON_NOVELTY) common.push(2 * index);
    for (const slot of [2 * index, 2 * index + 1]) {
      if (!hasVariety(recent, slot)) continue;
      const loss = lossOf(recent, [slot]);
      weights[slot] = 0.02 + Math.max(0, (plain - loss) / Math.max(plain, 1e-6));
      scored.push({ slot, loss });
    }
  }
  scored.sort((a, b) => a.loss - b.loss || a.slot - b.slot);
  const best: number[] = [];
  for (const { slot } of scored) if (best.length < BEST_KEYS && !best.includes(slot ^ 1)) best.push(slot);
  return { best, chain: chainFrom(recent, best, scored.slice(0, CHAIN_CANDIDATES).map(({ slot }) => slot)), common, ratios: ratiosOf(recent, list.length), weights };
}

function hasVariety({ size, hashes }: RecentRaces, slot: number): boolean {
  const column = hashes[slot]!;
  for (let row = 1; row < size; row++) if (column[row] !== column[0]) return true;
  return false;
}

/** Mean capped error of the last race with the same title and slots, else of the last with the same title. */
function lossOf(recent: RecentRaces, slots: readonly number[]): number {
  const last = new Map<number, number>();
  const lastOfTitle = new Map<number, number>();
  let sum = 0;
  for (let age = recent.size - 1; age >= 0; age--) {
    const row = rowOf(recent, age);
    const log = recent.logs[row]!;
    const title = recent.titles[row]!;
    let key = title;
    for (const slot of slots) key = (Math.imul(key, 0x01000193) + recent.hashes[slot]![row]!) | 0;
    const expected = last.get(key) ?? lastOfTitle.get(title);
    sum += expected === undefined ? MOST_LOSS : Math.min(MOST_LOSS, Math.abs(expected - log));
    last.set(key, log);
    lastOfTitle.set(title, log);
  }
  return sum / Math.max(1, recent.size);
}

function chainFrom(recent: RecentRaces, best: readonly number[], candidates: readonly number[]): number[] {
  const [first] = best;
  if (first === undefined) return [];
  const chain = [first];
  let loss = lossOf(recent, chain);
  while (chain.length < LONGEST_CHAIN) {
    let found = -1;
    let least = loss - LEAST_CHAIN_GAIN;
    for (const slot of candidates) {
      if (chain.includes(slot) || chain.includes(slot ^ 1)) continue;
      const joined = lossOf(recent, [...chain, slot]);
      if (joined < least) [found, least] = [slot, joined];
    }
    if (found < 0) break;
    chain.push(found);
    loss = least;
  }
  return chain;
}

/** The numbers that rise with the duration, by rank correlation. */
function ratiosOf(recent: RecentRaces, traits: number): number[] {
  const found: { index: number; correlation: number }[] = [];
  for (let index = 0; index < traits; index++) {
    const rows: number[] = [];
    for (let row = 0; row < recent.size; row++) if (recent.numbers[row * MOST_TRAITS + index]! > 0) rows.push(row);
    if (rows.length < Math.max(LEAST_NUMBERS, recent.size / 4)) continue;
    const correlation = rankCorrelation(rows.map((row) => recent.numbers[row * MOST_TRAITS + index]!), rows.map((row) => recent.logs[row]!));
    if (correlation >= LEAST_CORRELATION) found.push({ index, correlation });
  }
  return found.sort((a, b) => b.correlation - a.correlation || a.index - b.index).slice(0, RATIOS).map(({ index }) => index);
}

function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const mean = (a.length - 1) / 2;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < a.length; i++) {
    xy += (x[i]! - mean) * (y[i]! - mean);
    xx += (x[i]! - mean) ** 2;
    yy += (y[i]! - mean) ** 2;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
}

/** Ranks from 0; ties share their mean. */
function ranksOf(values: readonly number[]): Float64Array {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b);
  const ranks = new Float64Array(values.length);
  for (let i = 0; i < order.length;) {
    let end = i;
    while (end < order.length && values[order[end]!] === values[order[i]!]) end += 1;
    for (let j = i; j < end; j++) ranks[order[j]!] = (i + end - 1) / 2;
    i = end;
  }
  return ranks;
}
