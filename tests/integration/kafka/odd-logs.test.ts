import { randomUUID } from 'node:crypto';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { LogRecord, RecordLog, TopicDefinition } from '../../../src/ports/record-log.ts';
import { sharedKafka, whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { waitUntil } from '../../support/wait-until.ts';

const TOPIC = 'race-updates';
const definition: TopicDefinition = { name: TOPIC, partitions: 4, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const prefix = `odd-${randomUUID()}.`;
const [ABORTED, TRUNCATED, AHEAD] = [0, 1, 2];

describe.skipIf(whyNoEngines() !== null)('logs that are not just records', { timeout: 60_000 }, () => {
  let kafka: Kafka;
  let admin: Admin;
  let log: RecordLog;

  beforeAll(async () => {
    const broker = await sharedKafka();
    log = await openKafkaLog({ config: kafkaConfig([broker]), topicPrefix: prefix, clientId: 'odd', logger: quietLogger });
    await log.ensureTopics([definition]);
    kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING });
    admin = kafka.admin();
    await admin.connect();
  });

  afterAll(async () => {
    await log.close();
    await admin.disconnect();
  });

  async function readAll(partition: number, from: number | 'earliest'): Promise<LogRecord[]> {
    const read: LogRecord[] = [];
    const reader = log.readPartitions({ topic: TOPIC, partitions: [partition], from: () => from, onRecords: (records) => { read.push(...records); } });
    await reader.caughtUp;
    await reader.close();
    return read;
  }

  it('aborted transactions stay unseen and a tail of control records does not keep a reader from catching up', async () => {
    const producer = kafka.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, idempotent: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    for (const [value, outcome] of [['a', 'commit'], ['b', 'abort'], ['c', 'commit'], ['d', 'abort']] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: prefix + TOPIC, messages: [{ partition: ABORTED, value }] });
      await transaction[outcome]();
    }
    await producer.disconnect();
    expect((await readAll(ABORTED, 'earliest')).map((record) => record.value?.toString())).toEqual(['a', 'c']);

    const delivered: string[] = [];
    const subscription = await log.subscribe({
      group: 'aborted', topics: [TOPIC],
      handler: {
        onAssigned: async () => {},
        onRevoked: async () => {},
        onBatch: async (batch) => { if (batch.partition === ABORTED) delivered.push(...batch.records.map((record) => String(record.value))); },
      },
    });
    await waitUntil('the committed ones are delivered', () => delivered.length === 2);
    await log.append(TOPIC, ABORTED, [{ key: null, value: Buffer.from('e') }]);
    await waitUntil('the one behind the control records is delivered', () => delivered.length === 3);
    expect(delivered).toEqual(['a', 'c', 'e']);
    await subscription.close();
  });

  it('a group whose committed offset was deleted goes on at the earliest, and readers start there too', async () => {
    const value = (text: string): { key: null; value: Buffer } => ({ key: null, value: Buffer.from(text) });
    await log.append(TOPIC, TRUNCATED, ['a', 'b', 'c', 'd'].map(value));
    const first = await log.subscribe({ group: 'truncated', topics: [TOPIC], handler: { onAssigned: async () => {}, onRevoked: async () => {}, onBatch: async () => {} } });
    // A partition that is assigned takes commits once its position is known.
    await waitUntil('the commit', () => first.commit({ topic: TOPIC, partition: TRUNCATED }, 1).then(() => true));
    await first.close();
    // kafkajs looks for the leader without asking for metadata first.
    await admin.fetchTopicOffsets(prefix + TOPIC);
    await admin.deleteTopicRecords({ topic: prefix + TOPIC, partitions: [{ partition: TRUNCATED, offset: '3' }] });

    const delivered: LogRecord[] = [];
    const second = await log.subscribe({
      group: 'truncated', topics: [TOPIC],
      handler: { onAssigned: async () => {}, onRevoked: async () => {}, onBatch: async (batch) => { if (batch.partition === TRUNCATED) delivered.push(...batch.records); } },
    });
    await waitUntil('the rest', () => delivered.length > 0);
    expect(delivered.map((record) => record.offset)).toEqual([3]);
    await second.close();
    expect((await readAll(TRUNCATED, 0)).map((record) => record.offset)).toEqual([3]);
  });

  it('a reader that starts beyond the end waits for its first offset', async () => {
    await log.append(TOPIC, AHEAD, [{ key: null, value: Buffer.from('0') }]);
    const read: number[] = [];
    const reader = log.readPartitions({ topic: TOPIC, partitions: [AHEAD], from: () => 3, onRecords: (records) => { read.push(...records.map((record) => record.offset)); } });
    await reader.caughtUp;
    for (let offset = 1; offset <= 4; offset += 1) await log.append(TOPIC, AHEAD, [{ key: null, value: Buffer.from(String(offset)) }]);
    await waitUntil('the first wanted', () => read.length === 2);
    expect(read).toEqual([3, 4]);
    await reader.close();
  });

  it('a reader of many full partitions hands over all of them, though a fetch has room for a few', async () => {
    const partitions = Array.from({ length: 16 }, (_, partition) => partition);
    await log.ensureTopics([{ ...definition, name: 'race-states', partitions: partitions.length }]);
    const value = Buffer.alloc(400 * 1024);
    const rounds = [0, 1, 2];
    for (const round of rounds) await Promise.all(partitions.map((partition) => log.append('race-states', partition, [{ key: Buffer.from(`${round}`), value }, { key: null, value }])));
    const offsets = partitions.map((): number[] => []);
    const reader = log.readPartitions({ topic: 'race-states', partitions, from: () => 'earliest', onRecords: (records) => { for (const one of records) offsets[one.partition]?.push(one.offset); } });
    await reader.caughtUp;
    expect(offsets).toEqual(partitions.map(() => [0, 1, 2, 3, 4, 5]));
    await reader.close();
  });

  it('a topic that does not exist is said to be missing', async () => {
    const reader = log.readPartitions({ topic: 'telemetry', partitions: [0], from: () => 'earliest', onRecords: () => {} });
    await expect(reader.caughtUp).rejects.toMatchObject({ code: 'not_found' });
    await expect(reader.done).rejects.toMatchObject({ code: 'not_found' });
    await expect(log.partitionCount('telemetry')).rejects.toMatchObject({ code: 'not_found' });
  });
});
