import { cellsOf, columnsOf, type CellColumns, type Cells } from './cells.ts';
import { CELL_SAMPLES, createMixture, LONG_SAMPLES, MOST_CELLS, MOST_LONG_CELLS, type Mixture } from './mixture.ts';
import { createRecentRaces, RECENT_LIMIT, rowOf, type RecentRaces } from './recent-races.ts';
import { createTraits, MOST_TRAITS, SLOTS, type Trait } from './traits.ts';

/** A column of a stored mixture. */
export type Column = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** What a stored mixture needs to know of itself before its columns are read. */
export type MixtureHeader = {
  readonly taught: number;
  readonly traits: readonly [name: string, hash: number, lastSeen: number, numbers: readonly number[], withTitleHits: number, withTitleMisses: number, aloneHits: number, aloneMisses: number][];
  readonly choice: { readonly best: readonly number[]; readonly chain: readonly number[]; readonly common: readonly number[]; readonly ratios: readonly number[] };
  /** Numbers in each column, in their order. */
  readonly lengths: readonly number[];
  readonly titles: readonly number[];
  readonly regressed: number;
  readonly clusterGain: number;
  readonly ratioLead: number;
};

/** A mixture as a header and columns of numbers; equal histories give equal ones. O(size). */
export function storeMixture(mixture: Mixture): { header: MixtureHeader; columns: Column[] } {
  const { taught, traits, choice, titles, regression, recent } = mixture;
  const columns: Column[] = [
    ...cellColumns(mixture.cells), ...cellColumns(mixture.long), ...recentColumns(recent), choice.weights, mixture.weights, mixture.clusterWeights, mixture.kernel,
    regression.coefficients, regression.covariance, regression.means, regression.variances, ...titles.values(),
  ];
  return {
    header: {
      taught, clusterGain: mixture.clusterGain, ratioLead: mixture.ratioLead, regressed: regression.count, titles: [...titles.keys()], lengths: columns.map(({ length }) => length),
      traits: traits.list.map(({ name, hash, lastSeen, numbers, withTitle, alone }) => [name, hash, lastSeen, numbers, withTitle.hits, withTitle.misses, alone.hits, alone.misses]),
      choice: { best: choice.best, chain: choice.chain, common: choice.common, ratios: choice.ratios },
    },
    columns,
  };
}

/** The kinds of the columns, in their order; the weights of titles follow. */
const KINDS = [
  Int32Array, Uint32Array, Uint8Array, Float32Array, Uint32Array, Int32Array, Uint32Array, Uint8Array, Float32Array, Uint32Array,
  Float32Array, Int32Array, Int32Array, Float32Array, Uint32Array, Float32Array, Float32Array, Float32Array, Float64Array,
  Float64Array, Float64Array, Float64Array, Float64Array,
] as const;

/**
 * A mixture that goes on as if it had never been stored.
 * @param take the bytes of the next so many, as a buffer of their own.
 */
export function restoreMixture(header: MixtureHeader, take: (bytes: number) => ArrayBuffer): Mixture {
  const columns = header.lengths.map((length, i): Column => {
    const kind = KINDS[i] ?? Float32Array;
    return new kind(take(length * kind.BYTES_PER_ELEMENT));
  });
  const [keys, touched, sizes, samples, stamps, longKeys, longTouched, longSizes, longSamples, longStamps, logs, recentTitles, hashes, numbers, recentStamps, choiceWeights, weights, clusterWeights, kernel, coefficients, covariance, means, variances] = columns as [
    Int32Array, Uint32Array, Uint8Array, Float32Array, Uint32Array, Int32Array, Uint32Array, Uint8Array, Float32Array, Uint32Array, Float32Array, Int32Array, Int32Array, Float32Array, Uint32Array,
    Float32Array, Float32Array, Float32Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array,
  ];
  const traits = header.traits.map(([name, hash, lastSeen, seen, withTitleHits, withTitleMisses, aloneHits, aloneMisses]): Trait => ({
    name, hash, lastSeen, numbers: [...seen], withTitle: { hits: withTitleHits, misses: withTitleMisses }, alone: { hits: aloneHits, misses: aloneMisses },
  }));
  return {
    ...createMixture(), taught: header.taught, traits: createTraits(traits), choice: { ...header.choice, weights: choiceWeights },
    cells: cellsOf(MOST_CELLS, CELL_SAMPLES, { keys, touched, sizes, samples, stamps }),
    long: cellsOf(MOST_LONG_CELLS, LONG_SAMPLES, { keys: longKeys, touched: longTouched, sizes: longSizes, samples: longSamples, stamps: longStamps }),
    recent: recentOf(logs, recentTitles, hashes, numbers, recentStamps), weights, clusterWeights, clusterGain: header.clusterGain, ratioLead: header.ratioLead, kernel,
    titles: new Map(header.titles.map((title, i) => [title, columns[KINDS.length + i] as Float32Array])),
    regression: { count: header.regressed, coefficients, covariance, means, variances },
  };
}

function cellColumns(cells: Cells): Column[] {
  const { keys, touched, sizes, samples, stamps }: CellColumns = columnsOf(cells);
  return [keys, touched, sizes, samples, stamps];
}

/** The oldest first. */
function recentColumns(recent: RecentRaces): Column[] {
  const { size } = recent;
  const columns = { logs: new Float32Array(size), titles: new Int32Array(size), hashes: new Int32Array(size * SLOTS), numbers: new Float32Array(size * MOST_TRAITS), stamps: new Uint32Array(size) };
  for (let i = 0; i < size; i++) {
    const row = rowOf(recent, size - 1 - i);
    columns.logs[i] = recent.logs[row]!;
    columns.titles[i] = recent.titles[row]!;
    for (let slot = 0; slot < SLOTS; slot++) columns.hashes[i * SLOTS + slot] = recent.hashes[slot]![row]!;
    columns.numbers.set(recent.numbers.subarray(row * MOST_TRAITS, (row + 1) * MOST_TRAITS), i * MOST_TRAITS);
    columns.stamps[i] = recent.stamps[row]!;
  }
  return [columns.logs, columns.titles, columns.hashes, columns.numbers, columns.stamps];
}

function recentOf(logs: Float32Array, titles: Int32Array, hashes: Int32Array, numbers: Float32Array, stamps: Uint32Array): RecentRaces {
  let capacity = createRecentRaces().logs.length;
  while (capacity < logs.length) capacity *= 4;
  const recent = createRecentRaces(capacity);
  recent.logs.set(logs);
  recent.titles.set(titles);
  for (let i = 0; i < hashes.length; i++) recent.hashes[i % SLOTS]![Math.floor(i / SLOTS)] = hashes[i]!;
  recent.numbers.set(numbers);
  recent.stamps.set(stamps);
  recent.size = logs.length;
  recent.head = logs.length % RECENT_LIMIT;
  return recent;
}
