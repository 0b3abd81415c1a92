import type { Admin } from 'kafkajs';
import type { KafkaConfig } from '../../config.ts';
import { AppError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { CommittedOffset, PartitionReader, RecordLog, Subscription } from '../../ports/record-log.ts';
import { openAppender } from './append.ts';
import { createClient } from './client.ts';
import { ADMIN_DEADLINE_MS, DEFAULT_DRAIN_MS, ZOMBIE_WINDOW_MS } from './limits.ts';
import { inspectKafka } from './inspect.ts';
import { committedOffsets, countPartitions, deleteBefore, offsetRanges, type OffsetRange } from './offsets.ts';
import { readKafkaPartitions } from './read-partitions.ts';
import type { TopicName } from './records.ts';
import { retryUntil } from './retry.ts';
import { openSubscription } from './subscribe.ts';
import { ensureKafkaTopics } from './topics.ts';

export type KafkaLogOptions = {
  readonly config: KafkaConfig;
  /** Put in front of topics and groups. */
  readonly topicPrefix: string;
  /** What the broker's logs and quotas call this process. */
  readonly clientId: string;
  readonly logger: Logger;
  /** For deadlines; default the wall clock. */
  readonly clock?: Clock;
};

/**
 * The record log on Kafka, through kafkajs. Rejects with `log_unavailable` when no broker answers within 30 s, and
 * with `config_invalid` where a TLS file cannot be read.
 *
 * **Delivery.** `append` is idempotent per producer and at least once overall (producer-lane.ts says when it may store
 * twice); subscriptions are at least once. A send that this process has begun may reach the broker as much as
 * `zombieWindowMs` after its `append` (85 s: 45 s in which sends may begin, then two tries of 20 s); a process that was
 * stopped as a whole and woke up later is not bounded by it.
 * A first join of a group takes the broker's group.initial.rebalance.delay.ms (3 s by default); readers take part in no
 * group and start in milliseconds.
 */
export async function openKafkaLog({ config, topicPrefix, clientId, logger, clock = { nowMs: () => Date.now() } }: KafkaLogOptions): Promise<RecordLog> {
  const kafka = createClient(config, clientId, logger);
  const admin: Admin = kafka.admin();
  const ask = <T>(doing: string, attempt: () => Promise<T>): Promise<T> => retryUntil({ doing, deadlineMs: ADMIN_DEADLINE_MS, clock }, attempt);
  try {
    await ask(`connect to Kafka at ${config.brokers.join(', ')}`, () => admin.connect());
  } catch (error) {
    await admin.disconnect().catch(() => undefined);
    throw error;
  }
  const appender = openAppender({ kafka, logger, clock });
  const subscriptions = new Set<Subscription>();
  const readers = new Set<PartitionReader>();
  let closing: Promise<void> | null = null;

  const committedOf = (group: string, topic: TopicName): Promise<CommittedOffset[]> =>
    ask(`look up the offsets of ${topicPrefix}${group}`, () => committedOffsets(admin, topicPrefix + group, topicPrefix + topic));
  const rangesOf = (topic: TopicName): Promise<OffsetRange[]> => ask(`look up the offsets of ${topicPrefix}${topic}`, () => offsetRanges(admin, topicPrefix + topic));

  function refuseWhenClosed(doing: string): void {
    if (closing !== null) throw new AppError('log_unavailable', `Cannot ${doing}: the log is closed`);
  }

  async function closeAll(): Promise<void> {
    await Promise.all([...readers].map((reader) => reader.close()));
    await Promise.all([...subscriptions].map((subscription) => subscription.close({ drainMs: DEFAULT_DRAIN_MS })));
    await appender.close();
    await admin.disconnect().catch((error: unknown) => logger.debug({ error: messageOf(error) }, 'Admin client did not disconnect cleanly'));
  }

  return {
    async ensureTopics(topics) {
      await ask('create topics', () => ensureKafkaTopics(admin, topics, topicPrefix, config.replication, logger));
    },
    partitionCount: (topic) => ask(`look up ${topicPrefix}${topic}`, () => countPartitions(admin, topicPrefix + topic)),
    append: (topic, partition, records) => appender.append(topicPrefix + topic, partition, records),
    async subscribe(options) {
      refuseWhenClosed('subscribe');
      const opened = await openSubscription({ kafka, prefix: topicPrefix, sessionTimeoutMs: config.sessionTimeoutSec * 1_000, logger, clock, committedOf, rangesOf }, options);
      const subscription: Subscription = {
        ...opened,
        async close(closeOptions) {
          await opened.close(closeOptions);
          subscriptions.delete(subscription);
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },
    readPartitions(options) {
      refuseWhenClosed('read');
      const reader = readKafkaPartitions({ kafka, prefix: topicPrefix, logger, onClosed: () => { readers.delete(reader); } }, options);
      readers.add(reader);
      return reader;
    },
    endOffsets: async (topic) => (await rangesOf(topic)).map((range) => range.high),
    groupOffsets: committedOf,
    async deleteRecords(topic, partition, beforeOffset) {
      await ask(`delete records of ${topicPrefix}${topic}`, () => deleteBefore(admin, topicPrefix + topic, partition, beforeOffset));
    },
    inspect: (topics) => ask('inspect the topics', () => inspectKafka(admin, topics, topicPrefix)),
    async usage(topics) {
      const ranges = await Promise.all(topics.map(async (topic) => ({ topic, ranges: await rangesOf(topic) })));
      return { topics: ranges.map(({ topic, ranges: of }) => ({ topic, records: of.reduce((sum, { low, high }) => sum + high - low, 0) })), bytes: null };
    },
    compact: async () => false,
    zombieWindowMs: ZOMBIE_WINDOW_MS,
    async close() {
      closing ??= closeAll();
      await closing;
    },
  };
}
