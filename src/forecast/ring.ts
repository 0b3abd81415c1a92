/** The newest samples of something, oldest first: rows of `width` numbers, at most `capacity` rows. */
export type Ring = {
  readonly width: number;
  readonly capacity: number;
  size: number;
  /** Single precision: 7 digits of a duration are more than it is worth, and half the memory. */
  values: Float32Array;
};

export function createRing(width: number, capacity: number): Ring {
  return { width, capacity, size: 0, values: new Float32Array(width) };
}

/** Appends a row; a full ring drops its oldest. */
export function pushRow(ring: Ring, row: readonly number[]): void {
  const { width, capacity } = ring;
  if (ring.size === capacity) {
    ring.values.copyWithin(0, width, capacity * width);
    ring.size -= 1;
  } else if ((ring.size + 1) * width > ring.values.length) {
    const grown = new Float32Array(Math.min(ring.values.length * 2, capacity * width));
    grown.set(ring.values);
    ring.values = grown;
  }
  ring.values.set(row, ring.size * width);
  ring.size += 1;
}

/** Column `column` of row `row`; 0 is the oldest. */
export function cell(ring: Ring, row: number, column: number): number {
  return ring.values[row * ring.width + column]!;
}

/** Takes out the rows whose `column` is gone; the others stay in their order. O(size). */
export function dropRows(ring: Ring, column: number, isGone: (value: number) => boolean): void {
  const { width, values } = ring;
  let kept = 0;
  for (let row = 0; row < ring.size; row++) {
    if (isGone(values[row * width + column]!)) continue;
    if (kept < row) values.copyWithin(kept * width, row * width, (row + 1) * width);
    kept += 1;
  }
  ring.size = kept;
}
