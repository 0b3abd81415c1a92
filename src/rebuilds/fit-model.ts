import type { PublishedModel } from '../cluster/published-model.ts';

/** A record's limit less what its key and headers take. */
const MOST_BYTES = 880_000;
const FEW_SAMPLES = 5;

/**
 * The model in one record: with fewer first samples, then fewer exemplars (the lightest of each cluster go, its medoid
 * stays), as far as it takes. null = the medoids alone are too many. O(model) a try.
 */
export function fitModel(model: PublishedModel, sizeOf: (model: PublishedModel) => number): PublishedModel | null {
  let fitted = model;
  for (let samples = 20; samples >= FEW_SAMPLES; samples = Math.floor(samples / 2)) {
    fitted = { ...model, clusters: model.clusters.map((one) => ({ ...one, first_samples_sec: one.first_samples_sec.slice(-samples) })) };
    if (sizeOf(fitted) <= MOST_BYTES) return fitted;
  }
  for (let kept = 64; kept >= 1; kept = Math.floor(kept / 2)) {
    const counts = new Map<string, number>();
    const exemplars = model.exemplars.filter(({ cluster_id }) => {
      const rank = counts.get(cluster_id) ?? 0;
      counts.set(cluster_id, rank + 1);
      return rank < kept;
    });
    const smaller = { ...fitted, exemplars };
    if (sizeOf(smaller) <= MOST_BYTES) return smaller;
  }
  return null;
}
