import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { LogRecord, RecordLog, TopicDefinition } from '../../../src/ports/record-log.ts';
import { sharedKafka, whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { consumeForeign, produceForeign, whyNoLibrdkafka } from '../../support/engines/librdkafka.ts';
import { waitUntil } from '../../support/wait-until.ts';

const TOPIC = 'race-updates';
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const definition: TopicDefinition = { name: TOPIC, partitions: codecs.length + 1, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const prefix = `foreign-${randomUUID()}.`;

describe.skipIf(whyNoEngines() !== null || whyNoLibrdkafka() !== null)('beside librdkafka', { timeout: 120_000 }, () => {
  let brokers: string;
  let log: RecordLog;

  beforeAll(async () => {
    brokers = await sharedKafka();
    log = await openKafkaLog({ config: kafkaConfig([brokers]), topicPrefix: prefix, clientId: 'foreign', logger: quietLogger });
    await log.ensureTopics([definition]);
  });

  afterAll(async () => {
    await log.close();
  });

  // Long and alike enough that every codec does compress, long enough together for several snappy blocks.
  const sent = Array.from({ length: 300 }, (_, index) => ({ key: `race-${index}`, value: JSON.stringify({ race_id: `race-${index}`, title: 'cargo build --release '.repeat(20), progress: index % 100 }) }));

  it.each(codecs.map((codec, partition) => ({ codec, partition })))('a reader and a subscription take batches in $codec', async ({ codec, partition }) => {
    await produceForeign(brokers, prefix + TOPIC, partition, codec, sent);
    const read: LogRecord[] = [];
    const reader = log.readPartitions({ topic: TOPIC, partitions: [partition], from: () => 'earliest', onRecords: (records) => { read.push(...records); } });
    await reader.caughtUp;
    await reader.close();
    expect(read.map(pair)).toEqual(sent);

    const delivered: LogRecord[] = [];
    const subscription = await log.subscribe({
      group: `of-${codec}`, topics: [TOPIC],
      handler: {
        onAssigned: async () => {},
        onRevoked: async () => {},
        onBatch: async (batch) => { if (batch.partition === partition) delivered.push(...batch.records); },
      },
    });
    await waitUntil('all are delivered', () => delivered.length === sent.length, 60_000);
    await subscription.close();
    expect(delivered.map(pair)).toEqual(sent);
  });

  it('librdkafka reads what append() wrote: keys, tombstones and headers', async () => {
    const partition = codecs.length;
    const base = await log.append(TOPIC, partition, [
      { key: Buffer.from('a'), value: Buffer.from('1'), headers: [['origin', Buffer.from('p0')], ['origin', Buffer.from('p1')], ['empty', Buffer.alloc(0)]] },
      { key: Buffer.from('a'), value: null },
      { key: null, value: Buffer.from('3') },
    ]);
    expect(base).toBe(0);
    expect(await consumeForeign(brokers, prefix + TOPIC, partition, 3)).toEqual([
      { offset: 0, key: 'a', value: '1', headers: [['origin', 'p0'], ['origin', 'p1'], ['empty', '']] },
      { offset: 1, key: 'a', value: null, headers: [] },
      { offset: 2, key: null, value: '3', headers: [] },
    ]);
  });
});

function pair(record: LogRecord): { key: string | undefined; value: string | undefined } {
  return { key: record.key?.toString(), value: record.value?.toString() };
}
