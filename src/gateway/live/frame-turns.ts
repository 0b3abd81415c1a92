import type { Timers } from '../../runtime/timers.ts';

/** At most four frames a second per connection: one in every tenth slot. */
const SLOT_MS = 25;
const SLOTS_PER_TICK = 10;

/** Who waits for its turn, as far as turns are concerned. */
export type Waiting = {
  scheduled: boolean;
  /** The slot that its last frame counts for. */
  lastSlot: number;
  readonly closed: boolean;
};

export type FrameTurns<W> = {
  /** Serves at the end of the event-loop turn whoever had no frame for a tick, others a tick after their last; no second time until then. */
  schedule(one: W): void;
  /** Serves at the end of the event-loop turn. */
  soon(one: W): void;
  /** Serves a tick from now. */
  later(one: W): void;
  /** Who goes waits no more. */
  forget(one: W): void;
  stop(): void;
};

/**
 * Whose turn it is to get a frame; `serve` gets the slot that the frame counts for. Slots are counted by the clock, so that
 * one who is always busy gets four frames a second even where ticks come late.
 */
export function frameTurns<W extends Waiting>(timers: Timers, serve: (one: W, slot: number) => void): FrameTurns<W> {
  const next = new Set<W>();
  let isNextAwaited = false;
  const slots = new Map<number, W[]>();
  let lastTicked = 0;
  let stopTicker: (() => void) | null = null;

  function currentSlot(): number {
    return Math.floor(timers.monotonicMs() / SLOT_MS);
  }

  function soon(one: W): void {
    one.scheduled = true;
    next.add(one);
    if (isNextAwaited) return;
    isNextAwaited = true;
    setImmediate(() => {
      isNextAwaited = false;
      const due = [...next];
      next.clear();
      // The slot that runs is not a whole one any more.
      const slot = currentSlot() + 1;
      for (const each of due) serve(each, slot);
    });
  }

  function serveIn(slot: number, one: W): void {
    one.scheduled = true;
    const waiting = slots.get(slot);
    if (waiting === undefined) slots.set(slot, [one]);
    else waiting.push(one);
    if (stopTicker !== null) return;
    lastTicked = currentSlot();
    awaitTick();
  }

  function awaitTick(): void {
    stopTicker = timers.after(Math.max(0, (lastTicked + 1) * SLOT_MS - timers.monotonicMs()), tick);
  }

  function tick(): void {
    const now = currentSlot();
    while (lastTicked < now) {
      lastTicked++;
      const due = slots.get(lastTicked);
      slots.delete(lastTicked);
      for (const one of due ?? []) serve(one, lastTicked);
    }
    if (slots.size > 0) awaitTick();
    else stopTicker = null;
  }

  return {
    schedule(one) {
      if (one.scheduled || one.closed) return;
      const slot = one.lastSlot + SLOTS_PER_TICK;
      if (slot <= currentSlot()) soon(one);
      else serveIn(slot, one);
    },
    soon,
    later: (one) => serveIn(currentSlot() + SLOTS_PER_TICK, one),
    forget: (one) => next.delete(one),
    stop: () => stopTicker?.(),
  };
}
