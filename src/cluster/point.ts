import { maskTitle } from '../race/mask.ts';
import { createAlphabet, editsBetween, mixDistance } from './distance.ts';
import { findUniqueKeys } from './keys.ts';
import { keyAt, pairsAt, titleAt, valueAt, type PackedRaces } from './packed-races.ts';
import { hashText } from './text-hash.ts';

/** Metadata keys that have a column of their own, the most common ones; the pairs of others are compared as lists. */
const MOST_COLUMNS = 24;

/** Characters of a title that are compared: what 16 bits count. The wire allows 1,000. */
const LONGEST_TITLE = 65_535;

export type PointOptions = {
  /** `auto` leaves out keys that are unique per race; `all` takes every key as it stands. */
  readonly keys: 'auto' | 'all';
  /** Numbers, hashes, paths in titles become placeholders first. */
  readonly mask: boolean;
};

/** Races of one source without repetition: each distinct (title, pairs) is one point, as heavy as it has races. */
export type PointSet = {
  readonly count: number;
  /** Races of each point, at least 1. */
  readonly weights: Uint32Array;
  /** The lowest row of each point's races. */
  readonly firstRow: Uint32Array;
  /** Distinct titles, masked if asked for, one unit a character. */
  readonly titles: readonly string[];
  readonly titleOf: Uint32Array;
  /** Pairs of each point that count, those that no other point has among them. */
  readonly pairCounts: Uint32Array;
  readonly columnCount: number;
  /** By point and column: a number for the value, 0 = none or one that no other point has, so it matches nothing. */
  readonly columns: Int32Array;
  /** By point: where its pairs without a column end in `restPairs`, ascending within a point. */
  readonly restEnds: Uint32Array;
  readonly restPairs: Uint32Array;
  /** By point: a hash of its title and pairs, so that what is chosen by it does not hang on the order of the races. */
  readonly hashes: Uint32Array;
  /** Numbers in `columns` are at most this. */
  readonly valueCount: number;
  /** False where titles were cut or hold so many rare characters that some were taken for each other. */
  readonly isComplete: boolean;
};

export type Collapsed = {
  readonly points: PointSet;
  /** By race: its point. */
  readonly pointOf: Uint32Array;
  /** Keys that were left out. */
  readonly droppedKeys: readonly string[];
};

/**
 * Collapses races to points, in the order of their first rows. Clustering points by weight gives the labels of
 * clustering races. O(races + distinct text).
 */
export function collapseRaces(races: PackedRaces, options: PointOptions): Collapsed {
  const { titles, titleOf, isComplete } = internTitles(races, options.mask);
  const isDropped = options.keys === 'all' ? [] : uniqueKeysOf(races, options.mask ? titleOf : internTitles(races, true).titleOf);
  const sets = internSets(races, isDropped);
  const { firstRow, weights, pointOf } = groupRows(races, titleOf, sets.setOf, sets.pairs.length);
  const pointTitle = Uint32Array.from(firstRow, (row) => titleOf[races.titleOf[row]!]!);
  const pointSet = Uint32Array.from(firstRow, (row) => sets.setOf[races.setOf[row]!]!);
  return {
    points: { count: firstRow.length, weights, firstRow, titles, titleOf: pointTitle, isComplete, hashes: hashPoints(races, titles, pointTitle, sets.pairs, pointSet), ...columnsOf(races, sets.pairs, pointSet) },
    pointOf,
    droppedKeys: isDropped.flatMap((dropped, key) => (dropped ? [keyAt(races, key)] : [])),
  };
}

/** The distance of two points, 0..1. */
export function pointDistance(points: PointSet, a: number, b: number): number {
  const [titleA, titleB] = [points.titles[points.titleOf[a]!]!, points.titles[points.titleOf[b]!]!];
  return mixDistance(editsBetween(titleA, titleB), Math.max(titleA.length, titleB.length), sharedPairs(points, a, b), points.pairCounts[a]!, points.pairCounts[b]!);
}

