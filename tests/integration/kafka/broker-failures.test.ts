import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { LogRecord, RecordLog, TopicDefinition } from '../../../src/ports/record-log.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { waitUntil } from '../../support/wait-until.ts';

const TOPIC = 'race-updates';
const PARTITIONS = 6;
const definition: TopicDefinition = { name: TOPIC, partitions: PARTITIONS, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const DEADLINE_MS = 60_000;

describe.skipIf(whyNoEngines() !== null)('with three brokers', { timeout: 240_000 }, () => {
  let cluster: KafkaCluster;
  let log: RecordLog;

  beforeAll(async () => {
    cluster = await startKafka({ brokers: 3 });
    log = await openKafkaLog({ config: kafkaConfig(cluster.brokers), topicPrefix: '', clientId: 'failures', logger: quietLogger });
    await log.ensureTopics([definition]);
  });

  afterAll(async () => {
    await log.close();
    await cluster.stop();
  });

  it('topics are created with three replicas, two of them in sync, and append times', async () => {
    const { Kafka, logLevel, ConfigResourceTypes } = kafkajs;
    const admin = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: TOPIC }] });
    await admin.disconnect();
    expect(topics[0]?.partitions.map((partition) => partition.replicas.length)).toEqual(Array.from({ length: PARTITIONS }, () => 3));
    const settings = new Map(resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]));
    expect(settings.get('min.insync.replicas')).toBe('2');
    expect(settings.get('message.timestamp.type')).toBe('LogAppendTime');
  });

  it('appends under way lose nothing and keep their order over a crash and a controlled shutdown', async () => {
    const delivered = new Map<number, number[]>();
    const subscription = await log.subscribe({
      group: 'failures', topics: [TOPIC],
      handler: {
        onAssigned: async () => {},
        onRevoked: async () => {},
        async onBatch(batch) {
          const seen = delivered.get(batch.partition) ?? [];
          delivered.set(batch.partition, seen);
          for (const record of batch.records) seen.push(numberIn(record));
          await subscription.commit(batch, batch.records.at(-1)!.offset + 1).catch(() => undefined);
        },
      },
    });

    const stored: number[] = Array.from({ length: PARTITIONS }, () => 0);
    const enough = new AbortController();
    // Each partition's appends wait for one another, so that "stored" is known at every moment.
    const senders = stored.map(async (_, partition) => {
      while (!enough.signal.aborted) {
        const next = stored[partition]!;
        await log.append(TOPIC, partition, [0, 1, 2].map((ahead) => ({ key: null, value: Buffer.from(String(next + ahead)) })));
        stored[partition] = next + 3;
      }
    });
    const allGrow = async (): Promise<void> => {
      const before = [...stored];
      await waitUntil('every partition takes appends', () => stored.every((count, partition) => count > before[partition]! + 15), DEADLINE_MS);
    };

    await allGrow();
    await cluster.kill(1);
    await allGrow();
    await cluster.restart(1);
    await allInSync(cluster);
    await cluster.shutDown(2);
    await allGrow();
    await cluster.restart(2);
    await allInSync(cluster);
    await cluster.kill(3);
    await allGrow();
    await cluster.restart(3);
    enough.abort();
    await Promise.all(senders);

    const read = new Map<number, number[]>();
    const reader = log.readPartitions({
      topic: TOPIC, partitions: stored.map((_, partition) => partition), from: () => 'earliest',
      onRecords: (records) => { for (const record of records) read.set(record.partition, [...(read.get(record.partition) ?? []), numberIn(record)]); },
    });
    await reader.caughtUp;
    await reader.close();
    for (const [partition, count] of stored.entries()) {
      // Repeats are allowed, gaps and exchanges are not.
      expect(firstSightings(read.get(partition) ?? []), `partition ${partition}`).toEqual(Array.from({ length: count }, (_, index) => index));
      await waitUntil(`partition ${partition} is delivered to its end`, () => new Set(delivered.get(partition)).size === count, DEADLINE_MS);
    }
    await subscription.close();
  });
});

function numberIn(record: LogRecord): number {
  return Number(record.value?.toString());
}

function firstSightings(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

async function allInSync(cluster: KafkaCluster): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...cluster.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await waitUntil('all replicas are in sync', async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
    return topics[0]?.partitions.every((partition) => partition.isr.length === 3);
  }, DEADLINE_MS);
  await admin.disconnect();
}
