import type { LogRecord } from '../ports/record-log.ts';

/** When a record that is sent again was appended first, epoch ms as text. */
export const APPENDED_AT_HEADER = 'appended_at';

/**
 * When what a record says was said, if it does not say so itself, epoch ms: its append, or for one that is sent again the
 * first one. Anything else would make news of what is old, each time it is sent.
 */
export function saidAtMs(record: LogRecord): number {
  if (record.headers.length === 0) return record.appendedAtMs;
  const header = record.headers.find(([name]) => name === APPENDED_AT_HEADER)?.[1].toString() ?? '';
  const firstMs = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  return firstMs < record.appendedAtMs ? firstMs : record.appendedAtMs;
}
