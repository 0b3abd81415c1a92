import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type DataFormat } from '@clickhouse/client';
import type { ClickHouseConfig } from '../../config.ts';
import { AppError } from '../../errors.ts';
import { MAX_RESULT_BYTES, USER_QUERIES_AT_ONCE, USER_QUERIES_WAITING, type Engine } from './engine.ts';
import { toFailure, toUserFailure } from './failures.ts';
import { createPool } from './pool.ts';

// A ClickHouse server over HTTP. What surprised us in @clickhouse/client 1.23:
// - It never retries, and a kept-alive socket may be closed by the server as we write: inserts are tried again here,
//   with the same rows and token.
// - A result that is not read to its end keeps its socket: every result below is read whole.
// - Servers since 26 insert asynchronously by default, which ignores tokens: async_insert = 0.
// - An error after the first bytes of an answer comes as text inside a 200: wait_end_of_query = 1 for user queries.

const INSERT_ATTEMPTS = 5;
const FIRST_RETRY_MS = 100;
const REQUEST_TIMEOUT_MS = 30_000;
/** Above the servers' own limit, so that it is they who say that the time is over. */
const KILL_AFTER_MS = 2_000;
/** Below the 3 s after which servers before 23.11 close an idle socket. */
const IDLE_SOCKET_TTL_MS = 2_000;

/** Connects lazily: nothing is asked of the server before the first statement. */
export function openServer(config: ClickHouseConfig & { readonly url: string }): Engine {
  const connect = (database: string, requestTimeoutMs: number, connections: number): ClickHouseClient => createClient({
    url: config.url, database, username: config.username, password: config.password, application: 'raceline',
    request_timeout: requestTimeoutMs, max_open_connections: connections,
    // It would print every failure, with its statement, on the console; they are thrown as well.
    log: { level: ClickHouseLogLevel.OFF },
    keep_alive: { enabled: true, idle_socket_ttl: IDLE_SOCKET_TTL_MS, eagerly_destroy_stale_sockets: true },
  });
  const client = connect(config.database, REQUEST_TIMEOUT_MS, 8);
  // The timeout of a request is the client's: user queries have limits of their own, so their client has none.
  const userClient = connect(config.database, 0x7fff_ffff, USER_QUERIES_AT_ONCE);
  const users = createPool(Array.from({ length: USER_QUERIES_AT_ONCE }, (_, slot) => slot), USER_QUERIES_WAITING);
  const closing = new AbortController();

  // The client listens for aborts to come and overlooks one that was: such a request would hang until its timeout.
  const checkOpen = (): void => {
    if (closing.signal.aborted) throw new AppError('history_unavailable', 'Cannot ask ClickHouse: the store is closed');
  };
  const insertOnce = async (table: string, lines: Buffer, token: string): Promise<void> => {
    // exec, as insert wants rows, which it would make text of: on the event loop, and once more at each try.
    const { stream } = await client.exec({
      query: `INSERT INTO ${table} FORMAT JSONEachRow`, values: Readable.from([lines], { objectMode: false }), abort_signal: closing.signal,
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 1, insert_deduplication_token: token },
    });
    await buffer(stream);
  };

  return {
    async createDatabase() {
      // Its own client: every request names a database, and one that is missing is an error.
      const anywhere = connect('default', REQUEST_TIMEOUT_MS, 1);
      try {
        const found = await anywhere.query({
          query: 'SELECT count() AS n FROM system.databases WHERE name = {name:String}', query_params: { name: config.database }, format: 'JSONEachRow',
        });
        const [row] = await found.json<{ n: number | string }>();
        if (Number(row?.n) === 0) await anywhere.command({ query: `CREATE DATABASE IF NOT EXISTS ${config.database} ENGINE = Atomic` });
      } catch (error) {
        throw toFailure(error, `create the database ${config.database}`);
      } finally {
        await anywhere.close();
      }
    },
    async query<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]> {
      try {
        checkOpen();
        const result = await client.query({
          query: sql, query_params: { ...parameters }, format: 'JSONEachRow', abort_signal: closing.signal,
          // Older servers quote 64-bit numbers; offsets and counts fit a double.
          clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
        });
        return await result.json<Row>();
      } catch (error) {
        throw toFailure(error, 'query the history');
      }
    },
    async command(sql, parameters) {
      try {
        checkOpen();
        await client.command({ query: sql, query_params: { ...parameters }, abort_signal: closing.signal });
      } catch (error) {
        throw toFailure(error, 'change the history');
      }
    },
    async insert(table, lines, token) {
      for (let attempt = 1; ; attempt++) {
        try {
          checkOpen();
          await insertOnce(table, lines, token);
          return;
        } catch (error) {
          const failure = toFailure(error, `insert into ${table}`);
          if (failure.code !== 'history_unavailable' || attempt === INSERT_ATTEMPTS || closing.signal.aborted) throw failure;
          const waitMs = FIRST_RETRY_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
          await delay(waitMs, undefined, { signal: closing.signal }).catch(() => { throw failure; });
        }
      }
    },
    async userQuery(sql, format, limits) {
      return await users.use(async () => {
        checkOpen();
        const queryId = `raceline-${randomUUID()}`;
        const deadline = AbortSignal.timeout(limits.maxSec * 1_000 + KILL_AFTER_MS);
        try {
          const result = await userClient.exec({
            query: sql, query_id: queryId, abort_signal: AbortSignal.any([deadline, closing.signal]),
            clickhouse_settings: {
              readonly: '1', default_format: format as DataFormat, wait_end_of_query: 1, max_execution_time: limits.maxSec,
              max_memory_usage: String(limits.maxMemoryBytes), max_result_rows: String(limits.maxRows),
              max_result_bytes: String(MAX_RESULT_BYTES), result_overflow_mode: 'throw', output_format_json_quote_64bit_integers: 0,
            },
          });
          return await buffer(result.stream);
        } catch (error) {
          // Hanging up does not stop it on the server.
          if (deadline.aborted) await client.command({ query: 'KILL QUERY WHERE query_id = {id:String} ASYNC', query_params: { id: queryId } }).catch(() => {});
          if (deadline.aborted) throw new AppError('query_failed', `Cannot run the query: it took more than ${limits.maxSec} s and was stopped`, { cause: error });
          throw toUserFailure(error);
        }
      });
    },
    async close() {
      closing.abort();
      await client.close();
      await userClient.close();
    },
  };
}
