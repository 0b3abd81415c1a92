import { combine, hashText } from './hash.ts';

/** Metadata keys of a source that are looked at; each is a slot for its values and a slot for its numbers in bins. */
export const MOST_TRAITS = 24;
export const SLOTS = 2 * MOST_TRAITS;
/** Numbers of another size than this are no quantities. Chosen. */
const LEAST_QUANTITY = 1e-9;
const MOST_QUANTITY = 1e15;
/** A key gives up its place when it has not been seen for so many races and another needs it. */
const FORGOTTEN_AFTER = 1_000;
/** A number with more different values than this is put in bins, too. */
const FEW_NUMBERS = 20;
/** A context whose value is new more often than this counts for nothing (ids, hashes of commits). */
const MOST_NOVELTY = 0.98;
const NOVELTY_MEMORY = 2_048;
const NOVELTY_SUPPORT = 50;
/** Of the values of such a key only this share (by hash) is kept, to notice when it begins to repeat. */
const SAMPLED_MASK = 7;

/** How often a context had been seen before. */
export type Novelty = { hits: number; misses: number };

/** A metadata key. */
export type Trait = {
  name: string;
  hash: number;
  lastSeen: number;
  /** Different numbers so far, up to 21. */
  numbers: number[];
  /** With the title, and across titles. */
  readonly withTitle: Novelty;
  readonly alone: Novelty;
};

export type Traits = { readonly list: Trait[]; readonly byName: Map<string, number> };

export function createTraits(list: Trait[] = []): Traits {
  return { list, byName: new Map(list.map(({ name }, i) => [name, i])) };
}

/** What the metadata of one race says: a hash per slot (0 = nothing), a number per key (NaN = none). Reused, never kept. */
export type Reading = { readonly hashes: Int32Array; readonly numbers: Float64Array };

export function createReading(): Reading {
  return { hashes: new Int32Array(SLOTS), numbers: new Float64Array(MOST_TRAITS) };
}

/** Empties a reading for the next race. */
export function clearReading({ hashes, numbers }: Reading): void {
  hashes.fill(0);
  numbers.fill(Number.NaN);
}

/** Notes one key and value of a race; unknown keys are passed over. O(length). */
export function readTrait({ list, byName }: Traits, key: string, value: string, { hashes, numbers }: Reading): void {
  const index = byName.get(key);
  if (index === undefined) return;
  const trait = list[index]!;
  hashes[2 * index] = combine(trait.hash, hashText(value));
  const number = numberOf(value);
  if (Number.isNaN(number)) return;
  numbers[index] = number;
  if (trait.numbers.length > FEW_NUMBERS) hashes[2 * index + 1] = combine(trait.hash + 1, binOf(number) | 0);
}

function numberOf(value: string): number {
  const first = value.charCodeAt(0);
  const isNumeric = (first >= 48 && first <= 57) || first === 45;
  return isNumeric && value.length <= 24 ? asQuantity(Number(value)) : Number.NaN;
}

/** A number that is none would run off where it is multiplied. */
function asQuantity(number: number): number {
  const size = Math.abs(number);
  return number === 0 || (size >= LEAST_QUANTITY && size <= MOST_QUANTITY) ? number : Number.NaN;
}

/** Half-octaves: a factor of 1.4. */
function binOf(number: number): number {
  return Math.round(2 * Math.log2(1 + Math.abs(number))) * (number < 0 ? -1 : 1);
}

/** Gives a key its place among the traits, if there is one. O(traits). */
export function admitTrait(traits: Traits, key: string, now: number): void {
  const { list, byName } = traits;
  const known = byName.get(key);
  if (known !== undefined) {
    list[known]!.lastSeen = now;
    return;
  }
  const trait: Trait = { name: key, hash: hashText(key), lastSeen: now, numbers: [], withTitle: { hits: 0, misses: 0 }, alone: { hits: 0, misses: 0 } };
  let index = list.length;
  if (index === MOST_TRAITS) {
    index = 0;
    for (let i = 1; i < list.length; i++) if (list[i]!.lastSeen < list[index]!.lastSeen) index = i;
    if (now - list[index]!.lastSeen < FORGOTTEN_AFTER) return;
    byName.delete(list[index]!.name);
  }
  list[index] = trait;
  byName.set(key, index);
}

export function noteNumber(trait: Trait, number: number): void {
  if (Number.isNaN(number) || trait.numbers.length > FEW_NUMBERS || trait.numbers.includes(number)) return;
  trait.numbers.push(number);
}

export function noteNovelty(novelty: Novelty, isKnown: boolean): void {
  if (isKnown) novelty.hits += 1;
  else novelty.misses += 1;
  if (novelty.hits + novelty.misses < NOVELTY_MEMORY) return;
  novelty.hits /= 2;
  novelty.misses /= 2;
}

/** Whether values of this key come again often enough to tell anything. */
export function isTelling({ hits, misses }: Novelty): boolean {
  return hits + misses < NOVELTY_SUPPORT || misses <= MOST_NOVELTY * (hits + misses);
}

/** Whether this value is kept though its key says nothing. */
export function isSampled(hash: number): boolean {
  return (hash & SAMPLED_MASK) === 0;
}

/** The share of values never seen before, 0..1; 1 without any. */
export function noveltyRatio({ hits, misses }: Novelty): number {
  return hits + misses === 0 ? 1 : misses / (hits + misses);
}
