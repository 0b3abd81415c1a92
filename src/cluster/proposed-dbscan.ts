import { labelBorders, numberClusters, placesOf, type DbscanOptions, type Labels } from './dbscan.ts';
import { TIE_TOLERANCE } from './distance.ts';
import type { TreeSearch } from './tree-search.ts';
import { createTicker, type Work } from './work.ts';

/** Points that may be near a point, itself perhaps among them. */
export type Propose = (point: number) => readonly number[];

/**
 * DBSCAN over the neighbours that a vector index proposes, each checked by its true distance: what it calls neighbours are
 * some, but it may miss one, and a cluster that hangs together by missed ones falls apart. O(points) proposals, whatever
 * the data. Throws `Cancelled`.
 */
export function clusterByProposals(search: TreeSearch, { eps, minPts }: DbscanOptions, propose: Propose, work: Work): Labels {
  const limit = eps + TIE_TOLERANCE;
  const { order, points } = search.tree;
  const placeOf = placesOf(order);
  const tick = createTicker(work, 'cores');
  // By place, both ways: who is proposed to one is a neighbour of the other too.
  const near = Array.from(order, (): number[] => []);
  for (let place = 0; place < points.count; place++) {
    for (const point of propose(order[place]!)) {
      const other = placeOf[point]!;
      if (other === place || near[place]!.includes(other) || search.distanceWithin(place, other, limit) > limit) continue;
      near[place]!.push(other);
      near[other]!.push(place);
    }
    tick(place / points.count);
  }
  const isCore = Uint8Array.from(near, (found, place) => Number(found.reduce((sum, other) => sum + points.weights[order[other]!]!, points.weights[order[place]!]!) >= minPts));
  const numbered = numberClusters(search, isCore, rootsOf(near, isCore));
  labelBorders(search, numbered, isCore, near.entries());
  return numbered;
}

/** By place: one that stands for the component of cores it is in. */
function rootsOf(near: readonly (readonly number[])[], isCore: Uint8Array): Int32Array {
  const roots = new Int32Array(near.length).fill(-1);
  for (let from = 0; from < near.length; from++) {
    if (isCore[from] === 0 || roots[from]! >= 0) continue;
    roots[from] = from;
    const open = [from];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      for (const other of near[place]!) {
        if (isCore[other] === 0 || roots[other]! >= 0) continue;
        roots[other] = from;
        open.push(other);
      }
    }
  }
  return roots;
}
