import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { AppError, messageOf, reject, type FailureCode, type Rejection, type RejectionCode } from '../errors.ts';
import type { NewRecord } from '../ports/record-log.ts';
import type { App } from './app.ts';
import type { Appender } from './appender.ts';
import { failure, HttpFailure } from './failures.ts';
import { readLines } from './read-lines.ts';

const MAX_BATCH_BYTES = 5 * 1024 * 1024;
/** A line beyond it is refused by itself; an update has at most about 300 KB. */
const MAX_LINE_BYTES = 512 * 1024;
const FLUSH_RECORDS = 500;
const FLUSH_BYTES = 400 * 1024;
const MAX_SHOWN_ERRORS = 1_000;

type LineError = { readonly line: number; readonly code: RejectionCode | FailureCode; readonly message: string };

export type BatchResult = {
  readonly accepted: number;
  readonly rejected_total: number;
  /** The first 1,000. */
  readonly rejected: LineError[];
};

export const BatchBody = Type.Object({
  accepted: Type.Integer({ description: 'Lines appended' }),
  rejected_total: Type.Integer({ description: 'Lines refused' }),
  rejected: Type.Array(Type.Object({ line: Type.Integer({ description: '1 for the first line' }), code: Type.String(), message: Type.String() }), { description: 'The first 1,000 of them' }),
});

/** What a line comes to. */
export type TakenLine = { readonly partition: number; readonly record: NewRecord } | Rejection;

/** Leaves bodies of JSON lines unread, for `appendLines`; other kinds are refused with 415. For all routes of the scope. */
export function leaveLinesUnread(app: App): void {
  app.removeAllContentTypeParsers();
  for (const type of ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/json']) {
    app.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
  }
}

/**
 * Appends a body of JSON values, one a line. Lines are read by `take` one by one and appended as the body comes in, in order per
 * partition; the body is not read faster than the log takes it. Resolves as soon as the body could be read, whatever its lines held.
 */
export async function appendLines(request: Pick<FastifyRequest, 'headers' | 'body'>, appender: Appender, take: (value: unknown) => TakenLine): Promise<BatchResult> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new HttpFailure(415, { error: 'Unsupported encoding', code: 'invalid_request', message: `content-encoding must be identity, got ${encoding.slice(0, 50)}` });
  }
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > MAX_BATCH_BYTES) throw tooLarge({ accepted: 0, rejected_total: 0, rejected: [] });
  if (request.body === null || request.body === undefined) throw failure('invalid_request', 'The body must hold at least one line');

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
      await Promise.all([...batch].map(([partition, group]) => appender.append(partition, group)));
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'unavailable';
      throw failure(code, `${messageOf(error)}; send the batch again, what is repeated changes nothing`, { ...result() });
    }
    accepted += count;
  };

  for await (const line of readLines(request.body as Readable, MAX_BATCH_BYTES, MAX_LINE_BYTES)) {
    if (line.kind === 'too_much') {
      await flush();
      throw tooLarge(result());
    }
    const taken = line.kind === 'long' ? reject('undecodable', `A line must have at most ${MAX_LINE_BYTES} bytes`) : takeLine(line.text, take);
    if (taken === null) continue;
    if ('code' in taken) {
      rejectedTotal++;
      if (rejected.length < MAX_SHOWN_ERRORS) rejected.push({ line: line.number, code: taken.code, message: taken.message });
      continue;
    }
    const group = waiting.get(taken.partition);
    if (group === undefined) waiting.set(taken.partition, [taken.record]);
    else group.push(taken.record);
    records++;
    bytes += taken.record.value?.length ?? 0;
    if (records >= FLUSH_RECORDS || bytes >= FLUSH_BYTES) await flush();
  }
  await flush();
  return result();
}

/** null = an empty line. */
function takeLine(text: string | null, take: (value: unknown) => TakenLine): TakenLine | null {
  if (text === null) return reject('undecodable', 'The line is not UTF-8');
  if (text.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return reject('undecodable', `The line is not JSON: ${messageOf(error).slice(0, 200)}`);
  }
  return take(value);
}

function tooLarge(result: BatchResult): HttpFailure {
  return failure('too_large', `A batch must have at most ${MAX_BATCH_BYTES} bytes; lines before that were taken`, { ...result });
}
