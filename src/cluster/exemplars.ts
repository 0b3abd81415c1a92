import { NOISE, type Labels } from './dbscan.ts';
import { hashOrder, pointDistance, type PointSet } from './point.ts';

/** Points of a cluster that may be its medoid, and that it is measured against. Chosen: 512 distances a cluster at most. */
const MEDOID_CANDIDATES = 16;
const MEDOID_REFERENCES = 32;

/**
 * By cluster: the core that its races are nearest to on average. Of the 16 heaviest cores against the 32 heaviest
 * members (ties by hash), so it does not hang on the order of the races.
 */
export function findMedoids(points: PointSet, { labels, isCore, clusterCount }: Labels): Uint32Array {
  const members = membersByWeight(points, labels, clusterCount);
  return Uint32Array.from(members, (all) => {
    const references = all.slice(0, MEDOID_REFERENCES);
    let medoid = -1;
    let least = Infinity;
    for (const candidate of all.filter((point) => isCore[point] === 1).slice(0, MEDOID_CANDIDATES)) {
      let sum = 0;
      for (const reference of references) sum += points.weights[reference]! * pointDistance(points, candidate, reference);
      if (sum < least) [medoid, least] = [candidate, sum];
    }
    return medoid;
  });
}

/**
 * Cores that stand for their clusters, at most `most`: every medoid, then the heaviest others, each cluster its share of
 * the room by its number of cores and at least one while there is room. Clusters beyond `most` (the lightest) have none.
 */
export function chooseExemplars(points: PointSet, clustered: Labels, medoids: Uint32Array, most: number): Uint32Array {
  const { labels, isCore, clusterCount } = clustered;
  const cores = membersByWeight(points, labels, clusterCount).map((all) => all.filter((point) => isCore[point] === 1));
  const weights = cores.map((all) => all.reduce((sum, point) => sum + points.weights[point]!, 0));
  const coreCount = cores.reduce((sum, all) => sum + all.length, 0);
  const served = Array.from(cores.keys()).sort((a, b) => weights[b]! - weights[a]! || a - b).slice(0, most);
  const room = most - served.length;
  const chosen: number[] = [];
  for (const cluster of served) {
    const medoid = medoids[cluster]!;
    const others = cores[cluster]!.filter((point) => point !== medoid);
    const share = coreCount <= most ? others.length : Math.floor((room * others.length) / Math.max(1, coreCount - served.length));
    chosen.push(medoid, ...others.slice(0, share));
  }
  return Uint32Array.from(chosen);
}

/** By cluster: its points, heaviest first, ties by hash. */
function membersByWeight(points: PointSet, labels: Int32Array, clusterCount: number): number[][] {
  const members = Array.from({ length: clusterCount }, (): number[] => []);
  for (const point of hashOrder(points)) if (labels[point] !== NOISE) members[labels[point]!]!.push(point);
  // Stable: equal weights stay in the order of their hashes.
  for (const all of members) all.sort((a, b) => points.weights[b]! - points.weights[a]!);
  return members;
}
