import { messageOf } from '../errors.ts';
import type { HistoryRecord, ModelSwap } from '../forecast/history-record.ts';
import { NO_VERSION } from '../forecast/model.ts';
import { attachClusterings } from '../forecast/swap.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { ModelStore } from '../ports/model-store.ts';
import type { LogRecord, PartitionReader, RecordLog } from '../ports/record-log.ts';
import { partitionOf } from '../race/partition.ts';
import { readClusterModels, type ClusterModels } from './cluster-models.ts';
import { foldHistory, type LearnedPartition } from './learned-partition.ts';
import { readSnapshots, SnapshotWriter } from './model-snapshots.ts';
import { every, systemTimers, type Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

const SNAPSHOT_INTERVAL_MS = 60_000;
/** Sources whose partition is kept in mind: each update asks for it. Chosen, not tuned. */
const MOST_SOURCES = 10_000;

export type LearnerOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared with other roles of this process; default: its own. */
  readonly clusterModels?: ClusterModels;
  readonly timers?: Timers;
};

export type Learner = ModelStore & {
  /** Resolves when everything that was in race-history at the start is folded. */
  readonly caughtUp: Promise<void>;
  /** By partition of race-history; for tests and figures. */
  readonly partitions: readonly LearnedPartition[];
  /** A task took a partition of race-updates: its share of race-history is ours to snapshot. */
  own(partition: number, updatePartitions: number): void;
  disown(partition: number): void;
  /** Writes what changed in the owned partitions. Called by a timer and at close. */
  writeSnapshots(): Promise<void>;
  close(): Promise<void>;
};

/**
 * The global store `models`: every instance folds all of race-history. Restored from model-snapshots, then from
 * race-history after the offset they stand for.
 */
export async function runLearner({ log, codec, clock, logger, clusterModels: shared, timers = systemTimers }: LearnerOptions): Promise<Learner> {
  const clusterModels = shared ?? readClusterModels({ log, codec, logger });
  await clusterModels.caughtUp;
  const count = await log.partitionCount('race-history');
  const restored = await readSnapshots({ log, codec, logger, count });
  const partitions = restored.map(({ learned }) => learned);
  for (const { models } of partitions) for (const model of models.values()) attachClusterings(model, clusterModels.find);
  const writers = restored.map((from, partition) => new SnapshotWriter({ log, codec, clock, partition, restored: from }));
  const owned = new Map<number, number>();
  /** The newest name of each partition's position: forecasts keep it, and most are made at the same one. */
  const versions = partitions.map((learned, partition) => ({ offset: learned.offset, name: versionName(partition, learned.offset) }));
  let closed = false;

  /**
   * A model is published before the swap to it, but in another topic: where it has not been read yet, the fold waits, so
   * that it takes effect at the same offset everywhere.
   */
  async function awaitModel({ source, version }: ModelSwap): Promise<void> {
    if (version === NO_VERSION || clusterModels.has(source, version)) return;
    await clusterModels.refresh();
    if (!clusterModels.has(source, version)) logger.warn({ source, version }, 'A swap names a cluster model that is not there, or no longer: races are forecast without it');
  }

  /** What is to be awaited before the next record; null = nothing. */
  function fold(record: LogRecord): Promise<void> | null {
    const learned = partitions[record.partition];
    if (learned === undefined) return null;
    const history = record.value === null ? null : decode(record, record.value);
    const finish = (): void => {
      if (history !== null) foldHistory(learned, history, clusterModels.find);
      learned.offset = record.offset + 1;
    };
    if (history?.kind === 'ModelSwap') return awaitModel(history.value).then(finish);
    finish();
    return null;
  }

  function decode({ partition, offset }: LogRecord, value: Buffer): HistoryRecord | null {
    const result = codec.decode('race-history', value);
    if (!('error' in result)) return result.decoded as HistoryRecord;
    // Every instance skips it alike; the historian sends it to dead-letters.
    logger.error({ partition, offset, ...result.error }, 'Cannot learn from a record of race-history');
    return null;
  }

  const reader: PartitionReader = log.readPartitions({
    topic: 'race-history',
    partitions: partitions.map((_, partition) => partition),
    from: (partition) => partitions[partition]?.offset ?? 0,
    async onRecords(records) {
      await codec.prepare('race-history', records.map((record) => record.value));
      const turn = beginTurn(timers, { goesFirst: true });
      for (const record of records) {
        const waits = fold(record);
        if (waits !== null) await waits;
        if (turn.isOver()) await turn.next();
      }
    },
  });
  reader.done.catch((error: unknown) => logger.error({ error: messageOf(error) }, 'The learner stopped reading race-history'));

  let writing: Promise<void> = Promise.resolve();
  function writeSnapshots(): Promise<void> {
    writing = writing.then(async () => {
      for (const [partition, writer] of writers.entries()) {
        const isOurs = [...owned].some(([owner, updatePartitions]) => partition % updatePartitions === owner);
        if (isOurs) await writer.write();
      }
    });
    const done = writing;
    writing = writing.catch(() => undefined);
    return done;
  }
  const stopWriting = every(timers, SNAPSHOT_INTERVAL_MS, () => {
    writeSnapshots().catch((error: unknown) => logger.warn({ error: messageOf(error) }, 'Model snapshots could not be written; trying again'));
  });

  const partitionBySource = new Map<string, number>();
  function partitionOfSource(source: string): number {
    let partition = partitionBySource.get(source);
    if (partition !== undefined) return partition;
    partition = partitionOf(source, count);
    if (partitionBySource.size === MOST_SOURCES) partitionBySource.clear();
    partitionBySource.set(source, partition);
    return partition;
  }

  return {
    partitions,
    caughtUp: reader.caughtUp,
    modelOf: (source) => partitions[partitionOfSource(source)]?.models.get(source),
    versionOf(source) {
      const partition = partitionOfSource(source);
      const version = versions[partition]!;
      const { offset } = partitions[partition]!;
      if (version.offset !== offset) Object.assign(version, { offset, name: versionName(partition, offset) });
      return version.name;
    },
    own(partition, updatePartitions) {
      owned.set(partition, updatePartitions);
    },
    disown(partition) {
      owned.delete(partition);
    },
    writeSnapshots,
    async close() {
      if (closed) return;
      closed = true;
      stopWriting();
      await reader.close();
      if (shared === undefined) await clusterModels.close();
      await writeSnapshots().catch((error: unknown) => logger.warn({ error: messageOf(error) }, 'The last model snapshots could not be written'));
    },
  };
}

function versionName(partition: number, offset: number): string {
  return `${partition}@${offset}`;
}
