import { MOST_TRAITS, SLOTS, type Reading } from './traits.ts';

/** The newest races of a source with their metadata: what keys are chosen on, and where neighbours are looked for. */
export const RECENT_LIMIT = 1_024;

/** Rows in a circle: `head` is where the next one goes. */
export type RecentRaces = {
  size: number;
  head: number;
  logs: Float32Array;
  titles: Int32Array;
  /** A column per slot: `hashes[slot][row]`. */
  hashes: Int32Array[];
  numbers: Float32Array;
  /** Counts of races when each was taught: which race it is. */
  stamps: Uint32Array;
};

export function createRecentRaces(capacity = 4): RecentRaces {
  return {
    size: 0, head: 0, logs: new Float32Array(capacity), titles: new Int32Array(capacity),
    hashes: Array.from({ length: SLOTS }, () => new Int32Array(capacity)), numbers: new Float32Array(capacity * MOST_TRAITS), stamps: new Uint32Array(capacity),
  };
}

/** Remembers a race, the oldest leaving at 1,024. O(1), amortised. */
export function remember(recent: RecentRaces, log: number, title: number, { hashes, numbers }: Reading, stamp: number): void {
  if (recent.size === recent.logs.length && recent.size < RECENT_LIMIT) grow(recent);
  const row = recent.head;
  recent.logs[row] = log;
  recent.titles[row] = title;
  for (let slot = 0; slot < SLOTS; slot++) recent.hashes[slot]![row] = hashes[slot]!;
  recent.numbers.set(numbers, row * MOST_TRAITS);
  recent.stamps[row] = stamp;
  recent.head = (row + 1) % RECENT_LIMIT;
  recent.size = Math.min(recent.size + 1, RECENT_LIMIT);
}

function grow(recent: RecentRaces): void {
  const grown = createRecentRaces(Math.min(recent.logs.length * 4, RECENT_LIMIT));
  grown.logs.set(recent.logs);
  grown.titles.set(recent.titles);
  for (let slot = 0; slot < SLOTS; slot++) grown.hashes[slot]!.set(recent.hashes[slot]!);
  grown.numbers.set(recent.numbers);
  grown.stamps.set(recent.stamps);
  replace(recent, grown);
}

function replace(recent: RecentRaces, { logs, titles, hashes, numbers, stamps }: RecentRaces): void {
  Object.assign(recent, { logs, titles, hashes, numbers, stamps });
}

/** Takes out the races taught at these counts; the others stay in their order. O(size). */
export function dropRecent(recent: RecentRaces, gone: ReadonlySet<number>): void {
  const rows = Array.from({ length: recent.size }, (_, i) => rowOf(recent, recent.size - 1 - i));
  const kept = rows.filter((row) => !gone.has(recent.stamps[row]!));
  if (kept.length === rows.length) return;
  const left = createRecentRaces(recent.logs.length);
  for (const [to, row] of kept.entries()) {
    left.logs[to] = recent.logs[row]!;
    left.titles[to] = recent.titles[row]!;
    for (let slot = 0; slot < SLOTS; slot++) left.hashes[slot]![to] = recent.hashes[slot]![row]!;
    left.numbers.set(recent.numbers.subarray(row * MOST_TRAITS, (row + 1) * MOST_TRAITS), to * MOST_TRAITS);
    left.stamps[to] = recent.stamps[row]!;
  }
  replace(recent, left);
  recent.size = kept.length;
  recent.head = kept.length % RECENT_LIMIT;
}

/** The row that is `age` races old; 0 = the newest, below size. */
export function rowOf({ head }: RecentRaces, age: number): number {
  return (head - 1 - age + 2 * RECENT_LIMIT) % RECENT_LIMIT;
}
