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
};

export function createRecentRaces(capacity = 4): RecentRaces {
  return {
    size: 0, head: 0, logs: new Float32Array(capacity), titles: new Int32Array(capacity),
    hashes: Array.from({ length: SLOTS }, () => new Int32Array(capacity)), numbers: new Float32Array(capacity * MOST_TRAITS),
  };
}

/** Remembers a race, the oldest leaving at 1,024. O(1), amortised. */
export function remember(recent: RecentRaces, log: number, title: number, { hashes, numbers }: Reading): void {
  if (recent.size === recent.logs.length && recent.size < RECENT_LIMIT) grow(recent);
  const row = recent.head;
  recent.logs[row] = log;
  recent.titles[row] = title;
  for (let slot = 0; slot < SLOTS; slot++) recent.hashes[slot]![row] = hashes[slot]!;
  recent.numbers.set(numbers, row * MOST_TRAITS);
  recent.head = (row + 1) % RECENT_LIMIT;
  recent.size = Math.min(recent.size + 1, RECENT_LIMIT);
}

function grow(recent: RecentRaces): void {
  const grown = createRecentRaces(Math.min(recent.logs.length * 4, RECENT_LIMIT));
  grown.logs.set(recent.logs);
  grown.titles.set(recent.titles);
  for (let slot = 0; slot < SLOTS; slot++) grown.hashes[slot]!.set(recent.hashes[slot]!);
  grown.numbers.set(recent.numbers);
  [recent.logs, recent.titles, recent.hashes, recent.numbers] = [grown.logs, grown.titles, grown.hashes, grown.numbers];
}

/** The row that is `age` races old; 0 = the newest, below size. */
export function rowOf({ head }: RecentRaces, age: number): number {
  return (head - 1 - age + 2 * RECENT_LIMIT) % RECENT_LIMIT;
}
