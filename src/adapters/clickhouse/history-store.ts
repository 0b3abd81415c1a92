import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ClickHouseConfig } from '../../config.ts';
import { AppError } from '../../errors.ts';
import type { HistoryStore, HistoryTable, QueryLimits } from '../../ports/history-store.ts';
import type { Logger } from '../../ports/logger.ts';
import { openEmbedded } from './embedded.ts';
import { migrate, missingMigrations, readMigrations } from './migrate.ts';
import { answersWithRows, checkReadOnly } from './read-only.ts';
import { openServer } from './server.ts';

export type OpenHistoryStoreOptions = {
  readonly config: ClickHouseConfig;
  /** The embedded ClickHouse lives in `clickhouse` under it. */
  readonly dataDir: string;
  /** Days that rows are kept, from their ingestion. */
  readonly historyTtlDays: number;
  readonly logger: Logger;
  /** Called after each insert that was stored (or had been stored before under its token). */
  readonly onInsert?: (table: HistoryTable, rows: number, ms: number) => void;
  /** Directory of the migrations; default schemas/clickhouse. */
  readonly migrations?: URL;
};

const ROWS_PER_SLICE = 250;
const DEFAULT_LIMITS: Required<QueryLimits> = { maxSec: 30, maxMemoryBytes: 1024 ** 3, maxRows: 100_000 };

/**
 * ClickHouse: the server at `config.url`, or chDB in this process. One store per process when embedded: chDB binds one
 * directory. Rejects with `optional_missing` or `history_locked`; a server that does not answer is met at `migrate`.
 * With the embedded one UV_THREADPOOL_SIZE should be 8 or more: up to six queries hold a libuv thread each.
 */
export async function openHistoryStore(options: OpenHistoryStoreOptions): Promise<HistoryStore> {
  const { config, logger, onInsert } = options;
  const migrations = await readMigrations(options.migrations ?? new URL('../../../schemas/clickhouse/', import.meta.url));
  const engine = config.url === null
    ? await openEmbedded({ path: join(options.dataDir, 'clickhouse'), database: config.database })
    : openServer({ ...config, url: config.url });
  let closing: Promise<void> | null = null;
  return {
    migrate: () => migrate(engine, migrations, options.historyTtlDays, logger),
    async insert(table, rows, token) {
      if (rows.length === 0) return;
      const startedAtMs = performance.now();
      await engine.insert(table, await linesOf(rows), token);
      onInsert?.(table, rows.length, performance.now() - startedAtMs);
    },
    async query<Row>(sql: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<Row[]> {
      if (answersWithRows(sql)) return await engine.query<Row>(sql, parameters);
      await engine.command(sql, parameters);
      return [];
    },
    async userQuery(sql, format, limits) {
      checkReadOnly(sql);
      if (!/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(format)) throw new AppError('query_refused', `Cannot run the query: "${format}" is no format`);
      return await engine.userQuery(sql, format, boundedLimits(limits));
    },
    async ping() {
      await engine.query('SELECT 1', {});
    },
    async inspect() {
      const name = config.url === null ? 'embedded chDB' : `ClickHouse at ${new URL(config.url).host}`;
      try {
        const [row] = await engine.query<{ version: string }>('SELECT version() AS version', {});
        return { engine: `${name}, version ${row?.version}`, missingMigrations: await missingMigrations(engine, migrations, config.database) };
      } catch (error) {
        // UNKNOWN_DATABASE: a server refuses every request that names one it does not have.
        if (!(error instanceof AppError && /Code: 81\b/.test(error.message))) throw error;
        return { engine: name, missingMigrations: migrations.map((migration) => migration.name) };
      }
    },
    close: () => closing ??= engine.close(),
  };
}

/** Rows as JSONEachRow. In slices: the text of 5,000 rows at once would hold up the event loop for 50 ms. */
async function linesOf(rows: readonly object[]): Promise<Buffer> {
  const slices: Buffer[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_SLICE) {
    if (start > 0) await nextTurn();
    slices.push(Buffer.from(rows.slice(start, start + ROWS_PER_SLICE).map((row) => `${JSON.stringify(row)}\n`).join('')));
  }
  return Buffer.concat(slices);
}

function boundedLimits(limits: QueryLimits = {}): Required<QueryLimits> {
  const all = { ...DEFAULT_LIMITS, ...limits };
  for (const [name, value] of Object.entries(all)) {
    // 0 means without limit to ClickHouse.
    if (!Number.isInteger(value) || value < 1) throw new AppError('query_refused', `Cannot run the query: ${name} must be a whole number from 1, got ${value}`);
  }
  return all;
}
