import type { QueryLimits } from '../../ports/history-store.ts';

/**
 * What differs between the embedded ClickHouse and a server: how statements travel. All SQL is shared.
 * Failures are AppErrors already.
 */
export type Engine = {
  /** Creates the database if it is missing. Idempotent. */
  createDatabase(): Promise<void>;
  /** A statement that answers with rows. */
  query<Row>(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<Row[]>;
  /** A statement without an answer. */
  command(sql: string, parameters: Readonly<Record<string, unknown>>): Promise<void>;
  /** Lines of JSONEachRow, at once or not at all, and once per token. */
  insert(table: string, lines: Buffer, token: string): Promise<void>;
  /** A checked statement of a user, under limits that the engine itself enforces. */
  userQuery(sql: string, format: string, limits: Required<QueryLimits>): Promise<Buffer>;
  /** Stops what still runs and lets go of the engine. Idempotent. */
  close(): Promise<void>;
};

/** Bytes in the result of one user query, beside its limit of rows: the answer is held in memory. */
export const MAX_RESULT_BYTES = 256 * 1024 * 1024;
/** User queries that run at once; each may use several cores. */
export const USER_QUERIES_AT_ONCE = 2;
/** User queries that may wait for their turn. */
export const USER_QUERIES_WAITING = 50;
