import type { ForgottenRace } from '../history/batch.ts';
import type { EtaRevisionRow, TelemetryRow } from '../history/rows.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import type { PartitionId } from '../ports/record-log.ts';

// A race is forgotten in race-history, but its revisions travel in eta-updates and its positions in telemetry, which may be
// read later. So whom to forget is written down first, and whoever inserts those looks there after its insert: one of the two
// deletes them.

/** Tables whose rows come by topics of their own. */
const lateTables = ['eta_revisions', 'telemetry'] as const;
type LateTable = (typeof lateTables)[number];
type LateRow = Pick<EtaRevisionRow | TelemetryRow, 'race_id' | 'ingested_at'>;

const OF_FORGOTTEN = `topic = {topic:String} AND partition = {partition:UInt32}
  AND arrayExists((id, until) -> id = race_id AND offset < until, {ids:Array(String)}, {offsets:Array(UInt64)})`;

/** Ids in one statement: over HTTP they stand in the URL, which servers cut off at 1 MiB. */
const MAX_IDS = 100;

/**
 * Removes the rows of forgotten races: those of race-history up to the record that said so, their revisions and positions up to its
 * time. Figures by source and day stay: they name no race. So do the origins of its finishes, by which the historian
 * knows, after a restart, what is sent again. Idempotent. Costs a mutation per table and 100 races.
 */
export async function deleteForgotten(store: HistoryStore, { topic, partition }: PartitionId, forgotten: readonly ForgottenRace[]): Promise<void> {
  for (let start = 0; start < forgotten.length; start += MAX_IDS) {
    const some = forgotten.slice(start, start + MAX_IDS);
    const parameters = {
      topic, partition, ids: some.map(({ raceId }) => raceId), offsets: some.map(({ offset }) => offset), times: some.map(({ atMs }) => atMs),
    };
    await store.query(
      `INSERT INTO forgotten (race_id, forgotten_at)
       SELECT pair.1, fromUnixTimestamp64Milli(pair.2, 'UTC') FROM (SELECT arrayJoin(arrayZip({ids:Array(String)}, {times:Array(Int64)})) AS pair)`, parameters,
    );
    await store.query(
      `INSERT INTO forgotten_origins (topic, partition, origin_partition, origin_epoch, origin_offset, origin_index, offset, ingested_at)
       SELECT topic, partition, origin_partition, origin_epoch, origin_offset, origin_index, offset, ingested_at FROM races WHERE ${OF_FORGOTTEN}`, parameters,
    );
    for (const table of ['races', 'stages', 'forecast_errors']) await store.query(`DELETE FROM ${table} WHERE ${OF_FORGOTTEN}`, parameters);
    for (const table of lateTables) await deleteOf(store, table, some);
  }
}

/** Removes, of the rows just inserted, those of races that were forgotten meanwhile. */
export async function deleteLate(store: HistoryStore, inserted: { readonly [table in LateTable]: readonly LateRow[] }): Promise<void> {
  for (const table of lateTables) await deleteLateOf(store, table, inserted[table]);
}

async function deleteLateOf(store: HistoryStore, table: LateTable, rows: readonly LateRow[]): Promise<void> {
  if (rows.length === 0) return;
  const since = rows.reduce((earliest, { ingested_at: at }) => at < earliest ? at : earliest, rows[0]?.ingested_at ?? '');
  const recent = await store.query<{ race_id: string; at_ms: number }>(
    `SELECT race_id, toUnixTimestamp64Milli(max(forgotten_at)) AS at_ms FROM forgotten
     WHERE forgotten_at >= {since:DateTime64(3, 'UTC')} GROUP BY race_id`, { since },
  );
  if (recent.length === 0) return;
  const ids = new Set(rows.map(({ race_id }) => race_id));
  const late = recent.filter(({ race_id }) => ids.has(race_id)).map(({ race_id, at_ms }) => ({ raceId: race_id, atMs: Number(at_ms) }));
  for (let start = 0; start < late.length; start += MAX_IDS) await deleteOf(store, table, late.slice(start, start + MAX_IDS));
}

async function deleteOf(store: HistoryStore, table: LateTable, races: readonly { readonly raceId: string; readonly atMs: number }[]): Promise<void> {
  if (races.length === 0) return;
  await store.query(
    `DELETE FROM ${table} WHERE has({ids:Array(String)}, race_id)
     AND arrayExists((id, until) -> id = race_id AND toUnixTimestamp64Milli(ingested_at) <= until, {ids:Array(String)}, {times:Array(Int64)})`,
    { ids: races.map(({ raceId }) => raceId), times: races.map(({ atMs }) => atMs) },
  );
}
