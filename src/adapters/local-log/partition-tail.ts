import type { LogRecord, NewRecord } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

// What followers that keep up need. Chosen: with some 48 partitions at most 25 MB, reached under full load only.
const MAX_RECORDS = 2_000;
const MAX_BYTES = 512 * 1024;

/** The newest records of a partition as they were appended, so that its readers need not fetch them from the file, each for itself. */
export type PartitionTail = {
  push(records: readonly NewRecord[], firstOffset: number, appendedAtMs: number): void;
  /** As `StoredPartition.read`; null = older records are asked for than it holds. */
  read(from: number, maxRecords: number, maxBytes: number): LogRecord[] | null;
  /** Forgets all up to and with the offset: they may be gone from the file. */
  forgetTo(offset: number): void;
  clear(): void;
};

export function makePartitionTail(topic: TopicName, partition: number): PartitionTail {
  let records: LogRecord[] = [];
  /** Index of the oldest one that counts. */
  let first = 0;
  let bytes = 0;

  const dropFirst = (count: number): void => {
    for (let i = first; i < first + count; i += 1) bytes -= sizeOf(records[i]!);
    first += count;
    if (first * 2 < records.length) return;
    records = records.slice(first);
    first = 0;
  };

  return {
    push(added, firstOffset, appendedAtMs) {
      let offset = firstOffset;
      for (const { key, value, headers = [] } of added) {
        const record: LogRecord = { topic, partition, offset, key, value, headers, appendedAtMs };
        records.push(record);
        bytes += sizeOf(record);
        offset += 1;
      }
      let excess = 0;
      for (let rest = bytes; first + excess < records.length && (rest > MAX_BYTES || records.length - first - excess > MAX_RECORDS); excess += 1) rest -= sizeOf(records[first + excess]!);
      if (excess > 0) dropFirst(excess);
    },
    read(from, maxRecords, maxBytes) {
      const oldest = records[first];
      if (oldest === undefined || from < oldest.offset) return null;
      const read: LogRecord[] = [];
      let taken = 0;
      for (let i = first + from - oldest.offset; i < records.length && read.length < maxRecords && taken < maxBytes; i += 1) {
        const record = records[i]!;
        read.push(record);
        taken += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      }
      return read;
    },
    forgetTo(offset) {
      const oldest = records[first];
      if (oldest !== undefined && oldest.offset <= offset) dropFirst(Math.min(offset - oldest.offset + 1, records.length - first));
    },
    clear() {
      records = [];
      first = 0;
      bytes = 0;
    },
  };
}

function sizeOf({ key, value, headers }: LogRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers) bytes += name.length + content.length;
  return bytes;
}
