import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import { AppError, messageOf, reject, type FailureCode, type RejectionCode } from '../../errors.ts';
import type { NewRecord } from '../../ports/record-log.ts';
import { isEvent, readEvent } from '../../race/cdevents.ts';
import { normalizeUpdate } from '../../race/normalize.ts';
import { partitionOf } from '../../race/partition.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure, HttpFailure } from '../failures.ts';
import { readLines } from '../read-lines.ts';
import { failures } from '../schemas.ts';
import { forgetRecord, updateRecord } from '../submit.ts';

const MAX_BATCH_BYTES = 5 * 1024 * 1024;
/** A line beyond it is refused by itself; an update has at most about 300 KB. */
const MAX_LINE_BYTES = 512 * 1024;
const FLUSH_RECORDS = 500;
const FLUSH_BYTES = 400 * 1024;
const MAX_SHOWN_ERRORS = 1_000;

type LineError = { readonly line: number; readonly code: RejectionCode | FailureCode; readonly message: string };

type BatchResult = {
  readonly accepted: number;
  readonly rejected_total: number;
  /** The first 1,000. */
  readonly rejected: LineError[];
};

const BatchBody = Type.Object({
  accepted: Type.Integer({ description: 'Lines appended' }),
  rejected_total: Type.Integer({ description: 'Lines refused' }),
  rejected: Type.Array(Type.Object({ line: Type.Integer({ description: '1 for the first line' }), code: Type.String(), message: Type.String() }), { description: 'The first 1,000 of them' }),
});

/**
 * POST /v1/updates: RaceUpdates, or CloudEvents and CDEvents as on race-updates, one JSON a line. Lines are checked one
 * by one and appended as the body comes in, in order per race; the body is not read faster than the log takes it. A
 * batch that broke off may be sent again whole: what is repeated changes nothing. 200 as soon as the body could be read,
 * whatever its lines held.
 */
export function updateRoutes(app: App, context: GatewayContext): void {
  app.removeAllContentTypeParsers();
  for (const type of ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/json']) {
    app.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
  }

  app.post('/v1/updates', {
    schema: {
      tags: ['v1'],
      summary: 'Append many RaceUpdates, one JSON a line (application/x-ndjson, at most 5 MB); {"race_id": ..., "forget": true} forgets a race',
      consumes: ['application/x-ndjson'],
      body: Type.String({ description: 'RaceUpdates (schemas/avro/race-update.avsc) as JSON, one a line' }),
      response: { 200: BatchBody, ...failures },
    },
  }, async (request): Promise<BatchResult> => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw new HttpFailure(415, { error: 'Unsupported encoding', code: 'invalid_request', message: `content-encoding must be identity, got ${encoding.slice(0, 50)}` });
    }
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > MAX_BATCH_BYTES) throw tooLarge({ accepted: 0, rejected_total: 0, rejected: [] });
    if (request.body === null || request.body === undefined) throw failure('invalid_request', 'The body must hold at least one line');
    return await appendLines(context, request.body as unknown as Readable);
  });
}

async function appendLines(context: GatewayContext, body: Readable): Promise<BatchResult> {
  let accepted = 0;
  let rejectedTotal = 0;
  const rejected: LineError[] = [];
  const result = (): BatchResult => ({ accepted, rejected_total: rejectedTotal, rejected });
  let waiting = new Map<number, NewRecord[]>();
  let records = 0;
  let bytes = 0;

  const flush = async (): Promise<void> => {
    if (records === 0) return;
    const batch = waiting;
    const count = records;
    waiting = new Map();
    records = 0;
    bytes = 0;
    try {
      await Promise.all([...batch].map(([partition, group]) => context.updates.append(partition, group)));
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'unavailable';
      throw failure(code, `${messageOf(error)}; send the batch again, what is repeated changes nothing`, { ...result() });
    }
    accepted += count;
  };

  for await (const line of readLines(body, MAX_BATCH_BYTES, MAX_LINE_BYTES)) {
    if (line.kind === 'too_much') {
      await flush();
      throw tooLarge(result());
    }
    const read = line.kind === 'long' ? reject('undecodable', `A line must have at most ${MAX_LINE_BYTES} bytes`) : readLine(context, line.text);
    if (read === null) continue;
    if ('code' in read) {
      rejectedTotal++;
      if (rejected.length < MAX_SHOWN_ERRORS) rejected.push({ line: line.number, code: read.code, message: read.message });
      continue;
    }
    const group = waiting.get(read.partition);
    if (group === undefined) waiting.set(read.partition, [read.record]);
    else group.push(read.record);
    records++;
    bytes += read.record.value?.length ?? 0;
    if (records >= FLUSH_RECORDS || bytes >= FLUSH_BYTES) await flush();
  }
  await flush();
  return result();
}

/** null = an empty line. Never throws. */
function readLine(context: GatewayContext, text: string | null): { readonly partition: number; readonly record: NewRecord } | { readonly code: RejectionCode; readonly message: string } | null {
  if (text === null) return reject('undecodable', 'The line is not UTF-8');
  if (text.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return reject('undecodable', `The line is not JSON: ${messageOf(error).slice(0, 200)}`);
  }
  try {
    if (isForget(value)) {
      const { race_id: raceId } = value;
      if (raceId === '' || raceId.length > 200) return reject('id_invalid', `race_id must have 1..200 characters, got ${raceId.length}`);
      return { partition: partitionOf(raceId, context.partitions), record: forgetRecord(raceId) };
    }
    const told = isObject(value) && isEvent(value) ? readEvent(value) : { update: value };
    if ('rejection' in told) return told.rejection;
    const result = normalizeUpdate(told.update, context.clock.nowMs());
    if ('rejection' in result) return result.rejection;
    return { partition: partitionOf(result.update.race_id, context.partitions), record: updateRecord(context, result.update) };
  } catch (error) {
    // Event data nested beyond the stack cannot be written as JSON again.
    if (error instanceof RangeError) return reject('event_too_large', 'The line is nested too deeply');
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isForget(value: unknown): value is { race_id: string; forget: true } {
  return typeof value === 'object' && value !== null && 'forget' in value && value.forget === true && 'race_id' in value && typeof value.race_id === 'string';
}

function tooLarge(result: BatchResult): HttpFailure {
  return failure('too_large', `A batch must have at most ${MAX_BATCH_BYTES} bytes; lines before that were taken`, { ...result });
}
