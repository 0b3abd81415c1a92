import { createRequire } from 'node:module';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { installFastBatches } from '../../../../src/adapters/kafka/fast-batches.ts';

type Encoder = { readonly buffer: Buffer; writeInt32(value: number): Encoder; writeEncoder(value: unknown): Encoder };
type Request = { encode(): Promise<Encoder>; readonly apiVersion: number };
type Message = { readonly offset: string; readonly value: Buffer | null; readonly headers: object };

const load = createRequire(import.meta.url);
const encodeByKafkajs = load('kafkajs/src/protocol/requests/produce/v3/request') as (options: object) => Request;
const encodeRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object;
const { RecordBatch } = load('kafkajs/src/protocol/recordBatch/v0') as { RecordBatch(options: object): Promise<Encoder> };
const Decoder = load('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object;
const NewEncoder = load('kafkajs/src/protocol/encoder') as new () => Encoder;
installFastBatches();
const encodeV7 = load('kafkajs/src/protocol/requests/produce/v7/request') as (options: object) => Request;
const decodeMessages = load('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (decoder: object) => Promise<Message[]>;

const GZIP = 1;
const options = { acks: -1, timeout: 15_000, producerId: '123456789012', producerEpoch: 2 };
const messages = [
  { key: Buffer.from('a'), value: Buffer.from('first') },
  { key: null, value: null, headers: { name: Buffer.from('content'), other: [Buffer.from('1'), Buffer.from('2')] } },
];

async function batch(firstOffset: number, values: readonly string[], compression = 0): Promise<Buffer> {
  const records = values.map((value, offsetDelta) => encodeRecord({ key: Buffer.from('k'), value: Buffer.from(value), offsetDelta }));
  return (await RecordBatch({ records, firstOffset, lastOffsetDelta: records.length - 1, compression })).buffer;
}

async function decode(bytes: Buffer): Promise<string[]> {
  const fetched = Buffer.concat([Buffer.alloc(4), bytes]);
  fetched.writeInt32BE(bytes.length);
  return (await decodeMessages(new Decoder(fetched))).map(({ offset, value }) => `${offset} ${value?.toString()}`);
}

afterEach(() => {
  vi.useRealTimers();
});

describe('installFastBatches', () => {
  it('writes the request that kafkajs writes, with every topic and partition in it', async () => {
    vi.useFakeTimers({ now: 1_790_000_000_000, toFake: ['Date'] });
    const topicData = [
      { topic: 'one', partitions: [{ partition: 3, firstSequence: 40, messages }, { partition: 4, firstSequence: 0, messages: messages.slice(1) }] },
      { topic: 'ünother', partitions: [{ partition: 0, firstSequence: 7, messages: messages.slice(0, 1) }] },
    ];
    const request = encodeV7({ ...options, topicData });
    expect(request.apiVersion).toBe(7);
    const theirs = (await encodeByKafkajs({ ...options, topicData }).encode()).buffer;
    const ours = await request.encode();
    expect(ours.buffer.toString('hex')).toBe(theirs.toString('hex'));
    // As the connection frames it.
    expect(new NewEncoder().writeInt32(9).writeEncoder(ours).buffer.subarray(4).equals(theirs)).toBe(true);
  });

  it('leaves to kafkajs what is compressed, transactional, stamped or text', async () => {
    vi.useFakeTimers({ now: 1_790_000_000_000, toFake: ['Date'] });
    const of = (some: readonly object[]) => [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages: some }] }];
    for (const special of [
      { compression: GZIP, topicData: of(messages) }, { transactionalId: 'tx', topicData: of(messages) },
      { topicData: of([{ key: 'text', value: 'text' }]) }, { topicData: of([{ value: Buffer.from('v'), timestamp: '1500000000000' }]) }, { topicData: of([{ value: Buffer.from('v'), headers: { name: 'text' } }]) },
    ]) {
      const [ours, theirs] = [await encodeV7({ ...options, ...special }).encode(), await encodeByKafkajs({ ...options, ...special }).encode()];
      expect(ours.buffer.toString('hex')).toBe(theirs.buffer.toString('hex'));
    }
  });

  it('reads batches one after another, compressed ones among them, up to one that was cut off', async () => {
    const [plain, zipped, last] = [await batch(10, ['a', 'b']), await batch(12, ['c'], GZIP), await batch(13, ['d', 'e'])];
    expect(await decode(Buffer.concat([plain, zipped, last]))).toEqual(['10 a', '11 b', '12 c', '13 d', '14 e']);
    for (const kept of [10, 50, 60, 61, last.length - 1]) expect(await decode(Buffer.concat([plain, zipped, last.subarray(0, kept)]))).toEqual(['10 a', '11 b', '12 c']);
  });
});
