import { setTimeout as delay } from 'node:timers/promises';
import { AppError, type FailureCode } from '../errors.ts';
import type { Logger } from '../ports/logger.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

export type WhileUnavailableOptions = {
  /** The failure to wait out; any other is thrown on. */
  readonly code: FailureCode;
  readonly logger: Logger;
  /** Ends the waiting at once, also in the middle of an attempt: rejects with its reason. */
  readonly stopping: AbortSignal;
};

/** Tries again, ever more slowly, as long as an engine is away; gives up only when the service stops. */
export async function whileUnavailable(work: () => Promise<void>, { code, logger, stopping }: WhileUnavailableOptions): Promise<void> {
  const stopped = new Promise<never>((_, reject) => {
    stopping.addEventListener('abort', () => reject(stopping.reason), { once: true });
  });
  stopped.catch(() => undefined);
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
    stopping.throwIfAborted();
    try {
      await Promise.race([work(), stopped]);
      return;
    } catch (error) {
      if (!(error instanceof AppError && error.code === code) || stopping.aborted) throw error;
      logger.warn({ code, error: error.message, delayMs }, 'Waiting for an engine');
      await Promise.race([delay(delayMs), stopped]);
    }
  }
}
