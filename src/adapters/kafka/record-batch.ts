import { crc32c } from './crc32c.ts';

// Record batches of Kafka (format 2) to bytes and back, each in one pass over one buffer.

/** A record to write: bytes as they are, in kafkajs's shape of headers. */
export type BatchMessage = {
  readonly key?: Buffer | null | undefined;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | readonly Buffer[]>> | undefined;
};

export type BatchOptions = {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the first record in the producer's sequence for the partition. */
  readonly firstSequence: number;
  readonly timestampMs: number;
};

/** What stands before the first record: the base offset up to and with the number of records. */
const HEAD_BYTES = 61;
const LENGTH_AT = 8;
const EPOCH_AT = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const MAGIC = 2;

/** How many bytes the records take as a batch, its head included. */
export function batchBytes(messages: readonly BatchMessage[]): number {
  let bytes = HEAD_BYTES;
  for (const [index, message] of messages.entries()) {
    const body = bodyBytes(message, index);
    bytes += varintBytes(body) + body;
  }
  return bytes;
}

/** Writes an uncompressed batch into `buffer` at `at`, where `batchBytes` must be free; returns the first byte behind it. */
export function writeBatch(buffer: Buffer, at: number, messages: readonly BatchMessage[], { producerId, producerEpoch, firstSequence, timestampMs }: BatchOptions): number {
  let position = at + HEAD_BYTES;
  for (const [index, message] of messages.entries()) position = writeRecord(buffer, position, message, index);
  const timestamp = BigInt(timestampMs);
  buffer.writeBigInt64BE(0n, at);
  buffer.writeInt32BE(position - at - EPOCH_AT, at + LENGTH_AT);
  buffer.writeInt32BE(0, at + EPOCH_AT);
  buffer.writeInt8(MAGIC, at + MAGIC_AT);
  buffer.writeInt16BE(0, at + ATTRIBUTES_AT);
  buffer.writeInt32BE(messages.length - 1, at + 23);
  buffer.writeBigInt64BE(timestamp, at + 27);
  buffer.writeBigInt64BE(timestamp, at + 35);
  buffer.writeBigInt64BE(producerId, at + 43);
  buffer.writeInt16BE(producerEpoch, at + 51);
  buffer.writeInt32BE(firstSequence, at + 53);
  buffer.writeInt32BE(messages.length, at + 57);
  buffer.writeUInt32BE(crc32c(buffer, at + ATTRIBUTES_AT, position), at + CRC_AT);
  return position;
}

function bodyBytes({ key, value, headers }: BatchMessage, index: number): number {
  let bytes = 2 + varintBytes(index) + bytesBytes(key) + bytesBytes(value);
  let count = 0;
  if (headers !== undefined) {
    for (const name in headers) {
      const values = headers[name]!;
      const nameBytes = Buffer.byteLength(name);
      for (const content of Buffer.isBuffer(values) ? [values] : values) {
        count += 1;
        bytes += varintBytes(nameBytes) + nameBytes + bytesBytes(content);
      }
    }
  }
  return bytes + varintBytes(count);
}

function writeRecord(buffer: Buffer, at: number, message: BatchMessage, index: number): number {
  const { key, value, headers } = message;
  let position = writeVarint(buffer, at, bodyBytes(message, index));
  // Attributes, and all of a batch are stamped alike.
  buffer[position++] = 0;
  buffer[position++] = 0;
  position = writeVarint(buffer, position, index);
  position = writeBytes(buffer, position, key);
  position = writeBytes(buffer, position, value);
  if (headers === undefined) {
    buffer[position++] = 0;
    return position;
  }
  let count = 0;
  for (const name in headers) count += Buffer.isBuffer(headers[name]) ? 1 : headers[name]!.length;
  position = writeVarint(buffer, position, count);
  for (const name in headers) {
    const values = headers[name]!;
    for (const content of Buffer.isBuffer(values) ? [values] : values) {
      position = writeVarint(buffer, position, Buffer.byteLength(name));
      position += buffer.write(name, position);
      position = writeBytes(buffer, position, content);
    }
  }
  return position;
}

function bytesBytes(bytes: Buffer | null | undefined): number {
  return bytes === null || bytes === undefined ? 1 : varintBytes(bytes.length) + bytes.length;
}

