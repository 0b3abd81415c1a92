import type { TopicName } from '../../topology/topics.ts';
import type { NewRecord, RecordLog } from '../ports/record-log.ts';

/** Under the log's limit of 900 KB for one append. */
const MAX_SEND_BYTES = 800_000;
/** What framing costs a record, at most. */
const RECORD_OVERHEAD_BYTES = 90;

/**
 * Appends in order, in as few sends as the size limit allows; none for an empty list. Each send waits for the one before:
 * when it fails, none is stored of those behind it, and what is stored is always a beginning of the records.
 * Rejects with the signal's reason, and sends nothing more, once that is aborted.
 */
export async function appendInChunks(log: RecordLog, topic: TopicName, partition: number, records: readonly NewRecord[], signal?: AbortSignal): Promise<void> {
  let chunk: NewRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = recordBytes(record);
    if (chunk.length > 0 && bytes + size > MAX_SEND_BYTES) {
      await log.append(topic, partition, chunk);
      signal?.throwIfAborted();
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += size;
  }
  if (chunk.length > 0) await log.append(topic, partition, chunk);
}

function recordBytes({ key, value, headers }: NewRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers ?? []) bytes += name.length + content.length;
  return bytes;
}
