import { AppError } from '../../errors.ts';
import type { NewRecord } from '../../ports/record-log.ts';
import { LANES, MAX_APPEND_BYTES, MAX_FRAMED_BYTES, RECORD_FRAME_BYTES } from './limits.ts';
import { openProducerLane, type LaneOptions, type ProducerLane } from './producer-lane.ts';
import { payloadBytes } from './records.ts';

export type Appender = {
  /** See RecordLog.append; `topic` is Kafka's name. */
  append(topic: string, partition: number, records: readonly NewRecord[]): Promise<number>;
  close(): Promise<void>;
};

/** Spreads partitions over producers; a partition keeps to one, which keeps its order. */
export function openAppender(options: LaneOptions): Appender {
  const lanes: readonly ProducerLane[] = Array.from({ length: LANES }, () => openProducerLane(options));

  function append(topic: string, partition: number, records: readonly NewRecord[]): Promise<number> {
    let bytes = 0;
    for (const record of records) bytes += payloadBytes(record);
    if (bytes > MAX_APPEND_BYTES || bytes + records.length * RECORD_FRAME_BYTES > MAX_FRAMED_BYTES) {
      return Promise.reject(new AppError('record_too_large', `Cannot append to ${topic}/${partition}: ${records.length} records of ${bytes} bytes exceed ${MAX_APPEND_BYTES} bytes`));
    }
    if (records.length === 0) return Promise.reject(new AppError('invalid_request', `Cannot append to ${topic}/${partition}: there must be at least one record`));
    const lane = lanes[laneOf(topic, partition)];
    return new Promise((resolve, reject) => {
      lane?.push({ topic, partition, records, bytes, sinceMs: options.clock.nowMs(), resolve, reject });
    });
  }

  async function close(): Promise<void> {
    await Promise.all(lanes.map((lane) => lane.close()));
  }

  return { append, close };
}

/** Neighbouring partitions of a topic fall into different lanes. */
function laneOf(topic: string, partition: number): number {
  let hash = 0;
  for (let i = 0; i < topic.length; i += 1) hash = (hash * 31 + topic.charCodeAt(i)) >>> 0;
  return (hash + partition) % LANES;
}
