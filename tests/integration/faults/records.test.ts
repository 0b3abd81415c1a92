import kafkajs, { type Admin, type CompressionTypes, type Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../../src/adapters/kafka/client.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { openCampaign, type Campaign } from '../../support/faults/campaign.ts';
import { report } from '../../support/faults/report.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const MEGABYTE = 1_048_576;

describe.skipIf(whyNoEngines() !== null)('a service that is sent records nobody should send', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory();
  let kafka: KafkaSetting;
  let client: Kafka;
  let admin: Admin;
  let service: RunningService;
  let campaign: Campaign;
  let topic = '';

  beforeAll(async () => {
    kafka = await kafkaSetting();
    topic = `${kafka.prefix}race-updates`;
    client = createClient(kafkaConfig([kafka.broker]), 'foreign', quietLogger);
    admin = client.admin();
    await admin.connect();
    service = await startService({ ...kafka.env, RACELINE_DATA_DIR: directory.path });
    campaign = openCampaign({ url: () => service.url, partitions: kafka.partitions, endOffset: kafka.endOffset });
  }, 120_000);

  afterAll(async () => {
    await service?.kill();
    await admin?.disconnect();
    directory.remove();
  });

  test('poison on every partition goes to dead-letters, each once, and the rest goes on', async () => {
    await campaign.endure({
      name: 'Poison: random bytes, half JSON and a frame cut short on every partition',
      async act({ ledger }) {
        const poison = [Buffer.from([0xff, 0xfe, 0, 0x13, 0x37]), Buffer.from('{"race_id": "half", '), Buffer.from([0, 0, 0, 0, 1])];
        for (let partition = 0; partition < kafka.partitions; partition++) {
          const keys = poison.map((_, index) => keyOn(partition, `poison-${index}`));
          await produce(poison.map((value, index) => ({ partition, key: keys[index] ?? '', value })));
        }
        const count = poison.length * kafka.partitions;
        ledger.refused += count;
        await haveDeadLetters('undecodable', count);
        return `${count} dead letters (undecodable), each once`;
      },
    });
  });

  test('a record over 900 KB, which the broker takes, holds up nobody: on its partition and on another one', async () => {
    await campaign.endure({
      name: 'A record of 950 KB, which the broker takes and an append of ours would not, on the right and on a wrong partition',
      async act({ ledger }) {
        const key = keyOn(0, 'large');
        await produce([{ partition: 0, key, value: large(key, 950_000) }, { partition: 1, key, value: large(key, 950_000) }]);
        ledger.refused += 2;
        const letters = await haveDeadLetters('record_too_large', 2);
        expect(letters.map(({ key: found, bytes, value }) => [found, bytes, value])).toEqual([[key, 0, null], [key, 0, null]]);
        return 'dead letters (record_too_large) that say where the bytes are, without them';
      },
    });
  });

  test('5 MB: the broker refuses it; where the topic allows it, it holds up nobody', async () => {
    const key = keyOn(2, 'huge');
    const value = large(key, 5 * MEGABYTE);
    await expect(produce([{ partition: 2, key, value }])).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'max.message.bytes', value: String(8 * MEGABYTE) }, { name: 'message.timestamp.type', value: 'LogAppendTime' }] }] });
    await campaign.endure({
      name: 'A record of 5 MB',
      async act({ ledger }) {
        await waitUntil('the broker takes it', async () => {
          await produce([{ partition: 2, key, value }]);
          return true;
        });
        ledger.refused += 1;
        await haveDeadLetters('record_too_large', 3);
        return 'refused by the broker (MESSAGE_TOO_LARGE); where max.message.bytes lets it in: a dead letter (record_too_large)';
      },
    });
  });

  test('an unknown codec and a batch that is not what its codec says are refused by the broker: no consumer ever sees them', async () => {
    const CompressionCodecs: Record<number, unknown> = kafkajs.CompressionCodecs;
    const before = await admin.fetchTopicOffsets(topic);
    const record = [{ partition: 0, key: keyOn(0, 'codec'), value: Buffer.from('{}') }];
    for (const type of [5, 7]) {
      CompressionCodecs[type] = () => ({ compress: async ({ buffer }: { buffer: Buffer }) => buffer, decompress: async (buffer: Buffer) => buffer });
      await expect(produce(record, type as CompressionTypes)).rejects.toThrow();
      delete CompressionCodecs[type];
    }
    const honest = CompressionCodecs[kafkajs.CompressionTypes.GZIP];
    CompressionCodecs[kafkajs.CompressionTypes.GZIP] = () => ({ compress: async () => Buffer.from('no gzip at all'), decompress: async (buffer: Buffer) => buffer });
    try {
      await expect(produce(record, kafkajs.CompressionTypes.GZIP)).rejects.toThrow();
    } finally {
      CompressionCodecs[kafkajs.CompressionTypes.GZIP] = honest;
    }
    expect(await admin.fetchTopicOffsets(topic)).toEqual(before);
    report({ fault: 'Unknown codec (5, 7), and gzip that is none', seen: 'refused by the broker, so that no consumer sees it; gzip, snappy, lz4 and zstd are read', etaMs: null, historyMs: null, audit: 'offsets unmoved' });
  });

  async function produce(records: readonly { partition: number; key: string; value: Buffer }[], compression: CompressionTypes = kafkajs.CompressionTypes.None): Promise<void> {
    const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, retry: { retries: 0 } });
    await producer.connect();
    try {
      await producer.send({ topic, messages: [...records], compression, acks: -1 });
    } finally {
      await producer.disconnect();
    }
  }

  type Letter = { readonly code: string; readonly key: string; readonly value: string | null; readonly bytes: number; readonly topic: string; readonly partition: number; readonly offset: number };

  async function haveDeadLetters(code: string, count: number): Promise<Letter[]> {
    const list = async (): Promise<Letter[]> => (await (await fetch(`${service.url}/v1/dead-letters?code=${code}&limit=1000`)).json() as { items: Letter[] }).items;
    await waitUntil(`${count} dead letters with ${code}`, async () => (await list()).length >= count, 60_000);
    const letters = await list();
    expect(letters.length).toBe(count);
    expect(new Set(letters.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(count);
    return letters;
  }

  function keyOn(partition: number, name: string): string {
    for (let n = 0; ; n++) if (partitionOf(`${name}-${n}`, kafka.partitions) === partition) return `${name}-${n}`;
  }
});

/** A good update but for its size, which is all in a field that no schema knows. */
function large(raceId: string, bytes: number): Buffer {
  return Buffer.from(JSON.stringify({ race_id: raceId, source: 'fleet/large', title: 'large', at: Date.now(), log: 'x'.repeat(bytes) }));
}
