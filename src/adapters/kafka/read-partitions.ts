import { randomUUID } from 'node:crypto';
import type { Broker, Cluster, Consumer, Kafka } from 'kafkajs';
import { AppError, assert, messageOf } from '../../errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { LogRecord, PartitionReader, ReadOptions } from '../../ports/record-log.ts';
import { onlyCommitted, type AbortedTransaction, type FetchedRecord } from './aborted-transactions.ts';
import { clientRetry } from './client.ts';
import { asUnavailable, errorType, isHopeless } from './kafka-errors.ts';
import { FETCH_BYTES, FETCH_PARTITION_BYTES, FETCH_WAIT_MS, METADATA_MAX_AGE_MS } from './limits.ts';
import { toLogRecord } from './records.ts';
import { growingDelaysMs, pause } from './retry.ts';

type FetchedPartition = {
  readonly partition: number;
  readonly highWatermark: string;
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  readonly messages: readonly FetchedRecord[];
};
type FetchResponse = { readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[] };

/**
 * `end` was the partition's end at the start; `emptyFetches` counts fetches below it that had room for its records and
 * held none at all. `isStarved`: the last fetch below it held others' records, none of its own.
 */
type Cursor = {
  readonly partition: number;
  readonly first: number;
  position: number;
  readonly end: number;
  emptyFetches: number;
  isStarved: boolean;
  isBusy: boolean;
};

export type ReaderContext = { readonly kafka: Kafka; readonly prefix: string; readonly logger: Logger; readonly onClosed: () => void };

/**
 * Reads partitions without a group, by fetches of its own. Lives until it is closed or broken; brokers that go away are
 * waited for.
 *
 * kafkajs has no `assign()`, and a throw-away group would cost every reader the broker's group.initial.rebalance.delay
 * (3 s by default) and leave groups behind. But kafkajs hands its cluster connection to partition assigners, and the
 * connection can fetch: so a consumer is made that never joins anything, for its connection.
 *
 * A partition's tail may hold no records (control records, or batches emptied by compaction that the broker keeps for
 * their sequence numbers): the fetched offsets move on over control records, and two fetches in a row without any
 * record below the end count as its end. But a fetch is filled partition by partition, in any order, up to its limit: only an
 * answer that holds nothing at all says that there is no record, so whoever got nothing is fetched alone the next time.
 */
