// Every topic, once: `raceline topology` prints them, `raceline topics apply` creates them.

export type TopicName =
  | 'race-updates' | 'telemetry' | 'routes' | 'eta-updates' | 'race-states' | 'race-history' | 'model-snapshots'
  | 'cluster-models' | 'journey-states' | 'rebuild-requests' | 'ingest-targets' | 'dead-letters';

/** `races`: co-partitioned by race_id, so one task owns a race everywhere. */
export type PartitionGroup = 'races' | 'sources' | 'single';

export type TopicSpec = {
  readonly name: TopicName;
  readonly key: string;
  readonly value: string;
  /** File under schemas/avro, without its ending; null = raw bytes. */
  readonly schema: string | null;
  readonly partitions: PartitionGroup;
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  readonly retentionMs: number | null;
  readonly minCompactionLagMs: number;
  readonly writtenBy: string;
  readonly readBy: string;
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const topics: readonly TopicSpec[] = [
  {
    name: 'race-updates', key: 'race_id', value: 'RaceUpdate, null = forget', schema: 'race-update', partitions: 'races',
    cleanup: 'delete', retentionMs: 7 * DAY_MS, minCompactionLagMs: 0, writtenBy: 'producers, gateway, journeys, pipeline (reroutes, give-ups)', readBy: 'pipeline',
  },
  {
    name: 'telemetry', key: 'race_id', value: 'TelemetryPoint', schema: 'telemetry-point', partitions: 'races',
    cleanup: 'delete', retentionMs: 3 * DAY_MS, minCompactionLagMs: 0, writtenBy: 'producers, gateway', readBy: 'journeys, historian',
  },
  {
    name: 'routes', key: 'route_id', value: 'Route', schema: 'route', partitions: 'single',
    cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0, writtenBy: 'producers, gateway', readBy: 'journeys, gateway',
  },
  {
    name: 'eta-updates', key: 'race_id', value: 'EtaUpdate, null = forgotten', schema: 'eta-update', partitions: 'races',
    cleanup: 'compact,delete', retentionMs: 7 * DAY_MS, minCompactionLagMs: 2 * DAY_MS, writtenBy: 'pipeline', readBy: 'UIs, gateway, historian',
  },
  {
    name: 'race-states', key: 'race_id, __partition/p', value: 'RaceState | PartitionState', schema: 'race-state', partitions: 'races',
    // Longer than a former owner's last send can take: its stale record must not be the only one left of a key.
    cleanup: 'compact', retentionMs: null, minCompactionLagMs: HOUR_MS, writtenBy: 'pipeline', readBy: 'pipeline (restore), journeys, gateway, historian (audit)',
  },
  {
    name: 'race-history', key: 'source', value: 'FinishedRace | StageFacts | ModelSwap | Forget | OverdueRace', schema: 'history-record', partitions: 'sources',
    cleanup: 'delete', retentionMs: 90 * DAY_MS, minCompactionLagMs: 0, writtenBy: 'pipeline, rebuilder (swaps)', readBy: 'learner (every instance), historian',
  },
  {
    name: 'model-snapshots', key: 'source, slot, chunk', value: 'ModelSnapshot', schema: 'model-snapshot', partitions: 'sources',
    cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0, writtenBy: 'learner', readBy: 'learner (restore)',
  },
  {
    name: 'cluster-models', key: 'source/version', value: 'ClusterModel', schema: 'cluster-model', partitions: 'single',
    cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0, writtenBy: 'rebuilder', readBy: 'learner (every instance), rebuilder, gateway',
  },
  {
    name: 'journey-states', key: 'race_id, __partition/p', value: 'JourneyState | JourneyPartition', schema: 'journey-state', partitions: 'races',
    // As of race-states: a former owner's stale record must not be the only one left of a key.
    cleanup: 'compact', retentionMs: null, minCompactionLagMs: HOUR_MS, writtenBy: 'journeys', readBy: 'journeys (restore), gateway',
  },
  {
    name: 'rebuild-requests', key: 'source', value: 'RebuildRequest', schema: 'rebuild-request', partitions: 'single',
    cleanup: 'delete', retentionMs: 7 * DAY_MS, minCompactionLagMs: 0, writtenBy: 'gateway, rebuilder (watch)', readBy: 'rebuilder',
  },
  {
    name: 'ingest-targets', key: 'target_id', value: 'IngestTarget', schema: 'ingest-target', partitions: 'single',
    cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0, writtenBy: 'gateway, CLI (later)', readBy: 'pollers (later)',
  },
  {
    name: 'dead-letters', key: 'original key', value: 'original bytes; headers say topic, partition, offset, code, message', schema: null, partitions: 'single',
    cleanup: 'delete', retentionMs: 30 * DAY_MS, minCompactionLagMs: 0, writtenBy: 'all', readBy: 'people: raceline dead-letters',
  },
];

/** Partition counts: `races` 24 on Kafka and 4 embedded; a topic's count never changes once it exists. */
export const partitionCounts = {
  kafka: { races: 24, sources: 8, single: 1 },
  embedded: { races: 4, sources: 4, single: 1 },
} as const satisfies Record<string, Record<PartitionGroup, number>>;
