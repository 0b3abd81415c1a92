import { Type } from 'typebox';
import type { TopicName } from '../../../topology/topics.ts';
import type { LogRecord, NewRecord } from '../../ports/record-log.ts';
import { parseInstant } from '../../race/instant.ts';
import { fitsLetter, headerText, readLetters, replayOf, type LetterFilter } from '../../runtime/dead-letters.ts';
import { appendInChunks } from '../../runtime/append-in-chunks.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure, fieldFailure } from '../failures.ts';
import { failures } from '../schemas.ts';
import { objectBody } from '../validation.ts';

/** How far back one listing looks. */
const MAX_SCANNED = 10_000;
const MAX_SHOWN_BYTES = 4 * 1024;
const MAX_PROBLEMS = 100;

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

const tags = ['v1'];
/** ISO 8601 with an offset, or epoch ms before 2100. */
const Instant = Type.Union([Type.String({ format: 'date-time' }), Type.Integer({ minimum: 1, exclusiveMaximum: 4_102_444_800_000 })]);
const Query = Type.Object({
  topic: Type.Optional(Type.String({ maxLength: 200, description: 'Only records that came from this topic' })),
  code: Type.Optional(Type.String({ maxLength: 200, description: 'Only records refused with this code' })),
  key: Type.Optional(Type.String({ maxLength: 1_000, description: 'Only records under this key' })),
  since: Type.Optional(Type.String({ maxLength: 40, description: 'Only records put aside since: ISO 8601 with an offset, or epoch ms' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'Default 100' })),
});
const OffsetParam = Type.Object({ offset: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) });
const Any = Type.Unsafe({ type: 'object', additionalProperties: true });

const ListBody = Type.Object({
  items: Type.Array(Any),
  scanned: Type.Integer({ description: 'How many of the newest records were looked at, at most 10,000' }),
});
const ReplayPost = Type.Object({
  offset: Type.Optional(Type.Integer({ minimum: 0, description: 'Only this one' })),
  topic: Type.Optional(Type.String()), code: Type.Optional(Type.String()), key: Type.Optional(Type.String()),
  since: Type.Optional(Instant),
  all: Type.Optional(Type.Boolean({ description: 'Needed when nothing else is said' })),
  dry_run: Type.Optional(Type.Boolean({ description: 'Only count' })),
});
const ReplayBody = Type.Object({
  replayed: Type.Integer(), skipped: Type.Integer(),
  problems: Type.Array(Type.Object({ dead_letter_offset: Type.Integer(), message: Type.String() }), { description: 'Why some were skipped, the first 100' }),
});
const PurgePost = Type.Object({
  before_offset: Type.Optional(Type.Integer({ minimum: 0, description: 'Records below this offset of dead-letters' })),
  before: Type.Optional(Instant),
});
const PurgeBody = Type.Object({ purged: Type.Integer({ description: 'Records removed' }), before_offset: Type.Integer({ description: 'The first offset that is left' }) });

/**
 * /v1/dead-letters: what was refused, read from the log itself. Records can be sent again after a fix: twice changes
 * nothing, since the pipeline counts the second as a duplicate or late, or refuses it again with the same code. An
 * append-only log gives up its oldest records only, so purging is by age or offset, never by content.
 */
export function deadLetterRoutes(app: App, context: GatewayContext): void {
  const { log } = context;

  app.get('/v1/dead-letters', {
    schema: { tags, summary: 'Refused records, the newest first', querystring: Query, response: { 200: ListBody, ...failures } },
  }, async (request) => {
    const { topic, code, key, since, limit = 100 } = request.query;
    const filter: LetterFilter = { topic, code, key, sinceMs: instantOf(since, 'since') };
    const [end = 0] = await log.endOffsets('dead-letters');
    const found: LogRecord[] = [];
    const scanned = await readLetters(log, Math.max(0, end - MAX_SCANNED), (letters) => {
      found.push(...letters.filter((letter) => fitsLetter(letter, filter)));
      // Oldest come first: only the newest are kept.
      if (found.length > 2 * limit) found.splice(0, found.length - limit);
    });
    return { items: found.slice(-limit).reverse().map(shown), scanned };
  });

  app.get('/v1/dead-letters/:offset', {
    schema: { tags, summary: 'One refused record with its headers and all its bytes', params: OffsetParam, response: { 200: Any, ...failures } },
  }, async (request) => {
    const letter = await letterAt(context, request.params.offset);
    return {
      ...shown(letter),
      headers: letter.headers.map(([name, value]) => ({ name, value: value.toString() })),
      decoded: await decodedOf(context, letter),
      value_base64: letter.value?.toString('base64') ?? null,
    };
  });

  app.post('/v1/dead-letters/replay', {
    config: { scope: 'admin' },
    schema: { tags, summary: 'Send refused records again, as they were, to where they came from', body: ReplayPost, response: { 200: ReplayBody, ...failures } },
  }, async (request) => {
    const body = objectBody(request.body);
    const offset = wholeOf(body['offset'], 'offset');
    const filter: LetterFilter = { topic: textOf(body['topic'], 'topic'), code: textOf(body['code'], 'code'), key: textOf(body['key'], 'key'), sinceMs: instantOf(body['since'], 'since') };
    if (offset === undefined && !flagOf(body['all'], 'all') && Object.values(filter).every((value) => value === undefined)) {
      throw failure('invalid_request', 'One of offset, topic, code, key and since must be given, or all: true');
    }
    const isDryRun = flagOf(body['dry_run'], 'dry_run');
    const result = { replayed: 0, skipped: 0, problems: [] as { dead_letter_offset: number; message: string }[] };
    if (offset !== undefined) await replayLetters(context, [await letterAt(context, offset)], isDryRun, result);
    else await readLetters(log, 'earliest', (letters) => replayLetters(context, letters.filter((letter) => fitsLetter(letter, filter)), isDryRun, result));
    context.logger.info({ ...filter, offset, isDryRun, replayed: result.replayed, skipped: result.skipped }, 'Dead letters were replayed');
    return result;
  });

  app.post('/v1/dead-letters/purge', {
    config: { scope: 'admin' },
    schema: { tags, summary: 'Remove the oldest refused records for good', body: PurgePost, response: { 200: PurgeBody, ...failures } },
  }, async (request) => {
    const body = objectBody(request.body);
    const beforeMs = instantOf(body['before'], 'before');
    const beforeOffset = wholeOf(body['before_offset'], 'before_offset');
    if ((beforeMs === undefined) === (beforeOffset === undefined)) throw failure('invalid_request', 'Either before or before_offset must be given: the log removes its oldest records only');
    let cut = beforeOffset ?? (await log.endOffsets('dead-letters'))[0] ?? 0;
    let purged = 0;
    await readLetters(log, 'earliest', (letters) => {
      const kept = letters.find((letter) => (beforeMs === undefined ? letter.offset >= cut : letter.appendedAtMs >= beforeMs));
      purged += kept === undefined ? letters.length : letters.indexOf(kept);
      if (kept === undefined) return true;
      cut = kept.offset;
      return false;
    });
    await log.deleteRecords('dead-letters', 0, cut);
    context.logger.info({ purged, cut }, 'Dead letters were purged');
    return { purged, before_offset: cut };
  });
}

