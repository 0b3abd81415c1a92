import { NOISE, type DbscanOptions } from './dbscan.ts';
import { createAlphabet, raceDistance, TIE_TOLERANCE, type RaceFacts } from './distance.ts';

/**
 * DBSCAN by its definition, every pair compared, one label a race: what all else is held against. Labels as those of
 * `clusterPoints`: by lowest core row, a border race in the lowest cluster among its core neighbours. O(n²) distances.
 */
export function clusterByDefinition(races: readonly RaceFacts[], { eps, minPts }: DbscanOptions): Int32Array {
  const alphabet = createAlphabet();
  const neighbours = races.map((race) => races.flatMap((other, row) => (raceDistance(race, other, alphabet) <= eps + TIE_TOLERANCE ? [row] : [])));
  const isCore = neighbours.map((found) => found.length >= minPts);
  const labels = new Int32Array(races.length).fill(NOISE);
  let clusters = 0;
  for (const seed of races.keys()) {
    if (!isCore[seed] || labels[seed] !== NOISE) continue;
    const reached = [seed];
    labels[seed] = clusters;
    for (const row of reached) {
      for (const other of neighbours[row]!) {
        if (!isCore[other] || labels[other] !== NOISE) continue;
        labels[other] = clusters;
        reached.push(other);
      }
    }
    clusters++;
  }
  return labels.map((label, row) => (isCore[row] ? label : lowestOf(neighbours[row]!.filter((other) => isCore[other]).map((other) => labels[other]!))));
}

function lowestOf(labels: readonly number[]): number {
  return labels.length === 0 ? NOISE : Math.min(...labels);
}
