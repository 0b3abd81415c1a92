import { CELL_SAMPLES } from './mixture.ts';
import { RECENT_LIMIT, type RecentRaces } from './recent-races.ts';

const NEIGHBOUR_RACES = 400;
const TITLE_LIKENESS = 1;

/** What others are like: hashes of the title and, by slot, of the metadata, and how much it counts that two have the same in a slot. */
export type Likeness = { readonly title: number; readonly hashes: ArrayLike<number>; readonly weights: Float32Array; readonly slots: number };

const nearest = { likeness: new Float64Array(CELL_SAMPLES), rows: new Int32Array(CELL_SAMPLES) };
/** By row. */
const likenesses = new Float64Array(RECENT_LIMIT);

/**
 * Writes the log durations of the 20 of the newest races most like one to `into`, from `at`: the most like first, of equals the newest.
 * Returns how many. O(400 slots).
 */
export function readLikeRaces(recent: RecentRaces, race: Likeness, into: Float64Array, at: number): number {
  const { likeness, rows } = nearest;
  const count = Math.min(recent.size, NEIGHBOUR_RACES);
  scoreRows(recent, race);
  let found = 0;
  for (let age = 0, row = recent.head; age < count; age++) {
    row = row === 0 ? recent.size - 1 : row - 1;
    const like = likenesses[row]!;
    if (found === CELL_SAMPLES && like <= likeness[found - 1]!) continue;
    let place = found < CELL_SAMPLES ? found++ : found - 1;
    while (place > 0 && likeness[place - 1]! < like) {
      likeness[place] = likeness[place - 1]!;
      rows[place] = rows[place - 1]!;
      place -= 1;
    }
    likeness[place] = like;
    rows[place] = row;
  }
  for (let i = 0; i < found; i++) into[at + i] = recent.logs[rows[i]!]!;
  return found;
}

/** A slot at a time over its column, of the two runs of rows in which the newest races lie. */
function scoreRows(recent: RecentRaces, race: Likeness): void {
  const count = Math.min(recent.size, NEIGHBOUR_RACES);
  const end = recent.head === 0 ? recent.size : recent.head;
  const from = Math.max(0, end - count);
  const wrapped = recent.size - (count - (end - from));
  scoreRun(recent, race, from, end);
  scoreRun(recent, race, wrapped, recent.size);
}

function scoreRun(recent: RecentRaces, { title, hashes, weights, slots }: Likeness, from: number, to: number): void {
  const { titles } = recent;
  for (let row = from; row < to; row++) likenesses[row] = TITLE_LIKENESS * isEqual(titles[row]!, title);
  for (let slot = 0; slot < slots; slot++) {
    const hash = hashes[slot]!;
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
