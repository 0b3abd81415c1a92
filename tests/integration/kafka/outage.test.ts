import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { RecordLog, TopicDefinition } from '../../../src/ports/record-log.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { waitUntil } from '../../support/wait-until.ts';

const TOPIC = 'race-updates';
const definition: TopicDefinition = { name: TOPIC, partitions: 2, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const DEADLINE_MS = 90_000;

describe.skipIf(whyNoEngines() !== null)('with its only broker away', { timeout: 240_000 }, () => {
  let cluster: KafkaCluster;
  let log: RecordLog;

  beforeAll(async () => {
    cluster = await startKafka({ brokers: 1 });
    log = await openKafkaLog({ config: kafkaConfig(cluster.brokers), topicPrefix: '', clientId: 'outage', logger: quietLogger });
    await log.ensureTopics([definition]);
  });

  afterAll(async () => {
    await log.close();
    await cluster.stop();
  });

  it('a subscription whose consumer has given up, a reader and an append all go on when it is back', async () => {
    const value = (text: string): { key: null; value: Buffer } => ({ key: null, value: Buffer.from(text) });
    const events: string[] = [];
    const delivered: string[] = [];
    const subscription = await log.subscribe({
      group: 'outage', topics: [TOPIC],
      handler: {
        onAssigned: async (ids) => { events.push(`assigned ${ids.length}`); },
        onRevoked: async (ids) => { events.push(`revoked ${ids.length}`); },
        async onBatch(batch) {
          delivered.push(...batch.records.map((record) => String(record.value)));
          await subscription.commit(batch, batch.records.at(-1)!.offset + 1);
        },
      },
    });
    const read: string[] = [];
    const reader = log.readPartitions({ topic: TOPIC, partitions: [0, 1], from: () => 'earliest', onRecords: (records) => { read.push(...records.map((record) => String(record.value))); } });
    await log.append(TOPIC, 0, [value('before')]);
    await waitUntil('both have the first', () => delivered.length === 1 && read.length === 1, DEADLINE_MS);
    await waitUntil('it is committed', async () => (await subscription.committed({ topic: TOPIC, partition: 0 })).offset === 1, DEADLINE_MS);

    await cluster.kill(1);
    // kafkajs stops its consumer when its retries have run out, about 20 s later.
    await waitUntil('the partitions are given up', () => events.includes('revoked 2'), DEADLINE_MS);
    expect(subscription.assigned()).toEqual([]);
    await expect(subscription.commit({ topic: TOPIC, partition: 0 }, 1)).rejects.toMatchObject({ code: 'partition_lost' });
    const during = log.append(TOPIC, 1, [value('during')]);
    await cluster.restart(1);
    expect(await during).toBe(0);
    await waitUntil('both have the second', () => delivered.includes('during') && read.includes('during'), DEADLINE_MS);
    expect(events).toEqual(['assigned 2', 'revoked 2', 'assigned 2']);
    expect(delivered).toEqual(['before', 'during']);
    await subscription.close();
    await reader.close();
  });
});
