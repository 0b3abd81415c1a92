const POLYNOMIAL = 0x82f63b78;
/** Bytes a step takes, each with a table of its own: four times as fast as one byte after another. */
const SLICES = 8;
/** Bytes of a call: a function that is called often is compiled for good, a long loop is compiled as it runs and left again at its end. */
const BLOCK_BYTES = 512;

/** The tables one after another, 256 numbers each. */
const table = makeTable();

/** CRC-32C (Castagnoli) of `bytes` from `start` to `end`, unsigned: what Kafka's record batches carry. About 1 ns per byte. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1;
  for (let at = start; at < end; at += BLOCK_BYTES) crc = ofBlock(bytes, at, Math.min(at + BLOCK_BYTES, end), crc);
  return ~crc >>> 0;
}

function ofBlock(bytes: Uint8Array, start: number, end: number, before: number): number {
  let crc = before;
  let at = start;
  for (const last = end - SLICES; at <= last; at += SLICES) {
    crc = table[0x700 | ((crc ^ bytes[at]!) & 0xff)]! ^ table[0x600 | (((crc >>> 8) ^ bytes[at + 1]!) & 0xff)]!
      ^ table[0x500 | (((crc >>> 16) ^ bytes[at + 2]!) & 0xff)]! ^ table[0x400 | ((crc >>> 24) ^ bytes[at + 3]!)]!
      ^ table[0x300 | bytes[at + 4]!]! ^ table[0x200 | bytes[at + 5]!]! ^ table[0x100 | bytes[at + 6]!]! ^ table[bytes[at + 7]!]!;
  }
  for (; at < end; at += 1) crc = table[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

function makeTable(): Int32Array {
  const made = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at += 1) {
    const before = made[at - 256]!;
    made[at] = made[before & 0xff]! ^ (before >>> 8);
  }
  return made;
}
