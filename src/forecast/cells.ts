/** What leaves when the cells are full: those taught longest ago, this share at once. */
const EVICTED_SHARE = 0.25;
const FIRST_CAPACITY = 16;

/**
 * The newest samples of many small contexts, in flat arrays: a cell per 32-bit key, at most `width` samples in each. Two
 * contexts whose hashes collide share a cell, which among 65,536 cells happens to one look-up in 65,536.
 */
export type Cells = {
  readonly limit: number;
  readonly width: number;
  count: number;
  keys: Int32Array;
  /** When each was last taught: a count of races. */
  touched: Uint32Array;
  sizes: Uint8Array;
  /** Where the next sample goes. */
  heads: Uint8Array;
  /** Single precision logarithms. */
  values: Float32Array;
  /** For each value the count of races when it was taught: which race it is of. */
  stamps: Uint32Array;
  /** Open addressing: slot + 1, 0 = empty; a power of two, at least twice the cells. */
  index: Int32Array;
};

/** @param limit the most cells that are kept, at least 4. @param width the most samples of one, below 256. */
export function createCells(limit: number, width: number): Cells {
  const capacity = Math.min(FIRST_CAPACITY, limit);
  return {
    limit, width, count: 0, keys: new Int32Array(capacity), touched: new Uint32Array(capacity), sizes: new Uint8Array(capacity), heads: new Uint8Array(capacity),
    values: new Float32Array(capacity * width), stamps: new Uint32Array(capacity * width), index: new Int32Array(indexSize(capacity)),
  };
}

function indexSize(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 2));
}

/** The cell of a key, -1 = none. O(1). */
export function findCell({ keys, index }: Cells, key: number): number {
  const mask = index.length - 1;
  for (let at = scattered(key) & mask; ; at = (at + 1) & mask) {
    const slot = index[at]! - 1;
    if (slot < 0 || keys[slot] === key) return slot;
  }
}

/** Copies the samples of a cell into `out` from `at`, the newest first; returns how many. */
export function readCell({ width, sizes, heads, values }: Cells, slot: number, out: Float64Array, at: number): number {
  const size = sizes[slot]!;
  const base = slot * width;
  const head = heads[slot]!;
  const newest = Math.min(head, size);
  for (let i = 0; i < newest; i++) out[at + i] = values[base + head - 1 - i]!;
  for (let i = newest; i < size; i++) out[at + i] = values[base + head + width - 1 - i]!;
  return size;
}

/**
 * Adds a sample; makes the cell when there is none. Amortised O(1): a full store drops the quarter taught longest ago.
 * @param now count of races so far: it never falls.
 */
export function pushSample(cells: Cells, key: number, value: number, now: number): void {
  let slot = findCell(cells, key);
  if (slot < 0) slot = addCell(cells, key);
  const { width } = cells;
  const head = cells.heads[slot]!;
  cells.values[slot * width + head] = value;
  cells.stamps[slot * width + head] = now;
  cells.heads[slot] = (head + 1) % width;
  cells.sizes[slot] = Math.min(cells.sizes[slot]! + 1, width);
  cells.touched[slot] = now;
}

function addCell(cells: Cells, key: number): number {
  if (cells.count === cells.limit) evict(cells);
  if (cells.count === cells.keys.length) grow(cells, Math.min(cells.count * 2, cells.limit));
  const slot = cells.count++;
  cells.keys[slot] = key;
  cells.sizes[slot] = 0;
  cells.heads[slot] = 0;
  enter(cells, slot);
  return slot;
}

function enter({ keys, index }: Cells, slot: number): void {
  const mask = index.length - 1;
  let at = scattered(keys[slot]!) & mask;
  while (index[at] !== 0) at = (at + 1) & mask;
  index[at] = slot + 1;
}

function scattered(key: number): number {
  return Math.imul(key ^ (key >>> 15), 0x2c1b3c6d) >>> 7;
}

function grow(cells: Cells, capacity: number): void {
  const copy = <T extends Int32Array | Uint32Array | Uint8Array | Float32Array>(from: T, to: T): T => {
    to.set(from);
    return to;
  };
  cells.keys = copy(cells.keys, new Int32Array(capacity));
  cells.touched = copy(cells.touched, new Uint32Array(capacity));
  cells.sizes = copy(cells.sizes, new Uint8Array(capacity));
  cells.heads = copy(cells.heads, new Uint8Array(capacity));
  cells.values = copy(cells.values, new Float32Array(capacity * cells.width));
  cells.stamps = copy(cells.stamps, new Uint32Array(capacity * cells.width));
  reindex(cells, indexSize(capacity));
}

function reindex(cells: Cells, size: number): void {
  cells.index = new Int32Array(size);
  for (let slot = 0; slot < cells.count; slot++) enter(cells, slot);
}

