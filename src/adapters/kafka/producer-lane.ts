import kafkajs, { type Kafka, type Producer, type RecordMetadata } from 'kafkajs';
import { AppError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { NewRecord } from '../../ports/record-log.ts';
import { asUnavailable, isHopeless, isProducerSpent, isTooLarge } from './kafka-errors.ts';
import { APPEND_DEADLINE_MS, MERGE_MAX_BYTES, MERGE_MAX_RECORDS, REQUEST_TIMEOUT_MS, SEND_RETRIES } from './limits.ts';
import { ofOnePartition, toMessage } from './records.ts';
import { growingDelaysMs, pause } from './retry.ts';

/** An append on its way. `topic` is Kafka's name. */
export type PendingAppend = {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly NewRecord[];
  readonly bytes: number;
  readonly sinceMs: number;
  readonly resolve: (firstOffset: number) => void;
  readonly reject: (error: AppError) => void;
};

/** Appends of one partition that travel in one send, hence in one record batch: all visible or none. */
type Group = { readonly topic: string; readonly partition: number; readonly appends: PendingAppend[]; bytes: number; count: number };

export type ProducerLane = {
  push(append: PendingAppend): void;
  /** Refuses what comes later, waits for what is queued, disconnects. */
  close(): Promise<void>;
};

export type LaneOptions = { readonly kafka: Kafka; readonly logger: Logger; readonly clock: Clock };

/**
 * One idempotent producer with one send in flight, of one partition.
 *
 * **Delivery.** At least once, in order per partition. A try whose outcome is unknown is repeated by the same producer
 * with the same records, so the broker recognises it; a producer whose sequence is in doubt is thrown away and the send
 * repeated by a new one, which may store it twice.
 *
 * What surprised us in kafkajs 2.2.4: a send over several partitions resolves although a moved one was never sent; a
 * second send beside one that timed out reuses its sequence numbers. Hence one partition, one send, and a look at the
 * answer whether it names the partition.
 */
export function openProducerLane({ kafka, logger, clock }: LaneOptions): ProducerLane {
  /** Groups by partition; the map's order is the order of service. */
  const waiting = new Map<string, Group[]>();
  let producer: Producer | null = null;
  let working: Promise<void> | null = null;
  let closed = false;

  function push(append: PendingAppend): void {
    if (closed) return append.reject(new AppError('log_unavailable', 'Cannot append: the log is closed'));
    const key = `${append.topic}/${append.partition}`;
    const groups = waiting.get(key);
    const last = groups?.at(-1);
    if (last !== undefined && last.bytes + append.bytes <= MERGE_MAX_BYTES && last.count + append.records.length <= MERGE_MAX_RECORDS) {
      last.appends.push(append);
      last.bytes += append.bytes;
      last.count += append.records.length;
    } else {
      const group: Group = { topic: append.topic, partition: append.partition, appends: [append], bytes: append.bytes, count: append.records.length };
      if (groups === undefined) waiting.set(key, [group]);
      else groups.push(group);
    }
    working ??= work();
  }

  async function work(): Promise<void> {
    // Appends of this same turn of the event loop still join their group.
    await Promise.resolve();
    for (let group = takeNext(); group !== undefined; group = takeNext()) await serve(group);
    working = null;
  }

  function takeNext(): Group | undefined {
    for (const [key, groups] of waiting) {
      const group = groups.shift();
      waiting.delete(key);
      // To the end of the line, so that one busy partition does not hold up the others.
      if (groups.length > 0) waiting.set(key, groups);
      if (group !== undefined) return group;
    }
    return undefined;
  }

  async function serve(group: Group): Promise<void> {
    try {
      let offset = await store(group);
      for (const append of group.appends) {
        append.resolve(offset);
        offset += append.records.length;
      }
    } catch (error) {
      const failure = asUnavailable(`append to ${group.topic}/${group.partition}`, error);
      for (const append of group.appends) append.reject(failure);
    }
  }

  async function store(group: Group): Promise<number> {
    const messages = ofOnePartition(group.partition, group.appends.flatMap((append) => append.records.map((record) => toMessage(group.partition, record))));
    const endMs = Math.min(...group.appends.map((append) => append.sinceMs)) + APPEND_DEADLINE_MS;
    let lastError: unknown = null;
    for (const delayMs of growingDelaysMs(500)) {
      if (clock.nowMs() > endMs) break;
      try {
        producer ??= await connect();
        const results = await producer.send({ topic: group.topic, acks: -1, timeout: REQUEST_TIMEOUT_MS, messages });
        return offsetIn(results, group);
      } catch (error) {
        lastError = error;
        if (isTooLarge(error)) {
          throw new AppError('record_too_large', `Cannot append ${group.bytes} bytes to ${group.topic}/${group.partition}: the broker takes less in one batch`, { cause: error });
        }
        if (isHopeless(error)) break;
        if (isProducerSpent(error) || error instanceof AppError) await discard();
        logger.warn({ topic: group.topic, partition: group.partition, error: messageOf(error) }, 'Send failed, trying again');
      }
      await pause(delayMs);
    }
    // Its last try may have been stored: another send with the same sequence numbers would be taken for a repetition.
    await discard();
    throw lastError ?? new AppError('log_unavailable', `Cannot append to ${group.topic}/${group.partition}: no send could begin within ${APPEND_DEADLINE_MS} ms`);
  }

  async function connect(): Promise<Producer> {
    const created = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: 60_000,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: SEND_RETRIES, initialRetryTime: 50, multiplier: 1.5, factor: 0.2, maxRetryTime: 500 },
    });
    try {
      await created.connect();
      return created;
    } catch (error) {
      await created.disconnect().catch(() => undefined);
      throw error;
    }
  }

  async function discard(): Promise<void> {
    const spent = producer;
    producer = null;
    await spent?.disconnect().catch((error: unknown) => logger.debug({ error: messageOf(error) }, 'Discarded producer did not disconnect cleanly'));
  }

  async function close(): Promise<void> {
    closed = true;
    await working;
    await discard();
  }

  return { push, close };
}

/** Rejects where the answer does not name the partition with an offset: then nothing is known to be stored. */
function offsetIn(results: readonly RecordMetadata[], group: Group): number {
  const own = results.find((result) => result.topicName === group.topic && result.partition === group.partition);
  const offset = Number(own?.baseOffset ?? -1);
  if (own === undefined || own.errorCode !== 0 || !(offset >= 0)) {
    throw new AppError('log_unavailable', `Cannot append to ${group.topic}/${group.partition}: the broker's answer names no offset for it`);
  }
  return offset;
}
