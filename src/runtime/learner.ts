import { messageOf } from '../errors.ts';
import type { HistoryRecord } from '../forecast/history-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { ModelStore } from '../ports/model-store.ts';
import type { LogRecord, PartitionReader, RecordLog } from '../ports/record-log.ts';
import { partitionOf } from '../race/partition.ts';
import { foldHistory, type LearnedPartition } from './learned-partition.ts';
import { readSnapshots, SnapshotWriter } from './model-snapshots.ts';
import { every, systemTimers, type Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

const SNAPSHOT_INTERVAL_MS = 60_000;

export type LearnerOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly logger: Logger;
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
export async function runLearner({ log, codec, clock, logger, timers = systemTimers }: LearnerOptions): Promise<Learner> {
  const count = await log.partitionCount('race-history');
  const restored = await readSnapshots({ log, codec, logger, count });
  const partitions = restored.map(({ learned }) => learned);
  const writers = restored.map((from, partition) => new SnapshotWriter({ log, codec, clock, partition, restored: from }));
  const owned = new Map<number, number>();
  /** The newest name of each partition's position: forecasts keep it, and most are made at the same one. */
  const versions = partitions.map((learned, partition) => ({ offset: learned.offset, name: versionName(partition, learned.offset) }));
  let closed = false;

  function fold(record: LogRecord): void {
    const learned = partitions[record.partition];
    if (learned === undefined || record.value === null) return;
    const result = codec.decode('race-history', record.value);
    if ('error' in result) {
      // Every instance skips it alike; the historian sends it to dead-letters.
      logger.error({ partition: record.partition, offset: record.offset, ...result.error }, 'Cannot learn from a record of race-history');
    } else {
      foldHistory(learned, result.decoded as HistoryRecord);
    }
    learned.offset = record.offset + 1;
  }

  const reader: PartitionReader = log.readPartitions({
    topic: 'race-history',
    partitions: partitions.map((_, partition) => partition),
    from: (partition) => partitions[partition]?.offset ?? 0,
    async onRecords(records) {
      await codec.prepare('race-history', records.map((record) => record.value));
      const turn = beginTurn(timers);
      for (const record of records) {
        fold(record);
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

  return {
    partitions,
    caughtUp: reader.caughtUp,
    modelOf: (source) => partitions[partitionOf(source, count)]?.models.get(source),
    versionOf(source) {
      const partition = partitionOf(source, count);
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
      await writeSnapshots().catch((error: unknown) => logger.warn({ error: messageOf(error) }, 'The last model snapshots could not be written'));
    },
  };
}

function versionName(partition: number, offset: number): string {
  return `${partition}@${offset}`;
}
