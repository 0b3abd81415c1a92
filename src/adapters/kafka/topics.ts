import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { AppError } from '../../errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { TopicDefinition } from '../../ports/record-log.ts';
import { errorType } from './kafka-errors.ts';
import { ADMIN_DEADLINE_MS, MAX_MESSAGE_BYTES } from './limits.ts';
import { growingDelaysMs, pause } from './retry.ts';

/** Replication factor of created topics. 0 in the settings = 3 where there are three brokers, else 1. */
async function chooseReplication(admin: Admin, wanted: number): Promise<number> {
  if (wanted > 0) return wanted;
  const { brokers } = await admin.describeCluster();
  return brokers.length >= 3 ? 3 : 1;
}

/** See RecordLog.ensureTopics. Warns of an existing topic whose timestamps are not append times. */
export async function ensureKafkaTopics(admin: Admin, definitions: readonly TopicDefinition[], prefix: string, wantedReplication: number, logger: Logger): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = definitions.filter((definition) => !existing.has(prefix + definition.name));
  if (missing.length > 0) {
    const replicationFactor = await chooseReplication(admin, wantedReplication);
    // Resolves false where another instance was quicker; the counts are compared below either way.
    await admin.createTopics({ waitForLeaders: true, timeout: 15_000, topics: missing.map((definition) => toKafkaTopic(definition, prefix, replicationFactor)) });
    logger.info({ topics: missing.map((definition) => prefix + definition.name), replicationFactor }, 'Created topics');
    // Known to the controller, a leader may still not know of it.
    for (const { name } of missing) await whenLed(() => admin.fetchTopicOffsets(prefix + name));
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: definitions.map((definition) => prefix + definition.name) });
  for (const definition of definitions) {
    const found = topics.find((topic) => topic.name === prefix + definition.name)?.partitions.length ?? 0;
    if (found !== definition.partitions) {
      throw new AppError('partition_count_changed', `Cannot use topic ${prefix}${definition.name}: it must have ${definition.partitions} partitions, got ${found}`);
    }
  }
  const kept = definitions.filter((definition) => existing.has(prefix + definition.name));
  if (kept.length > 0) await warnOfCreateTime(admin, kept.map((definition) => prefix + definition.name), logger);
}

/** Asks until every partition's leader takes itself for one. */
async function whenLed(ask: () => Promise<unknown>): Promise<void> {
  let waitedMs = 0;
  for (const delayMs of growingDelaysMs(1_000)) {
    try {
      await ask();
      return;
    } catch (error) {
      if (!beingLed.has(errorType(error)) || waitedMs > ADMIN_DEADLINE_MS) throw error;
    }
    await pause(delayMs);
    waitedMs += delayMs;
  }
}

const beingLed: ReadonlySet<string> = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION']);

function toKafkaTopic(definition: TopicDefinition, prefix: string, replicationFactor: number): ITopicConfig {
  const entries: Record<string, string> = {
    'message.timestamp.type': 'LogAppendTime',
    'cleanup.policy': definition.cleanup,
    'retention.ms': String(definition.retentionMs ?? -1),
    'max.message.bytes': String(MAX_MESSAGE_BYTES),
  };
  if (definition.cleanup !== 'delete') entries['min.compaction.lag.ms'] = String(definition.minCompactionLagMs);
  if (replicationFactor >= 3) entries['min.insync.replicas'] = '2';
  return {
    topic: prefix + definition.name,
    numPartitions: definition.partitions,
    replicationFactor,
    configEntries: Object.entries(entries).map(([name, value]) => ({ name, value })),
  };
}

async function warnOfCreateTime(admin: Admin, names: readonly string[], logger: Logger): Promise<void> {
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: names.map((name) => ({ type, name, configNames: ['message.timestamp.type'] })) });
  for (const resource of resources) {
    const found = resource.configEntries.find((entry) => entry.configName === 'message.timestamp.type')?.configValue;
    if (found !== undefined && found !== 'LogAppendTime') {
      logger.warn({ topic: resource.resourceName, found }, 'Topic keeps its producers\' timestamps: set message.timestamp.type=LogAppendTime, or retention and lateness go by their clocks');
    }
  }
}
