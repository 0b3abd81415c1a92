import type { LogRecord } from '../../ports/record-log.ts';
import { QUEUE_MAX_BYTES, QUEUE_MAX_RECORDS } from './limits.ts';

/** Objects around the bytes of a fetched record, roughly. */
const RECORD_OVERHEAD_BYTES = 200;

/** Fetched records of one partition that wait for its handler; bounded by bytes and records, overshot by one fetch at most. */
export type PartitionQueue = {
  push(records: readonly LogRecord[]): void;
  /** The next records, at most `count`, which stay in the queue until `drop`. */
  peek(count: number): LogRecord[];
  drop(count: number): void;
  clear(): void;
  isFull(): boolean;
  isEmpty(): boolean;
  /** Resolves when the queue is below half of its bounds, or cleared. */
  drained(): Promise<void>;
};

export function createPartitionQueue(): PartitionQueue {
  let records: LogRecord[] = [];
  let head = 0;
  let bytes = 0;
  let waiters: (() => void)[] = [];

  const count = (): number => records.length - head;
  const isLow = (): boolean => bytes <= QUEUE_MAX_BYTES / 2 && count() <= QUEUE_MAX_RECORDS / 2;

  function wakeWhenLow(): void {
    if (waiters.length === 0 || !isLow()) return;
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  }

  return {
    push(more) {
      for (const record of more) {
        records.push(record);
        bytes += sizeOf(record);
      }
    },
    peek: (most) => records.slice(head, head + most),
    drop(dropped) {
      for (let i = head; i < head + dropped; i += 1) {
        const record = records[i];
        if (record !== undefined) bytes -= sizeOf(record);
      }
      head += dropped;
      // Moving the rest down costs as much as was dropped: constant per record.
      if (head * 2 >= records.length) {
        records = records.slice(head);
        head = 0;
      }
      wakeWhenLow();
    },
    clear() {
      records = [];
      head = 0;
      bytes = 0;
      wakeWhenLow();
    },
    isFull: () => bytes >= QUEUE_MAX_BYTES || count() >= QUEUE_MAX_RECORDS,
    isEmpty: () => count() === 0,
    drained: () => (isLow() ? Promise.resolve() : new Promise((resolve) => { waiters.push(resolve); })),
  };
}

function sizeOf(record: LogRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
}
