import { setTimeout as delay } from 'node:timers/promises';
import { AppError, type FailureCode } from '../errors.ts';
import type { Logger } from '../ports/logger.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

export type WhileUnavailableOptions = {
  /** The failure to wait out; any other is thrown on. */
  readonly code: FailureCode;
  readonly logger: Logger;
  readonly isStopping: () => boolean;
};

/** Tries again, ever more slowly, as long as an engine is away; gives up only when the service stops. */
export async function whileUnavailable(work: () => Promise<void>, { code, logger, isStopping }: WhileUnavailableOptions): Promise<void> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof AppError && error.code === code) || isStopping()) throw error;
      logger.warn({ code, error: error.message, delayMs }, 'Waiting for an engine');
      await delay(delayMs);
    }
  }
}
