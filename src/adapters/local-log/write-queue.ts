import { AppError, messageOf } from '../../errors.ts';
import type { LogStorage } from './storage.ts';
import type { LogPartition } from './log-partition.ts';
import type { Clock } from '../../ports/clock.ts';
import type { NewRecord } from '../../ports/record-log.ts';

// Bounds what callers that do not wait can pile up within one turn; chosen, not tuned.
const MAX_PENDING_BYTES = 8_000_000;

export type WriteQueue = {
  append(partition: LogPartition, records: readonly NewRecord[], bytes: number): Promise<number>;
  commit(partition: LogPartition, group: string, offset: number, metadata: string): Promise<void>;
  /** Stores what is pending now. Never throws: the callers of the writes learn of a failure. */
  flush(): void;
};

type PendingWrite = { run(): number; resolve(result: number): void; reject(error: unknown): void; readonly appendedTo: LogPartition | null };

/**
 * Group commit: the writes of one turn of the event loop go into one transaction, in the order of the calls, and
 * resolve after it. When it fails, all of them are refused with `log_unavailable` and none is stored.
 */
export function makeWriteQueue(storage: LogStorage, clock: Clock): WriteQueue {
  let pending: PendingWrite[] = [];
  let pendingBytes = 0;
  let isScheduled = false;

  const enqueue = (bytes: number, appendedTo: LogPartition | null, run: () => number): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    pending.push({ run, resolve, reject, appendedTo });
    pendingBytes += bytes;
    if (pendingBytes >= MAX_PENDING_BYTES) flush();
    else if (!isScheduled) {
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        flush();
      });
    }
    return promise;
  };

  const flush = (): void => {
    if (pending.length === 0) return;
    const writes = pending;
    pending = [];
    pendingBytes = 0;
    let results: number[];
    try {
      results = storage.transaction(() => writes.map((write) => write.run()));
    } catch (error) {
      const failure = new AppError('log_unavailable', `Cannot write to the record log: ${messageOf(error)}`, { cause: error });
      for (const write of writes) write.reject(failure);
      return;
    }
    const appendedTo = new Set<LogPartition>();
    for (const [index, write] of writes.entries()) {
      write.resolve(results[index]!);
      if (write.appendedTo !== null) appendedTo.add(write.appendedTo);
    }
    for (const partition of appendedTo) partition.announce();
  };

  return {
    append: (partition, records, bytes) => enqueue(bytes, partition, () => partition.append(records, clock.nowMs())),
    async commit(partition, group, offset, metadata) {
      await enqueue(metadata.length, null, () => {
        partition.commit(group, offset, metadata);
        return offset;
      });
    },
    flush,
  };
}
