/** More distinct values than this share of the races that carry a key: it tells races apart, not kinds. Chosen, not tuned. */
const MOST_NOVELTY = 0.5;
/** The same among races of one title that is met again: a run's id is shared by its jobs, never by two runs of a job. Chosen, not tuned. */
const MOST_NOVELTY_IN_TITLE = 0.8;
/** Races that must repeat a title before the second rule says anything. Chosen, not tuned. */
const LEAST_REPEATS = 20;

export type KeyColumns = {
  readonly keyCount: number;
  readonly keyOfPair: Uint32Array;
  /** By race. */
  readonly titleOf: Uint32Array;
  readonly setOf: Uint32Array;
  /** Pairs of a set. */
  readonly pairsOfSet: (set: number) => Uint32Array;
};

/**
 * By key: true if it is unique per race or nearly so (commit, run id), which would make runs of one kind differ for
 * ever: over half of its values are new, or over four fifths where the title is not. `titleOf` should be masked
 * titles, else a fleet that numbers its titles has none that repeats. O(pairs of all races).
 */
export function findUniqueKeys({ keyCount, keyOfPair, titleOf, setOf, pairsOfSet }: KeyColumns): boolean[] {
  const carriers = new Float64Array(keyCount);
  const isPairKnown = new Uint8Array(keyOfPair.length);
  const values = new Float64Array(keyCount);
  // (title, set) that come again add their races in one go: a fleet repeats itself.
  const repeats = new Float64Array(keyCount);
  const newInTitle = new Float64Array(keyCount);
  const titleKeys = new Set<number>();
  const titlePairs = new Set<number>();
  for (let row = 0; row < setOf.length; row++) {
    for (const pair of pairsOfSet(setOf[row]!)) {
      const key = keyOfPair[pair]!;
      carriers[key]!++;
      if (isPairKnown[pair] === 0) {
        isPairKnown[pair] = 1;
        values[key]!++;
      }
      const title = titleOf[row]!;
      const isNewTitle = addTo(titleKeys, title * keyCount + key);
      const isNewPair = addTo(titlePairs, title * keyOfPair.length + pair);
      if (isNewTitle) continue;
      repeats[key]!++;
      if (isNewPair) newInTitle[key]!++;
    }
  }
  return Array.from({ length: keyCount }, (_, key) =>
    // One race says nothing of a key.
    carriers[key]! > 1 && (values[key]! > MOST_NOVELTY * carriers[key]! || (repeats[key]! >= LEAST_REPEATS && newInTitle[key]! > MOST_NOVELTY_IN_TITLE * repeats[key]!)));
}

function addTo(set: Set<number>, value: number): boolean {
  const before = set.size;
  set.add(value);
  return set.size > before;
}
