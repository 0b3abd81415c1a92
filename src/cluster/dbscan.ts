import { connectCores } from './connect.ts';
import { TIE_TOLERANCE } from './distance.ts';
import { hashOrder } from './point.ts';
import type { TreeSearch } from './tree-search.ts';
import { createWalk } from './walk.ts';
import { createTicker, type Work } from './work.ts';

/** Label of noise. */
export const NOISE = -1;

export type DbscanOptions = {
  /** Neighbours are at most this far apart (and a tie tolerance), in (0, 1]. */
  readonly eps: number;
  /** Races that make a core, the point's own counted; at least 1. */
  readonly minPts: number;
};

export type Labels = {
  /** By point: its cluster, NOISE for none. Clusters are numbered from 0 by their cores' lowest row. */
  readonly labels: Int32Array;
  /** By point: 1 for a core. Of a sample, only its points can be. */
  readonly isCore: Uint8Array;
  readonly clusterCount: number;
};

/**
 * Exact DBSCAN of weighted points over a bound tree. A border point takes the lowest cluster among its core neighbours,
 * so that labels do not hang on any order. Throws `OverBudget` and `Cancelled` (work.ts).
 * Cost: near linear where metadata or titles keep kinds apart, quadratic where nothing does.
 */
export function clusterPoints(search: TreeSearch, { eps, minPts }: DbscanOptions, work: Work): Labels {
  const limit = eps + TIE_TOLERANCE;
  const { points } = search.tree;
  const isCore = new Uint8Array(points.count);
  const neighbours = new Map<number, readonly number[]>();
  const tick = createTicker(work, 'cores');
  const gather = createGatherer(search, limit);
  for (let place = 0; place < points.count; place++) {
    const { weight, found } = gather(place, minPts);
    if (weight >= minPts) isCore[place] = 1;
    else neighbours.set(place, found);
    tick(place / points.count);
  }
  const roots = connectCores(search, limit, isCore, work);
  const numbered = numberClusters(search, isCore, roots);
  labelBorders(search, numbered, isCore, neighbours);
  return numbered;
}

/** Puts each place that is no core into the lowest cluster among its core neighbours. */
export function labelBorders({ tree: { order } }: TreeSearch, { labels }: Labels, isCore: Uint8Array, neighbours: Iterable<readonly [place: number, found: readonly number[]]>): void {
  for (const [place, found] of neighbours) {
    if (isCore[place] === 1) continue;
    let lowest = NOISE;
    for (const other of found) {
      if (isCore[other] === 0) continue;
      const cluster = labels[order[other]!]!;
      if (lowest === NOISE || cluster < lowest) lowest = cluster;
    }
    labels[order[place]!] = lowest;
  }
}

/**
 * DBSCAN with cores among a sample only (DBSCAN++, Jang and Jiang 2019): whether a sampled point is a core is asked of
 * all points, cores of the sample are connected exactly, any other point takes the cluster of a sampled core within eps.
 * The sample is chosen by hash, so it does not hang on the order of the races. Throws `OverBudget` and `Cancelled`.
 */
export function clusterBySample(search: TreeSearch, { eps, minPts }: DbscanOptions, sampleSize: number, work: Work): Labels {
  const limit = eps + TIE_TOLERANCE;
  const { order, points } = search.tree;
  const placeOf = placesOf(order);
  const isCore = new Uint8Array(points.count);
  const gather = createGatherer(search, limit);
  const tick = createTicker(work, 'cores');
  for (const [i, point] of hashOrder(points).subarray(0, sampleSize).entries()) {
    if (gather(placeOf[point]!, minPts).weight >= minPts) isCore[placeOf[point]!] = 1;
    tick(i / sampleSize);
  }
  const roots = connectCores(search, limit, isCore, work);
  const numbered = numberClusters(search, isCore, roots);
  const findCore = createCoreFinder(search, limit, isCore);
  for (let place = 0; place < points.count; place++) {
    if (isCore[place] === 1) continue;
    const core = findCore(place);
    if (core >= 0) numbered.labels[order[place]!] = numbered.labels[order[core]!]!;
    tick(place / points.count);
  }
  return numbered;
}

/** Neighbours of a place, itself left out, until they weigh enough. */
function createGatherer(search: TreeSearch, limit: number): (place: number, enough: number) => { readonly weight: number; readonly found: readonly number[] } {
  const { start, end, order, points } = search.tree;
  const walk = createWalk(search);
  return (place, enough) => {
    const found: number[] = [];
    let weight = points.weights[order[place]!]!;
    walk(place, limit, (leaf) => {
      for (let other = start[leaf]!; other < end[leaf]! && weight < enough; other++) {
        if (other === place || search.distanceWithin(place, other, limit) > limit) continue;
        found.push(other);
        weight += points.weights[order[other]!]!;
      }
      return weight < enough ? limit : -1;
    });
    return { weight, found };
  };
}

/** Some core within the limit of a place, -1 if there is none. */
function createCoreFinder(search: TreeSearch, limit: number, isCore: Uint8Array): (place: number) => number {
  const { start, end } = search.tree;
  const walk = createWalk(search);
  return (place) => {
    let core = -1;
    walk(place, limit, (leaf) => {
      for (let other = start[leaf]!; other < end[leaf]! && core < 0; other++) {
        if (isCore[other] === 1 && search.distanceWithin(place, other, limit) <= limit) core = other;
      }
      return core < 0 ? limit : -1;
    });
    return core;
  };
}

/** Point to place. */
export function placesOf(order: Uint32Array): Uint32Array {
  const placeOf = new Uint32Array(order.length);
  for (let place = 0; place < order.length; place++) placeOf[order[place]!] = place;
  return placeOf;
}

/** Labels of cores; all others are noise so far. */
export function numberClusters(search: TreeSearch, isCore: Uint8Array, roots: Int32Array): Labels {
  const { order, points } = search.tree;
  const placeOf = placesOf(order);
  const byRow = Uint32Array.from({ length: points.count }, (_, point) => point).sort((a, b) => points.firstRow[a]! - points.firstRow[b]!);
  const clusterOfRoot = new Map<number, number>();
  const labels = new Int32Array(points.count).fill(NOISE);
  const coreOfPoint = new Uint8Array(points.count);
  for (const point of byRow) {
    const place = placeOf[point]!;
    if (isCore[place] === 0) continue;
    let cluster = clusterOfRoot.get(roots[place]!);
    if (cluster === undefined) clusterOfRoot.set(roots[place]!, cluster = clusterOfRoot.size);
    labels[point] = cluster;
    coreOfPoint[point] = 1;
  }
  return { labels, isCore: coreOfPoint, clusterCount: clusterOfRoot.size };
}
