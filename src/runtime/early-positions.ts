import { pause, type Timers } from './timers.ts';

/** A race is opened by one request and its first position sent by another: so long after it the race is known at the latest. */
const LONGEST_MS = 1_000;
const LOOK_EVERY_MS = 50;
/** Positions of races that never come may hold up the others for this share of the time. */
const SHARE = 0.1;
const MOST_STRANGERS = 10_000;

/**
 * Holds back positions that come before their race is known, for at most a second each race and a tenth of the time, the ones behind
 * them waiting too: so they stay in order, and nothing is in memory that a crash would lose.
 */
export class EarlyPositions {
  readonly #timers: Timers;
  readonly #isKnown: (raceId: string) => boolean;
  /** Waited for in vain: not again. */
  readonly #strangers = new Set<string>();
  #notBeforeMs = -Infinity;

  constructor(timers: Timers, isKnown: (raceId: string) => boolean) {
    this.#timers = timers;
    this.#isKnown = isKnown;
  }

  /** Resolves when the race is known, or is not waited for any longer; null = there is nothing to wait for. */
  wait(raceId: string, signal: AbortSignal): Promise<void> | null {
    if (this.#isKnown(raceId)) {
      if (this.#strangers.size > 0) this.#strangers.delete(raceId);
      return null;
    }
    return this.#strangers.has(raceId) || this.#timers.monotonicMs() < this.#notBeforeMs ? null : this.#look(raceId, signal);
  }

  async #look(raceId: string, signal: AbortSignal): Promise<void> {
    const fromMs = this.#timers.monotonicMs();
    const untilMs = fromMs + LONGEST_MS;
    while (!this.#isKnown(raceId) && !signal.aborted && this.#timers.monotonicMs() < untilMs) await pause(this.#timers, LOOK_EVERY_MS, signal);
    const nowMs = this.#timers.monotonicMs();
    if (this.#isKnown(raceId) || signal.aborted) return;
    this.#notBeforeMs = nowMs + (nowMs - fromMs) * (1 / SHARE - 1);
    this.#strangers.add(raceId);
    if (this.#strangers.size > MOST_STRANGERS) this.#strangers.delete(this.#strangers.values().next().value!);
  }
}
