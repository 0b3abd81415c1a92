import { messageOf } from '../errors.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { RecordLog } from '../ports/record-log.ts';
import { foreignWrites, type Changelog } from './changelog.ts';
import { isBehind, type AsOf } from './changelog-headers.ts';
import type { Timers } from './timers.ts';

export type TakeOver = Pick<Changelog<never, never>, 'changelogEnd' | 'contested'> & {
  readonly log: RecordLog;
  readonly codec: Codec;
  readonly logger: Logger;
  readonly timers: Timers;
  readonly topic: 'race-states' | 'journey-states';
  readonly partition: number;
  /** Of the new owner. */
  readonly writerId: string;
  /** What the new owner has applied by now. */
  readonly position: () => AsOf;
  /** Writes the keys and the totals again as they stand with the new owner. */
  readonly assertOwnership: (keys: ReadonlySet<string>) => Promise<void>;
};

/**
 * Answers what a former owner writes to a changelog after a take-over: what it wrote behind a newer state at once, and again when its
 * last request must have arrived or expired, with whatever else it wrote meanwhile. Should the new owner end before that, compaction must
 * not find the stale record as the last one of its key. Where the former owner had come further, only once the new one has too, since
 * what it writes says nothing of the inputs that it lacks. Returns how to call it off.
 */
export function answerForeignWriters({ log, codec, logger, timers, topic, partition, writerId, position, changelogEnd, contested, assertOwnership }: TakeOver): () => void {
  const state = { isOff: false, cancel: (): void => {} };

  async function answer(): Promise<void> {
    try {
      const { keys: written, asOf } = await foreignWrites(log, codec, topic, partition, changelogEnd, writerId);
      const keys = written.union(contested);
      if (keys.size === 0 || state.isOff) return;
      if (asOf !== null && isBehind(position(), asOf)) return later();
      logger.warn({ topic, partition, keys: keys.size }, 'Former owners wrote to the changelog after a take-over: writing our state again');
      await assertOwnership(keys);
    } catch (error) {
      logger.warn({ topic, partition, error: messageOf(error) }, 'Could not answer foreign writers; trying again');
      later();
    }
  }

  function later(): void {
    if (!state.isOff) state.cancel = timers.after(log.zombieWindowMs, () => void answer());
  }

  if (contested.size > 0) {
    assertOwnership(contested).catch((error: unknown) => logger.warn({ topic, partition, error: messageOf(error) }, 'Could not write our state again yet'));
  }
  if (log.zombieWindowMs > 0) later();
  return () => {
    state.isOff = true;
    state.cancel();
  };
}
