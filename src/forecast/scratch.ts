/** Numbers in a block: a dozen forecasts' worth of distributions. */
const BLOCK = 32_768;

let block = new Float64Array(BLOCK);
let used = 0;

/** Room for so many numbers, with anything in it. Outside `withScratch` it stays the caller's. O(1). */
export function room(size: number): Float64Array {
  if (used + size > block.length) {
    block = new Float64Array(Math.max(BLOCK, size));
    used = 0;
  }
  used += size;
  // At half the price of `subarray`.
  return new Float64Array(block.buffer, (used - size) * Float64Array.BYTES_PER_ELEMENT, size);
}

/** Does work whose rooms are free again when it ends: no distribution made in it may outlive it, unless copied. May be nested. */
export function withScratch<T>(work: () => T): T {
  const [before, from] = [block, used];
  try {
    return work();
  } finally {
    // A block begun meanwhile holds nothing else.
    used = block === before ? from : 0;
  }
}