function evict(cells: Cells): void {
  const { count, touched } = cells;
  const leaving = Math.ceil(count * EVICTED_SHARE);
  const threshold = touched.slice(0, count).sort()[leaving - 1]!;
  let left = leaving;
  keepOnly(cells, (slot) => {
    if (left === 0 || touched[slot]! > threshold) return true;
    left -= 1;
    return false;
  });
}

/** Drops the samples of the races taught at these counts, and cells that have none left; the rest keep their order. O(samples). */
export function dropSamples(cells: Cells, stamps: ReadonlySet<number>): void {
  const { count, width, sizes } = cells;
  let isAnyEmpty = false;
  for (let slot = 0; slot < count; slot++) {
    const size = sizes[slot]!;
    for (let i = 0; i < size; i++) {
      // Where they lie does not matter: those of a cell that is not full fill its first places.
      if (!stamps.has(cells.stamps[slot * width + i]!)) continue;
      dropFrom(cells, slot, stamps);
      isAnyEmpty ||= sizes[slot] === 0;
      break;
    }
  }
  if (isAnyEmpty) keepOnly(cells, (slot) => sizes[slot]! > 0);
}

function dropFrom({ width, sizes, heads, values, stamps: taughtAt }: Cells, slot: number, stamps: ReadonlySet<number>): void {
  const kept: [value: number, stamp: number][] = [];
  const first = heads[slot]! - sizes[slot]! + width;
  for (let i = 0; i < sizes[slot]!; i++) {
    const at = slot * width + ((first + i) % width);
    if (!stamps.has(taughtAt[at]!)) kept.push([values[at]!, taughtAt[at]!]);
  }
  for (const [i, [value, stamp]] of kept.entries()) {
    values[slot * width + i] = value;
    taughtAt[slot * width + i] = stamp;
  }
  sizes[slot] = kept.length;
  heads[slot] = kept.length % width;
}

/** The cells that stay move together, in their order. */
function keepOnly(cells: Cells, stays: (slot: number) => boolean): void {
  const { count, width, keys, touched, sizes, heads, values, stamps } = cells;
  let kept = 0;
  for (let slot = 0; slot < count; slot++) {
    if (!stays(slot)) continue;
    keys[kept] = keys[slot]!;
    touched[kept] = touched[slot]!;
    sizes[kept] = sizes[slot]!;
    heads[kept] = heads[slot]!;
    values.copyWithin(kept * width, slot * width, (slot + 1) * width);
    stamps.copyWithin(kept * width, slot * width, (slot + 1) * width);
    kept += 1;
  }
  cells.count = kept;
  reindex(cells, cells.index.length);
}

/** The cells as they were when `columnsOf` was asked, for storage: per cell its key, when it was taught, size, and its samples, oldest first. */
export type CellColumns = { readonly keys: Int32Array; readonly touched: Uint32Array; readonly sizes: Uint8Array; readonly samples: Float32Array; readonly stamps: Uint32Array };

/** Equal histories give equal columns. O(samples). */
export function columnsOf({ count, width, keys, touched, sizes, heads, values, stamps: taughtAt }: Cells): CellColumns {
  let total = 0;
  for (let slot = 0; slot < count; slot++) total += sizes[slot]!;
  const samples = new Float32Array(total);
  const stamps = new Uint32Array(total);
  let at = 0;
  for (let slot = 0; slot < count; slot++) {
    const size = sizes[slot]!;
    const first = heads[slot]! - size + width;
    for (let i = 0; i < size; i++, at++) {
      const from = slot * width + ((first + i) % width);
      samples[at] = values[from]!;
      stamps[at] = taughtAt[from]!;
    }
  }
  return { keys: keys.slice(0, count), touched: touched.slice(0, count), sizes: sizes.slice(0, count), samples, stamps };
}

/** Cells from their columns: they go on as if never stored. */
export function cellsOf(limit: number, width: number, { keys, touched, sizes, samples, stamps }: CellColumns): Cells {
  const cells = createCells(limit, width);
  const capacity = Math.min(limit, Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(Math.max(1, keys.length)))));
  if (capacity > cells.keys.length) grow(cells, capacity);
  let at = 0;
  for (let slot = 0; slot < keys.length; slot++) {
    const size = sizes[slot]!;
    cells.keys[slot] = keys[slot]!;
    cells.touched[slot] = touched[slot]!;
    cells.sizes[slot] = size;
    cells.heads[slot] = size % width;
    for (let i = 0; i < size; i++, at++) {
      cells.values[slot * width + i] = samples[at]!;
      cells.stamps[slot * width + i] = stamps[at]!;
    }
    cells.count = slot + 1;
    enter(cells, slot);
  }
  return cells;
}