function writeBytes(buffer: Buffer, at: number, bytes: Buffer | null | undefined): number {
  if (bytes === null || bytes === undefined) {
    buffer[at] = 1;
    return at + 1;
  }
  const position = writeVarint(buffer, at, bytes.length);
  buffer.set(bytes, position);
  return position + bytes.length;
}

/** Of a number that is not negative: a zigzag varint. */
function varintBytes(value: number): number {
  return value < 0x40 ? 1 : value < 0x2000 ? 2 : value < 0x10_0000 ? 3 : value < 0x800_0000 ? 4 : 5;
}

function writeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = (value << 1) >>> 0;
  let position = at;
  while (rest > 0x7f) {
    buffer[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[position++] = rest;
  return position;
}

/** What all records of a batch that was read have in common; numbers beyond 32 bits as kafkajs has them, in text. */
export type BatchContext = {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  /** 0 = the producer stamped the records, 1 = the log. */
  readonly timestampType: number;
  readonly magicByte: number;
};

/** A record as kafkajs decodes it. */
export type BatchRecord = {
  readonly magicByte: number;
  readonly attributes: number;
  readonly timestamp: string;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | null | (Buffer | null)[]>>;
  readonly isControlRecord: boolean;
  readonly batchContext: BatchContext;
};

const NO_HEADERS: BatchRecord['headers'] = Object.freeze({});

/**
 * Reads `count` records from the bytes behind a batch's head, decompressed. Keys and values are views of `bytes`.
 * Throws a RangeError where the bytes end too soon.
 */
export function readRecords(bytes: Buffer, start: number, count: number, context: BatchContext): BatchRecord[] {
  const cursor: Cursor = { bytes, at: start };
  const firstOffset = Number(context.firstOffset);
  const firstTimestamp = Number(context.firstTimestamp);
  const records: BatchRecord[] = [];
  for (let i = 0; i < count; i += 1) {
    const length = readVarint(cursor);
    const end = cursor.at + length;
    if (length < 0 || end > bytes.length) throw new RangeError(`A record of ${length} bytes, ${bytes.length - cursor.at} are left`);
    const attributes = bytes[cursor.at]!;
    cursor.at += 1;
    const timestampDelta = readVarint(cursor);
    const offsetDelta = readVarint(cursor);
    const key = readBytes(cursor);
    const value = readBytes(cursor);
    records.push({
      magicByte: context.magicByte, attributes,
      timestamp: context.timestampType === 1 ? context.maxTimestamp : String(firstTimestamp + timestampDelta),
      offset: String(firstOffset + offsetDelta), key, value, headers: readHeaders(cursor),
      isControlRecord: context.isControlBatch, batchContext: context,
    });
    cursor.at = end;
  }
  return records;
}

type Cursor = { readonly bytes: Buffer; at: number };

function readHeaders(cursor: Cursor): BatchRecord['headers'] {
  const count = readVarint(cursor);
  if (count <= 0) return NO_HEADERS;
  const headers: Record<string, Buffer | null | (Buffer | null)[]> = {};
  for (let i = 0; i < count; i += 1) {
    const name = readBytes(cursor)?.toString('utf8') ?? '';
    const value = readBytes(cursor);
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    const joined = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
    // An assignment to this one name would set the prototype instead of a key.
    if (name === '__proto__') Object.defineProperty(headers, name, { value: joined, enumerable: true, writable: true, configurable: true });
    else headers[name] = joined;
  }
  return headers;
}

function readBytes(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor);
  if (length < 0) return null;
  const end = cursor.at + length;
  if (end > cursor.bytes.length) throw new RangeError(`${length} bytes claimed, ${cursor.bytes.length - cursor.at} are left`);
  const read = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return read;
}

/** A zigzag varint of up to 64 bits; exact up to 2^53, as far as offsets and times go. */
function readVarint(cursor: Cursor): number {
  const { bytes } = cursor;
  let byte = bytes[cursor.at++];
  if (byte === undefined) throw new RangeError('The bytes end within a number');
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
  let value = byte & 0x7f;
  let factor = 0x80;
  do {
    byte = bytes[cursor.at++];
    if (byte === undefined || factor > 2 ** 63) throw new RangeError('The bytes end within a number');
    value += (byte & 0x7f) * factor;
    factor *= 0x80;
  } while (byte >= 0x80);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
