import type { StoreName } from './stores.ts';
import type { TopicName } from './topics.ts';

// The graph as data. `src/runtime/partition-graph.ts` wires the nodes of the role `pipeline` as they stand here;
// `describe.ts` prints them all.

export type RoleName = 'pipeline' | 'journeys' | 'historian' | 'gateway' | 'rebuilder';

export type ProcessorName =
  | 'decode-updates' | 'normalize-updates' | 'fold-races' | 'tally-inputs' | 'wake-races' | 'issue-forecasts'
  | 'revise-etas' | 'record-history' | 'learn' | 'write-history' | 'serve-view' | 'watch-accuracy' | 'rebuild-clusters' | 'decide-rollouts' | 'follow-route' | 'check-routes';

export type SourceName = TopicName | 'wake-ups' | 'http' | 'history';

export type SourceNode = {
  readonly kind: 'source';
  readonly role: RoleName;
  readonly name: SourceName;
  /** What it reads; null = not a topic (`wake-ups` are due times, `http` is requests, `history` is ClickHouse). */
  readonly topic: TopicName | null;
  /** `group`: shared by the instances of a consumer group. `all`: every instance reads all partitions. */
  readonly reads: 'group' | 'all' | 'local';
};

export type ProcessorNode = {
  readonly kind: 'processor';
  readonly role: RoleName;
  readonly name: ProcessorName;
  readonly parents: readonly (ProcessorName | SourceName)[];
  readonly stores: readonly StoreName[];
};

export type SinkNode = {
  readonly kind: 'sink';
  readonly role: RoleName;
  /** What it carries, and where to. */
  readonly name: string;
  readonly parents: readonly (ProcessorName | SourceName)[];
  readonly topic: TopicName | 'clickhouse' | 'clients';
};

export type Node = SourceNode | ProcessorNode | SinkNode;

