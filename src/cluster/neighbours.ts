import { createAlphabet, editsBetween, METADATA_SHARE, mixDistance, raceDistance, TITLE_SHARE, type RaceFacts } from './distance.ts';
import { embed } from './embedding.ts';

/** The nearest item to a race, by its number; the distance is the true one. */
export type Neighbour = { readonly item: number; readonly distance: number };

/** Finds the nearest of a fixed list of races: exactly, or among what a vector index proposes. The distance is the true one either way. */
export type NeighbourIndex = {
  /** The nearest item at a distance of at most `limit`; ties go to the lower number. Null if there is none, or none was looked at. */
  nearest(race: RaceFacts, limit: number): Neighbour | null;
};

/** An index of vectors by numbers 0.., such as HNSW. Not to be shared between threads. */
export type VectorIndex = {
  /** Vectors are finite. */
  add(vector: readonly number[], item: number): void;
  /** Up to `k` items, those of near vectors. */
  search(vector: readonly number[], k: number): readonly number[];
};

/** Proposals that are checked: the true nearest is among 8 in .84, 16 in .94, 32 in .98 of cases (a fleet of 3,600, 2026-11). */
const PROPOSALS = 32;

/**
 * Looks at all items, most by their bounds only: shared pairs come from lists by pair, then lengths, then characters.
 * 25 ns an item and race with CI metadata, 120 without any; some microseconds where titles are long and without metadata,
 * for then nothing rules them out. `items` must not change.
 */
export function createExactIndex(items: readonly RaceFacts[]): NeighbourIndex {
  const alphabet = createAlphabet();
  const titles = items.map(({ title }) => alphabet.encode(title));
  const lengths = Uint32Array.from(titles, ({ length }) => length);
  const pairCounts = Uint16Array.from(items, ({ metadata }) => Object.keys(metadata).length);
  const bins = new Uint32Array(items.length * BINS);
  for (const [item, title] of titles.entries()) countCharacters(title, bins, item * BINS);
  const itemsOf = listByPair(items);
  const shared = new Uint16Array(items.length);
  const own = new Uint32Array(BINS);
  const bounds = new Float64Array(items.length);

  const nearest = ({ title, metadata }: RaceFacts, limit: number): Neighbour | null => {
    const encoded = alphabet.encode(title);
    const keys = Object.keys(metadata);
    shared.fill(0);
    for (const key of keys) for (const item of itemsOf(key, metadata[key]!)) shared[item]!++;
    own.fill(0);
    countCharacters(encoded, own, 0);
    /** What the distance is at least; Infinity where that is surely over the limit. */
    const boundOf = (item: number): number => {
      const union = keys.length + pairCounts[item]! - shared[item]!;
      const apart = union === 0 ? 0 : METADATA_SHARE * (1 - shared[item]! / union);
      const length = lengths[item]!;
      const longest = length > encoded.length ? length : encoded.length;
      const most = (limit + ROUNDING - apart) / TITLE_SHARE * longest;
      if (most < 0 || Math.abs(length - encoded.length) > most) return Infinity;
      let common = 0;
      for (let bin = 0, at = item * BINS; bin < BINS; bin++, at++) common += own[bin]! < bins[at]! ? own[bin]! : bins[at]!;
      return longest - common > most ? Infinity : apart + (longest === 0 ? 0 : TITLE_SHARE * (longest - common) / longest) - ROUNDING;
    };
    let best: Neighbour | null = null;
    const look = (item: number): void => {
      const distance = mixDistance(editsBetween(encoded, titles[item]!), Math.max(encoded.length, lengths[item]!), shared[item]!, keys.length, pairCounts[item]!);
      if (distance > limit || (best !== null && (distance > best.distance || (distance === best.distance && item >= best.item)))) return;
      best = { item, distance };
    };
    const reach = (): number => (best === null ? limit : best.distance);
    // The one that may be nearest goes first: what it shows rules most others out unseen.
    let first = -1;
    for (let item = 0; item < items.length; item++) {
      bounds[item] = boundOf(item);
      if (bounds[item]! < (first < 0 ? Infinity : bounds[first]!)) first = item;
    }
    if (first >= 0) look(first);
    for (let item = 0; item < items.length; item++) if (bounds[item]! <= reach()) look(item);
    return best;
  };
  return { nearest };
}

/** Bins that the characters of titles are counted in, by their lowest bits: letters have one each. */
const BINS = 32;
/** Bounds and distances are rounded apart; a bound must err on the side of looking. */
const ROUNDING = 1e-12;

function countCharacters(title: string, bins: Uint32Array, from: number): void {
  for (let i = 0; i < title.length; i++) bins[from + (title.charCodeAt(i) & (BINS - 1))]!++;
}

/** The items that have a pair. */
function listByPair(items: readonly RaceFacts[]): (key: string, value: string) => readonly number[] {
  const lists = new Map<string, Map<string, number[]>>();
  for (const [item, { metadata }] of items.entries()) {
    for (const key of Object.keys(metadata)) {
      const values = lists.get(key) ?? new Map<string, number[]>();
      lists.set(key, values);
      const list = values.get(metadata[key]!);
      if (list === undefined) values.set(metadata[key]!, [item]);
      else list.push(item);
    }
  }
  return (key, value) => lists.get(key)?.get(value) ?? [];
}

/**
 * Looks at those items only that a vector index proposes: it may miss the nearest, and takes as long whatever the data.
 * 75 µs an item to make, as much to ask. `items` must not change.
 */
export function createProposedIndex(items: readonly RaceFacts[], vectors: VectorIndex): NeighbourIndex {
  const propose = createProposals(Uint32Array.from(items.keys()), (item) => items[item]!, vectors);
  return {
    nearest(race, limit) {
      let best: Neighbour | null = null;
      for (const item of propose(race)) {
        const distance = raceDistance(race, items[item]!);
        if (distance > limit || (best !== null && (distance > best.distance || (distance === best.distance && item > best.item)))) continue;
        best = { item, distance };
      }
      return best;
    },
  };
}

/**
 * Items whose vectors are near that of a race, itself perhaps among them. 75 µs an item to add, as much to ask (20,000
 * items, 2026-11). Items are added in `order`, on which the proposals hang a little.
 */
export function createProposals(order: Uint32Array, factsOf: (item: number) => RaceFacts, vectors: VectorIndex): (race: RaceFacts) => readonly number[] {
  for (const item of order) vectors.add(embed(factsOf(item)), item);
  const proposals = Math.min(PROPOSALS, order.length);
  return (race) => (proposals === 0 ? [] : vectors.search(embed(race), proposals));
}
