import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { asUnavailable, isHopeless } from './kafka-errors.ts';

/** Waits of 50 ms, growing by half each time up to `maxMs`. */
export function* growingDelaysMs(maxMs: number): Generator<number, never> {
  let delayMs = 50;
  for (;;) {
    yield Math.round(delayMs * (0.8 + 0.4 * Math.random()));
    delayMs = Math.min(delayMs * 1.5, maxMs);
  }
}

/** Waits; returns early and quietly when the signal aborts. */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal === undefined) return sleep(delayMs);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    // Aborted: the caller looks at its own state.
  }
}

export type RetryOptions = { readonly doing: string; readonly deadlineMs: number; readonly clock: Clock; readonly signal?: AbortSignal };

/** Tries until it succeeds; rejects with `log_unavailable` past the deadline, when aborted, or where no retry can help. */
export async function retryUntil<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const endMs = options.clock.nowMs() + options.deadlineMs;
  for (const delayMs of growingDelaysMs(1_000)) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (isHopeless(error) || options.clock.nowMs() + delayMs > endMs || options.signal?.aborted === true) throw asUnavailable(options.doing, error);
    }
    await pause(delayMs, options.signal);
  }
  throw new AppError('log_unavailable', `Cannot ${options.doing}`);
}
