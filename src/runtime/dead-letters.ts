import type { Rejection } from '../errors.ts';
import type { Headers, LogRecord, NewRecord } from '../ports/record-log.ts';

/** A refused record as it stands in dead-letters: its bytes, with where it came from and why in the headers. */
export function deadLetterRecord(record: LogRecord, rejection: Rejection): NewRecord {
  const headers: Headers = [
    ['topic', Buffer.from(record.topic)],
    ['partition', Buffer.from(String(record.partition))],
    ['offset', Buffer.from(String(record.offset))],
    ['code', Buffer.from(rejection.code)],
    ['message', Buffer.from(rejection.message)],
  ];
  return { key: record.key, value: record.value, headers };
}
