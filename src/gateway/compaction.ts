import { messageOf } from '../errors.ts';
import type { GatewayContext } from './context.ts';

export type CompactionJob = {
  readonly id: string;
  readonly startedAtMs: number;
  finishedAtMs: number | null;
  state: 'running' | 'done' | 'failed';
  /** What failed; null = nothing so far. */
  error: string | null;
  /** What was cleaned, of `log` and the tables of ClickHouse. */
  readonly cleaned: string[];
};

export type Compactor = {
  /** Begins a job, or gives the one that runs: one at a time. */
  start(): CompactionJob;
  /** The newest job; null = none since this gateway started. */
  last(): CompactionJob | null;
  /** Of the last job that was done without a failure, epoch ms. */
  lastSuccessAtMs(): number | null;
};

/** Tables whose superseded and deleted rows lie on disk until their parts are merged. */
const MERGED = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND NOT startsWith(name, '.') ORDER BY name";

/**
 * Cleaning on demand: the embedded log does all compaction and retention that is due (Kafka's brokers do theirs by
 * themselves), ClickHouse merges its parts, which removes superseded and deleted rows for good.
 */
export function createCompactor({ log, history, clock, logger }: Pick<GatewayContext, 'log' | 'history' | 'clock' | 'logger'>): Compactor {
  let job: CompactionJob | null = null;
  let successAtMs: number | null = null;

  const run = async (running: CompactionJob): Promise<void> => {
    try {
      if (await log.compact()) running.cleaned.push('log');
      const tables = await history?.query<{ name: string }>(MERGED) ?? [];
      for (const { name } of tables) {
        await history?.query(`OPTIMIZE TABLE \`${name.replaceAll('`', '')}\` FINAL`);
        running.cleaned.push(name);
      }
      running.state = 'done';
      successAtMs = clock.nowMs();
      logger.info({ job: running.id, cleaned: running.cleaned }, 'Compaction is done');
    } catch (error) {
      running.state = 'failed';
      running.error = messageOf(error);
      logger.error({ job: running.id, error: running.error }, 'Compaction failed');
    }
    running.finishedAtMs = clock.nowMs();
  };

  return {
    start() {
      if (job?.state === 'running') return job;
      const nowMs = clock.nowMs();
      job = { id: `compact_${Math.floor(nowMs / 1_000)}`, startedAtMs: nowMs, finishedAtMs: null, state: 'running', error: null, cleaned: [] };
      void run(job);
      return job;
    },
    last: () => job,
    lastSuccessAtMs: () => successAtMs,
  };
}
