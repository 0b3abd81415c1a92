import { AppError } from '../../../src/errors.ts';
import type { AuditRow, EtaRevisionRow, ForecastErrorRow, RaceRow, StageRow, TelemetryRow } from '../../../src/history/rows.ts';
import type { HistoryStore, HistoryTable } from '../../../src/ports/history-store.ts';
import type { Cluster } from './cluster.ts';
import type { Process } from './world.ts';

type Tables = { races: RaceRow[]; stages: StageRow[]; eta_revisions: EtaRevisionRow[]; forecast_errors: ForecastErrorRow[]; audit: AuditRow[]; telemetry: TelemetryRow[]; rebuilds: Placed[]; model_swaps: Placed[] };
type Placed = { topic: string; partition: number; offset: number };

type StoredOrigin = Pick<RaceRow, 'topic' | 'partition' | 'offset' | 'origin_partition' | 'origin_epoch' | 'origin_offset' | 'origin_index'>;

/** `counted`: races in source_stats, by source. */
export type SimDatabase = { readonly counted: Map<string, number>; readonly forgottenOrigins: StoredOrigin[]; readonly tables: Tables; readonly tokens: Set<string>; readonly forgotten: { readonly raceId: string; readonly atMs: number }[] };

export function createDatabase(): SimDatabase {
  return { counted: new Map(), forgottenOrigins: [], tables: { races: [], stages: [], eta_revisions: [], forecast_errors: [], audit: [], telemetry: [], rebuilds: [], model_swaps: [] }, tokens: new Set(), forgotten: [] };
}

type Parameters = { topic: string; partition: number; first: number; ids: string[]; offsets: number[]; times: number[]; since: string };

/**
 * ClickHouse as one process sees it: inserts are all or nothing and known by their token. Of SQL it knows the
 * statements of the historian, by their beginning; another one is an error.
 */
export function openSimHistoryStore(cluster: Cluster, database: SimDatabase, process: Process): HistoryStore {
  const { tables, tokens, forgotten, forgottenOrigins, counted } = database;
  const statements: readonly (readonly [beginning: string, run: (parameters: Parameters) => unknown[]])[] = [
    ['SELECT maxOrNull(offset) AS last FROM races', ({ topic, partition }) => {
      const offsets = tables.races.filter((row) => row.topic === topic && row.partition === partition).map(({ offset }) => offset);
      return [{ last: offsets.length === 0 ? null : Math.max(...offsets) }];
    }],
    ['SELECT origin_partition, max((origin_epoch, origin_offset, origin_index)) AS highest FROM (', ({ topic, partition, first }) => {
      const highest = new Map<number, [number, number, number]>();
      for (const row of [...tables.races, ...forgottenOrigins]) {
        if (row.topic !== topic || row.partition !== partition || row.offset >= first) continue;
        const origin: [number, number, number] = [row.origin_epoch, row.origin_offset, row.origin_index];
        const known = highest.get(row.origin_partition);
        if (known === undefined || compare(origin, known) > 0) highest.set(row.origin_partition, origin);
      }
      return [...highest].map(([origin_partition, tuple]) => ({ origin_partition, highest: tuple }));
    }],
    ['INSERT INTO forgotten (race_id, forgotten_at)', ({ ids, times }) => {
      forgotten.push(...ids.map((raceId, index) => ({ raceId, atMs: times[index] ?? 0 })));
      return [];
    }],
    ['INSERT INTO forgotten_origins', ({ topic, partition, ids, offsets }) => {
      forgottenOrigins.push(...tables.races.filter((row) => row.topic === topic && row.partition === partition && ids.some((id, index) => id === row.race_id && row.offset < (offsets[index] ?? 0))));
      return [];
    }],
    ...(['races', 'stages', 'forecast_errors'] as const).map((table) => [`DELETE FROM ${table} WHERE topic =`, ({ topic, partition, ids, offsets }: Parameters) => {
      keep(table, (row) => row.topic !== topic || row.partition !== partition || !ids.some((id, index) => id === row.race_id && row.offset < (offsets[index] ?? 0)));
      return [];
    }] as const),
    ['SELECT race_id, toUnixTimestamp64Milli(max(forgotten_at)) AS at_ms FROM forgotten', ({ since }) => {
      const latest = new Map<string, number>();
      for (const { raceId, atMs } of forgotten) if (atMs >= msOf(since)) latest.set(raceId, Math.max(atMs, latest.get(raceId) ?? 0));
      return [...latest].map(([race_id, at_ms]) => ({ race_id, at_ms }));
    }],
    ...(['eta_revisions', 'telemetry'] as const).map((table) => [`DELETE FROM ${table} WHERE has({ids:Array(String)}, race_id)`, ({ ids, times }: Parameters) => {
      keep(table, (row) => !ids.some((id, index) => id === row.race_id && msOf(row.ingested_at) <= (times[index] ?? 0)));
      return [];
    }] as const),
  ];

  function keep<Table extends HistoryTable>(table: Table, isKept: (row: Tables[Table][number]) => boolean): void {
    const rows: Tables[Table][number][] = tables[table];
    const kept = rows.filter(isKept);
    rows.splice(0, rows.length, ...kept);
  }

  const ask = <T>(act: () => T): Promise<T> => cluster.request(process, 'ClickHouse', act).catch((error: unknown) => {
    throw new AppError('history_unavailable', 'ClickHouse does not answer', { cause: error });
  });

  return {
    async migrate() {},
    insert: (table, rows, token) => ask(() => {
      if (rows.length === 0 || tokens.has(`${table} ${token}`)) return;
      tokens.add(`${table} ${token}`);
      (tables[table] as object[]).push(...rows);
      if (table === 'races') for (const { source, is_correction } of rows as readonly RaceRow[]) if (!is_correction) counted.set(source, (counted.get(source) ?? 0) + 1);
    }),
    query: <Row>(sql: string, parameters: Readonly<Record<string, unknown>> = {}) => ask(() => {
      const text = sql.replaceAll(/\s+/g, ' ').trim();
      const statement = statements.find(([beginning]) => text.startsWith(beginning));
      if (statement === undefined) throw new Error(`The simulation does not know this statement: ${text}`);
      return statement[1](parameters as unknown as Parameters) as Row[];
    }),
    userQuery: () => Promise.reject(new AppError('query_refused', 'Nobody asks anything here')),
    async ping() {},
    inspect: () => Promise.reject(new Error('Nobody examines a simulation')),
    async close() {},
  };
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - (b[index] ?? 0);
  return 0;
}

function msOf(instant: string): number {
  return Date.parse(`${instant.replace(' ', 'T')}Z`);
}
