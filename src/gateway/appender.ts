import { AppError, messageOf } from '../errors.ts';
import type { NewRecord, RecordLog } from '../ports/record-log.ts';
import type { TopicName } from '../../topology/topics.ts';

/** Appends that requests share: those of one moment and partition go out as one send. */
export type Appender = {
  /**
   * Appends in the order of the calls per partition; resolves to the offset of the first record.
   * Rejects with `unavailable` when the log does, or when 20,000 records wait already; with `record_too_large`.
   */
  append(partition: number, records: readonly NewRecord[]): Promise<number>;
  /** Resolves when everything accepted has been stored or refused. */
  drain(): Promise<void>;
};

type Waiting = { readonly records: readonly NewRecord[]; readonly bytes: number; resolve(offset: number): void; reject(error: unknown): void };
type Lane = { queue: Waiting[]; running: Promise<void> | null };

const MAX_WAITING_RECORDS = 20_000;
/** The port takes 900 KB in one append; the rest is for headers and framing. */
const MAX_APPEND_BYTES = 800 * 1024;
const MAX_APPEND_RECORDS = 2_000;
const RECORD_OVERHEAD_BYTES = 64;

export function createAppender(log: RecordLog, topic: TopicName, partitions: number): Appender {
  const lanes: Lane[] = Array.from({ length: partitions }, () => ({ queue: [], running: null }));
  let waiting = 0;

  const send = async (partition: number, group: readonly Waiting[]): Promise<void> => {
    try {
      let offset = await log.append(topic, partition, group.flatMap((item) => item.records));
      for (const item of group) {
        item.resolve(offset);
        offset += item.records.length;
      }
    } catch (error) {
      const failure = error instanceof AppError && error.code === 'record_too_large'
        ? error
        : new AppError('unavailable', `The record log did not take the update: ${messageOf(error)}`, { cause: error });
      for (const item of group) item.reject(failure);
    }
  };

  const run = async (partition: number, lane: Lane): Promise<void> => {
    // One turn of the event loop gathers what requests of the same moment bring.
    await new Promise((resolve) => setImmediate(resolve));
    while (lane.queue.length > 0) {
      const group = lane.queue.splice(0, sendable(lane.queue));
      await send(partition, group);
      for (const item of group) waiting -= item.records.length;
    }
    lane.running = null;
  };

  return {
    append(partition, records) {
      const lane = lanes[partition];
      if (lane === undefined) return Promise.reject(new Error(`No partition ${partition} of ${topic}`));
      if (waiting + records.length > MAX_WAITING_RECORDS) {
        return Promise.reject(new AppError('unavailable', `The record log is behind: ${waiting} records wait, the limit is ${MAX_WAITING_RECORDS}`));
      }
      waiting += records.length;
      return new Promise((resolve, reject) => {
        lane.queue.push({ records, bytes: bytesOf(records), resolve, reject });
        lane.running ??= run(partition, lane);
      });
    },
    async drain() {
      await Promise.all(lanes.map((lane) => lane.running));
    },
  };
}

/** How many of the queue fit into one append; at least one. */
function sendable(queue: readonly Waiting[]): number {
  let bytes = 0;
  let records = 0;
  let count = 0;
  for (const item of queue) {
    bytes += item.bytes;
    records += item.records.length;
    if (count > 0 && (bytes > MAX_APPEND_BYTES || records > MAX_APPEND_RECORDS)) break;
    count++;
  }
  return count;
}

function bytesOf(records: readonly NewRecord[]): number {
  return records.reduce((sum, record) => sum + (record.key?.length ?? 0) + (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES, 0);
}
