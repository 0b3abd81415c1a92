import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import type { ChdbConnection } from 'chdb/connection';
import { AppError, assert, messageOf } from '../../errors.ts';
import { MAX_RESULT_BYTES, USER_QUERIES_AT_ONCE, USER_QUERIES_WAITING, type Engine } from './engine.ts';
import { toFailure, toUserFailure } from './failures.ts';
import { createPool } from './pool.ts';

// chDB (ClickHouse in this process) behind the API of @clickhouse/client. What surprised us, 3.4.0:
// - Settings given per call become SET on the connection and stay: a left-over deduplication token silently dropped
//   the next insert. So no clickhouse_settings: our settings are in the SQL or in the raw insert, which do not stick.
// - A connection runs one query at a time and a waiting one holds a libuv thread: connections are lent, not shared.
// - Opening one more connection costs about a millisecond: each user query gets its own, with its limits and readonly
//   set for good, so that nothing of it can reach the next.
// - After a worker thread that loaded chDB ends, the main thread hangs: main thread only.

type Connection = { readonly raw: ChdbConnection; readonly client: ClickHouseClient };
type ClientConnection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;
type ChdbModule = Pick<typeof import('chdb/connection'), 'createChdbConnection'>;

const READERS = 2;
/** A query that overran its time is killed this much later: the engine looks at its clock only between blocks. */
const KILL_AFTER_MS = 1_000;

/** Loads chDB, an optional dependency of 543 MB. Rejects with `optional_missing`. */
export async function loadChdb(load: () => Promise<ChdbModule> = () => import('chdb/connection')): Promise<ChdbModule> {
  assert(isMainThread, 'chDB must be opened in the main thread');
  try {
    return await load();
  } catch (error) {
    throw new AppError(
      'optional_missing',
      'Cannot open the embedded ClickHouse: the package chdb is not installed or has no binary for this platform. '
      + `Run npm install with install scripts allowed, or set CLICKHOUSE_URL: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Opens the embedded ClickHouse under `path`. Rejects with `optional_missing` or `history_locked`. */
export async function openEmbedded(options: { readonly path: string; readonly database: string }): Promise<Engine> {
  const { createChdbConnection } = await loadChdb();
  const path = resolve(options.path);
  const { database } = options;
  mkdirSync(path, { recursive: true });
  const connect = (): ChdbConnection => {
    try {
      return createChdbConnection({ path });
    } catch (error) {
      throw openFailure(error, path);
    }
  };
  const open: ChdbConnection[] = [];
  const borrowable = (): Connection => {
    const raw = connect();
    open.push(raw);
    // The two packages carry copies of the same types, which exactOptionalPropertyTypes takes for different ones.
    return { raw, client: createClient({ connection: raw as unknown as ClientConnection, log: { level: ClickHouseLogLevel.OFF } }) };
  };
  const writerConnection = borrowable();
  const readerConnections = Array.from({ length: READERS }, borrowable);
  const writer = createPool([writerConnection]);
  const readers = createPool(readerConnections);
  const users = createPool(Array.from({ length: USER_QUERIES_AT_ONCE }, (_, slot) => slot), USER_QUERIES_WAITING);
  let closed = false;

  const kill = async (condition: string): Promise<void> => {
    const connection = connect();
    try {
      await connection.chdb.queryAsync(`KILL QUERY WHERE ${condition} ASYNC`);
    } finally {
      await connection.close();
    }
  };

  return {
    async createDatabase() {
      try {
        await writer.use(async ({ client }) => {
          await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database} ENGINE = Atomic` });
        });
        for (const { raw } of [writerConnection, ...readerConnections]) await raw.chdb.queryAsync(`USE ${database}`);
      } catch (error) {
        throw toFailure(error, `create the database ${database}`);
      }
    },
    async query<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]> {
      try {
        return await readers.use(async ({ client }) => {
          const result = await client.query({ query: sql, query_params: { ...parameters }, format: 'JSONEachRow' });
          return await result.json<Row>();
        });
      } catch (error) {
        throw toFailure(error, 'query the history');
      }
    },
    async command(sql, parameters) {
      try {
        await writer.use(({ client }) => client.command({ query: sql, query_params: { ...parameters } }));
      } catch (error) {
        throw toFailure(error, 'change the history');
      }
    },
    async insert(table, lines, token) {
      try {
        await writer.use(({ raw }) => raw.chdb.rawInsert({
          table: `${database}.${table}`, values: lines, format: 'JSONEachRow',
          settings: { async_insert: 0, insert_deduplication_token: token },
        }));
      } catch (error) {
        throw toFailure(error, `insert into ${table}`);
      }
    },
    async userQuery(sql, format, limits) {
      return await users.use(async () => {
        if (closed) throw new AppError('history_unavailable', 'Cannot run the query: the store is closed');
        const mark = `raceline ${randomUUID()}`;
        const connection = connect();
        const timer = setTimeout(() => void kill(`startsWith(query, '/* ${mark} */')`).catch(() => {}), limits.maxSec * 1_000 + KILL_AFTER_MS);
        try {
          await connection.chdb.queryAsync(`USE ${database}`);
          await connection.chdb.queryAsync(
            `SET max_execution_time = ${limits.maxSec}, max_memory_usage = ${limits.maxMemoryBytes}, `
            + `max_result_rows = ${limits.maxRows}, max_result_bytes = ${MAX_RESULT_BYTES}, result_overflow_mode = 'throw', readonly = 1`,
          );
          const result = await connection.chdb.queryAsync(`/* ${mark} */ ${sql}`, { format });
          return Buffer.from(result.bytes());
        } catch (error) {
          throw toUserFailure(error);
        } finally {
          clearTimeout(timer);
          await connection.close();
        }
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      // A query that runs on keeps the process from ending for as long as it takes.
      await kill("query NOT LIKE 'INSERT%'").catch(() => {});
      await writer.use(async () => {});
      for (const connection of open) await connection.close();
    },
  };
}

function openFailure(error: unknown, path: string): AppError {
  const owner = ownerOf(path);
  if (owner !== null) {
    return new AppError(
      'history_locked',
      `Cannot open the embedded ClickHouse in ${path}: process ${owner} has it open. Stop that process, ask it over HTTP, `
      + 'choose another RACELINE_DATA_DIR, or set CLICKHOUSE_URL to share one server',
      { cause: error },
    );
  }
  return new AppError('history_unavailable', `Cannot open the embedded ClickHouse in ${path}: ${messageOf(error)}`, { cause: error });
}

/** The living process that holds the directory. Only on stderr the engine says that it is locked; its lock file names the holder. */
function ownerOf(path: string): number | null {
  let pid: number;
  try {
    pid = Number(/PID: (\d+)/.exec(readFileSync(join(path, 'status'), 'utf8'))?.[1]);
  } catch {
    return null;
  }
  if (!Number.isInteger(pid) || pid === process.pid) return null;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, as another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null;
  }
  return pid;
}
