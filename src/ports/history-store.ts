/** Tables of schemas/clickhouse that are filled: the last two by the rebuilder, the others by the historian. */
export type HistoryTable = 'races' | 'stages' | 'eta_revisions' | 'forecast_errors' | 'audit' | 'telemetry' | 'rebuilds' | 'model_swaps';

export type QueryLimits = {
  /** Seconds; default 30. */
  readonly maxSec?: number;
  /** Bytes; default 1 GiB. */
  readonly maxMemoryBytes?: number;
  /** Rows in the result; default 100,000. */
  readonly maxRows?: number;
};

/**
 * ClickHouse, real or embedded (chDB).
 *
 * **Delivery.** `insert` is all rows or none, and idempotent for the same token within the last 1,000 blocks of the
 * table: a retry after an unknown outcome sends the same rows with the same token.
 */
export type HistoryStore = {
  /** Applies the migrations that are missing, forward only. Idempotent. */
  migrate(): Promise<void>;
  insert(table: HistoryTable, rows: readonly object[], token: string): Promise<void>;
  /** Our own statements; parameters are bound as {name:Type}. */
  query<Row>(sql: string, parameters?: Readonly<Record<string, unknown>>): Promise<Row[]>;
  /** A user's statement: read only, limited; returns bytes in the ClickHouse format asked for. */
  userQuery(sql: string, format: string, limits?: QueryLimits): Promise<Buffer>;
  ping(): Promise<void>;
  /** What it is, and the migrations that are not applied, by name; applies none. Rejects with `history_unavailable`, or `query_failed` when `migrate` would. */
  inspect(): Promise<{ readonly engine: string; readonly missingMigrations: readonly string[] }>;
  close(): Promise<void>;
};
