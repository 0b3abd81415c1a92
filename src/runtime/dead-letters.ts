import type { Rejection } from '../errors.ts';
import type { Headers, LogRecord, NewRecord } from '../ports/record-log.ts';
import { MAX_RECORD_BYTES, recordBytes } from '../race/record-size.ts';

/** Room for the headers, whose message may quote the record. */
const MAX_KEPT_BYTES = MAX_RECORD_BYTES - 100_000;
/** Of a key that is kept although the value is not. */
const MAX_KEPT_KEY_BYTES = 10_000;

/**
 * A refused record as it stands in dead-letters: its bytes, with where it came from and why in the headers. A record over
 * 800 KB loses its bytes, since the log would not take it: where it came from still says where they are.
 */
export function deadLetterRecord(record: LogRecord, rejection: Rejection): NewRecord {
  const headers: Headers = [
    ['topic', Buffer.from(record.topic)],
    ['partition', Buffer.from(String(record.partition))],
    ['offset', Buffer.from(String(record.offset))],
    ['code', Buffer.from(rejection.code)],
    ['message', Buffer.from(rejection.message)],
  ];
  if (recordBytes(record) <= MAX_KEPT_BYTES) return { key: record.key, value: record.value, headers };
  return { key: record.key !== null && record.key.length <= MAX_KEPT_KEY_BYTES ? record.key : null, value: null, headers };
}
