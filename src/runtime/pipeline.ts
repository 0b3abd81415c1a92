import { AppError, messageOf } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { PartitionId, RecordBatch, RecordLog, Subscription } from '../ports/record-log.ts';
import type { PipelineHooks } from './hooks.ts';
import type { Learner } from './learner.ts';
import { PartitionTask, WRITER_HEADER } from './partition-task.ts';
import { foreignKeys, restoreStore } from './restore-store.ts';
import { every, systemTimers, type Timers } from './timers.ts';

const PIPELINE_GROUP = 'pipeline';
/** An update appended more than an hour after its `at` is history. */
export const GRACE_MS = 3_600_000;
const WAKE_INTERVAL_MS = 100;

export type PipelineOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly learner: Learner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks: PipelineHooks;
  readonly finishedTtlMs: number;
  /** Names this instance in the changelog; unique per process start. */
  readonly writerId: string;
  readonly timers?: Timers;
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
  const { log, codec, learner, clock, logger, hooks, writerId, timers = systemTimers } = options;
  const tasks = new Map<number, PartitionTask>();
  const takeOverTimers = new Map<number, () => void>();
  const partitionCount = await log.partitionCount('race-updates');
  const historyPartitions = await log.partitionCount('race-history');
  let subscription: Subscription | null = null;
  const subscribed = Promise.withResolvers<Subscription>();
  await learner.caughtUp;

  async function take(partition: number): Promise<void> {
    const startedAt = performance.now();
    const { store, changelogEnd } = await restoreStore(log, codec, partition);
    const endOffset = (await log.endOffsets('race-updates'))[partition] ?? 0;
    if (endOffset <= store.position.applied_offset) {
      logger.error({ partition, endOffset, appliedOffset: store.position.applied_offset }, 'race-updates ends below the offset already applied: the topic was recreated. Starting a new epoch');
      store.position.epoch += 1;
      store.position.applied_offset = -1;
      store.position.history_index = 0;
    }
    const task = new PartitionTask({
      partition, partitionCount, historyPartitions, log, codec, clock, logger, hooks, store, writerId, endOffset,
      models: learner, graceMs: GRACE_MS, finishedTtlMs: options.finishedTtlMs,
      commit: async (nextOffset) => (subscription ?? await subscribed.promise).commit({ topic: 'race-updates', partition }, nextOffset),
    });
    tasks.set(partition, task);
    hooks.onRestored(store.position, store.size, performance.now() - startedAt);
    if (log.zombieWindowMs > 0) {
      const cancel = timers.after(log.zombieWindowMs, () => {
        takeOverTimers.delete(partition);
        void answerForeignWriters(task, partition, changelogEnd);
      });
      takeOverTimers.set(partition, cancel);
    }
  }

  /** The old owner's last request has arrived or expired by now: what it wrote since our restore is overwritten. */
  async function answerForeignWriters(task: PartitionTask, partition: number, from: number): Promise<void> {
    try {
      const keys = await foreignKeys(log, codec, partition, from, writerId, WRITER_HEADER);
      if (keys.size === 0 || tasks.get(partition) !== task) return;
      logger.warn({ partition, keys: keys.size }, 'A former owner wrote to the changelog after the take-over: writing our state again');
      await task.assertOwnership(keys);
    } catch (error) {
      logger.warn({ partition, error: messageOf(error) }, 'Could not look for foreign writers; trying again');
      if (tasks.get(partition) === task) {
        takeOverTimers.set(partition, timers.after(log.zombieWindowMs, () => void answerForeignWriters(task, partition, from)));
      }
    }
  }

  function drop(partition: number): void {
    tasks.get(partition)?.stop();
    tasks.delete(partition);
    takeOverTimers.get(partition)?.();
    takeOverTimers.delete(partition);
    learner.disown(partition);
  }

  const handler = {
    async onAssigned(partitions: readonly PartitionId[]): Promise<void> {
      await Promise.all(partitions.map(async ({ partition }) => {
        await take(partition);
        learner.own(partition, partitionCount);
      }));
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
      const task = tasks.get(batch.partition);
      if (task === undefined) throw new AppError('partition_lost', `Partition ${batch.partition} of race-updates is not ours`);
      await task.process(batch);
    },
  };
  subscription = await log.subscribe({ group: PIPELINE_GROUP, topics: ['race-updates'], handler });
  subscribed.resolve(subscription);

  let closed: Promise<void> | null = null;
  let waking = false;
  const stopWaking = every(timers, WAKE_INTERVAL_MS, () => {
    if (waking) return;
    waking = true;
    void wakeAll().finally(() => {
      waking = false;
    });
  });
  function isSurelyHeld(partition: number): boolean {
    return subscription?.assigned().some((id) => id.partition === partition) === true;
  }
  async function wakeAll(): Promise<void> {
    for (const [partition, task] of tasks) {
      // No record comes first that would tell of the loss: a process that slept must not speak for what others own.
      if (!task.hasDueWakeUps || !isSurelyHeld(partition)) continue;
      await task.runWakeUps().catch((error: unknown) => {
        logger.warn({ partition, error: messageOf(error) }, 'Wake-ups could not be sent; trying again');
      });
    }
  }

  async function close(): Promise<void> {
    stopWaking();
    for (const cancel of takeOverTimers.values()) cancel();
    const draining = [...tasks.values()];
    await subscription?.close({ drainMs: 10_000 });
    await Promise.allSettled(draining.map((task) => task.drain()));
  }
  return { tasks, close: () => (closed ??= close()) };
}
