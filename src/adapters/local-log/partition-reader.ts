import { AppError } from '../../errors.ts';
import { makeWaker, nextTurn } from './waiting.ts';
import type { LogPartition } from './log-partition.ts';
import type { PartitionReader, ReadOptions } from '../../ports/record-log.ts';

// A slice that takes a few milliseconds. Chosen, not tuned.
const SLICE_RECORDS = 1_000;
const SLICE_BYTES = 1_000_000;

/** Reads partitions in turns, a slice each. `close()` may be called inside the callback: it does not wait for it, `done` does. */
export function readLogPartitions(partitions: readonly LogPartition[], { topic, from, onRecords }: Pick<ReadOptions, 'topic' | 'from' | 'onRecords'>): PartitionReader {
  const caughtUp = Promise.withResolvers<void>();
  const waker = makeWaker();
  const state = { isClosed: false };
  const positions = partitions.map((partition) => {
    const goal = partition.endOffset();
    const start = from(partition.partition);
    return { partition, goal, next: start === 'earliest' ? 0 : start === 'latest' ? goal : start };
  });
  const unlisten = partitions.map((partition) => partition.onAppended(waker.wake));

  const run = async (): Promise<void> => {
    // Its caller has the reader in hand before the first records.
    await nextTurn();
    while (!state.isClosed) {
      let isIdle = true;
      for (const position of positions) {
        if (state.isClosed) break;
        const records = position.partition.read(position.next, SLICE_RECORDS, SLICE_BYTES);
        const last = records.at(-1);
        if (last === undefined) {
          position.next = Math.max(position.next, position.goal);
          continue;
        }
        isIdle = false;
        await onRecords(records);
        position.next = last.offset + 1;
        await nextTurn();
      }
      if (positions.every(({ next, goal }) => next >= goal)) caughtUp.resolve();
      if (isIdle && !state.isClosed) await waker.sleep();
    }
    caughtUp.reject(new AppError('log_unavailable', `The reader of ${topic} was closed before it had caught up`));
  };

  const done = run().catch((error: unknown) => {
    state.isClosed = true;
    caughtUp.reject(error);
    throw error;
  }).finally(() => {
    for (const stop of unlisten) stop();
  });
  // Whoever does not look at one of the two must not bring the process down.
  caughtUp.promise.catch(() => {});
  done.catch(() => {});
  return {
    caughtUp: caughtUp.promise,
    done,
    async close() {
      state.isClosed = true;
      waker.wake();
    },
  };
}
