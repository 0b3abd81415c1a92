import { AppError, assert, messageOf } from '../../errors.ts';
import { makeConsumerGroup } from './consumer-group.ts';
import { logPartition } from './log-partition.ts';
import { makeMaintenance } from './maintenance.ts';
import { readLogPartitions } from './partition-reader.ts';
import { compareTopics } from './compare-topics.ts';
import { nextTurn, settlesWithin } from './waiting.ts';
import { makeWriteQueue } from './write-queue.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { LogPartition } from './log-partition.ts';
import type { LogStorage } from './storage.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { LogUsage, NewRecord, PartitionId, PartitionReader, RecordLog } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

const MAX_APPEND_BYTES = 900_000;
// While there is work, maintenance takes a slice and leaves the event loop that long to the others.
const MAINTENANCE_PAUSE_MS = 20;
const MAX_READER_MS = 10_000;
/** Deleted at once, some milliseconds; others have their turn in between. */
const DELETE_SLICE_RECORDS = 1_000;

export type LocalLogOptions = {
  /** Owned by the log from now on: closed with it. */
  readonly storage: LogStorage;
  /** Stamps the records and tells what has expired; default: the wall clock. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Delay before a failed batch comes again, ms; doubles up to 10 s. Default 250. */
  readonly retryDelayMs?: number;
  /** How often compaction and retention look for work, ms; default 5,000; null = only `runMaintenance()`. */
  readonly maintenanceIntervalMs?: number | null;
};

export type LocalLog = RecordLog & {
  /** Compacts and expires all that is due, at once: 1,000 records are some milliseconds during which nothing else runs. */
  runMaintenance(): void;
};

/**
 * The embedded record log: topics, partitions, offsets, groups, compaction and retention in one process.
 *
 * **Delivery.** At least once, as the port says. Subscriptions of one group share the partitions; `subscribe()`
 * resolves before the first `onAssigned`. On close, `onRevoked` is called for what was held. Appends and commits of
 * one turn of the event loop are one transaction; their promises resolve after it.
 */
