import { partitionCounts, topics, type TopicName } from '../../../topology/topics.ts';
import { makeMaintenance } from '../../../src/adapters/local-log/maintenance.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { LogStorage, StoredPartition } from '../../../src/adapters/local-log/storage.ts';
import { AppError } from '../../../src/errors.ts';
import type { LogRecord, NewRecord, PartitionId, TopicDefinition } from '../../../src/ports/record-log.ts';
import { createGroup, type Group } from './group.ts';
import type { Process, World } from './world.ts';

/** Probabilities of what may go wrong with one request. */
export type Faults = {
  /** An append, commit or insert is refused, nothing stored. */
  refused: number;
  /** It is stored, but its caller is told that it failed. */
  unknown: number;
  /** It takes long on its way. */
  slow: number;
  /** A restore's reader breaks, or offsets cannot be asked for. */
  readBreaks: number;
  /** A batch is delivered again after the next ones. */
  redelivered: number;
};

export const noFaults: Faults = { refused: 0, unknown: 0, slow: 0, readBreaks: 0, redelivered: 0 };

/** Who sent a record, whether its input partition had been given to somebody else when it arrived, and in the how manieth append of all. */
export type Sender = { readonly process: Process | null; readonly isStale: boolean; readonly order: number };

export type ClusterOptions = {
  readonly world: World;
  readonly partitions: { readonly races: number; readonly sources: number };
  /** The longest that a send may still arrive after its partition was given to another instance, ms. */
  readonly zombieWindowMs: number;
  readonly onStored: (topic: TopicName, partition: number, records: readonly NewRecord[], process: Process | null) => void;
  readonly trace: (line: string) => void;
};

export type Cluster = ReturnType<typeof createCluster>;

/**
 * The brokers: partitions over the memory storage, groups, and requests that take seeded times, fail, or are done
 * although they are said to have failed. Requests of one process to one partition arrive in the order of the calls.
 */
