import type { CommittedOffset, LogRecord, NewRecord, TopicDefinition } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

/** A record without its value: what compaction and retention need to know of it. */
export type RecordHead = {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly isTombstone: boolean;
  readonly appendedAtMs: number;
};

/**
 * One partition as a storage holds it. Every call is synchronous; writing ones are made inside
 * `LogStorage.transaction` only. Offsets may have holes where records were compacted or expired.
 */
export type StoredPartition = {
  readonly topic: TopicName;
  readonly partition: number;
  isCompacted(): boolean;
  /** Records in it. O(records). */
  count(): number;
  /** Offset of the next record. Never goes back, not even when every record is gone. */
  endOffset(): number;
  /** Returns the offset of the first. Keeps the buffers that it is given: nobody may change them afterwards. */
  append(records: readonly NewRecord[], appendedAtMs: number): number;
  /** Records from `from` on in offset order: at most `maxRecords`, and no more once `maxBytes` are reached. */
  read(from: number, maxRecords: number, maxBytes: number): LogRecord[];
  committed(group: string): CommittedOffset;
  commit(group: string, offset: number, metadata: string): void;
  /** Heads from `from` on, at most `limit`, up to the first record that was appended after `untilMs`. */
  heads(from: number, limit: number, untilMs: number): RecordHead[];
  /** Removes the oldest records of the partition, which `heads` names. */
  expire(heads: readonly RecordHead[]): void;
  /** Below it, compaction has left one record a key. */
  cleanedOffset(): number;
  /** Takes the records at `cleanedOffset` and on, which `heads` names, into the cleaned part: one record a key stays. */
  compact(heads: readonly RecordHead[]): void;
  /** Removes tombstones of the cleaned part appended until `untilMs`, at most `limit`; returns how many. */
  dropTombstones(untilMs: number, limit: number): number;
};

/** Where an embedded log keeps its topics. One user at a time; knows nothing of groups, delivery or time. */
export type LogStorage = {
  topics(): readonly TopicDefinition[];
  /** Creates the topic, or changes everything but its partition count. */
  saveTopic(topic: TopicDefinition): void;
  partitions(topic: TopicName): readonly StoredPartition[];
  /** All that `work` writes is stored, or nothing is and it throws. Not nested. */
  transaction<T>(work: () => T): T;
  /** On disk; null = in memory. */
  bytes(): number | null;
  close(): void;
};

export function compacts(topic: TopicDefinition): boolean {
  return topic.cleanup !== 'delete';
}
