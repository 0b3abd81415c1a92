/** A record as kafkajs decodes it; its types leave out the batch it came in. */
export type FetchedRecord = {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer | Buffer[] | undefined>;
  readonly isControlRecord: boolean;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
};

export type AbortedTransaction = { readonly producerId: string; readonly firstOffset: string };

/** Key of the control record that ends an aborted transaction: version 0, type 0. */
const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

/** What a reader of committed records sees: no control records, nothing of aborted transactions. Both inputs by offset. */
export function onlyCommitted(records: readonly FetchedRecord[], aborted: readonly AbortedTransaction[] | null): FetchedRecord[] {
  if (aborted === null || aborted.length === 0) return records.filter((record) => !record.isControlRecord);
  const upcoming = aborted.toSorted((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  const open = new Set<string>();
  return records.filter((record) => {
    for (let next = upcoming[0]; next !== undefined && Number(record.offset) >= Number(next.firstOffset); next = upcoming[0]) {
      open.add(next.producerId);
      upcoming.shift();
    }
    const { producerId = '', inTransaction = false } = record.batchContext ?? {};
    if (record.isControlRecord) {
      if (record.key?.equals(ABORT_MARKER) === true) open.delete(producerId);
      return false;
    }
    return !(inTransaction && open.has(producerId));
  });
}
