// Which partition a race belongs to: the same everywhere a topic is keyed by race_id.

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const encoder = new TextEncoder();
// An id has at most 200 characters, 600 bytes in UTF-8; longer (foreign) keys are encoded apart.
const scratch = new Uint8Array(1_024);

/**
 * Murmur2 as Kafka's Java client computes it (Utils.murmur2, seed 0x9747b28c): a signed 32-bit integer.
 * O(bytes), allocates nothing.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  let h = SEED ^ length;
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    k = Math.imul(k, M);
    h = Math.imul(h, M) ^ k;
  }
  const tail = length - words;
  if (tail === 3) h ^= bytes[words + 2]! << 16;
  if (tail >= 2) h ^= bytes[words + 1]! << 8;
  if (tail >= 1) h = Math.imul(h ^ bytes[words]!, M);
  h ^= h >>> 13;
  h = Math.imul(h, M);
  return h ^ (h >>> 15);
}

/** Partition in 0..count-1 of a record key, as Java's default partitioner chooses it: toPositive(murmur2) % count. */
export function partitionOfKey(key: Uint8Array, count: number): number {
  return (murmur2(key) & 0x7fffffff) % count;
}

/** Partition in 0..count-1 of a race: `partitionOfKey` of its id in UTF-8. `count` >= 1. */
export function partitionOf(raceId: string, count: number): number {
  if (raceId.length * 3 > scratch.length) return partitionOfKey(encoder.encode(raceId), count);
  return partitionOfKey(scratch.subarray(0, encoder.encodeInto(raceId, scratch).written), count);
}
