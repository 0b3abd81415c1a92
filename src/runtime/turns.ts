import type { Timers } from './timers.ts';

/** Work before others get the event loop, ms. Chosen: a request waits for one such turn at each of its steps. */
const TURN_MS = 2;
/** The same in records, where time stands still. */
const TURN_RECORDS = 100;

/** Long work in slices: it asks after each record whether its turn is over, and waits for the next one. */
export type Turn = {
  isOver(): boolean;
  next(): Promise<void>;
};

export function beginTurn({ monotonicMs }: Pick<Timers, 'monotonicMs'>): Turn {
  let startedAtMs = monotonicMs();
  let records = 0;
  return {
    isOver() {
      records += 1;
      return records >= TURN_RECORDS || monotonicMs() - startedAtMs >= TURN_MS;
    },
    async next() {
      await nextTurn();
      startedAtMs = monotonicMs();
      records = 0;
    },
  };
}

const waiting: (() => void)[] = [];
let isScheduled = false;

/**
 * One turn of the event loop for whoever waited longest, in the whole process: between any two, sockets and timers have
 * theirs. Were all woken at once, a request would wait for a turn of each partition, the learner and the view.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    schedule();
  });
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    const resolve = waiting.shift();
    if (waiting.length > 0) schedule();
    resolve?.();
  });
}
