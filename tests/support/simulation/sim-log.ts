import { AppError } from '../../../src/errors.ts';
import type {
  LogRecord, PartitionId, PartitionReader, ReadOptions, RecordLog, SubscribeOptions, Subscription,
} from '../../../src/ports/record-log.ts';
import type { Cluster } from './cluster.ts';
import { subscribeMember } from './member.ts';
import { never, type Process, type World } from './world.ts';

const MAX_APPEND_BYTES = 900_000;

export type SimLogOptions = {
  readonly world: World;
  readonly cluster: Cluster;
  readonly process: Process;
  readonly report: (what: string) => void;
  readonly onCommitted?: (group: string, id: PartitionId, nextOffset: number) => void;
};

/** The record log as one process sees it. */
export function openSimLog({ world, cluster, process, report, onCommitted }: SimLogOptions): RecordLog {
  const lookUp = <T>(read: () => T): Promise<T> => {
    if (!process.isAlive) return never;
    const breaks = world.chance(cluster.faults.readBreaks);
    return world.sleep(cluster.latencyMs(), process).then(() => {
      if (breaks) throw new AppError('log_unavailable', 'The brokers do not answer');
      return read();
    });
  };
  let pipeline: Subscription | null = null;
  const holds = (partition: number): boolean => pipeline?.assigned().some((id) => id.partition === partition) ?? false;
  return {
    zombieWindowMs: cluster.zombieWindowMs,
    async ensureTopics() {},
    partitionCount: (topic) => lookUp(() => cluster.partitionCount(topic)),
    append(topic, partition, records) {
      const bytes = records.reduce((sum, { key, value, headers = [] }) => (
        headers.reduce((total, [name, content]) => total + name.length + content.length, sum + (key?.length ?? 0) + (value?.length ?? 0))
      ), 0);
      if (bytes > MAX_APPEND_BYTES) return Promise.reject(new AppError('record_too_large', `Cannot append ${bytes} bytes to ${topic}/${partition}`));
      if ((topic === 'race-states' || topic === 'eta-updates') && process.isAlive && !holds(partition)) {
        report(`${process.name} writes to ${topic}/${partition} after it was told that the partition is lost`);
      }
      return cluster.request(process, `${topic}/${partition}`, () => cluster.store(topic, partition, records, process));
    },
    async subscribe(options: SubscribeOptions): Promise<Subscription> {
      await lookUp(() => undefined);
      const subscription = subscribeMember({ world, cluster, process, onCommitted, ...options });
      if (options.group === 'pipeline') pipeline = subscription;
      return subscription;
    },
    readPartitions: (options) => readPartitions(world, cluster, process, options),
    endOffsets: (topic) => lookUp(() => Array.from({ length: cluster.partitionCount(topic) }, (_, partition) => cluster.partitionAt({ topic, partition }).endOffset())),
    groupOffsets: (group, topic) => lookUp(() => Array.from({ length: cluster.partitionCount(topic) }, (_, partition) => cluster.partitionAt({ topic, partition }).committed(group))),
    usage: async () => ({ topics: [], bytes: null }),
    compact: async () => false,
    deleteRecords: () => Promise.reject(new Error('Nobody purges a simulation')),
    inspect: () => Promise.reject(new Error('Nobody examines a simulation')),
    async close() {},
  };
}

function readPartitions(world: World, cluster: Cluster, process: Process, { topic, partitions, from, onRecords }: ReadOptions): PartitionReader {
  const caughtUp = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  caughtUp.promise.catch(() => {});
  done.promise.catch(() => {});
  const state = { isClosed: false };
  let wake: (() => void) | null = null;
  const stopListening = cluster.onAppended(() => wake?.());
  // The learner's reader lives as long as its process: an adapter gives up on hopeless errors only.
  const breaks = topic === 'race-states' && world.chance(cluster.faults.readBreaks);
  const positions = partitions.map((partition) => {
    const stored = cluster.partitionAt({ topic, partition });
    const start = from(partition);
    return { partition, goal: stored.endOffset(), next: start === 'earliest' ? 0 : start === 'latest' ? stored.endOffset() : start };
  });

  async function run(): Promise<void> {
    await world.sleep(cluster.latencyMs(), process);
    while (!state.isClosed) {
      let isIdle = true;
      for (const position of positions) {
        if (state.isClosed) break;
        const records: LogRecord[] = cluster.readSome(topic, position.partition, position.next, world.whole(1, 60));
        const last = records.at(-1);
        if (last === undefined) {
          position.next = Math.max(position.next, position.goal);
          continue;
        }
        if (breaks) throw new AppError('log_unavailable', `The reader of ${topic} broke`);
        isIdle = false;
        await onRecords(records);
        position.next = last.offset + 1;
        await world.sleep(cluster.latencyMs(), process);
      }
      if (positions.every(({ next, goal }) => next >= goal)) caughtUp.resolve();
      if (!isIdle || state.isClosed) continue;
      await new Promise<void>((resolve) => { wake = resolve; });
      wake = null;
      await world.sleep(cluster.latencyMs(), process);
    }
  }

  const end = (): void => {
    state.isClosed = true;
    stopListening();
    wake?.();
  };
  run().then(() => {
    caughtUp.reject(new AppError('log_unavailable', `The reader of ${topic} was closed before it had caught up`));
    done.resolve();
  }, (error: unknown) => {
    end();
    caughtUp.reject(error);
    done.reject(error);
  });
  return { caughtUp: caughtUp.promise, done: done.promise, close: async () => end() };
}

