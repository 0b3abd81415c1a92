import { messageOf } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { RecordLog } from '../ports/record-log.ts';
import type { Pipeline } from './pipeline.ts';
import { every, systemTimers, type Timers } from './timers.ts';

/** Below the scrape interval of deploy/prometheus, so that a scrape finds fresh figures. */
const INTERVAL_MS = 10_000;

export type LogWatchOptions = {
  readonly log: Pick<RecordLog, 'endOffsets'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers?: Timers;
};

export type LogWatch = {
  /** Of race-updates, at the last answer. */
  partitions(): number;
  /** The offset of the partition's next record at the last answer; 0 = not known. */
  endOf(partition: number): number;
  /** Since the log last answered, seconds. */
  silentSec(): number;
  /** How long a held partition has had records waiting and applied none; the longest of them. */
  stalledSec(): number;
  /** From now on, the partitions held are looked at too. */
  watch(pipeline: Pick<Pipeline, 'tasks'>): void;
  /** Resolves once the log was asked, whatever it answered. Called by a timer; one question at a time. */
  look(): Promise<void>;
  close(): void;
};

/**
 * Asks the log every 10 s where race-updates ends: a consumer that no longer gets anything would itself say that it has no lag.
 */
export function watchLog({ log, clock, logger, timers = systemTimers }: LogWatchOptions): LogWatch {
  let ends: readonly number[] = [];
  let answeredAtMs = clock.nowMs();
  let tasks: Pipeline['tasks'] = new Map();
  /** By partition whose records wait: where it stood when that was first seen. */
  const waiting = new Map<number, { readonly appliedOffset: number; readonly sinceMs: number }>();
  let looking: Promise<void> | null = null;
  let isClosed = false;

  async function ask(): Promise<void> {
    try {
      ends = await log.endOffsets('race-updates');
      answeredAtMs = clock.nowMs();
    } catch (error) {
      if (!isClosed) logger.warn({ error: messageOf(error) }, 'Could not ask the log where race-updates ends; asking again');
    }
    for (const partition of waiting.keys()) if (!tasks.has(partition)) waiting.delete(partition);
    for (const [partition, { store: { position: { applied_offset: appliedOffset } } }] of tasks) {
      if (!isBehind(partition, appliedOffset)) waiting.delete(partition);
      else if (waiting.get(partition)?.appliedOffset !== appliedOffset) waiting.set(partition, { appliedOffset, sinceMs: clock.nowMs() });
    }
  }

  function isBehind(partition: number, appliedOffset: number): boolean {
    return (ends[partition] ?? 0) > appliedOffset + 1;
  }

  const look = (): Promise<void> => looking ??= ask().finally(() => {
    looking = null;
  });
  const stop = every(timers, INTERVAL_MS, () => void look());
  return {
    partitions: () => ends.length,
    endOf: (partition) => ends[partition] ?? 0,
    silentSec: () => (clock.nowMs() - answeredAtMs) / 1_000,
    stalledSec() {
      const stalled = [...waiting].filter(([partition, { appliedOffset }]) => tasks.get(partition)?.store.position.applied_offset === appliedOffset);
      return Math.max(0, ...stalled.map(([, { sinceMs }]) => clock.nowMs() - sinceMs)) / 1_000;
    },
    watch(pipeline) {
      tasks = pipeline.tasks;
    },
    look,
    close() {
      isClosed = true;
      stop();
    },
  };
}