export const topology: readonly Node[] = [
  { kind: 'source', role: 'pipeline', name: 'race-updates', topic: 'race-updates', reads: 'group' },
  { kind: 'source', role: 'pipeline', name: 'wake-ups', topic: null, reads: 'local' },
  { kind: 'source', role: 'pipeline', name: 'routes', topic: 'routes', reads: 'all' },
  { kind: 'processor', role: 'pipeline', name: 'decode-updates', parents: ['race-updates'], stores: [] },
  { kind: 'processor', role: 'pipeline', name: 'normalize-updates', parents: ['decode-updates'], stores: [] },
  { kind: 'processor', role: 'pipeline', name: 'fold-races', parents: ['normalize-updates'], stores: ['races'] },
  { kind: 'processor', role: 'pipeline', name: 'tally-inputs', parents: ['decode-updates', 'normalize-updates', 'fold-races'], stores: ['races'] },
  { kind: 'processor', role: 'pipeline', name: 'wake-races', parents: ['wake-ups'], stores: ['races'] },
  { kind: 'processor', role: 'pipeline', name: 'issue-forecasts', parents: ['fold-races', 'wake-races', 'routes'], stores: ['models', 'routes'] },
  { kind: 'processor', role: 'pipeline', name: 'revise-etas', parents: ['issue-forecasts'], stores: ['races'] },
  { kind: 'processor', role: 'pipeline', name: 'record-history', parents: ['revise-etas', 'fold-races', 'routes'], stores: ['races', 'routes'] },
  { kind: 'sink', role: 'pipeline', name: 'revisions', parents: ['revise-etas', 'fold-races'], topic: 'eta-updates' },
  { kind: 'sink', role: 'pipeline', name: 'history', parents: ['record-history'], topic: 'race-history' },
  { kind: 'sink', role: 'pipeline', name: 'refused', parents: ['decode-updates', 'normalize-updates', 'fold-races'], topic: 'dead-letters' },
  { kind: 'sink', role: 'pipeline', name: 'give-ups', parents: ['wake-races'], topic: 'race-updates' },
  { kind: 'sink', role: 'pipeline', name: 'reroutes', parents: ['decode-updates'], topic: 'race-updates' },

  { kind: 'source', role: 'pipeline', name: 'race-history', topic: 'race-history', reads: 'all' },
  { kind: 'source', role: 'pipeline', name: 'cluster-models', topic: 'cluster-models', reads: 'all' },
  { kind: 'processor', role: 'pipeline', name: 'learn', parents: ['race-history', 'cluster-models'], stores: ['models', 'clusters'] },
  { kind: 'sink', role: 'pipeline', name: 'snapshots', parents: ['learn'], topic: 'model-snapshots' },

  { kind: 'source', role: 'journeys', name: 'telemetry', topic: 'telemetry', reads: 'group' },
  { kind: 'source', role: 'journeys', name: 'race-states', topic: 'race-states', reads: 'group' },
  { kind: 'source', role: 'journeys', name: 'routes', topic: 'routes', reads: 'all' },
  { kind: 'processor', role: 'journeys', name: 'follow-route', parents: ['telemetry', 'race-states', 'routes'], stores: ['journeys', 'routes'] },
  { kind: 'sink', role: 'journeys', name: 'passages and positions', parents: ['follow-route'], topic: 'race-updates' },
  { kind: 'processor', role: 'journeys', name: 'check-routes', parents: ['routes'], stores: [] },
  { kind: 'sink', role: 'journeys', name: 'refused', parents: ['follow-route', 'check-routes'], topic: 'dead-letters' },
  { kind: 'sink', role: 'journeys', name: 'reroutes', parents: ['follow-route'], topic: 'telemetry' },

  { kind: 'source', role: 'historian', name: 'race-history', topic: 'race-history', reads: 'group' },
  { kind: 'source', role: 'historian', name: 'eta-updates', topic: 'eta-updates', reads: 'group' },
  { kind: 'source', role: 'historian', name: 'race-states', topic: 'race-states', reads: 'group' },
  { kind: 'source', role: 'historian', name: 'telemetry', topic: 'telemetry', reads: 'group' },
  { kind: 'processor', role: 'historian', name: 'write-history', parents: ['race-history', 'eta-updates', 'race-states', 'telemetry'], stores: [] },
  { kind: 'sink', role: 'historian', name: 'rows', parents: ['write-history'], topic: 'clickhouse' },

  { kind: 'source', role: 'gateway', name: 'race-states', topic: 'race-states', reads: 'all' },
  { kind: 'source', role: 'gateway', name: 'eta-updates', topic: 'eta-updates', reads: 'all' },
  { kind: 'source', role: 'gateway', name: 'journey-states', topic: 'journey-states', reads: 'all' },
  { kind: 'source', role: 'gateway', name: 'routes', topic: 'routes', reads: 'all' },
  { kind: 'source', role: 'gateway', name: 'http', topic: null, reads: 'local' },
  { kind: 'processor', role: 'gateway', name: 'serve-view', parents: ['race-states', 'eta-updates', 'journey-states', 'routes', 'http'], stores: ['view', 'routes'] },
  { kind: 'sink', role: 'gateway', name: 'answers', parents: ['serve-view'], topic: 'clients' },
  { kind: 'sink', role: 'gateway', name: 'posted updates', parents: ['http'], topic: 'race-updates' },
  { kind: 'sink', role: 'gateway', name: 'posted positions', parents: ['http'], topic: 'telemetry' },
  { kind: 'sink', role: 'gateway', name: 'stored routes', parents: ['http'], topic: 'routes' },
  { kind: 'sink', role: 'gateway', name: 'rebuilds asked for', parents: ['http'], topic: 'rebuild-requests' },

  { kind: 'source', role: 'rebuilder', name: 'rebuild-requests', topic: 'rebuild-requests', reads: 'group' },
  { kind: 'source', role: 'rebuilder', name: 'cluster-models', topic: 'cluster-models', reads: 'all' },
  { kind: 'source', role: 'rebuilder', name: 'history', topic: null, reads: 'local' },
  { kind: 'processor', role: 'rebuilder', name: 'watch-accuracy', parents: ['history', 'cluster-models'], stores: ['clusters'] },
  { kind: 'processor', role: 'rebuilder', name: 'rebuild-clusters', parents: ['rebuild-requests', 'history', 'cluster-models'], stores: ['clusters'] },
  { kind: 'processor', role: 'rebuilder', name: 'decide-rollouts', parents: ['rebuild-clusters', 'rebuild-requests', 'history'], stores: [] },
  { kind: 'sink', role: 'rebuilder', name: 'rebuilds that are due', parents: ['watch-accuracy'], topic: 'rebuild-requests' },
  { kind: 'sink', role: 'rebuilder', name: 'accepted models', parents: ['rebuild-clusters'], topic: 'cluster-models' },
  { kind: 'sink', role: 'rebuilder', name: 'swaps', parents: ['decide-rollouts'], topic: 'race-history' },
  { kind: 'sink', role: 'rebuilder', name: 'reports', parents: ['rebuild-clusters', 'decide-rollouts'], topic: 'clickhouse' },
];