/** Pairs that two points have in common. O(columns + pairs without a column). */
function sharedPairs({ columnCount, columns, restEnds, restPairs }: PointSet, a: number, b: number): number {
  let shared = 0;
  for (let column = 0, i = a * columnCount, j = b * columnCount; column < columnCount; column++, i++, j++) {
    if (columns[i] === columns[j] && columns[i] !== 0) shared++;
  }
  let i = a === 0 ? 0 : restEnds[a - 1]!;
  let j = b === 0 ? 0 : restEnds[b - 1]!;
  while (i < restEnds[a]! && j < restEnds[b]!) {
    const order = restPairs[i]! - restPairs[j]!;
    if (order === 0) shared++;
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return shared;
}

/** Points by their hashes: an order that does not hang on that of the races (where no two hashes are the same). */
export function hashOrder({ hashes }: Pick<PointSet, 'hashes'>, chosen: Uint32Array = hashes.map((_, point) => point)): Uint32Array {
  return chosen.slice().sort((a, b) => hashes[a]! - hashes[b]! || a - b);
}

function hashPoints(races: PackedRaces, titles: readonly string[], pointTitle: Uint32Array, sets: readonly Uint32Array[], pointSet: Uint32Array): Uint32Array {
  const titleHashes = titles.map(hashText);
  const keyHashes = Array.from(races.keyEnds, (_, key) => hashText(keyAt(races, key)));
  const pairHashes = Uint32Array.from(races.keyOfPair, (key, pair) => Math.imul(hashText(valueAt(races, pair)) ^ keyHashes[key]!, 0x9e3779b1));
  // A sum of pairs: their order is that of first appearance.
  return pointSet.map((set, point) => Math.imul(sets[set]!.reduce((sum, pair) => (sum + pairHashes[pair]!) >>> 0, 0) ^ titleHashes[pointTitle[point]!]!, 0x85ebca6b) >>> 0);
}

function uniqueKeysOf(races: PackedRaces, maskedOf: Uint32Array): boolean[] {
  return findUniqueKeys({
    keyCount: races.keyEnds.length, keyOfPair: races.keyOfPair, titleOf: races.titleOf.map((title) => maskedOf[title]!),
    setOf: races.setOf, pairsOfSet: (set) => pairsAt(races, set),
  });
}

/** Titles as they are compared, and which one each title of the races becomes. */
function internTitles(races: PackedRaces, mask: boolean): { titles: string[]; titleOf: Uint32Array; isComplete: boolean } {
  const alphabet = createAlphabet();
  const known = new Map<string, number>();
  const titleOf = new Uint32Array(races.titleEnds.length);
  let isCut = false;
  for (let title = 0; title < titleOf.length; title++) {
    const text = titleAt(races, title);
    const whole = alphabet.encode(mask ? maskTitle(text) : text);
    const encoded = whole.length > LONGEST_TITLE ? whole.slice(0, LONGEST_TITLE) : whole;
    isCut ||= encoded !== whole;
    let number = known.get(encoded);
    if (number === undefined) known.set(encoded, number = known.size);
    titleOf[title] = number;
  }
  return { titles: [...known.keys()], titleOf, isComplete: alphabet.isComplete() && !isCut };
}

/** Sets of pairs without dropped keys, and which one each set of the races becomes. */
function internSets(races: PackedRaces, isDropped: readonly boolean[]): { pairs: Uint32Array[]; setOf: Uint32Array } {
  const setCount = races.setEnds.length;
  if (!isDropped.includes(true)) {
    return { pairs: Array.from({ length: setCount }, (_, set) => pairsAt(races, set)), setOf: Uint32Array.from({ length: setCount }, (_, set) => set) };
  }
  const known = new Map<string, number>();
  const pairs: Uint32Array[] = [];
  const setOf = new Uint32Array(setCount);
  for (let set = 0; set < setCount; set++) {
    const kept = pairsAt(races, set).filter((pair) => !isDropped[races.keyOfPair[pair]!]);
    const name = kept.join();
    let number = known.get(name);
    if (number === undefined) {
      known.set(name, number = pairs.length);
      pairs.push(kept);
    }
    setOf[set] = number;
  }
  return { pairs, setOf };
}

function groupRows(races: PackedRaces, titleOf: Uint32Array, setOf: Uint32Array, setCount: number): { firstRow: Uint32Array; weights: Uint32Array; pointOf: Uint32Array } {
  const rows = races.titleOf.length;
  const pointOf = new Uint32Array(rows);
  const firstRow = new Uint32Array(rows);
  const weights = new Uint32Array(rows);
  const table = createTable(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const point = table(titleOf[races.titleOf[row]!]! * setCount + setOf[races.setOf[row]!]!, count);
    if (point === count) firstRow[count++] = row;
    weights[point]!++;
    pointOf[row] = point;
  }
  return { firstRow: firstRow.slice(0, count), weights: weights.slice(0, count), pointOf };
}

/** A hash table from whole numbers below 2^53 to numbers: returns what is stored for a key, storing `fresh` if nothing is. */
function createTable(capacity: number): (key: number, fresh: number) => number {
  // At most half full. A Map of numbers beyond 2^31 boxes each of them.
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * capacity)));
  const keys = new Float64Array(size).fill(-1);
  const values = new Uint32Array(size);
  return (key, fresh) => {
    let at = (Math.imul(key % 4_294_967_291, 0x9e3779b1) ^ Math.imul(key >>> 15, 0x85ebca6b)) & (size - 1);
    while (keys[at] !== -1) {
      if (keys[at] === key) return values[at]!;
      at = (at + 1) & (size - 1);
    }
    keys[at] = key;
    return values[at] = fresh;
  };
}

/** The pairs of points as columns of the most common keys, and lists of the rest. */
function columnsOf(races: PackedRaces, sets: readonly Uint32Array[], pointSet: Uint32Array): Pick<PointSet, 'pairCounts' | 'columnCount' | 'columns' | 'restEnds' | 'restPairs' | 'valueCount'> {
  const pairPoints = new Uint32Array(races.keyOfPair.length);
  const keyPoints = new Uint32Array(races.keyEnds.length);
  for (const set of pointSet) {
    for (const pair of sets[set]!) {
      pairPoints[pair]!++;
      keyPoints[races.keyOfPair[pair]!]!++;
    }
  }
  const common = Array.from(keyPoints, (_, key) => key).sort((a, b) => keyPoints[b]! - keyPoints[a]! || a - b).slice(0, MOST_COLUMNS);
  const columnCount = common.length;
  const columnOf = new Int32Array(races.keyEnds.length).fill(-1);
  for (const [column, key] of common.entries()) columnOf[key] = column;
  const columns = new Int32Array(pointSet.length * columnCount);
  const pairCounts = new Uint32Array(pointSet.length);
  const restEnds = new Uint32Array(pointSet.length);
  const restPairs: number[] = [];
  for (let point = 0; point < pointSet.length; point++) {
    const pairs = sets[pointSet[point]!]!;
    pairCounts[point] = pairs.length;
    for (const pair of pairs) {
      if (pairPoints[pair] === 1) continue;
      const column = columnOf[races.keyOfPair[pair]!]!;
      if (column < 0) restPairs.push(pair);
      else columns[point * columnCount + column] = pair + 1;
    }
    restEnds[point] = restPairs.length;
  }
  return { pairCounts, columnCount, columns, restEnds, restPairs: Uint32Array.from(restPairs), valueCount: races.keyOfPair.length };
}
