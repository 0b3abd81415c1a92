import { partitionOf } from '../race/partition.ts';
import type { RaceUpdate } from '../race/update.ts';
import type { UpdateTarget } from './update-target.ts';

export type DispatchOptions = {
  /** Sends under way at most; updates of one race always share a lane. */
  readonly lanes: number;
  /** Updates in one send at most. */
  readonly maxBatch: number;
  /** Updates waiting in all lanes before `push` makes its caller wait. */
  readonly maxWaiting: number;
  /** Called when a send begins. */
  readonly onSend?: (updates: readonly RaceUpdate[]) => void;
};

export type Dispatcher = {
  /** Takes one update; resolves at once while there is room. Rejects once a send has failed. */
  push(update: RaceUpdate): Promise<void>;
  /** Resolves when everything pushed is stored. Rejects once a send has failed. */
  flush(): Promise<void>;
};

/**
 * Sends concurrently while the order of each race is kept: a race belongs to one lane, a lane has one send under way and
 * batches what came in the meantime. So a slow target gets large batches and a fast one small ones, without a timer.
 */
export function createDispatcher(target: UpdateTarget, options: DispatchOptions): Dispatcher {
  const lanes = Array.from({ length: options.lanes }, (): RaceUpdate[] => []);
  const busy = new Set<number>();
  // `failed` is set once, by the first send that fails, and ends everything.
  const state: { waiting: number; failed: { readonly error: unknown } | null } = { waiting: 0, failed: null };
  let wakeUps: (() => void)[] = [];

  const wake = (): void => {
    const callers = wakeUps;
    wakeUps = [];
    for (const caller of callers) caller();
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (state.failed === null && !condition()) await new Promise<void>((resolve) => { wakeUps.push(resolve); });
    if (state.failed !== null) throw state.failed.error;
  };
  const drain = async (index: number, lane: RaceUpdate[]): Promise<void> => {
    busy.add(index);
    try {
      while (lane.length > 0 && state.failed === null) {
        const batch = lane.splice(0, options.maxBatch);
        options.onSend?.(batch);
        await target.send(batch);
        state.waiting -= batch.length;
        wake();
      }
    } catch (error) {
      state.failed ??= { error };
    } finally {
      busy.delete(index);
      wake();
    }
  };

  return {
    async push(update) {
      await until(() => state.waiting < options.maxWaiting);
      const index = partitionOf(update.race_id, lanes.length);
      const lane = lanes[index]!;
      lane.push(update);
      state.waiting++;
      // After the current turn, so that a burst of pushes becomes one batch.
      if (!busy.has(index)) {
        busy.add(index);
        queueMicrotask(() => void drain(index, lane));
      }
    },
    flush: () => until(() => state.waiting === 0 && busy.size === 0),
  };
}
