import type { ClusterModel } from './model.ts';

/** A cluster in the topic cluster-models. */
export type PublishedCluster = {
  cluster_id: string;
  /** Races of the rebuild. */
  size: number;
  medoid_title: string;
  /** Durations of its newest races, seconds, oldest first: what a forecast by this cluster begins with. */
  first_samples_sec: number[];
};

export type PublishedExemplar = { cluster_id: string; title: string; metadata: Record<string, string>; weight: number };

/** A record of the topic cluster-models (schemas/avro/cluster-model.avsc): clusters of one source that were accepted. */
export type PublishedModel = {
  source: string;
  /** Unique in its source; holds no slash. */
  version: string;
  built_at: number;
  eps: number;
  eps_rule: string;
  min_pts: number;
  mask: boolean;
  dropped_keys: string[];
  exact: boolean;
  distance_calls: number;
  races: number;
  noise_ratio: number;
  /** Adjusted Rand index against the model in force; null = there was none. */
  agreement: number | null;
  verdict: string | null;
  /** The report of its rebuild, JSON. */
  report: string | null;
  clusters: PublishedCluster[];
  exemplars: PublishedExemplar[];
};

/** The key of a record of cluster-models. */
export function publishedKey(source: string, version: string): string {
  return `${source}/${version}`;
}

/** What is needed to find the cluster of a race. */
export function clusterModelOf({ eps, mask, dropped_keys, exemplars }: PublishedModel): ClusterModel {
  return {
    eps, mask, droppedKeys: dropped_keys,
    exemplars: exemplars.map(({ cluster_id, title, metadata, weight }) => ({ clusterId: cluster_id, title, metadata, weight })),
  };
}
