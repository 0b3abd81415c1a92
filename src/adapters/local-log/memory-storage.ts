import { compacts } from './storage.ts';
import type { LogStorage, RecordHead, StoredPartition } from './storage.ts';
import type { CommittedOffset, LogRecord, TopicDefinition } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

/**
 * A storage in the memory of the process, for tests, simulations and backtests. Holds what compaction and retention
 * leave, and is gone with the process. It may be handed to one log after another: that is a restart.
 */
export function memoryStorage(): LogStorage {
  const definitions = new Map<TopicName, TopicDefinition>();
  const partitions = new Map<TopicName, readonly StoredPartition[]>();
  return {
    topics: () => [...definitions.values()],
    saveTopic(topic) {
      definitions.set(topic.name, topic);
      if (partitions.has(topic.name)) return;
      partitions.set(topic.name, Array.from({ length: topic.partitions }, (_, partition) => memoryPartition(topic, partition)));
    },
    partitions: (topic) => partitions.get(topic) ?? [],
    // Nothing in here can fail half-way but a bug.
    transaction: (work) => work(),
    bytes: () => null,
    close() {},
  };

  function memoryPartition({ name: topic }: TopicDefinition, partition: number): StoredPartition {
    let records: LogRecord[] = [];
    // Removed ones leave the array when they are half of it, so removal costs O(1) on average.
    let removed = new Set<number>();
    let endOffset = 0;
    let cleanedOffset = 0;
    const commits = new Map<string, CommittedOffset>();
    const newestByKey = new Map<string, RecordHead>();
    const tombstones = new Map<string, RecordHead>();
    const isCompacted = (): boolean => compacts(definitions.get(topic)!);

    const remove = (offset: number): void => {
      removed.add(offset);
      if (removed.size * 2 < records.length) return;
      records = records.filter((record) => !removed.has(record.offset));
      removed = new Set();
    };

    function* recordsFrom(offset: number): Generator<LogRecord> {
      for (let index = firstIndexFrom(records, offset); index < records.length; index += 1) {
        const record = records[index]!;
        if (!removed.has(record.offset)) yield record;
      }
    }

    return {
      topic, partition, isCompacted,
      count: () => records.length - removed.size,
      endOffset: () => endOffset,
      append(added, appendedAtMs) {
        const base = endOffset;
        for (const { key, value, headers = [] } of added) {
          records.push({ topic, partition, offset: endOffset, key, value, headers, appendedAtMs });
          endOffset += 1;
        }
        return base;
      },
      read(from, maxRecords, maxBytes) {
        const read: LogRecord[] = [];
        let bytes = 0;
        for (const record of recordsFrom(from)) {
          read.push(record);
          bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
          if (read.length === maxRecords || bytes >= maxBytes) break;
        }
        return read;
      },
      committed: (group) => commits.get(group) ?? { offset: null, metadata: '' },
      commit(group, offset, metadata) {
        commits.set(group, { offset, metadata });
      },
      heads(from, limit, untilMs) {
        const heads: RecordHead[] = [];
        for (const { offset, key, value, appendedAtMs } of recordsFrom(from)) {
          if (appendedAtMs > untilMs) break;
          heads.push({ offset, key, isTombstone: value === null, appendedAtMs });
          if (heads.length === limit) break;
        }
        return heads;
      },
      expire(heads) {
        for (const head of heads) {
          remove(head.offset);
          if (head.key === null) continue;
          const key = textOf(head.key);
          if (newestByKey.get(key)?.offset !== head.offset) continue;
          newestByKey.delete(key);
          tombstones.delete(key);
        }
      },
      cleanedOffset: () => cleanedOffset,
      compact(heads) {
        for (const head of heads) {
          cleanedOffset = head.offset + 1;
          if (head.key === null) continue;
          const key = textOf(head.key);
          const older = newestByKey.get(key);
          if (older !== undefined) remove(older.offset);
          newestByKey.set(key, head);
          // Set anew, so that the map stays in the order of the appends.
          tombstones.delete(key);
          if (head.isTombstone) tombstones.set(key, head);
        }
      },
      dropTombstones(untilMs, limit) {
        let dropped = 0;
        for (const [key, head] of tombstones) {
          if (dropped === limit || head.appendedAtMs > untilMs) break;
          remove(head.offset);
          tombstones.delete(key);
          newestByKey.delete(key);
          dropped += 1;
        }
        return dropped;
      },
    };
  }
}

// One character a byte: two keys are equal exactly when their texts are.
function textOf(key: Buffer): string {
  return key.toString('latin1');
}

// Binary search; O(log n).
function firstIndexFrom(records: readonly LogRecord[], offset: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (records[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
