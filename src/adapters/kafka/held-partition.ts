import { messageOf } from '../../errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { LogRecord, PartitionId, SubscriptionHandler } from '../../ports/record-log.ts';
import { createPartitionQueue, type PartitionQueue } from './partition-queue.ts';
import { growingDelaysMs, pause } from './retry.ts';

/** A partition from its assignment to its loss. */
export type HeldPartition = {
  readonly id: PartitionId;
  readonly queue: PartitionQueue;
  /** Aborted at the loss and at the end of the subscription's close. */
  readonly signal: AbortSignal;
  /** Restored and at its start offset: fetched records are welcome. */
  ready: boolean;
  /** Its fetches are paused because the queue is full. */
  isFull: boolean;
  /** The next offset to take from a fetch. */
  position: number;
  /** The next offset that the partition will give, as known at the last fetch. */
  endOffset: number;
  /** Sees to it that what is queued is delivered. */
  deliver(): void;
  /** Resolves when no handler has a batch of it in hand. */
  idle(): Promise<void>;
  lose(): void;
};

export type HoldOptions = {
  readonly id: PartitionId;
  readonly handler: SubscriptionHandler;
  readonly maxBatchRecords: number;
  /** Aborted when the subscription begins to close: no new batch is begun. */
  readonly stopping: AbortSignal;
  /** Resolves when it is sure that the partition is ours, at the latest when `signal` aborts. */
  readonly confirmed: (signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
};

export function holdPartition({ id, handler, maxBatchRecords, stopping, confirmed, logger }: HoldOptions): HeldPartition {
  const loss = new AbortController();
  const ended = AbortSignal.any([loss.signal, stopping]);
  const queue = createPartitionQueue();
  let delivering: Promise<void> | null = null;

  async function deliverAll(): Promise<void> {
    while (!ended.aborted && !queue.isEmpty()) {
      const records = queue.peek(maxBatchRecords);
      if (await deliverOne(records)) queue.drop(records.length);
    }
    delivering = null;
  }

  /** Resolves true when the handler has taken the batch, false when there is no point any more. */
  async function deliverOne(records: readonly LogRecord[]): Promise<boolean> {
    for (const delayMs of growingDelaysMs(10_000)) {
      await confirmed(ended);
      if (ended.aborted) return false;
      try {
        await handler.onBatch({ topic: id.topic, partition: id.partition, records, endOffset: held.endOffset, signal: loss.signal });
        return !loss.signal.aborted;
      } catch (error) {
        // A batch whose partition went away fails as a matter of course.
        if (ended.aborted) return false;
        logger.error({ ...id, offset: records[0]?.offset, error: messageOf(error) }, 'Batch failed, it will be delivered again');
      }
      await pause(delayMs, ended);
    }
    return false;
  }

  const held: HeldPartition = {
    id, queue, signal: loss.signal, ready: false, isFull: false, position: 0, endOffset: 0,
    deliver() {
      if (delivering === null && !ended.aborted) delivering = deliverAll();
    },
    idle: async () => { await delivering; },
    lose() {
      held.ready = false;
      loss.abort();
      queue.clear();
    },
  };
  return held;
}
