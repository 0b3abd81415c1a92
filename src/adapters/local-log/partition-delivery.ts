import { makeWaker, nextTurn } from './waiting.ts';
import { messageOf } from '../../errors.ts';
import type { LogPartition } from './log-partition.ts';
import type { Logger } from '../../ports/logger.ts';
import type { RecordBatch } from '../../ports/record-log.ts';

// A restore of large records must not read 1,000 x 900 KB at once. Chosen, not tuned.
const MAX_BATCH_BYTES = 1_000_000;
const MAX_RETRY_DELAY_MS = 10_000;

export type PartitionDeliveryOptions = {
  readonly partition: LogPartition;
  readonly group: string;
  readonly maxBatchRecords: number;
  readonly onBatch: (batch: RecordBatch) => Promise<void>;
  /** Before the first repetition; it doubles up to 10 s. */
  readonly retryDelayMs: number;
  readonly logger: Logger;
};

export type PartitionDelivery = {
  /** Hands over no further batch; resolves when the one in hand is done. */
  drain(): Promise<void>;
  /** Aborts the signal of the batch in hand, and hands over no further one. */
  abort(): void;
  /** Resolves when the loop has ended: no handler runs any more. */
  readonly ended: Promise<void>;
};

/**
 * Hands one partition to a handler, batch after batch, from the group's committed offset on. A batch is read from
 * the storage when the one before is done: nothing is buffered. A failed one comes again after a delay, for ever.
 */
export function deliverPartition({ partition, group, maxBatchRecords, onBatch, retryDelayMs, logger }: PartitionDeliveryOptions): PartitionDelivery {
  const { topic, partition: number } = partition;
  const controller = new AbortController();
  const records = makeWaker();
  const retry = makeWaker();
  const state = { isStopping: false };

  const stop = (): void => {
    state.isStopping = true;
    records.wake();
    retry.wake();
  };

  /** Until it succeeds; null when stopped before. */
  const persist = async <T>(what: string, attempt: () => T | Promise<T>): Promise<T | null> => {
    for (let failures = 0; !state.isStopping; failures += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (controller.signal.aborted) return null;
        const delayMs = Math.min(retryDelayMs * 2 ** failures, MAX_RETRY_DELAY_MS);
        logger.error({ group, topic, partition: number, err: error, delayMs }, `${what} failed, trying again: ${messageOf(error)}`);
        const timer = setTimeout(retry.wake, delayMs);
        await retry.sleep();
        clearTimeout(timer);
      }
    }
    return null;
  };

  const run = async (): Promise<void> => {
    let next = await persist('Reading the committed offset', () => Math.min(partition.committed(group).offset ?? 0, partition.endOffset()));
    while (next !== null && !state.isStopping) {
      const from = next;
      const read = await persist('Reading records', () => partition.read(from, maxBatchRecords, MAX_BATCH_BYTES));
      const last = read?.at(-1);
      if (read === null) return;
      if (last === undefined) {
        await records.sleep();
        continue;
      }
      const batch: RecordBatch = { topic, partition: number, records: read, endOffset: partition.endOffset(), signal: controller.signal };
      await persist(`The batch at offset ${from}`, () => onBatch(batch));
      next = last.offset + 1;
      await nextTurn();
    }
  };

  const unlisten = partition.onAppended(records.wake);
  const ended = run().finally(unlisten);
  return {
    ended,
    drain() {
      stop();
      return ended;
    },
    abort() {
      stop();
      controller.abort();
    },
  };
}
