import type { LogRecord, PartitionId, RecordBatch, SubscriptionHandler } from '../../../src/ports/record-log.ts';

/** A promise that the test resolves by hand. */
export type Gate = { readonly opened: Promise<void>; open(): void };

export function makeGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

export type RecordingHandler = SubscriptionHandler & {
  readonly batches: RecordBatch[];
  readonly assignedIds: PartitionId[];
  readonly revokedIds: PartitionId[];
  /** Values handled to the end, as text, by partition. */
  valuesOf(partition: number): string[];
  values(): string[];
};

/** Keeps what it is given; `onBatch` decides how long a batch takes and whether it fails. */
export function recordingHandler(onBatch: (batch: RecordBatch) => Promise<void> = async () => {}): RecordingHandler {
  const handled: LogRecord[] = [];
  const batches: RecordBatch[] = [];
  const assignedIds: PartitionId[] = [];
  const revokedIds: PartitionId[] = [];
  return {
    batches, assignedIds, revokedIds,
    async onAssigned(partitions) {
      assignedIds.push(...partitions);
    },
    async onRevoked(partitions) {
      revokedIds.push(...partitions);
    },
    async onBatch(batch) {
      batches.push(batch);
      await onBatch(batch);
      handled.push(...batch.records);
    },
    valuesOf: (partition) => handled.filter((record) => record.partition === partition).map(textOf),
    values: () => handled.map(textOf),
  };
}

export function textOf(record: LogRecord): string {
  return record.value === null ? 'null' : record.value.toString();
}
