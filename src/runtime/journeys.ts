import { AppError, messageOf } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { PartitionId, RecordBatch, RecordLog, Subscription } from '../ports/record-log.ts';
import { partitionOfKey } from '../race/partition.ts';
import { readJourneyRaces, type JourneyRaces } from './journey-races.ts';
import { restoreJourneys } from './journey-store.ts';
import { JourneyTask } from './journey-task.ts';
import { refuseRoutes } from './refuse-routes.ts';
import type { RouteStore } from './route-store.ts';
import { answerForeignWriters } from './take-over.ts';
import { every, systemTimers, type Timers } from './timers.ts';

const GROUP = 'journeys';
const TICK_MS = 1_000;
const DRAIN_MS = 10_000;

export type JourneysOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly routes: RouteStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names this instance in the changelog; unique per process start. Each task adds a number to it. */
  readonly writerId: string;
  readonly timers?: Timers;
};

export type Journeys = {
  readonly tasks: ReadonlyMap<number, JourneyTask>;
  /** Stops fetching, logs what is in hand, commits, leaves the group. Idempotent. */
  close(): Promise<void>;
};

/**
 * The role `journeys`: a task for each partition of telemetry that the group gives us. A partition is restored from journey-states, and its
 * races read from race-states, before its first position. Records of `routes` that hold no route go to dead-letters from here.
 */
export async function runJourneys(options: JourneysOptions): Promise<Journeys> {
  const { log, codec, routes, clock, logger, writerId, timers = systemTimers } = options;
  const tasks = new Map<number, JourneyTask>();
  const racesOf = new Map<number, JourneyRaces>();
  /** How to call off the answers to former owners, by partition. */
  const takeOvers = new Map<number, () => void>();
  /** The assignment in force, by partition: a restore that ends after the loss of its partition comes to nothing. */
  const assignments = new Map<number, symbol>();
  const partitionCount = await log.partitionCount('telemetry');
  const subscribed = Promise.withResolvers<Subscription>();
  let taskCount = 0;
  await routes.caughtUp;

  async function take(partition: number): Promise<void> {
    await drop(partition);
    const assignment = Symbol(partition);
    assignments.set(partition, assignment);
    const races = readJourneyRaces({ log, codec, logger, partition, timers });
    const [{ store, changelogEnd, contested }] = await Promise.all([restoreJourneys(log, codec, partition), races.caughtUp]);
    if (assignments.get(partition) !== assignment) return await races.close();
    // Races may have gone while nobody looked.
    for (const raceId of store.raceIds()) if (races.find(raceId) === undefined) store.delete(raceId);
    const taskId = `${writerId}/${taskCount++}`;
    const task = new JourneyTask({
      partition, log, codec, clock, logger, timers, store, writerId: taskId,
      partitionOf: (key) => partitionOfKey(key, partitionCount), raceOf: (raceId) => races.find(raceId), takeNews: () => races.takeNews(), routeOf: (routeId) => routes.active(routeId),
      commit: async (nextOffset) => (await subscribed.promise).commit({ topic: 'telemetry', partition }, nextOffset),
    });
    tasks.set(partition, task);
    racesOf.set(partition, races);
    takeOvers.set(partition, answerForeignWriters({
      log, codec, logger, timers, topic: 'journey-states', partition, writerId: taskId, changelogEnd, contested,
      position: () => task.store.position, assertOwnership: (keys) => task.assertOwnership(keys),
    }));
  }

  async function drop(partition: number): Promise<void> {
    const races = racesOf.get(partition);
    tasks.get(partition)?.stop();
    takeOvers.get(partition)?.();
    tasks.delete(partition);
    takeOvers.delete(partition);
    racesOf.delete(partition);
    assignments.delete(partition);
    await races?.close();
  }

  const subscription = await log.subscribe({
    group: GROUP, topics: ['telemetry'],
    handler: {
      async onAssigned(ids: readonly PartitionId[]) {
        await Promise.all(ids.map(({ partition }) => take(partition)));
      },
      async onRevoked(ids: readonly PartitionId[]) {
        await Promise.all(ids.map(({ partition }) => drop(partition)));
      },
      async onBatch(batch: RecordBatch) {
        const task = tasks.get(batch.partition);
        if (task === undefined) throw new AppError('partition_lost', `Partition ${batch.partition} of telemetry is not ours`);
        await task.process(batch);
      },
    },
  });
  subscribed.resolve(subscription);
  const routeChecks = await refuseRoutes({ log, codec, logger });

  const stopTicking = every(timers, TICK_MS, () => {
    for (const [partition, task] of tasks) {
      task.tick().catch((error: unknown) => logger.warn({ partition, error: messageOf(error) }, 'Journeys could not be logged; trying again'));
    }
  });
  const shutDown = async (): Promise<void> => {
    stopTicking();
    await Promise.allSettled([...tasks.values()].map((task) => task.drain()));
    await routeChecks.close();
    await subscription.close({ drainMs: DRAIN_MS });
    await Promise.all([...tasks.keys()].map(drop));
  };
  let closing: Promise<void> | null = null;
  return { tasks, close: () => (closing ??= shutDown()) };
}