export function readKafkaPartitions({ kafka, prefix, logger, onClosed }: ReaderContext, options: ReadOptions): PartitionReader {
  const topic = prefix + options.topic;
  const stopping = new AbortController();
  const caughtUp = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  // Whoever does not look at them must not bring the process down.
  caughtUp.promise.catch(() => undefined);
  done.promise.catch(() => undefined);
  const { consumer, cluster } = openConnection(kafka);
  let cursors: Cursor[] = [];
  /** Calls of onRecords one after another. */
  let turn: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    await persistently('open the partitions', async () => {
      await consumer.connect();
      await cluster.addTargetTopic(topic);
      cursors = await openCursors();
    });
    settleCaughtUp();
    const fetches = new Map<string, Promise<void>>();
    while (!stopping.signal.aborted) {
      for (const [nodeId, partitions] of leaders()) {
        if (fetches.has(nodeId)) continue;
        const fetching = fetchFrom(nodeId, partitions).finally(() => { fetches.delete(nodeId); });
        // Awaited below; a second failure beside the first must not go unhandled.
        fetching.catch(() => undefined);
        fetches.set(nodeId, fetching);
      }
      if (fetches.size === 0) await refreshLater();
      else await Promise.race(fetches.values());
    }
  }

  async function openCursors(): Promise<Cursor[]> {
    const partitions = options.partitions.map((partition) => ({ partition }));
    if (partitions.length === 0) return [];
    const known = cluster.findTopicPartitionMetadata(topic).length;
    for (const { partition } of partitions) {
      if (partition >= known) throw new AppError('not_found', `Partition ${topic}/${partition} does not exist: the topic has ${known}`);
    }
    const [lows, highs] = [await offsetsOf(partitions, true), await offsetsOf(partitions, false)];
    return partitions.map(({ partition }) => {
      const [low, high] = [lows.get(partition), highs.get(partition)];
      assert(low !== undefined && high !== undefined, `No offsets for ${topic}/${partition}`);
      const from = options.from(partition);
      const first = from === 'earliest' ? low : from === 'latest' ? high : Math.max(from, low);
      // A first offset beyond the end is waited for: fetches begin at the end and what is below it is left out.
      return { partition, first, position: Math.min(first, high), end: high, emptyFetches: 0, isStarved: false, isBusy: false };
    });
  }

  async function offsetsOf(partitions: { partition: number }[], fromBeginning: boolean): Promise<Map<number, number>> {
    const found = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
    return new Map(found.flatMap((one) => one.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const)));
  }

  /** Cursors to fetch, by the broker that leads them; those without a leader wait. */
  function leaders(): Map<string, Cursor[]> {
    const byNode = new Map<string, Cursor[]>();
    const metadata = new Map(cluster.findTopicPartitionMetadata(topic).map((one) => [one.partitionId, one.leader]));
    for (const cursor of cursors) {
      const leader = metadata.get(cursor.partition);
      if (cursor.isBusy || leader === undefined || leader < 0) continue;
      const nodeId = String(leader);
      byNode.set(nodeId, [...(byNode.get(nodeId) ?? []), cursor]);
    }
    return byNode;
  }

  async function fetchFrom(nodeId: string, some: readonly Cursor[]): Promise<void> {
    const starved = some.find((cursor) => cursor.isStarved);
    const partitions = starved === undefined ? some : [starved];
    for (const cursor of partitions) cursor.isBusy = true;
    try {
      await cluster.refreshMetadataIfNecessary();
      const broker: Broker = await cluster.findBroker({ nodeId });
      const { responses }: FetchResponse = await broker.fetch({
        // What is asked for alone is there or will not come.
        maxWaitTime: starved === undefined ? FETCH_WAIT_MS : 1,
        minBytes: 1,
        maxBytes: FETCH_BYTES,
        topics: [{ topic, partitions: partitions.map((cursor) => ({ partition: cursor.partition, fetchOffset: String(cursor.position), maxBytes: FETCH_PARTITION_BYTES })) }],
      });
      const answers = responses.flatMap((response) => response.partitions);
      const holdsNothing = answers.every(({ messages }) => messages.length === 0);
      for (const fetched of answers) {
        const cursor = partitions.find((one) => one.partition === fetched.partition);
        if (cursor !== undefined) await take(cursor, fetched, holdsNothing);
      }
    } catch (error) {
      if (stopping.signal.aborted) return;
      await recover(error, partitions);
    } finally {
      for (const cursor of partitions) cursor.isBusy = false;
    }
  }

  async function take(cursor: Cursor, fetched: FetchedPartition, hadRoom: boolean): Promise<void> {
    const last = fetched.messages.at(-1);
    if (last === undefined) {
      cursor.isStarved = false;
      if (cursor.position >= cursor.end || Number(fetched.highWatermark) < cursor.end) return;
      cursor.isStarved = !hadRoom;
      if (!hadRoom) return;
      cursor.emptyFetches += 1;
      if (cursor.emptyFetches >= 2) cursor.position = cursor.end;
    } else {
      const from = Math.max(cursor.position, cursor.first);
      const records = onlyCommitted(fetched.messages, fetched.abortedTransactions).filter((record) => Number(record.offset) >= from);
      if (records.length > 0) await handOver(records.map((record) => toLogRecord(options.topic, cursor.partition, { ...record, attributes: 0 })));
      cursor.position = Math.max(cursor.position, Number(last.offset) + 1);
      cursor.emptyFetches = 0;
      cursor.isStarved = false;
    }
    settleCaughtUp();
  }

  async function handOver(records: readonly LogRecord[]): Promise<void> {
    const mine = turn.then(async () => {
      if (stopping.signal.aborted) return;
      try {
        await options.onRecords(records);
      } catch (error) {
        throw new CallbackFailure(error);
      }
    });
    turn = mine.catch(() => undefined);
    await mine;
  }

  function settleCaughtUp(): void {
    if (!stopping.signal.aborted && cursors.every((cursor) => cursor.position >= cursor.end)) caughtUp.resolve();
  }

  /** Makes the next fetch possible, or rethrows. */
  async function recover(error: unknown, partitions: readonly Cursor[]): Promise<void> {
    if (error instanceof CallbackFailure) throw error.reason;
    if (error instanceof AppError || isHopeless(error)) throw error;
    if (errorType(error) === 'OFFSET_OUT_OF_RANGE' || (error instanceof Error && error.name === 'KafkaJSOffsetOutOfRange')) return moveIntoRange(partitions);
    logger.warn({ topic, error: messageOf(error) }, 'Fetch failed, trying again');
    await refreshLater();
  }

  async function moveIntoRange(partitions: readonly Cursor[]): Promise<void> {
    await persistently('look up offsets', async () => {
      const wanted = partitions.map(({ partition }) => ({ partition }));
      const [lows, highs] = [await offsetsOf(wanted, true), await offsetsOf(wanted, false)];
      for (const cursor of partitions) {
        const low = lows.get(cursor.partition) ?? 0;
        const high = highs.get(cursor.partition) ?? 0;
        if (cursor.position < low) {
          logger.warn({ topic, partition: cursor.partition, position: cursor.position, earliest: low }, 'Records were deleted before they were read');
          cursor.position = low;
        } else if (cursor.position > high) {
          throw new AppError('log_unavailable', `Cannot go on reading ${topic}/${cursor.partition}: it ends at ${high}, below what was read (${cursor.position}); it was created again`);
        }
      }
    });
    settleCaughtUp();
  }

  async function refreshLater(): Promise<void> {
    await pause(100, stopping.signal);
    if (!stopping.signal.aborted) await persistently('refresh the metadata', () => cluster.refreshMetadata());
  }

  /** Tries until it succeeds or the reader closes; rethrows what no retry can help. */
  async function persistently(doing: string, attempt: () => Promise<void>): Promise<void> {
    for (const delayMs of growingDelaysMs(2_000)) {
      if (stopping.signal.aborted) return;
      try {
        return await attempt();
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (error instanceof AppError) throw error;
        if (isHopeless(error)) throw asUnavailable(doing, error);
        if (errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION' && cursors.length === 0) throw new AppError('not_found', `Topic ${topic} does not exist`, { cause: error });
        logger.warn({ topic, error: messageOf(error) }, `Cannot ${doing}, trying again`);
      }
      await pause(delayMs, stopping.signal);
    }
  }

  let disconnecting: Promise<void> | null = null;
  function disconnect(): Promise<void> {
    disconnecting ??= consumer.disconnect()
      .catch((error: unknown) => logger.debug({ topic, error: messageOf(error) }, 'Reader did not disconnect cleanly'))
      .then(onClosed);
    return disconnecting;
  }

  run().then(
    async () => {
      await disconnect();
      done.resolve();
    },
    async (error: unknown) => {
      stopping.abort();
      caughtUp.reject(error);
      done.reject(error);
      await disconnect();
    },
  );

  return {
    caughtUp: caughtUp.promise,
    done: done.promise,
    async close() {
      stopping.abort();
      caughtUp.reject(new AppError('not_ready', `Reading ${topic} was closed before it had caught up`));
      // Not the callback: it may be the one that closes.
      await disconnect();
    },
  };
}

/** Tells what the caller's function threw from what the fetch threw. */
class CallbackFailure extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('The receiver of the records failed');
    this.reason = reason;
  }
}

function openConnection(kafka: Kafka): { consumer: Consumer; cluster: Cluster } {
  let handed: Cluster | undefined;
  const consumer = kafka.consumer({
    groupId: `reader-${randomUUID()}`,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    retry: clientRetry,
    partitionAssigners: [({ cluster }) => {
      handed = cluster;
      return { name: 'none', version: 1, assign: async () => [], protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) };
    }],
  });
  assert(handed !== undefined, 'kafkajs did not make its partition assigners at once');
  return { consumer, cluster: handed };
}
