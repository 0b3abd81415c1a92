import type { LogRecord, RecordLog } from '../../src/ports/record-log.ts';
import type { TopicName } from '../../topology/topics.ts';

/** All records that a topic holds now, of all partitions. */
export async function readAll(log: RecordLog, topic: TopicName): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const reader = log.readPartitions({ topic, partitions: Array.from({ length: await log.partitionCount(topic) }, (_, i) => i), from: () => 'earliest', onRecords: (batch) => { records.push(...batch); } });
  await reader.caughtUp;
  await reader.close();
  return records;
}
