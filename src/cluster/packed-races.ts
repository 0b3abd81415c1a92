/**
 * Races of one source as columns that go to a worker without a copy per race: every distinct title, key and value once in
 * one string, every distinct set of pairs once, and two numbers per race.
 */
export type PackedRaces = {
  /** Titles, then keys, then values. */
  readonly text: string;
  /** Where each distinct title ends in `text`, in UTF-16 units; each begins where the one before ends. */
  readonly titleEnds: Uint32Array;
  /** The same of the keys, after the last title. */
  readonly keyEnds: Uint32Array;
  /** The same of the values of each distinct key=value pair, after the last key. */
  readonly valueEnds: Uint32Array;
  /** By pair: its key. */
  readonly keyOfPair: Uint32Array;
  /** By distinct set of pairs: where it ends in `setPairs`. */
  readonly setEnds: Uint32Array;
  /** Pairs of all sets, ascending within a set. */
  readonly setPairs: Uint32Array;
  /** By race: its title. */
  readonly titleOf: Uint32Array;
  /** By race: its set of pairs. */
  readonly setOf: Uint32Array;
};

export type RacePacker = {
  /** Adds a race; returns its row, 0 for the first. Some microseconds. */
  add(title: string, metadata: Readonly<Record<string, string>>): number;
  /** The number of a set of pairs, for callers that know when two races have the same. */
  internSet(metadata: Readonly<Record<string, string>>): number;
  /** As `add`, with a set from `internSet`. */
  addWithSet(title: string, set: number): number;
  /** All races so far. O(distinct text). */
  pack(): PackedRaces;
};

export function createRacePacker(): RacePacker {
  const titles = new Map<string, number>();
  const keys = new Map<string, { readonly key: number; readonly pairs: Map<string, number> }>();
  const values: string[] = [];
  const keyOfPair: number[] = [];
  const sets = new Map<string, number>();
  const setEnds: number[] = [];
  const setPairs: number[] = [];
  const titleOf: number[] = [];
  const setOf: number[] = [];

  const pairOf = (key: string, value: string): number => {
    let known = keys.get(key);
    if (known === undefined) keys.set(key, known = { key: keys.size, pairs: new Map() });
    let pair = known.pairs.get(value);
    if (pair === undefined) {
      known.pairs.set(value, pair = values.length);
      values.push(value);
      keyOfPair.push(known.key);
    }
    return pair;
  };
  const internSet = (metadata: Readonly<Record<string, string>>): number => {
    const pairs = Object.entries(metadata).map(([key, value]) => pairOf(key, value)).sort((a, b) => a - b);
    const name = pairs.join();
    let set = sets.get(name);
    if (set === undefined) {
      sets.set(name, set = setEnds.length);
      for (const pair of pairs) setPairs.push(pair);
      setEnds.push(setPairs.length);
    }
    return set;
  };
  const addWithSet = (title: string, set: number): number => {
    let known = titles.get(title);
    if (known === undefined) titles.set(title, known = titles.size);
    titleOf.push(known);
    setOf.push(set);
    return titleOf.length - 1;
  };
  return {
    internSet,
    addWithSet,
    add: (title, metadata) => addWithSet(title, internSet(metadata)),
    pack() {
      let end = 0;
      const endsOf = (texts: Iterable<string>, count: number): Uint32Array => {
        const ends = new Uint32Array(count);
        let i = 0;
        for (const text of texts) ends[i++] = end += text.length;
        return ends;
      };
      return {
        text: [...titles.keys()].join('') + [...keys.keys()].join('') + values.join(''),
        titleEnds: endsOf(titles.keys(), titles.size),
        keyEnds: endsOf(keys.keys(), keys.size),
        valueEnds: endsOf(values, values.length),
        keyOfPair: Uint32Array.from(keyOfPair),
        setEnds: Uint32Array.from(setEnds),
        setPairs: Uint32Array.from(setPairs),
        titleOf: Uint32Array.from(titleOf),
        setOf: Uint32Array.from(setOf),
      };
    },
  };
}

/** The buffers of the columns, to be handed over instead of copied. */
export function buffersOf(races: PackedRaces): ArrayBuffer[] {
  const { titleEnds, keyEnds, valueEnds, keyOfPair, setEnds, setPairs, titleOf, setOf } = races;
  return [titleEnds, keyEnds, valueEnds, keyOfPair, setEnds, setPairs, titleOf, setOf].map((column) => column.buffer as ArrayBuffer);
}

export function titleAt(races: PackedRaces, title: number): string {
  return races.text.slice(title === 0 ? 0 : races.titleEnds[title - 1], races.titleEnds[title]);
}

export function keyAt(races: PackedRaces, key: number): string {
  return races.text.slice(key === 0 ? races.titleEnds.at(-1) ?? 0 : races.keyEnds[key - 1], races.keyEnds[key]);
}

export function valueAt(races: PackedRaces, pair: number): string {
  return races.text.slice(pair === 0 ? races.keyEnds.at(-1) ?? 0 : races.valueEnds[pair - 1], races.valueEnds[pair]);
}

/** The pairs of a set, ascending. A view, not a copy. */
export function pairsAt(races: PackedRaces, set: number): Uint32Array {
  return races.setPairs.subarray(set === 0 ? 0 : races.setEnds[set - 1], races.setEnds[set]);
}

/** Title and metadata of a race. */
export function factsAt(races: PackedRaces, row: number): { title: string; metadata: Record<string, string> } {
  const entries = Array.from(pairsAt(races, races.setOf[row]!), (pair): [string, string] => [keyAt(races, races.keyOfPair[pair]!), valueAt(races, pair)]);
  return { title: titleAt(races, races.titleOf[row]!), metadata: Object.fromEntries(entries) };
}
