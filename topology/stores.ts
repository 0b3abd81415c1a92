import type { TopicName } from './topics.ts';

export type StoreName = 'races' | 'models' | 'clusters' | 'journeys' | 'routes' | 'view';

export type StoreSpec = {
  readonly name: StoreName;
  /** `partition`: each task holds its own part. `global`: every instance holds all of it. */
  readonly scope: 'partition' | 'global';
  readonly key: string;
  readonly value: string;
  /** Where it is logged (partition stores), or what it is folded from (global stores). */
  readonly topics: readonly TopicName[];
};

export const stores: readonly StoreSpec[] = [
  { name: 'races', scope: 'partition', key: 'race_id', value: 'RaceState', topics: ['race-states'] },
  { name: 'journeys', scope: 'partition', key: 'race_id', value: 'JourneyState', topics: ['journey-states'] },
  { name: 'models', scope: 'global', key: 'source', value: 'SourceModel', topics: ['race-history', 'model-snapshots'] },
  { name: 'clusters', scope: 'global', key: 'source, version', value: 'ClusterModel', topics: ['cluster-models'] },
  { name: 'routes', scope: 'global', key: 'route_id', value: 'Route', topics: ['routes'] },
  { name: 'view', scope: 'global', key: 'race_id', value: 'RaceState + EtaUpdate', topics: ['race-states', 'eta-updates'] },
];
