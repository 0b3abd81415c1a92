import { AppError, messageOf } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { PartitionId, RecordBatch, RecordLog, Subscription } from '../ports/record-log.ts';
import type { PipelineHooks } from './hooks.ts';
import type { Learner } from './learner.ts';
import type { GraphOptions } from './partition-graph.ts';
import { PartitionTask, SLICE_RECORDS } from './partition-task.ts';
import { restoreStore } from './restore-store.ts';
import type { RouteStore } from './route-store.ts';
import { answerForeignWriters } from './take-over.ts';
import { every, pause, systemTimers, type Timers } from './timers.ts';

const PIPELINE_GROUP = 'pipeline';
/** An update appended more than an hour after its `at` is history. */
export const GRACE_MS = 3_600_000;
const WAKE_INTERVAL_MS = 100;
const DRAIN_MS = 10_000;

export type PipelineOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly learner: Learner;
  /** For the ETAs of vehicles (default: none, and they are forecast as other races are). */
  readonly routes?: RouteStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks: PipelineHooks;
  readonly finishedTtlMs: number;
  /** Names this instance in the changelog; unique per process start. Each task adds a number to it. */
  readonly writerId: string;
  readonly timers?: Timers;
  /** How a race is forecast (default: `forecastRace`). */
  readonly forecast?: GraphOptions['forecast'];
};

export type Pipeline = {
  readonly tasks: ReadonlyMap<number, PartitionTask>;
  /** Stops fetching, finishes the slices in hand, commits, leaves the group. Idempotent. */
  close(): Promise<void>;
};

/**
 * The role `pipeline`: a task for each partition of race-updates that the group gives us.
 *
 * **Delivery.** At least once in, effectively once out (see PartitionTask). A partition is restored from race-states
 * before its first record, and only after the learner has caught up.
 */
