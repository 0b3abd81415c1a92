import { Type } from 'typebox';
import type { LogRecord, RecordLog } from '../../ports/record-log.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failures } from '../schemas.ts';

/** How far back one request looks. */
const MAX_SCANNED = 10_000;
const MAX_SHOWN_BYTES = 4 * 1024;

/** A refused record: where it came from and why, and its bytes. */
type DeadLetter = {
  /** When it was put aside, epoch ms. */
  readonly at: number;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly key: string | null;
  /** The original bytes as text, the first 4 KB; base64 when they are no UTF-8. */
  readonly value: string | null;
  readonly encoding: 'utf8' | 'base64';
  readonly bytes: number;
  /** Its own offset in dead-letters. */
  readonly dead_letter_offset: number;
};

const Query = Type.Object({
  topic: Type.Optional(Type.String({ maxLength: 200, description: 'Only records that came from this topic' })),
  code: Type.Optional(Type.String({ maxLength: 200, description: 'Only records refused with this code' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'Default 100' })),
});

const Body = Type.Object({
  items: Type.Array(Type.Unsafe({ type: 'object', additionalProperties: true })),
  scanned: Type.Integer({ description: 'How many of the newest records were looked at, at most 10,000' }),
});

/** GET /v1/dead-letters: what was refused, the newest first, read from the log itself. */
export function deadLetterRoutes(app: App, context: GatewayContext): void {
  app.get('/v1/dead-letters', {
    schema: { tags: ['v1'], summary: 'Refused records, the newest first', querystring: Query, response: { 200: Body, ...failures } },
  }, async (request) => {
    const { topic, code, limit = 100 } = request.query;
    const found: LogRecord[] = [];
    const scanned = await readNewest(context.log, MAX_SCANNED, (record) => {
      if (topic !== undefined && headerOf(record, 'topic') !== topic) return;
      if (code !== undefined && headerOf(record, 'code') !== code) return;
      found.push(record);
      // Oldest come first: only the newest are kept.
      if (found.length > 2 * limit) found.splice(0, found.length - limit);
    });
    return { items: found.slice(-limit).reverse().map(shown), scanned };
  });
}

/** Hands over the newest records of dead-letters, oldest first; returns how many. */
async function readNewest(log: RecordLog, count: number, onRecord: (record: LogRecord) => void): Promise<number> {
  const ends = await log.endOffsets('dead-letters');
  const each = Math.ceil(count / ends.length);
  let scanned = 0;
  const reader = log.readPartitions({
    topic: 'dead-letters',
    partitions: ends.map((_, partition) => partition),
    from: (partition) => Math.max(0, ends[partition]! - each),
    onRecords: (records) => {
      for (const record of records) {
        if (record.offset >= ends[record.partition]!) continue;
        scanned++;
        onRecord(record);
      }
    },
  });
  try {
    await reader.caughtUp;
  } finally {
    reader.done.catch(() => {});
    await reader.close();
  }
  return scanned;
}

function shown(record: LogRecord): DeadLetter {
  const bytes = record.value?.subarray(0, MAX_SHOWN_BYTES) ?? null;
  const isText = bytes !== null && isUtf8(bytes);
  return {
    at: record.appendedAtMs,
    topic: headerOf(record, 'topic') ?? null,
    partition: numberOf(headerOf(record, 'partition')),
    offset: numberOf(headerOf(record, 'offset')),
    code: headerOf(record, 'code') ?? null,
    message: headerOf(record, 'message') ?? null,
    key: record.key?.toString() ?? null,
    value: bytes === null ? null : bytes.toString(isText ? 'utf8' : 'base64'),
    encoding: isText || bytes === null ? 'utf8' : 'base64',
    bytes: record.value?.length ?? 0,
    dead_letter_offset: record.offset,
  };
}

function numberOf(text: string | undefined): number | null {
  const value = Number(text);
  return text === undefined || !Number.isSafeInteger(value) ? null : value;
}

/** Cut bytes may end inside a character: the last three do not count. */
function isUtf8(bytes: Buffer): boolean {
  for (let cut = 0; cut <= 3 && cut <= bytes.length; cut++) {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, bytes.length - cut));
      return true;
    } catch {
      if (bytes.length < MAX_SHOWN_BYTES) return false;
    }
  }
  return false;
}

function headerOf(record: LogRecord, name: string): string | undefined {
  return record.headers.find(([header]) => header === name)?.[1].toString();
}
