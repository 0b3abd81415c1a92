import type { TopicName } from '../../topology/topics.ts';

/** Header values are bytes; a name may repeat. */
export type Headers = ReadonlyArray<readonly [name: string, value: Buffer]>;

/** A record as read. Offsets are numbers: 2^53 records in one partition are 285 years at a million a second. */
export type LogRecord = {
  readonly topic: TopicName;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  /** null = tombstone. */
  readonly value: Buffer | null;
  readonly headers: Headers;
  /** When the log took it (LogAppendTime), epoch ms. */
  readonly appendedAtMs: number;
};

export type NewRecord = {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Headers;
};

/** Records of one partition, in offset order, never empty. */
export type RecordBatch = {
  readonly topic: TopicName;
  readonly partition: number;
  readonly records: readonly LogRecord[];
  /** The offset that the partition's next record will get, as known at the fetch. */
  readonly endOffset: number;
  /** Aborted when the partition is lost or the subscription closes: drop the batch, send nothing more for it. */
  readonly signal: AbortSignal;
};

export type PartitionId = { readonly topic: TopicName; readonly partition: number };

/**
 * Receives what a subscription delivers.
 *
 * **Delivery.** At least once. Batches of one partition come one after another, each when the promise of the one
 * before has resolved; partitions do not wait for each other, and a slow one is paused, not buffered without bound.
 * Delivery of a partition begins after `onAssigned` has resolved, at its committed offset (the earliest if none).
 * A rejected promise of `onBatch` makes the same batch come again after a delay, for ever: poison is the handler's.
 */
export type SubscriptionHandler = {
  /** Newly assigned partitions: restore their state here. May take long; the membership is kept alive meanwhile. */
  onAssigned(partitions: readonly PartitionId[]): Promise<void>;
  /** Lost partitions, after the fact: stop producing for them at once. Called on close too, for what was held. */
  onRevoked(partitions: readonly PartitionId[]): Promise<void>;
  onBatch(batch: RecordBatch): Promise<void>;
};

export type CommittedOffset = {
  /** The next offset to read; null = never committed. */
  readonly offset: number | null;
  readonly metadata: string;
};

export type Subscription = {
  /** Commits the next offset to read. Rejects when the partition is no longer ours. Idempotent. */
  commit(partition: PartitionId, nextOffset: number, metadata?: string): Promise<void>;
  committed(partition: PartitionId): Promise<CommittedOffset>;
  /** Partitions held now, as far as that is sure: none when the log has not confirmed it for a session's time. */
  assigned(): readonly PartitionId[];
  /** Stops delivery, waits for the batches in hand (at most `drainMs`), leaves the group. Idempotent. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
};

export type SubscribeOptions = {
  readonly group: string;
  readonly topics: readonly TopicName[];
  readonly handler: SubscriptionHandler;
  /** Most records in one batch; default 1,000. */
  readonly maxBatchRecords?: number;
};

export type ReadOptions = {
  readonly topic: TopicName;
  readonly partitions: readonly number[];
  /** First offset to read, by partition; below the earliest = the earliest. */
  readonly from: (partition: number) => number | 'earliest' | 'latest';
  /** Called in offset order per partition, one call at a time; a returned promise is awaited. Its failure breaks the reader. */
  readonly onRecords: (records: readonly LogRecord[]) => void | Promise<void>;
};

/** Reads partitions without a group: for global stores, restore and views. Goes on reading until closed. */
export type PartitionReader = {
  /** Resolves when everything that was in the partitions at the call has been handed over. Rejects on failure, and when closed before. */
  readonly caughtUp: Promise<void>;
  /** Resolves when closed, rejects when the reader broke for good. */
  readonly done: Promise<void>;
  close(): Promise<void>;
};

export type TopicDefinition = {
  readonly name: TopicName;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  readonly retentionMs: number | null;
  readonly minCompactionLagMs: number;
};

/** Something that keeps a topic, or the log as a whole (null), from working as declared, and what to do about it. */
export type LogFinding = {
  readonly topic: TopicName | null;
  /** The topic does not exist. */
  readonly isMissing: boolean;
  readonly problem: string;
  readonly remedy: string;
};

/** How much a log holds. */
export type LogUsage = {
  /** Records by topic; where the log cannot count them (Kafka), offsets from the earliest to the next, holes of compaction included. */
  readonly topics: readonly { readonly topic: TopicName; readonly records: number }[];
  /** On this machine's disk; null = it is not here, or not on a disk. */
  readonly bytes: number | null;
};

export type LogInspection = {
  /** What the log is and where, in a few words. */
  readonly engine: string;
  readonly findings: readonly LogFinding[];
};

/**
 * The partitioned, append-only log that everything flows through: Kafka, or the embedded one.
 * Topic names are the plain ones of topology/topics.ts; the adapter puts the configured prefix in front.
 */
export type RecordLog = {
  /**
   * Creates topics that are missing. Rejects with `partition_count_changed` when one exists with another count.
   * Idempotent.
   */
  ensureTopics(topics: readonly TopicDefinition[]): Promise<void>;
  partitionCount(topic: TopicName): Promise<number>;
  /**
   * Appends to one partition, all records or none visible, in order; returns the offset of the first.
   * Calls for the same partition are stored in the order of the calls. Resolves when stored (Kafka: acks=all).
   * Retries inside; rejects only when it cannot be known or made good (then the caller treats it as failed).
   * At most 900 KB in all: more is refused with `record_too_large`.
   */
  append(topic: TopicName, partition: number, records: readonly NewRecord[]): Promise<number>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  readPartitions(options: ReadOptions): PartitionReader;
  /** Offset of the next record, by partition. */
  endOffsets(topic: TopicName): Promise<number[]>;
  /** Committed offsets of any group: for lag figures and `raceline` commands. */
  groupOffsets(group: string, topic: TopicName): Promise<CommittedOffset[]>;
  /**
   * Removes the records of a partition below `beforeOffset` for good; the log's own end where that is lower. Offsets go on
   * as before. Idempotent. Refuses with `invalid_request` a topic that is compacted: its keys would lose their last value.
   */
  deleteRecords(topic: TopicName, partition: number, beforeOffset: number): Promise<void>;
  /** Compares what there is with what is declared; changes nothing. Rejects with `log_unavailable` when nothing answers. */
  inspect(topics: readonly TopicDefinition[]): Promise<LogInspection>;
  /** For reports: the embedded log goes through its records once. Rejects with `log_unavailable`. */
  usage(topics: readonly TopicName[]): Promise<LogUsage>;
  /** Does at once all compaction and retention that is due, others having their turn in between; false = the brokers do so by themselves. */
  compact(): Promise<boolean>;
  /** How long a send of a lost owner may still arrive, ms; 0 where only one process can write. */
  readonly zombieWindowMs: number;
  close(): Promise<void>;
};
