import type { Basis } from '../race/state.ts';
import { bootstrapDistribution } from './bootstrap.ts';
import { distributionOf, type Distribution } from './distribution.ts';
import { maskTitle } from './mask.ts';
import { DURATION, LIMITS, type SourceModel } from './model.ts';
import { cell, type Ring } from './ring.ts';

/** A sample that is `age` runs old weighs the mean of a fast, a middle and a slow memory. One slow memory is better by a point where nothing changes, worse by five where users alternate (first 40 % of seven histories). */
const MEMORIES = [0.5, 0.85, 0.97];
/** A failed run says less of how long the next one takes (1 and .2 were worse on two of three histories with failures). */
const FAILED_WEIGHT = 0.5;
/** A context of n samples gets n / (n + this); the rest goes to the next wider one. From .03 to 1 it hardly matters. */
const SHRINKAGE = 0.3;

const RECENCY = recencyOf(MEMORIES);
/** Which title came last says nothing of the next one: across titles only the slow memory counts. */
const RECENCY_ACROSS_TITLES = recencyOf([0.97]);

function recencyOf(memories: readonly number[]): Float64Array {
  return Float64Array.from({ length: LIMITS.sourceDurations }, (_, age) => memories.reduce((sum, memory) => sum + memory ** age * (1 - memory), 0));
}

export type Base = {
  readonly distribution: Distribution;
  readonly basis: Basis;
  /** Finished runs behind it, of the narrowest context that has any; 0 = only the bootstrap table. */
  readonly support: number;
};

/** What the history says of a race at submission: exact title, then masked title, then source, then the bootstrap table. */
export function baseOf(model: SourceModel | undefined, source: string, title: string): Base {
  const seconds: number[] = [];
  const weights: number[] = [];
  let left = 1;
  let basis: Basis = 'bootstrap';
  let support = 0;
  const add = (ring: Ring | undefined, named: Basis) => {
    if (ring === undefined || ring.size === 0) return;
    const share = left * (ring.size / (ring.size + SHRINKAGE));
    addRing(ring, share, named === 'source' ? RECENCY_ACROSS_TITLES : RECENCY, seconds, weights);
    left -= share;
    if (support === 0) [basis, support] = [named, ring.size];
  };
  if (model !== undefined) {
    const known = model.titles.get(title);
    add(known?.durations, 'key');
    if (model.masks.size > 0 && support < 20) add(model.masks.get(maskTitle(title)), 'key');
    add(model.durations, 'source');
  }
  if (support === 0) return { distribution: bootstrapDistribution(source, title), basis, support };
  return { distribution: distributionOf(seconds, weights), basis, support };
}

function addRing(ring: Ring, share: number, recency: Float64Array, seconds: number[], weights: number[]): void {
  const from = seconds.length;
  let sum = 0;
  for (let row = 0; row < ring.size; row++) {
    const weight = recency[ring.size - 1 - row]! * (cell(ring, row, DURATION.failed) === 1 ? FAILED_WEIGHT : 1);
    seconds.push(cell(ring, row, DURATION.sec));
    weights.push(weight);
    sum += weight;
  }
  for (let i = from; i < weights.length; i++) weights[i] = (weights[i]! * share) / sum;
}
