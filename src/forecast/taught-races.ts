import { hashText } from './hash.ts';

/** The newest races of a source that can be found again to be forgotten: 64 KB. What is older has mostly left the model. */
const MOST_RACES = 16_384;
const FIRST_CAPACITY = 16;
/** Exact in single precision. */
const LEG_TAGS = 2 ** 24;

/**
 * Which races taught a source, as hashes of their ids in the order of their teaching: the newest 16,384 of them. Two ids
 * share one in four billion.
 */
export type TaughtRaces = {
  size: number;
  /** A circle once it is full: where the next goes. */
  head: number;
  tags: Int32Array;
};

export function createTaughtRaces(): TaughtRaces {
  return { size: 0, head: 0, tags: new Int32Array(FIRST_CAPACITY) };
}

/** Notes the next race. O(1), amortised. */
export function noteTaught(races: TaughtRaces, raceId: string): void {
  if (races.size === races.tags.length && races.size < MOST_RACES) {
    const grown = new Int32Array(Math.min(races.size * 4, MOST_RACES));
    grown.set(races.tags);
    races.tags = grown;
    races.head = races.size;
  }
  races.tags[races.head] = hashText(raceId);
  races.head = (races.head + 1) % races.tags.length;
  races.size = Math.min(races.size + 1, MOST_RACES);
}

/** As how many-th races of the source (0 = its first) a race taught, by its attempts; `taught` = how many have in all. O(16,384). */
export function ordinalsOf({ size, head, tags }: TaughtRaces, raceId: string, taught: number): Set<number> {
  const tag = hashText(raceId);
  const found = new Set<number>();
  for (let age = 0; age < size; age++) {
    if (tags[(head - 1 - age + 2 * tags.length) % tags.length] === tag) found.add(taught - 1 - age);
  }
  return found;
}

/** Of which race a leg is, for a column of single precision. */
export function legTag(raceId: string): number {
  return (hashText(raceId) >>> 0) % LEG_TAGS;
}

/** The oldest first, for storage. */
export function taughtColumn({ size, head, tags }: TaughtRaces): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => tags[(head - size + i + 2 * tags.length) % tags.length]!);
}

export function taughtRacesOf(column: Int32Array): TaughtRaces {
  const tags = new Int32Array(Math.min(Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(Math.max(1, column.length)))), MOST_RACES));
  tags.set(column);
  return { size: column.length, head: column.length % tags.length, tags };
}
