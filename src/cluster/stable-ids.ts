import { NOISE } from './dbscan.ts';

/** Share of the common races, of the old cluster or of the new one, that makes it the same cluster. Specified. */
const LEAST_SHARE = 0.5;

export type StableIdsOptions = {
  /** By race: its new label, NOISE for none. */
  readonly labels: ArrayLike<number>;
  readonly clusterCount: number;
  /** By race: the id of its cluster in the model before; null if it was noise or not there. */
  readonly previous: readonly (string | null)[];
  /** Version of the new model, which no other model of the source has: fresh ids begin with it, so none comes twice. */
  readonly version: string;
};

/**
 * By new cluster: its id. Old ids go to new clusters one to one, greedily by the number of races in common (ties: the
 * lesser old id, then the lower label). A cluster that splits leaves its id to the larger part and the other gets a
 * fresh one; of clusters that merge the larger one's id remains: no two clusters ever share an id. O(races).
 */
export function stableIds({ labels, clusterCount, previous, version }: StableIdsOptions): string[] {
  const oldSizes = new Map<string, number>();
  const newSizes = new Float64Array(clusterCount);
  const common = new Map<string, Map<number, number>>();
  for (let row = 0; row < previous.length; row++) {
    const old = previous[row]!;
    const label = labels[row]!;
    if (old === null) continue;
    oldSizes.set(old, (oldSizes.get(old) ?? 0) + 1);
    if (label === NOISE) continue;
    newSizes[label]!++;
    let counts = common.get(old);
    if (counts === undefined) common.set(old, counts = new Map());
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const matches = [...common].flatMap(([old, counts]) => [...counts].map(([label, count]) => ({ old, label, count })));
  matches.sort((a, b) => b.count - a.count || (a.old < b.old ? -1 : a.old > b.old ? 1 : a.label - b.label));
  const ids: (string | null)[] = Array.from({ length: clusterCount }, () => null);
  const taken = new Set<string>();
  for (const { old, label, count } of matches) {
    if (ids[label] !== null || taken.has(old) || count < LEAST_SHARE * Math.min(oldSizes.get(old)!, newSizes[label]!)) continue;
    ids[label] = old;
    taken.add(old);
  }
  return ids.map((id, label) => id ?? `${version}.${label}`);
}
