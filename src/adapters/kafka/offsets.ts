import kafkajs, { type Admin } from 'kafkajs';
import { AppError } from '../../errors.ts';
import type { CommittedOffset } from '../../ports/record-log.ts';
import { errorType } from './kafka-errors.ts';

export type OffsetRange = { readonly low: number; readonly high: number };

/** Partitions of a topic, by Kafka's name. `not_found` where there is none. */
export async function countPartitions(admin: Admin, topic: string): Promise<number> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics.find((found) => found.name === topic)?.partitions.length ?? 0;
  } catch (error) {
    if (errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw new AppError('not_found', `Topic ${topic} does not exist`, { cause: error });
    throw error;
  }
}

/** Earliest and next offset, by partition. */
export async function offsetRanges(admin: Admin, topic: string): Promise<OffsetRange[]> {
  const ranges: OffsetRange[] = [];
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) ranges[partition] = { low: Number(low), high: Number(high) };
  return ranges;
}

/** What a group has committed, by partition. */
export async function committedOffsets(admin: Admin, groupId: string, topic: string): Promise<CommittedOffset[]> {
  const committed: CommittedOffset[] = [];
  for (const found of await admin.fetchOffsets({ groupId, topics: [topic] })) {
    for (const { partition, offset, metadata } of found.partitions) {
      // Negative = none, or the marker that kafkajs commits when it resets an offset that is out of range.
      const next = Number(offset);
      committed[partition] = { offset: next >= 0 ? next : null, metadata: metadata ?? '' };
    }
  }
  return committed;
}

/** Deletes what lies below the offset, and at most everything. `invalid_request` for a compacted topic. */
export async function deleteBefore(admin: Admin, topic: string, partition: number, beforeOffset: number): Promise<void> {
  // Brokers refuse those that are compacted only; kafkajs then tries again for half a minute.
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['cleanup.policy'] }] });
  const policy = resources[0]?.configEntries.find(({ configName }) => configName === 'cleanup.policy')?.configValue ?? '';
  if (policy.includes('compact')) throw new AppError('invalid_request', `Cannot delete records of ${topic}: it is compacted, keys would lose their last value`);
  const range = (await offsetRanges(admin, topic))[partition];
  if (range === undefined) throw new AppError('not_found', `Partition ${topic}/${partition} does not exist`);
  const offset = Math.min(beforeOffset, range.high);
  if (offset > range.low) await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
}
