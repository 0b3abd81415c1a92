import type { TopicName } from '../../topology/topics.ts';
import type { NewRecord, RecordLog } from '../ports/record-log.ts';

/** Under the log's limit of 900 KB for one append. */
const MAX_SEND_BYTES = 800_000;
/** What framing costs a record, at most. */
const RECORD_OVERHEAD_BYTES = 90;

/** Appends in order, in as few sends as the size limit allows; none for an empty list. */
export async function appendInChunks(log: RecordLog, topic: TopicName, partition: number, records: readonly NewRecord[]): Promise<void> {
  const sends: Promise<number>[] = [];
  let chunk: NewRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = recordBytes(record);
    if (chunk.length > 0 && bytes + size > MAX_SEND_BYTES) {
      sends.push(log.append(topic, partition, chunk));
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += size;
  }
  if (chunk.length > 0) sends.push(log.append(topic, partition, chunk));
  await Promise.all(sends);
}

function recordBytes({ key, value, headers }: NewRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers ?? []) bytes += name.length + content.length;
  return bytes;
}
