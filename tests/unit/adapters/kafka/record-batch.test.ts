import { createRequire } from 'node:module';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../../src/adapters/kafka/crc32c.ts';
import { batchBytes, readRecords, writeBatch, type BatchContext, type BatchMessage, type BatchRecord } from '../../../../src/adapters/kafka/record-batch.ts';

type KafkajsRecord = { readonly offset: string; readonly timestamp: string; readonly key: Buffer | null; readonly value: Buffer | null; readonly headers: Record<string, Buffer | Buffer[]> };
type KafkajsBatch = BatchContext & { readonly records: readonly KafkajsRecord[] };

const load = createRequire(import.meta.url);
const Decoder = load('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object;
const decodeByKafkajs = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<KafkajsBatch>;
const encodeRecordByKafkajs = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object;
const { RecordBatch: encodeByKafkajs } = load('kafkajs/src/protocol/recordBatch/v0') as { RecordBatch(options: object): Promise<{ readonly buffer: Buffer }> };
const crcByKafkajs = load('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;

const bytes = fc.tuple(fc.oneof(fc.nat(300), fc.integer({ min: 8_000, max: 9_000 })), fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, Buffer.from([byte, 7, 200])));
// Of a header named like what every object has (toString), kafkajs reads that as an earlier value.
const name = fc.string({ unit: 'binary', maxLength: 70 }).filter((text) => text.isWellFormed() && !(text in Object.prototype));
const headers = fc.dictionary(name, fc.oneof(bytes, fc.array(bytes, { minLength: 1, maxLength: 3 })), { maxKeys: 3 });
const message: fc.Arbitrary<BatchMessage> = fc.record({ key: fc.option(bytes), value: fc.option(bytes), headers: fc.option(headers, { nil: undefined }) });
const batch = fc.array(message, { minLength: 1, maxLength: 70 });
const options = { producerId: 7_000_000_001n, producerEpoch: 3, firstSequence: 2_000_000_000, timestampMs: 1_790_000_000_123 };

/** Quicker to compare than buffers, byte by byte. */
function asText({ offset, timestamp, key, value, headers: some }: KafkajsRecord | BatchRecord): string {
  const hex = (content: Buffer | null): string => content?.toString('hex') ?? 'null';
  return JSON.stringify([offset, timestamp, hex(key), hex(value), Object.entries(some).map(([header, contents]) => [header, Array.isArray(contents) ? contents.map(hex) : hex(contents)])]);
}

function written(messages: readonly BatchMessage[]): Buffer {
  const buffer = Buffer.alloc(batchBytes(messages) + 3, 0xee);
  expect(writeBatch(buffer, 3, messages, options)).toBe(buffer.length);
  return buffer.subarray(3);
}

describe('record batches', () => {
  it('are byte for byte those that kafkajs writes', async () => {
    await fc.assert(fc.asyncProperty(batch, async (messages) => {
      const { producerId, producerEpoch, firstSequence, timestampMs } = options;
      const theirs = await encodeByKafkajs({
        records: messages.map((one, offsetDelta) => encodeRecordByKafkajs({ ...one, offsetDelta, timestampDelta: 0 })),
        firstTimestamp: timestampMs, maxTimestamp: timestampMs, producerId: producerId.toString(), producerEpoch, firstSequence, lastOffsetDelta: messages.length - 1,
      });
      expect(written(messages).equals(theirs.buffer)).toBe(true);
    }), { numRuns: 50 });
  });

  it('are read as kafkajs reads them', async () => {
    await fc.assert(fc.asyncProperty(batch, fc.integer({ min: 0, max: 2 ** 52 }), async (messages, firstOffset) => {
      const buffer = written(messages);
      buffer.writeBigInt64BE(BigInt(firstOffset));
      const { records, ...context } = await decodeByKafkajs(new Decoder(buffer));
      const ours = readRecords(buffer, 61, messages.length, { ...context, magicByte: 2 });
      expect(ours.map(asText)).toEqual(records.map(asText));
    }), { numRuns: 50 });
  });

  it('that claim more than there is are an error, however they are cut', () => {
    const buffer = written([{ key: Buffer.from('key'), value: Buffer.alloc(200, 1), headers: { name: Buffer.from('content') } }]);
    const context = { firstOffset: '0', firstTimestamp: '0', maxTimestamp: '0', timestampType: 1, magicByte: 2, isControlBatch: false } as BatchContext;
    expect(readRecords(buffer, 61, 1, context)).toHaveLength(1);
    for (let end = 61; end < buffer.length; end += 1) expect(() => readRecords(buffer.subarray(0, end), 61, 1, context)).toThrow(RangeError);
  });
});

it('crc32c is that of RFC 3720 and of kafkajs, from any byte to any other', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  fc.assert(fc.property(bytes, fc.nat(20), (some, skipped) => {
    const start = Math.min(skipped, some.length);
    expect(crc32c(some, start)).toBe(crcByKafkajs(some.subarray(start)));
  }));
});
