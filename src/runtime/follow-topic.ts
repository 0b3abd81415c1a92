import { messageOf } from '../errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, PartitionReader, RecordLog } from '../ports/record-log.ts';
import type { TopicName } from '../../topology/topics.ts';
import { pause, systemTimers, type Timers } from './timers.ts';

export type FollowOptions = {
  readonly log: RecordLog;
  readonly topic: TopicName;
  readonly partitions: readonly number[];
  readonly logger: Logger;
  /** Records in offset order per partition; must be harmless when records come again. */
  readonly onRecords: (records: readonly LogRecord[]) => Promise<void>;
  readonly timers?: Timers | undefined;
};

export type Follower = {
  /** Resolves when what the topic held at the start has been handed over; never rejects, it tries for ever. */
  readonly caughtUp: Promise<void>;
  /** Whether it has. */
  isCaughtUp(): boolean;
  /** The next offset, by partition; 0 for those that are not read. */
  readonly positions: readonly number[];
  close(): Promise<void>;
};

const RETRY_MS = 1_000;

/** Reads some partitions of a topic, or all, and goes on; a reader that breaks is opened again where it stood. */
export function followTopic(options: FollowOptions): Follower {
  const { log, topic, partitions, logger, timers = systemTimers } = options;
  const positions = Array.from({ length: 1 + Math.max(...partitions) }, () => 0);
  const closing = new AbortController();
  const caughtUp = Promise.withResolvers<void>();
  let isCaughtUp = false;
  let reader: PartitionReader | null = null;

  const onRecords = async (records: readonly LogRecord[]): Promise<void> => {
    await options.onRecords(records);
    for (const record of records) positions[record.partition] = record.offset + 1;
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        const ends = await log.endOffsets(topic);
        if (closing.signal.aborted) return;
        reader = log.readPartitions({
          topic,
          partitions,
          from: (partition) => positions[partition] || 'earliest',
          onRecords,
        });
        // Both are watched: one of them may reject while the other is awaited.
        const done = reader.done;
        done.catch(() => {});
        await reader.caughtUp;
        // Compaction and retention may have emptied a partition up to its end.
        for (const partition of partitions) positions[partition] = Math.max(positions[partition]!, ends[partition] ?? 0);
        isCaughtUp = true;
        caughtUp.resolve();
        await done;
        if (closing.signal.aborted) return;
      } catch (error) {
        if (closing.signal.aborted) return;
        logger.warn({ topic, error: messageOf(error) }, 'A topic lost its reader, which is opened again');
        await reader?.close().catch(() => {});
      }
      await pause(timers, RETRY_MS, closing.signal);
    }
  };
  const running = run();

  return {
    caughtUp: caughtUp.promise,
    isCaughtUp: () => isCaughtUp,
    positions,
    async close() {
      closing.abort();
      await reader?.close().catch(() => {});
      await running;
    },
  };
}
