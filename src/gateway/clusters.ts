import type { PublishedCluster, PublishedModel } from '../cluster/published-model.ts';
import { clusterStats } from '../rebuilds/cluster-stats.ts';
import { emptyRollout, type Rollout } from '../rebuilds/rollout.ts';
import { loadRollout } from '../runtime/rebuild-store.ts';
import type { GatewayContext } from './context.ts';

/** Where the rollouts stand; without ClickHouse, or before its tables are there, nothing is known. */
export async function rolloutOf({ history, logger }: GatewayContext): Promise<Rollout> {
  if (history === null) return emptyRollout();
  try {
    return await loadRollout(history);
  } catch (error) {
    logger.warn({ error: String(error) }, 'The state of the rollouts cannot be read');
    return emptyRollout();
  }
}

/** The model that forecasts by, else the one on trial, else the newest. */
export function modelOf({ clusterModels }: GatewayContext, rollout: Rollout, source: string): PublishedModel | undefined {
  const state = rollout.sources.get(source);
  const versions = [state?.active, state?.candidate?.version, clusterModels.versionsOf(source).at(-1)];
  const version = versions.find((one) => one != null && one !== '' && clusterModels.has(source, one));
  return version == null ? undefined : clusterModels.find(source, version);
}

/** A cluster as clients of the compatible API know it. */
export function clusterBody(model: PublishedModel, cluster: PublishedCluster): object {
  const builtAt = new Date(model.built_at).toISOString();
  return {
    cluster_id: cluster.cluster_id, source: model.source, representative_title: cluster.medoid_title, member_count: cluster.size,
    last_accessed: builtAt, last_updated: builtAt, version: model.version, stats: clusterStats(cluster.first_samples_sec),
  };
}

/** The same with what one cluster alone is asked for. */
export function clusterDetail(model: PublishedModel, cluster: PublishedCluster): object {
  const exemplars = model.exemplars.filter(({ cluster_id }) => cluster_id === cluster.cluster_id);
  return {
    ...clusterBody(model, cluster), representative_metadata: exemplars[0]?.metadata ?? {}, recent_times: cluster.first_samples_sec,
    exemplars: exemplars.slice(0, 100).map(({ title, metadata, weight }) => ({ title, metadata, weight })),
  };
}
