import type { TopicName } from '../../topology/topics.ts';
import type { Rejection } from '../errors.ts';
import type { Headers, LogRecord, NewRecord, RecordLog } from '../ports/record-log.ts';
import { APPENDED_AT_HEADER } from '../operators/original-time.ts';
import { partitionOfKey } from '../race/partition.ts';
import { MAX_RECORD_BYTES, recordBytes } from '../race/record-size.ts';

/** In front of the names of the headers that the refused record had itself. */
const OWN_HEADER = 'header.';
/** Where a replayed record came from: `dead-letters/0@7`. */
const REPLAYED_FROM_HEADER = 'replayed_from';
/** How long the value was that did not fit any more. */
const OMITTED_HEADER = 'value_omitted';
/** Room for what a log adds. */
const MAX_LETTER_BYTES = MAX_RECORD_BYTES - 10_000;
const MAX_MESSAGE_CHARS = 2_000;

/**
 * Topics whose records can be sent again: what producers say, where a repetition changes nothing. What the service
 * itself has written must not come again: an old revision or state would take the place of a newer one.
 */
const replayable: ReadonlySet<string> = new Set<TopicName>(['race-updates', 'telemetry']);

/**
 * A refused record as it stands in dead-letters: its bytes, with where it came from, when and why in the headers, and
 * behind those its own. Where all this exceeds the log's limit its value is left out, which a header says.
 */
export function deadLetterRecord(record: LogRecord, rejection: Rejection): NewRecord {
  const headers: Headers = [
    ['topic', Buffer.from(record.topic)],
    ['partition', Buffer.from(String(record.partition))],
    ['offset', Buffer.from(String(record.offset))],
    [APPENDED_AT_HEADER, Buffer.from(String(record.appendedAtMs))],
    ['code', Buffer.from(rejection.code)],
    ['message', Buffer.from(rejection.message.slice(0, MAX_MESSAGE_CHARS))],
  ];
  const whole: NewRecord = { key: record.key, value: record.value, headers: [...headers, ...record.headers.map(([name, value]) => [OWN_HEADER + name, value] as const)] };
  if (recordBytes(whole) <= MAX_LETTER_BYTES) return whole;
  const size = record.value?.length ?? 0;
  return { key: (record.key?.length ?? 0) > MAX_LETTER_BYTES / 2 ? null : record.key, value: null, headers: [...headers, [OMITTED_HEADER, Buffer.from(String(size))]] };
}

/** A letter as it was before it was refused, where it went to and where it goes now. */
export type Replay = { readonly topic: TopicName; readonly partition: number; readonly record: NewRecord };

/**
 * What to append so that a letter is looked at again: its bytes under its key, on the partition of the key now, with a
 * header that says where it comes from and one with when it was appended first (an update without `at` means that time).
 * A text = why it cannot be.
 */
export async function replayOf(letter: LogRecord, partitionCount: (topic: TopicName) => Promise<number>): Promise<Replay | string> {
  const topic = headerText(letter, 'topic');
  if (topic === null || !replayable.has(topic)) return `records of ${topic ?? 'an unknown topic'} cannot be sent again: only those of ${[...replayable].join(' and ')}`;
  if (headerText(letter, OMITTED_HEADER) !== null) return 'its value was too large to be kept';
  const count = await partitionCount(topic as TopicName);
  const partition = letter.key === null ? Number(headerText(letter, 'partition') ?? 0) : partitionOfKey(letter.key, count);
  if (!Number.isInteger(partition) || partition < 0 || partition >= count) return `${topic} has no partition ${partition}`;
  const own = letter.headers.filter(([name]) => name.startsWith(OWN_HEADER)).map(([name, value]) => [name.slice(OWN_HEADER.length), value] as const);
  // One that was refused again remembers when it came first.
  const first = own.find(([name]) => name === APPENDED_AT_HEADER)?.[1] ?? letter.headers.find(([name]) => name === APPENDED_AT_HEADER)?.[1];
  const headers: Headers = [
    ...own.filter(([name]) => name !== REPLAYED_FROM_HEADER && name !== APPENDED_AT_HEADER),
    [REPLAYED_FROM_HEADER, Buffer.from(`dead-letters/${letter.partition}@${letter.offset}`)],
    ...(first === undefined ? [] : [[APPENDED_AT_HEADER, first] as const]),
  ];
  return { topic: topic as TopicName, partition, record: { key: letter.key, value: letter.value, headers } };
}

/** A header of a letter as text; null = it has none. */
export function headerText(letter: LogRecord, name: string): string | null {
  return letter.headers.find(([header]) => header === name)?.[1].toString() ?? null;
}

export type LetterFilter = {
  readonly topic?: string | undefined;
  readonly code?: string | undefined;
  readonly key?: string | undefined;
  /** Put aside at or after, epoch ms. */
  readonly sinceMs?: number | undefined;
};

export function fitsLetter(letter: LogRecord, { topic, code, key, sinceMs }: LetterFilter): boolean {
  return (topic === undefined || headerText(letter, 'topic') === topic)
    && (code === undefined || headerText(letter, 'code') === code)
    && (key === undefined || letter.key?.toString() === key)
    && (sinceMs === undefined || letter.appendedAtMs >= sinceMs);
}

/**
 * Hands over what dead-letters holds now from an offset on, in order, and returns how many there were. `onLetters` may
 * say false for enough. Rejects with `log_unavailable`.
 */
export async function readLetters(log: RecordLog, from: number | 'earliest', onLetters: (letters: readonly LogRecord[]) => Promise<boolean | void> | boolean | void): Promise<number> {
  const [end = 0] = await log.endOffsets('dead-letters');
  let read = 0;
  const enough = Promise.withResolvers<void>();
  const state = { isDone: false };
  const reader = log.readPartitions({
    topic: 'dead-letters', partitions: [0], from: () => from,
    async onRecords(records) {
      if (state.isDone) return;
      const letters = records.filter(({ offset }) => offset < end);
      read += letters.length;
      if (letters.length > 0 && await onLetters(letters) === false) {
        state.isDone = true;
        enough.resolve();
      }
    },
  });
  try {
    reader.done.catch(() => {});
    await Promise.race([reader.caughtUp, enough.promise]);
  } finally {
    reader.caughtUp.catch(() => {});
    state.isDone = true;
    await reader.close();
  }
  return read;
}
