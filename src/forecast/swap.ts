import { cellOf, openClustering, type Clustering, type Clusterings, type FindModel } from './clusterings.ts';
import type { ModelSwap } from './history-record.ts';
import { seedCluster } from './contexts.ts';
import { NO_VERSION, type SourceModel, type Versions } from './model.ts';

/**
 * Folds a swap into the model of its source: which versions are in play, and the first samples of one that is new. A swap
 * of the active version says what it is held against from then on. A version that `find` does not have forecasts nothing,
 * but its name stands.
 */
export function learnSwap(model: SourceModel, swap: ModelSwap, find: FindModel): void {
  model.versions = nextVersions(model.versions, swap);
  attachClusterings(model, find);
  for (const clustering of inPlay(model.clusterings)) seed(model, clustering);
}

function nextVersions(versions: Versions, { stage, version, share, previous: before }: ModelSwap): Versions {
  const named = version === NO_VERSION ? null : version;
  const { shadow, canary, canaryShare } = versions;
  if (stage === 'shadow') return { ...versions, shadow: named };
  if (stage === 'canary') return { ...versions, canary: named, canaryShare: named === null ? 0 : share, shadow: shadow === named ? null : shadow };
  return {
    active: named, previous: before, shadow: shadow === named ? null : shadow,
    canary: canary === named ? null : canary, canaryShare: canary === named ? 0 : canaryShare,
  };
}

/** Opens the versions in play that are not open, and lets go of the others: one reference each. */
export function attachClusterings(model: SourceModel, find: FindModel): void {
  const { versions, source } = model;
  const open = new Map(inPlay(model.clusterings).map((one) => [one.version, one]));
  const opened = (version: string | null): Clustering | null => {
    if (version === null || version === NO_VERSION) return null;
    let clustering = open.get(version);
    if (clustering !== undefined) return clustering;
    const published = find(source, version);
    if (published === undefined) return null;
    clustering = openClustering(published);
    open.set(version, clustering);
    return clustering;
  };
  const { active, canary, shadow, previous } = versions;
  model.clusterings = { active: opened(active), canary: opened(canary), shadow: opened(shadow), previous: opened(previous) };
}

function inPlay({ active, canary, shadow, previous }: Clusterings): Clustering[] {
  return [active, canary, shadow, previous].filter((one) => one !== null);
}

function seed({ mixture }: SourceModel, { version, published: { clusters } }: Clustering): void {
  for (const { cluster_id, first_samples_sec } of clusters) seedCluster(mixture, cellOf(version, cluster_id), first_samples_sec);
}
