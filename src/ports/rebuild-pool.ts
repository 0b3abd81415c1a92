import type { RebuildInput, RebuildOutcome } from '../cluster/rebuild.ts';
import type { Stage } from '../cluster/work.ts';

/**
 * How a rebuild ended: as the core says, or without it.
 * `busy`: not taken, another rebuild of the source runs or waits, or too many wait. `failed`: its thread ran out of memory
 * or ended; the pool has a new one, other rebuilds are not touched.
 */
export type PoolOutcome =
  | RebuildOutcome
  | { readonly kind: 'busy'; readonly because: 'source' | 'queue' | 'closing' }
  | { readonly kind: 'failed'; readonly because: 'out_of_memory' | 'crashed'; readonly message: string };

export type RebuildRun = {
  /** Some ten times a second while it runs. */
  readonly onProgress?: (stage: Stage, ratio: number) => void;
  /** Cancels, waiting or running: the outcome is `cancelled`, some milliseconds later. */
  readonly signal?: AbortSignal;
};

/**
 * Runs rebuilds away from the event loop. Called by the rebuilder, a few times an hour for each source.
 *
 * Delivery: each call ends with exactly one outcome and never rejects. A rebuild has no effect but its outcome, so one
 * that failed can be asked for again. The columns of the input are handed over: they are empty for the caller afterwards.
 */
export type RebuildPool = {
  /** At most one rebuild of a source at a time; a second one is `busy` at once. */
  rebuild(source: string, input: RebuildInput, run?: RebuildRun): Promise<PoolOutcome>;
  /** Rebuilds that run or wait. */
  readonly pending: number;
  /** Takes no more, cancels what runs and waits for its end. Idempotent. */
  close(): Promise<void>;
};
