import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PartitionId } from '../../ports/record-log.ts';
import { asUnavailable, isHopeless } from './kafka-errors.ts';
import { COMMIT_DEADLINE_MS } from './limits.ts';
import { growingDelaysMs, pause } from './retry.ts';

/** `held` is aborted when the partition is lost: a commit must not outlive the holding it was made under. */
export type OffsetToCommit = { readonly id: PartitionId; readonly offset: number; readonly metadata: string; readonly held: AbortSignal };

type Waiter = { readonly resolve: () => void; readonly reject: (error: AppError) => void };
type Pending = { wanted: OffsetToCommit; readonly waiters: Waiter[]; readonly sinceMs: number };

export type Committer = {
  /** Resolves when this offset, or a later call's for the same partition, is committed. */
  commit(wanted: OffsetToCommit): Promise<void>;
  /** Refuses what waits for a partition that is no longer held. */
  dropLost(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
};

export type CommitterOptions = {
  /** One OffsetCommit, one try, under the membership of this very moment. */
  readonly send: (offsets: readonly OffsetToCommit[]) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** One OffsetCommit in flight; what is asked meanwhile goes with the next, the newest per partition. */
export function createCommitter({ send, clock, logger }: CommitterOptions): Committer {
  const pending = new Map<string, Pending>();
  let inFlight: readonly Pending[] = [];
  let working: Promise<void> | null = null;

  function commit(wanted: OffsetToCommit): Promise<void> {
    if (wanted.held.aborted) return Promise.reject(lostError(wanted.id));
    return new Promise((resolve, reject) => {
      const key = keyOf(wanted.id);
      const before = pending.get(key);
      if (before === undefined || before.wanted.held !== wanted.held) {
        refuse(before);
        pending.set(key, { wanted, waiters: [{ resolve, reject }], sinceMs: clock.nowMs() });
      } else {
        before.wanted = wanted;
        before.waiters.push({ resolve, reject });
      }
      working ??= work();
    });
  }

  async function work(): Promise<void> {
    const delays = growingDelaysMs(500);
    while (pending.size > 0) {
      // A turn of its own: between a rebalance and our knowing of it lie only microtasks, and a commit must not fall
      // among them, since the broker checks the generation, not who has which partition.
      await nextTurn();
      dropLost();
      inFlight = [...pending.values()];
      pending.clear();
      if (inFlight.length === 0) continue;
      try {
        await send(inFlight.map((one) => one.wanted));
        for (const one of inFlight) for (const waiter of one.waiters) waiter.resolve();
      } catch (error) {
        logger.debug({ error: messageOf(error) }, 'Commit failed, trying again');
        for (const one of inFlight) keepOrGiveUp(one, error);
        await pause(delays.next().value);
      }
      inFlight = [];
    }
    working = null;
  }

  function keepOrGiveUp(one: Pending, error: unknown): void {
    if (isHopeless(error) || clock.nowMs() - one.sinceMs > COMMIT_DEADLINE_MS) {
      const failure = asUnavailable(`commit ${one.wanted.id.topic}/${one.wanted.id.partition}`, error);
      for (const waiter of one.waiters) waiter.reject(failure);
      return;
    }
    if (one.wanted.held.aborted) return refuse(one);
    const newer = pending.get(keyOf(one.wanted.id));
    if (newer === undefined) pending.set(keyOf(one.wanted.id), one);
    else newer.waiters.push(...one.waiters);
  }

  function dropLost(): void {
    for (const [key, one] of pending) {
      if (!one.wanted.held.aborted) continue;
      pending.delete(key);
      refuse(one);
    }
  }

  function refuse(one: Pending | undefined): void {
    if (one !== undefined) for (const waiter of one.waiters) waiter.reject(lostError(one.wanted.id));
  }

  return { commit, dropLost, idle: async () => { await working; } };
}

export function keyOf(id: PartitionId): string {
  return `${id.topic}/${id.partition}`;
}

export function lostError(id: PartitionId): AppError {
  return new AppError('partition_lost', `Cannot commit ${keyOf(id)}: this subscription does not hold it`);
}
