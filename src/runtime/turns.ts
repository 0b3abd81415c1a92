import type { Timers } from './timers.ts';

/**
 * Work before others get the event loop, ms: as long as they had it since the last turn, so that neither requests nor the
 * pipeline starve when there is too much of both; but within these. Chosen: a request waits for one turn at each of its steps.
 */
const SHORTEST_TURN_MS = 2;
const LONGEST_TURN_MS = 10;
/** The most records, also where time stands still. */
const TURN_RECORDS = 100;

/** Long work in slices: it asks after each record whether its turn is over, and waits for the next one. */
export type Turn = {
  isOver(): boolean;
  next(): Promise<void>;
};

export type TurnOptions = {
  /** The clock is asked after each of so many records (default: 1): more where each takes some tens of microseconds. */
  readonly recordsALook?: number;
  /** Before all that wait (default: behind them): for what the work of others rests on, and is a small part of it. */
  readonly goesFirst?: boolean;
};

export function beginTurn({ monotonicMs }: Pick<Timers, 'monotonicMs'>, { recordsALook = 1, goesFirst = false }: TurnOptions = {}): Turn {
  let startedAtMs = monotonicMs();
  let lengthMs = SHORTEST_TURN_MS;
  let records = 0;
  return {
    isOver() {
      records += 1;
      return records >= TURN_RECORDS || (records % recordsALook === 0 && monotonicMs() - startedAtMs >= lengthMs);
    },
    async next() {
      lastEndMs = monotonicMs();
      await nextTurn(goesFirst);
      startedAtMs = monotonicMs();
      lengthMs = Math.min(Math.max(startedAtMs - lastEndMs, SHORTEST_TURN_MS), LONGEST_TURN_MS);
      records = 0;
    },
  };
}

/** Of the last turn of anybody. */
let lastEndMs = 0;

const waiting: (() => void)[] = [];
let isScheduled = false;

/**
 * One turn of the event loop for whoever goes first, else has waited longest, in the whole process: between any two, sockets and timers have
 * theirs. Were all woken at once, a request would wait for a turn of each partition, the learner and the view.
 */
function nextTurn(goesFirst: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (goesFirst) waiting.unshift(resolve);
    else waiting.push(resolve);
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
