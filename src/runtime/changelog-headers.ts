import type { Headers, LogRecord } from '../ports/record-log.ts';

// What each record of race-states says beside its value: who wrote it, and as of which input. A tombstone has no value
// that could tell.

const WRITER = 'writer';
const AS_OF = 'as-of';

/** A position in race-updates: the state written is what all inputs up to it, itself included, come to. */
export type AsOf = { readonly epoch: number; readonly applied_offset: number };

export function changelogHeaders(writerId: string, { epoch, applied_offset }: AsOf): Headers {
  return [[WRITER, Buffer.from(writerId)], [AS_OF, Buffer.from(`${epoch}/${applied_offset}`)]];
}

/** undefined = the record does not say. */
export function writerOf(record: LogRecord): string | undefined {
  return textOf(record, WRITER);
}

/** null = the record does not say. */
export function asOfOf(record: LogRecord): AsOf | null {
  const match = /^(\d+)\/(-?\d+)$/.exec(textOf(record, AS_OF) ?? '');
  return match === null ? null : { epoch: Number(match[1]), applied_offset: Number(match[2]) };
}

export function isBehind(a: AsOf, b: AsOf): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.applied_offset < b.applied_offset);
}

function textOf({ headers }: LogRecord, wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1].toString('utf8');
}
