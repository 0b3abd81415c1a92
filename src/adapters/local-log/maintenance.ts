import { compacts } from './storage.ts';
import type { LogStorage, StoredPartition } from './storage.ts';
import type { Clock } from '../../ports/clock.ts';
import type { TopicDefinition } from '../../ports/record-log.ts';

const SLICE_RECORDS = 1_000;
// Kafka's delete.retention.ms: so long can a reader take over a partition and still see that a key is gone.
const TOMBSTONE_RETENTION_MS = 86_400_000;

export type Maintenance = {
  /** Works on at most 1,000 records, taking the partitions in turn. True = there may be more to do at once. */
  runSlice(): boolean;
};

/**
 * Retention (`delete`: records go when they are older than retentionMs by append time, in offset order) and
 * compaction (`compact`: of records older than minCompactionLagMs the newest of each key stays; a tombstone goes
 * after a day).
 */
export function makeMaintenance(storage: LogStorage, clock: Clock): Maintenance {
  let turn = 0;
  return {
    runSlice() {
      const nowMs = clock.nowMs();
      const all = storage.topics().flatMap((topic) => storage.partitions(topic.name).map((partition) => ({ topic, partition })));
      let budget = SLICE_RECORDS;
      for (let looked = 0; looked < all.length; looked += 1) {
        const { topic, partition } = all[turn % all.length]!;
        turn += 1;
        budget -= storage.transaction(() => maintain(topic, partition, nowMs, budget));
        if (budget === 0) return true;
      }
      return false;
    },
  };
}

/** Returns how many records it had to do with, at most `budget`; fewer mean that nothing more is due. */
function maintain(topic: TopicDefinition, partition: StoredPartition, nowMs: number, budget: number): number {
  let left = budget;
  if (topic.cleanup !== 'compact' && topic.retentionMs !== null) {
    const expired = partition.heads(0, left, nowMs - topic.retentionMs);
    partition.expire(expired);
    left -= expired.length;
  }
  if (compacts(topic) && left > 0) {
    const heads = partition.heads(partition.cleanedOffset(), left, nowMs - topic.minCompactionLagMs);
    partition.compact(heads);
    left -= heads.length;
    if (left > 0) left -= partition.dropTombstones(nowMs - TOMBSTONE_RETENTION_MS, left);
  }
  return budget - left;
}
