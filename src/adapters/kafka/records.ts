import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { Headers, LogRecord, NewRecord } from '../../ports/record-log.ts';

/** Plain names, without the prefix. */
export type TopicName = LogRecord['topic'];

const noHeaders: Headers = [];
const empty = Buffer.alloc(0);

/** A record as kafkajs hands it over, as ours. Headers of one name keep their order; across names it is the first seen. */
export function toLogRecord(topic: TopicName, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key,
    value: message.value,
    headers: toHeaders(message.headers),
    appendedAtMs: Number(message.timestamp),
  };
}

function toHeaders(headers: IHeaders | undefined): Headers {
  if (headers === undefined) return noHeaders;
  let found: [string, Buffer][] | undefined;
  for (const name in headers) {
    const values = headers[name];
    found ??= [];
    for (const value of Array.isArray(values) ? values : [values]) found.push([name, toBytes(value)]);
  }
  return found ?? noHeaders;
}

function toBytes(value: Buffer | string | null | undefined): Buffer {
  if (value === null || value === undefined) return empty;
  return typeof value === 'string' ? Buffer.from(value) : value;
}

/** A record of ours as kafkajs takes it; the partition is always said, so that no retry can choose another. */
export function toMessage(partition: number, { key, value, headers }: NewRecord): Message {
  if (headers === undefined || headers.length === 0) return { partition, key, value };
  // All states of a slice say the same of who wrote them.
  if (headers !== last.headers) last = { headers, written: toKafkaHeaders(headers) };
  return { partition, key, value, headers: last.written };
}

let last: { readonly headers: Headers; readonly written: IHeaders } = { headers: noHeaders, written: {} };

function toKafkaHeaders(headers: Headers): IHeaders {
  const written: Record<string, Buffer | Buffer[]> = Object.create(null);
  for (const [name, value] of headers) {
    const before = written[name];
    if (before === undefined) written[name] = value;
    else written[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return written;
}

/**
 * The messages of one send, all of one partition. kafkajs groups them by a `reduce` that copies n of them n²/2 times: it is
 * told the one group that there is.
 */
export function ofOnePartition(partition: number, messages: Message[]): Message[] {
  return Object.defineProperty(messages, 'reduce', { value: () => ({ [partition]: messages }) });
}

/** Bytes of keys, values and headers. */
export function payloadBytes(record: NewRecord): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  if (record.headers !== undefined) for (const [name, value] of record.headers) bytes += Buffer.byteLength(name) + value.length;
  return bytes;
}