export function createCluster({ world, partitions: partitionsOf, zombieWindowMs, onStored, trace }: ClusterOptions) {
  const storages = new Map<TopicName, LogStorage>();
  const partitions = new Map<TopicName, readonly StoredPartition[]>();
  const senders = new Map<string, Sender[]>();
  const journals = new Map<string, LogRecord[]>();
  const listeners = new Set<() => void>();
  const groups = new Map<string, Group>();
  const lastArrivals = new Map<Process, Map<string, number>>();
  const generations: LogRecord[][][] = [];
  const counts = { stale: 0, refused: 0, unknown: 0 };
  let faults: Faults = noFaults;
  let order = 0;

  for (const spec of topics) {
    const partitionCount = { ...partitionCounts.embedded, ...partitionsOf }[spec.partitions];
    create({
      name: spec.name, partitions: partitionCount, cleanup: spec.cleanup, retentionMs: spec.retentionMs,
      // The newest segment of a Kafka partition is never compacted: a send that arrives late finds what it is late for.
      minCompactionLagMs: Math.max(spec.minCompactionLagMs, 3 * zombieWindowMs),
    });
  }

  function create(definition: TopicDefinition): void {
    const storage = memoryStorage();
    storage.saveTopic(definition);
    storages.set(definition.name, storage);
    partitions.set(definition.name, storage.partitions(definition.name));
    for (let partition = 0; partition < definition.partitions; partition++) {
      senders.set(`${definition.name}/${partition}`, []);
      journals.set(`${definition.name}/${partition}`, []);
    }
  }

  function partitionAt({ topic, partition }: PartitionId): StoredPartition {
    const found = partitions.get(topic)?.[partition];
    if (found === undefined) throw new AppError('log_unavailable', `There is no partition ${topic}/${partition}`);
    return found;
  }

  const latencyMs = (): number => world.chance(faults.slow) ? world.between(50, zombieWindowMs / 2) : world.between(1, 15);

  function senderOf({ topic, partition, offset }: LogRecord): Sender {
    return senders.get(`${topic}/${partition}`)?.[offset] ?? { process: null, isStale: false, order: -1 };
  }

  function store(topic: TopicName, partition: number, records: readonly NewRecord[], process: Process | null): number {
    const stored = partitionAt({ topic, partition });
    const offset = stored.append(records, world.wallMs());
    journals.get(`${topic}/${partition}`)?.push(...stored.read(offset, Infinity, Infinity));
    const owner = groups.get('pipeline')?.ownerOf({ topic: 'race-updates', partition });
    const isStale = process !== null && owner !== undefined && owner.process !== process;
    order += 1;
    senders.get(`${topic}/${partition}`)?.push(...records.map(() => ({ process, isStale, order })));
    if (isStale && (topic === 'race-states' || topic === 'eta-updates')) counts.stale += 1;
    onStored(topic, partition, records, process);
    for (const listener of listeners) listener();
    return offset;
  }

  return {
    zombieWindowMs,
    latencyMs,
    trace,
    counts,
    get faults(): Faults { return faults; },
    setFaults(next: Faults): void { faults = next; },
    partitionCount: (topic: TopicName): number => partitions.get(topic)?.length ?? 0,
    partitionAt,
    store,
    /** Called after every append, whatever the topic. */
    onAppended(listener: () => void): () => void {
      listeners.add(listener);
      return () => { listeners.delete(listener); };
    },
    /** All that a partition holds, in offset order. */
    recordsOf: (topic: TopicName, partition: number): LogRecord[] => partitionAt({ topic, partition }).read(0, Infinity, Infinity),
    /** All that a partition ever held since its topic was created, whatever compaction and retention took. */
    journalOf: (topic: TopicName, partition: number): readonly LogRecord[] => journals.get(`${topic}/${partition}`) ?? [],
    senderOf,
    /** Some records, whole appends at that: all of one are visible at once, and a fetch brings them together. */
    readSome(topic: TopicName, partition: number, from: number, limit: number): LogRecord[] {
      const stored = partitionAt({ topic, partition });
      const records = stored.read(from, limit, Infinity);
      for (;;) {
        const last = records.at(-1);
        const [next] = last === undefined ? [] : stored.read(last.offset + 1, 1, Infinity);
        if (last === undefined || next === undefined || senderOf(next).order !== senderOf(last).order) return records;
        records.push(next);
      }
    },
    group(name: string): Group {
      let group = groups.get(name);
      if (group === undefined) {
        group = createGroup({ world, partitionCount: (topic) => partitions.get(topic)?.length ?? 0, zombieWindowMs });
        groups.set(name, group);
      }
      return group;
    },
    /** A request of a process to one place: `act` is called when it arrives, unless it is refused or lost. */
    request<T>(process: Process, place: string, act: () => T): Promise<T> {
      if (!process.isAlive) return new Promise(() => {});
      let lanes = lastArrivals.get(process);
      if (lanes === undefined) lastArrivals.set(process, lanes = new Map());
      const arrivesAtMs = Math.max(lanes.get(place) ?? 0, world.elapsedMs + latencyMs());
      lanes.set(place, arrivesAtMs);
      const isRefused = world.chance(faults.refused);
      const isUnknown = world.chance(faults.unknown);
      return new Promise<T>((resolve, reject) => {
        const answer = (settle: () => void): void => { world.after(latencyMs(), settle, process); };
        const fail = (): void => answer(() => reject(new AppError('log_unavailable', `No answer from ${place}`)));
        world.after(arrivesAtMs - world.elapsedMs, () => {
          if (!process.isAlive && world.chance(0.5)) return;
          if (isRefused) {
            counts.refused += 1;
            return fail();
          }
          let result: T;
          try {
            result = act();
          } catch (error) {
            return answer(() => reject(error as Error));
          }
          process.effects += 1;
          if (isUnknown) {
            counts.unknown += 1;
            fail();
          } else answer(() => resolve(result));
          if (process.isAlive && process.effects >= process.crashAtEffect) process.isAlive = false;
        });
      });
    },
    /** race-updates is deleted and created again, with its commits; what it held can still be asked for. */
    recreateUpdates(): void {
      generations.push((partitions.get('race-updates') ?? []).map((_, partition) => journals.get(`race-updates/${partition}`) ?? []));
      const definition = storages.get('race-updates')?.topics()[0];
      if (definition !== undefined) create(definition);
    },
    /** The records of one partition of race-updates, one list for each time that the topic was created. */
    updatesOf(partition: number): LogRecord[][] {
      return [...generations.map((generation) => generation[partition] ?? []), journals.get(`race-updates/${partition}`) ?? []];
    },
    maintain(): void {
      for (const storage of storages.values()) {
        const maintenance = makeMaintenance(storage, { nowMs: world.wallMs });
        while (maintenance.runSlice());
      }
    },
  };
}
