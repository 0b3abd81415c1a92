import { createRequire } from 'node:module';
import { assert } from '../../errors.ts';
import { batchBytes, readRecords, writeBatch, type BatchContext, type BatchMessage, type BatchRecord } from './record-batch.ts';

type Encoded = { readonly buf: Buffer; readonly buffer: Buffer; size(): number };
type Request = { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string; expectResponse(): boolean; encode(): Promise<Encoded> };
type ProduceOptions = {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null;
  readonly producerId?: { toString(): string };
  readonly producerEpoch?: number;
  readonly compression?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly ProducePartition[] }[];
};
type ProducePartition = { readonly partition: number; readonly firstSequence?: number; readonly messages: readonly (BatchMessage & { readonly timestamp?: string })[] };
type ProduceRequest = (options: ProduceOptions) => Request;

/** kafkajs's cursor over a fetched answer. */
type Decoder = { readonly buffer: Buffer; readonly offset: number; forward(length: number): void };
type DecodedBatch = BatchContext & { readonly records: readonly BatchRecord[] };
type BatchDecoder = (fetched: Decoder) => Promise<DecodedBatch>;

const PRODUCE_REQUEST = 'kafkajs/src/protocol/requests/produce/v3/request';
const BATCH_DECODER = 'kafkajs/src/protocol/recordBatch/v0/decoder';
const HEAD_BYTES = 61;
/** Of a batch's length: it counts what stands behind it. */
const LENGTH_AT = 8;
const UNCOUNTED_BYTES = 12;
const CODEC_MASK = 0x07;
const BY_LOG_MASK = 0x08;
const TRANSACTION_MASK = 0x10;
const CONTROL_MASK = 0x20;

let installed = false;

/**
 * Makes kafkajs 2.2.4 write and read record batches in one pass: by itself it makes half a dozen buffers for each record,
 * and was a third of what an update cost. What is not plain (compression, transactions, own timestamps) goes the way it
 * went. kafkajs loads these parts with its first request; one that has sent before keeps its own. Process-wide, idempotent.
 */
export function installFastBatches(): void {
  if (installed) return;
  installed = true;
  const load = createRequire(import.meta.url);
  const replace = <T>(path: string, make: (original: T) => T): void => {
    const original = load(path) as T;
    assert(typeof original === 'function', `kafkajs is the version whose ${path} is known`);
    const loaded = load.cache[load.resolve(path)];
    assert(loaded !== undefined, `${path} is in the cache of modules`);
    loaded.exports = make(original);
  };
  replace<ProduceRequest>(PRODUCE_REQUEST, (original) => (options) => {
    const request = original(options);
    return isPlain(options) ? { ...request, encode: async () => encodeProduce(options) } : request;
  });
  replace<BatchDecoder>(BATCH_DECODER, (original) => (fetched) => decodeBatch(fetched, original));
}

function isPlain({ transactionalId = null, compression = 0, topicData }: ProduceOptions): boolean {
  return transactionalId === null && (compression & CODEC_MASK) === 0
    && topicData.every(({ partitions }) => partitions.every(({ messages }) => messages.every(isPlainMessage)));
}

function isPlainMessage({ key, value, headers, timestamp }: ProducePartition['messages'][number]): boolean {
  if (timestamp !== undefined || !(value === null || Buffer.isBuffer(value)) || !(key === null || key === undefined || Buffer.isBuffer(key))) return false;
  if (headers === undefined) return true;
  for (const name in headers) {
    const values = headers[name];
    if (!(Array.isArray(values) ? values.every((one) => Buffer.isBuffer(one)) : Buffer.isBuffer(values))) return false;
  }
  return true;
}

/** ProduceRequest 3 to 7: transactional_id acks timeout [topic [partition record_set]]. */
function encodeProduce({ acks, timeout, producerId = '-1', producerEpoch = 0, topicData }: ProduceOptions): Encoded {
  const sizes = topicData.map(({ partitions }) => partitions.map(({ messages }) => batchBytes(messages)));
  let bytes = 12;
  for (const [i, { topic }] of topicData.entries()) {
    bytes += 2 + Buffer.byteLength(topic) + 4;
    for (const size of sizes[i]!) bytes += 8 + size;
  }
  const buffer = Buffer.allocUnsafe(bytes);
  buffer.writeInt16BE(-1, 0);
  buffer.writeInt16BE(acks, 2);
  buffer.writeInt32BE(timeout, 4);
  buffer.writeInt32BE(topicData.length, 8);
  let at = 12;
  const timestampMs = Date.now();
  const id = BigInt(producerId.toString());
  for (const [i, { topic, partitions }] of topicData.entries()) {
    const topicBytes = buffer.write(topic, at + 2);
    buffer.writeInt16BE(topicBytes, at);
    at += 2 + topicBytes;
    buffer.writeInt32BE(partitions.length, at);
    at += 4;
    for (const [j, { partition, messages, firstSequence = 0 }] of partitions.entries()) {
      buffer.writeInt32BE(partition, at);
      buffer.writeInt32BE(sizes[i]![j]!, at + 4);
      at = writeBatch(buffer, at + 8, messages, { producerId: id, producerEpoch, firstSequence, timestampMs });
    }
  }
  assert(at === bytes, `a request takes the ${bytes} bytes that were counted, got ${at}`);
  return { buf: buffer, buffer, size: () => bytes };
}

async function decodeBatch(fetched: Decoder, original: BatchDecoder): Promise<DecodedBatch> {
  const { buffer, offset: at } = fetched;
  const left = buffer.length - at;
  const length = left < HEAD_BYTES ? 0 : buffer.readInt32BE(at + LENGTH_AT);
  const end = at + UNCOUNTED_BYTES + length;
  // What was cut off or is compressed needs what kafkajs knows of it.
  if (length < HEAD_BYTES - UNCOUNTED_BYTES || end > buffer.length) return original(fetched);
  const attributes = buffer.readInt16BE(at + 21);
  if ((attributes & CODEC_MASK) !== 0) return original(fetched);
  const context: BatchContext = {
    firstOffset: buffer.readBigInt64BE(at).toString(),
    firstTimestamp: buffer.readBigInt64BE(at + 27).toString(),
    partitionLeaderEpoch: buffer.readInt32BE(at + 12),
    inTransaction: (attributes & TRANSACTION_MASK) !== 0,
    isControlBatch: (attributes & CONTROL_MASK) !== 0,
    lastOffsetDelta: buffer.readInt32BE(at + 23),
    producerId: buffer.readBigInt64BE(at + 43).toString(),
    producerEpoch: buffer.readInt16BE(at + 51),
    firstSequence: buffer.readInt32BE(at + 53),
    maxTimestamp: buffer.readBigInt64BE(at + 35).toString(),
    timestampType: (attributes & BY_LOG_MASK) === 0 ? 0 : 1,
    magicByte: buffer.readInt8(at + 16),
  };
  fetched.forward(UNCOUNTED_BYTES + length);
  return { ...context, records: readRecords(buffer.subarray(0, end), at + HEAD_BYTES, buffer.readInt32BE(at + 57), context) };
}