/** Appends in the order of the letters: an update must not overtake another of its race. */
async function replayLetters(context: GatewayContext, letters: readonly LogRecord[], isDryRun: boolean, result: { replayed: number; skipped: number; problems: { dead_letter_offset: number; message: string }[] }): Promise<void> {
  const waiting = new Map<string, { readonly topic: TopicName; readonly partition: number; readonly records: NewRecord[] }>();
  for (const letter of letters) {
    const replay = await replayOf(letter, (topic) => context.log.partitionCount(topic));
    if (typeof replay === 'string') {
      result.skipped++;
      if (result.problems.length < MAX_PROBLEMS) result.problems.push({ dead_letter_offset: letter.offset, message: replay });
      continue;
    }
    const { topic, partition, record } = replay;
    const name = `${topic}/${partition}`;
    const group = waiting.get(name) ?? { topic, partition, records: [] };
    waiting.set(name, group);
    group.records.push(record);
    result.replayed++;
  }
  if (isDryRun) return;
  await Promise.all([...waiting.values()].map(({ topic, partition, records }) => appendInChunks(context.log, topic, partition, records)));
}

async function letterAt({ log }: GatewayContext, offset: number): Promise<LogRecord> {
  let found: LogRecord | undefined;
  const [end = 0] = await log.endOffsets('dead-letters');
  if (offset < end) {
    await readLetters(log, offset, (letters) => {
      found = letters.find((letter) => letter.offset === offset);
      return false;
    });
  }
  if (found === undefined) throw failure('not_found', `No dead letter has the offset ${offset}: it was purged, has expired, or never was`);
  return found;
}

/** The value as its topic reads it; null where it cannot be read, which is often why it is here. */
async function decodedOf({ codec }: GatewayContext, letter: LogRecord): Promise<unknown> {
  const topic = headerText(letter, 'topic') as TopicName | null;
  if (topic === null || letter.value === null) return null;
  await codec.prepare(topic, [letter.value]);
  const result = codec.decode(topic, letter.value);
  return 'error' in result || Buffer.isBuffer(result.decoded.value) ? null : result.decoded.value;
}

function shown(record: LogRecord): DeadLetter {
  const bytes = record.value?.subarray(0, MAX_SHOWN_BYTES) ?? null;
  const isText = bytes !== null && isUtf8(bytes);
  return {
    at: record.appendedAtMs,
    topic: headerText(record, 'topic'),
    partition: numberOf(headerText(record, 'partition')),
    offset: numberOf(headerText(record, 'offset')),
    code: headerText(record, 'code'),
    message: headerText(record, 'message'),
    key: record.key?.toString() ?? null,
    value: bytes === null ? null : bytes.toString(isText ? 'utf8' : 'base64'),
    encoding: isText || bytes === null ? 'utf8' : 'base64',
    bytes: record.value?.length ?? 0,
    dead_letter_offset: record.offset,
  };
}

function instantOf(value: unknown, field: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' && /^\d+$/.test(value) ? parseInstant(Number(value)) : parseInstant(value);
  if (ms === null) throw fieldFailure(field, value, 'ISO 8601 with an offset, or epoch ms, in 1970..2100');
  return ms;
}

function textOf(value: unknown, field: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw fieldFailure(field, value, 'text');
  return value;
}

function flagOf(value: unknown, field: string): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw fieldFailure(field, value, 'true or false');
  return value === true;
}

function wholeOf(value: unknown, field: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw fieldFailure(field, value, 'a whole number from 0');
  return value;
}

function numberOf(text: string | null): number | null {
  const value = Number(text);
  return text === null || !Number.isSafeInteger(value) ? null : value;
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
