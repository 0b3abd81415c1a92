import { NOISE } from './dbscan.ts';
import { hashOrder, pointDistance, type PointSet } from './point.ts';

/**
 * Adjusted Rand index of two labellings of the same items (Hubert and Arabie 1985): 1 for the same partition, about 0 by
 * chance, below 0 for worse. Any label is a group, noise too. Two partitions that are the same are 1 even where the
 * formula is 0 / 0 (one group, or all alone, or no items). Throws on different lengths. O(items).
 */
export function adjustedRandIndex(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`Cannot compare labels: ${a.length} and ${b.length} items`);
  const [inA, inB] = [new Map<number, number>(), new Map<number, number>()];
  const inBoth = new Map<number, Map<number, number>>();
  for (let i = 0; i < a.length; i++) {
    addOne(inA, a[i]!);
    addOne(inB, b[i]!);
    let row = inBoth.get(a[i]!);
    if (row === undefined) inBoth.set(a[i]!, row = new Map());
    addOne(row, b[i]!);
  }
  const [pairsA, pairsB] = [pairsWithin(inA), pairsWithin(inB)];
  let pairsBoth = 0;
  for (const row of inBoth.values()) pairsBoth += pairsWithin(row);
  const expected = a.length < 2 ? 0 : (pairsA * pairsB) / ((a.length * (a.length - 1)) / 2);
  const most = (pairsA + pairsB) / 2;
  return most === expected ? 1 : (pairsBoth - expected) / (most - expected);
}

function addOne(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function pairsWithin(counts: ReadonlyMap<number, number>): number {
  let pairs = 0;
  for (const count of counts.values()) pairs += (count * (count - 1)) / 2;
  return pairs;
}

/** Noise races / all races, 0..1; 0 for none. */
export function noiseRatio(points: PointSet, labels: Int32Array): number {
  let noise = 0;
  let all = 0;
  for (let point = 0; point < points.count; point++) {
    all += points.weights[point]!;
    if (labels[point] === NOISE) noise += points.weights[point]!;
  }
  return all === 0 ? 0 : noise / all;
}

/** Points that take part in a silhouette: 250 are 31,000 distances, some hundredths of a second. Chosen. */
const SILHOUETTE_SAMPLE = 250;
/** Points that a cohesion is the mean of. Chosen. */
const COHESION_SAMPLE = 1_000;

/**
 * Mean silhouette of clustered races (Rousseeuw 1987), -1..1: how much nearer a race is to its own cluster than to the
 * next one. A race alone in its cluster counts 0. Of 250 points chosen by hash where there are more. Null where fewer
 * than two clusters are left to compare.
 */
export function silhouette(points: PointSet, labels: Int32Array): number | null {
  const sample = hashOrder(points).filter((point) => labels[point] !== NOISE).subarray(0, SILHOUETTE_SAMPLE);
  const size = sample.length;
  const clusters = new Map<number, number>();
  const clusterOf = sample.map((point) => clusters.get(labels[point]!) ?? clusters.set(labels[point]!, clusters.size).size - 1);
  if (clusters.size < 2) return null;
  const weightOf = new Float64Array(clusters.size);
  // By point and cluster: the sum of the distances to its races.
  const sums = new Float64Array(size * clusters.size);
  for (let i = 0; i < size; i++) {
    const weight = points.weights[sample[i]!]!;
    weightOf[clusterOf[i]!]! += weight;
    for (let j = 0; j < i; j++) {
      const distance = pointDistance(points, sample[i]!, sample[j]!);
      sums[i * clusters.size + clusterOf[j]!]! += points.weights[sample[j]!]! * distance;
      sums[j * clusters.size + clusterOf[i]!]! += weight * distance;
    }
  }
  let total = 0;
  let weights = 0;
  for (let i = 0; i < size; i++) {
    const own = clusterOf[i]!;
    const weight = points.weights[sample[i]!]!;
    weights += weight;
    if (weightOf[own] === 1) continue;
    const inside = sums[i * clusters.size + own]! / (weightOf[own]! - 1);
    let outside = Infinity;
    for (let cluster = 0; cluster < clusters.size; cluster++) if (cluster !== own) outside = Math.min(outside, sums[i * clusters.size + cluster]! / weightOf[cluster]!);
    const most = Math.max(inside, outside);
    total += most === 0 ? 0 : (weight * (outside - inside)) / most;
  }
  return total / weights;
}

/** Mean over clustered races of 1 − the distance to the medoid of their cluster, 0..1; null where nothing is clustered. Of 1,000 points chosen by hash where there are more. */
export function cohesion(points: PointSet, labels: Int32Array, medoids: ArrayLike<number>): number | null {
  let total = 0;
  let weight = 0;
  for (const point of hashOrder(points).subarray(0, COHESION_SAMPLE)) {
    const label = labels[point]!;
    if (label === NOISE) continue;
    weight += points.weights[point]!;
    total += points.weights[point]! * (1 - pointDistance(points, point, medoids[label]!));
  }
  return weight === 0 ? null : total / weight;
}