export function openLocalLog({ storage, clock = { nowMs: Date.now }, logger = silent, retryDelayMs = 250, maintenanceIntervalMs = 5_000 }: LocalLogOptions): LocalLog {
  const queue = makeWriteQueue(storage, clock);
  const maintenance = makeMaintenance(storage, clock);
  const partitionsByTopic = new Map<TopicName, readonly LogPartition[]>();
  const groups = new Map<string, ConsumerGroup>();
  const readers = new Set<PartitionReader>();
  let maintenanceTimer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | null = null;
  let isClosed = false;

  const refreshTopics = (): void => {
    for (const { name } of storage.topics()) {
      if (!partitionsByTopic.has(name)) partitionsByTopic.set(name, storage.partitions(name).map(logPartition));
    }
  };

  const partitionsOf = (topic: TopicName): readonly LogPartition[] => {
    if (isClosed) throw new AppError('log_unavailable', `Cannot use ${topic}: the record log is closed`);
    const partitions = partitionsByTopic.get(topic);
    if (partitions === undefined) throw new AppError('log_unavailable', `There is no topic ${topic} in the record log: it must be created first`);
    return partitions;
  };

  const findPartition = ({ topic, partition }: PartitionId): LogPartition => {
    const partitions = partitionsOf(topic);
    const found = partitions[partition];
    if (found === undefined) throw new AppError('log_unavailable', `There is no partition ${partition} of ${topic}: it has 0..${partitions.length - 1}`);
    return found;
  };

  const scheduleMaintenance = (delayMs: number): void => {
    if (maintenanceIntervalMs === null || closing !== null) return;
    maintenanceTimer = setTimeout(() => {
      let isBusy = false;
      try {
        isBusy = maintenance.runSlice();
      } catch (error) {
        logger.error({ err: error }, `Compaction and retention failed, trying again: ${messageOf(error)}`);
      }
      scheduleMaintenance(isBusy ? MAINTENANCE_PAUSE_MS : maintenanceIntervalMs);
    }, delayMs).unref();
  };

  const shutDown = async (): Promise<void> => {
    clearTimeout(maintenanceTimer);
    // Readers first: a member that restores its state from one would not be done otherwise.
    for (const reader of readers) await reader.close();
    await Promise.all([...groups.values()].flatMap((group) => group.members().map((member) => member.close())));
    if (!(await settlesWithin(Promise.allSettled([...readers].map((reader) => reader.done)), MAX_READER_MS))) {
      logger.warn({ limitMs: MAX_READER_MS }, 'A reader of the record log takes too long, closing without it');
    }
    queue.flush();
    isClosed = true;
    storage.close();
  };

  refreshTopics();
  if (maintenanceIntervalMs !== null) scheduleMaintenance(maintenanceIntervalMs);

  return {
    zombieWindowMs: 0,
    async ensureTopics(topics) {
      if (isClosed) throw new AppError('log_unavailable', 'Cannot create topics: the record log is closed');
      const existing = new Map(storage.topics().map((topic) => [topic.name, topic]));
      for (const { name, partitions } of topics) {
        const found = existing.get(name);
        if (found !== undefined && found.partitions !== partitions) {
          throw new AppError('partition_count_changed', `${name} has ${found.partitions} partitions in the record log, but ${partitions} are declared: keys would move. Keep the count, or start with a new data directory`);
        }
      }
      try {
        storage.transaction(() => {
          for (const topic of topics) storage.saveTopic(topic);
        });
      } catch (error) {
        throw new AppError('log_unavailable', `Cannot create topics in the record log: ${messageOf(error)}`, { cause: error });
      }
      refreshTopics();
    },
    async partitionCount(topic) {
      return partitionsOf(topic).length;
    },
    async append(topic, partition, records) {
      const target = findPartition({ topic, partition });
      const bytes = sizeOf(records);
      assert(!target.isCompacted() || records.every(({ key }) => key !== null), `${topic} is compacted, so its records need keys`);
      if (bytes > MAX_APPEND_BYTES) throw new AppError('record_too_large', `Cannot append ${bytes} bytes to ${topic}/${partition}: at most ${MAX_APPEND_BYTES} go in one call`);
      return queue.append(target, records, bytes);
    },
    async subscribe(options) {
      if (closing !== null) throw new AppError('log_unavailable', `Cannot subscribe ${options.group}: the record log is closed`);
      for (const topic of options.topics) partitionsOf(topic);
      let group = groups.get(options.group);
      if (group === undefined) {
        group = makeConsumerGroup((topic) => partitionsOf(topic).length);
        groups.set(options.group, group);
      }
      return group.join({ ...options, findPartition, queue, retryDelayMs, logger });
    },
    readPartitions(options) {
      const { topic } = options;
      try {
        if (closing !== null) throw new AppError('log_unavailable', `Cannot read ${topic}: the record log is closed`);
        const reader = readLogPartitions(options.partitions.map((partition) => findPartition({ topic, partition })), options);
        readers.add(reader);
        const forget = (): void => { readers.delete(reader); };
        reader.done.then(forget, forget);
        return reader;
      } catch (error) {
        return brokenReader(error);
      }
    },
    async endOffsets(topic) {
      return partitionsOf(topic).map((partition) => partition.endOffset());
    },
    async groupOffsets(group, topic) {
      return partitionsOf(topic).map((partition) => partition.committed(group));
    },
    async deleteRecords(topic, partition, beforeOffset) {
      const target = findPartition({ topic, partition });
      if (target.isCompacted()) throw new AppError('invalid_request', `Cannot delete records of ${topic}: it is compacted, keys would lose their last value`);
      // What was asked for before is stored before.
      queue.flush();
      for (let isDone = false; !isDone;) {
        const heads = target.heads(0, DELETE_SLICE_RECORDS, Number.POSITIVE_INFINITY).filter((head) => head.offset < beforeOffset);
        isDone = heads.length < DELETE_SLICE_RECORDS;
        try {
          storage.transaction(() => target.expire(heads));
        } catch (error) {
          throw new AppError('log_unavailable', `Cannot delete records of ${topic}/${partition}: ${messageOf(error)}`, { cause: error });
        }
        if (!isDone) await nextTurn();
      }
    },
    async inspect(topics) {
      if (isClosed) throw new AppError('log_unavailable', 'Cannot inspect the record log: it is closed');
      return { engine: 'the embedded log', findings: compareTopics(storage.topics(), topics) };
    },
    async usage(topics) {
      const counts: LogUsage['topics'][number][] = [];
      for (const topic of topics) {
        let records = 0;
        for (const { partition } of partitionsOf(topic)) {
          records += storage.partitions(topic)[partition]?.count() ?? 0;
          await nextTurn();
        }
        counts.push({ topic, records });
      }
      return { topics: counts, bytes: storage.bytes() };
    },
    async compact() {
      for (;;) {
        if (isClosed || !maintenance.runSlice()) return true;
        await nextTurn();
      }
    },
    runMaintenance() {
      while (maintenance.runSlice());
    },
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function brokenReader(error: unknown): PartitionReader {
  const broken = Promise.reject(error);
  broken.catch(() => {});
  return { caughtUp: broken, done: broken, async close() {} };
}

function sizeOf(records: readonly NewRecord[]): number {
  let bytes = 0;
  for (const { key, value, headers } of records) {
    bytes += (key?.length ?? 0) + (value?.length ?? 0);
    for (const [name, headerValue] of headers ?? []) bytes += Buffer.byteLength(name) + headerValue.length;
  }
  return bytes;
}