export async function runPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { log, codec, learner, routes, clock, logger, hooks, writerId, timers = systemTimers } = options;
  const tasks = new Map<number, PartitionTask>();
  /** How to call off the answers to former owners, by partition. */
  const takeOvers = new Map<number, () => void>();
  /** The assignment in force, by partition: a restore that ends after the loss of its partition comes to nothing. */
  const assignments = new Map<number, symbol>();
  let taskCount = 0;
  /** Tasks that have had a batch. */
  const begun = new WeakSet<PartitionTask>();
  const partitionCount = await log.partitionCount('race-updates');
  const historyPartitions = await log.partitionCount('race-history');
  let subscription: Subscription | null = null;
  const subscribed = Promise.withResolvers<Subscription>();
  await Promise.all([learner.caughtUp, routes?.caughtUp]);

  async function take(partition: number): Promise<void> {
    // Assigned again after a failure: what was restored the first time must not go on writing.
    drop(partition);
    const assignment = Symbol(partition);
    assignments.set(partition, assignment);
    const startedAt = performance.now();
    const { store, changelogEnd, contested } = await restoreStore(log, codec, partition);
    const endOffset = (await log.endOffsets('race-updates'))[partition] ?? 0;
    if (assignments.get(partition) !== assignment) return;
    const taskId = `${writerId}/${taskCount++}`;
    const task = new PartitionTask({
      partition, partitionCount, historyPartitions, log, codec, clock, logger, timers, hooks, store, writerId: taskId, endOffset,
      models: learner, routeOf: (routeId) => routes?.active(routeId), graceMs: GRACE_MS, finishedTtlMs: options.finishedTtlMs, forecast: options.forecast,
      isHeld: () => subscription === null || closed !== null || isSurelyHeld(partition),
      commit: async (nextOffset) => (subscription ?? await subscribed.promise).commit({ topic: 'race-updates', partition }, nextOffset),
    });
    tasks.set(partition, task);
    learner.own(partition, partitionCount);
    hooks.onRestored(store.position, store.size, performance.now() - startedAt);
    takeOvers.set(partition, answerForeignWriters({
      log, codec, logger, timers, topic: 'race-states', partition, writerId: taskId, changelogEnd, contested,
      position: () => task.store.position, assertOwnership: (keys) => task.assertOwnership(keys),
    }));
  }

  function drop(partition: number): void {
    tasks.get(partition)?.stop();
    tasks.delete(partition);
    takeOvers.get(partition)?.();
    takeOvers.delete(partition);
    assignments.delete(partition);
    learner.disown(partition);
  }

  /**
   * Delivery begins at the offset committed by then, which may lie behind what was restored: when the partition had been
   * given on meanwhile, and we do not know it. The inputs between the two are in the other's changelog alone. Other gaps
   * (retention, records of transactions) have no commit behind them.
   */
  async function isOutrun(task: PartitionTask, { partition, records }: RecordBatch): Promise<boolean> {
    if (begun.has(task)) return false;
    const next = task.store.position.applied_offset + 1;
    if ((records[0]?.offset ?? next) <= next) return false;
    const { offset } = await (await subscribed.promise).committed({ topic: 'race-updates', partition });
    return offset !== null && offset > next;
  }

  const handler = {
    async onAssigned(partitions: readonly PartitionId[]): Promise<void> {
      await Promise.all(partitions.map(({ partition }) => take(partition)));
      logger.info({ partitions: partitions.map(({ partition }) => partition) }, 'Partitions taken');
    },
    async onRevoked(partitions: readonly PartitionId[]): Promise<void> {
      const leaving = partitions.map(({ partition }) => tasks.get(partition));
      for (const { partition } of partitions) drop(partition);
      logger.info({ partitions: partitions.map(({ partition }) => partition) }, 'Partitions given up');
      // What is on its way must have arrived before they may be restored here again.
      await Promise.allSettled(leaving.map((task) => task?.drain()));
    },
    async onBatch(batch: RecordBatch): Promise<void> {
      const { partition } = batch;
      let task = tasks.get(partition);
      if (task !== undefined && await isOutrun(task, batch) && tasks.get(partition) === task) {
        logger.warn({ partition }, 'Another instance has worked on the partition since it was restored here: restoring it again');
        await take(partition);
        task = tasks.get(partition);
      }
      // Lost while that was asked: its owner is another by now, or the batch is from before it came back.
      if (task === undefined || tasks.get(partition) !== task) throw new AppError('partition_lost', `Partition ${partition} of race-updates is not ours`);
      begun.add(task);
      await task.process(batch);
    },
  };
  subscription = await log.subscribe({ group: PIPELINE_GROUP, topics: ['race-updates'], maxBatchRecords: SLICE_RECORDS, handler });
  subscribed.resolve(subscription);

  let closed: Promise<void> | null = null;
  let waking: Promise<void> | null = null;
  const stopWaking = every(timers, WAKE_INTERVAL_MS, () => {
    waking ??= wakeAll().finally(() => {
      waking = null;
    });
  });
  function isSurelyHeld(partition: number): boolean {
    return subscription?.assigned().some((id) => id.partition === partition) === true;
  }
  async function wakeAll(): Promise<void> {
    for (const [partition, task] of tasks) {
      if (closed !== null) return;
      // No record comes first that would tell of the loss: a process that slept must not speak for what others own.
      if (!task.hasDueWakeUps || !isSurelyHeld(partition)) continue;
      await task.runWakeUps().catch((error: unknown) => {
        logger.warn({ partition, error: messageOf(error) }, 'Wake-ups could not be sent; trying again');
      });
    }
  }

  /** Of wake-ups in hand, and of a slice to be sent again, the subscription knows nothing: leaving it would cut them short. */
  async function finishSlices(): Promise<void> {
    await waking;
    await Promise.allSettled([...tasks.values()].map((task) => task.drain()));
  }

  async function close(): Promise<void> {
    stopWaking();
    for (const cancel of takeOvers.values()) cancel();
    const draining = [...tasks.values()];
    const finished = new AbortController();
    await Promise.race([finishSlices(), pause(timers, DRAIN_MS, finished.signal)]);
    finished.abort();
    await subscription?.close({ drainMs: DRAIN_MS });
    await Promise.allSettled(draining.map((task) => task.drain()));
  }
  return { tasks, close: () => (closed ??= close()) };
}
