import { createRequire } from 'node:module';
import type * as hnswlib from 'hnswlib-node';
import { DIMENSIONS } from '../src/cluster/embedding.ts';
import type { VectorIndex } from '../src/cluster/neighbours.ts';

/** Links a node, and candidates looked at: half the usual, which on fleets without metadata gives the same labels in two thirds of the time. */
const M = 8;
const EF_CONSTRUCTION = 40;
const EF_SEARCH = 32;
const SEED = 1;
const MAX_ITEM = 0xffff_ffff;

/**
 * Creates HNSW indexes, or null where the optional package is not installed: a rebuild over its budget then samples.
 *
 * hnswlib-node takes NaN and wraps numbers beyond 32 bits without a word, hence the checks. A thread that is terminated
 * inside `addPoint` takes the whole process with it: whoever makes an index here must be left to finish.
 */
export function loadHnsw(): ((capacity: number) => VectorIndex) | null {
  const library = load();
  if (library === null) return null;
  return (capacity) => {
    const index = new library.HierarchicalNSW('l2', DIMENSIONS);
    index.initIndex(Math.max(1, capacity), M, EF_CONSTRUCTION, SEED);
    index.setEf(EF_SEARCH);
    return {
      add(vector, item) {
        if (!Number.isInteger(item) || item < 0 || item > MAX_ITEM) throw new Error(`Cannot add to the index: an item must be a whole number in 0..${MAX_ITEM}, got ${item}`);
        index.addPoint(checked(vector), item);
      },
      search: (vector, k) => index.searchKnn(checked(vector), k).neighbors,
    };
  };
}

function load(): typeof hnswlib | null {
  try {
    return createRequire(import.meta.url)('hnswlib-node') as typeof hnswlib;
  } catch {
    return null;
  }
}

function checked(vector: readonly number[]): number[] {
  if (vector.length !== DIMENSIONS || !vector.every(Number.isFinite)) throw new Error(`Cannot use a vector: it must be ${DIMENSIONS} finite numbers`);
  return [...vector];
}
