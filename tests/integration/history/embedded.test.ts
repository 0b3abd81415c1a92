import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadChdb } from '../../../src/adapters/clickhouse/embedded.ts';
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import { splitStatements } from '../../../src/history/sql-tokens.ts';
import { raceRow, telemetryRow, type RaceRow } from '../../../src/history/rows.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { finishedRace, START_AT_MS } from '../../support/clickhouse/history-records.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const config = { url: null, database: 'raceline', username: 'default', password: '' };
const schemas = new URL('../../../schemas/clickhouse/', import.meta.url);

let dataDir: string;
let store: HistoryStore;
const inserts: [string, number][] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'raceline-embedded-'));
  store = await openHistoryStore({
    config, dataDir, historyTtlDays: 30, logger: silentLogger, onInsert: (table, rows) => { inserts.push([table, rows]); },
  });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  await rm(dataDir, { recursive: true, force: true });
});

describe('the embedded ClickHouse', () => {
  it('says what to do when another process has its directory', async () => {
    const child = fork(new URL('../../support/clickhouse/open-embedded.ts', import.meta.url), [dataDir], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const [message] = await once(child, 'message') as [{ code: string; message: string }];
    expect(message.code).toBe('history_locked');
    expect(message.message).toMatch(/process \d+ has it open.*RACELINE_DATA_DIR.*CLICKHOUSE_URL/);
    await expect(store.ping()).resolves.toBeUndefined();
  });

  it('says what to do when chdb is not installed', async () => {
    const missing = Object.assign(new Error("Cannot find package 'chdb'"), { code: 'ERR_MODULE_NOT_FOUND' });
    await expect(loadChdb(() => Promise.reject(missing))).rejects.toMatchObject({ code: 'optional_missing', message: expect.stringMatching(/npm install.*CLICKHOUSE_URL/) });
  });

  it('tells of each insert', async () => {
    await store.insert('races', [1, 2].map((n) => raceRow(finishedRace(n), { topic: 'race-history', partition: 0, offset: n, appendedAtMs: Date.now() })), 'told');
    await store.insert('stages', [], 'nothing');
    expect(inserts).toEqual([['races', 2]]);
  });

  it('drops rows by the time of their ingestion, not by when the race ran', async () => {
    const old = raceRow(finishedRace(3, { source: 'age', completed_at: 0, started_at: 0, submitted_at: 0 }), { topic: 'race-history', partition: 0, offset: 3, appendedAtMs: Date.now() });
    const stale = raceRow(finishedRace(4, { source: 'age' }), { topic: 'race-history', partition: 0, offset: 4, appendedAtMs: START_AT_MS - 60 * 86_400_000 });
    await store.insert('races', [old], 'age-1');
    await store.insert('races', [stale], 'age-2');
    await store.query('OPTIMIZE TABLE races FINAL');
    await expect(store.query("SELECT race_id FROM races WHERE source = 'age'")).resolves.toEqual([{ race_id: 'race-3' }]);
  });

  it('changes how long rows are kept when the setting changes', async () => {
    const again = await openHistoryStore({ config, dataDir, historyTtlDays: 36_500, logger: silentLogger });
    await again.migrate();
    const stale = raceRow(finishedRace(5, { source: 'kept' }), { topic: 'race-history', partition: 0, offset: 5, appendedAtMs: START_AT_MS - 60 * 86_400_000 });
    await again.insert('races', [stale], 'kept');
    await expect(again.query("SELECT race_id FROM races WHERE source = 'kept'")).resolves.toEqual([{ race_id: 'race-5' }]);
    const position = { race_id: 'bus', at: START_AT_MS, lat: 1, lon: 1, speed_mps: null, heading_deg: null, altitude_m: null, accuracy_m: null, device: null };
    const positions = [0, 60].map((days, offset) => telemetryRow({ ...position, race_id: `bus-${days}` }, { topic: 'telemetry', partition: 0, offset, appendedAtMs: Date.now() - days * 86_400_000 }));
    await again.insert('telemetry', positions, 'positions');
    await again.query('OPTIMIZE TABLE telemetry FINAL');
    await expect(again.query('SELECT race_id FROM telemetry'), 'positions go after 30 days at the latest').resolves.toEqual([{ race_id: 'bus-0' }]);
    await again.close();
    await expect(store.ping()).resolves.toBeUndefined();
  });

  it('tells apart, in rows of a version that did not know how, a correction from another race under the id', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'raceline-upgraded-'));
    const copy = join(directory, 'schemas');
    await cp(schemas, copy, { recursive: true });
    // What came with it and after it.
    for (const name of await readdir(copy)) if (name >= '003') await rm(join(copy, name));
    const old: Partial<RaceRow> = raceRow(finishedRace(1), { topic: 'race-history', partition: 0, offset: 1, appendedAtMs: Date.now() });
    delete old.first_offset;
    const open = (migrations: URL): Promise<HistoryStore> => openHistoryStore({ config: { ...config, database: 'upgraded' }, dataDir, historyTtlDays: 30, logger: silentLogger, migrations });
    const before = await open(pathToFileURL(`${copy}/`));
    await before.migrate();
    await before.insert('races', [old], 'old');
    await before.close();
    const upgraded = await open(schemas);
    await upgraded.migrate();
    // After a crash in the middle of it, a migration is run again from its start.
    for (const statement of splitStatements(await readFile(new URL('003_reused_ids.sql', schemas), 'utf8'))) await upgraded.query(statement);
    const row = (offset: number, changes: Parameters<typeof finishedRace>[1]) => raceRow(finishedRace(1, changes), { topic: 'race-history', partition: 0, offset, appendedAtMs: Date.now() });
    await upgraded.insert('races', [row(2, { first_offset: 0, version: 2, title: 'corrected' }), row(3, { first_offset: 77, title: 'another' })], 'new');
    await upgraded.query('OPTIMIZE TABLE races FINAL');
    await expect(upgraded.query('SELECT title, first_offset FROM races ORDER BY first_offset')).resolves.toEqual([{ title: 'corrected', first_offset: 0 }, { title: 'another', first_offset: 77 }]);
    await expect(upgraded.query('SELECT title FROM v_races ORDER BY first_offset')).resolves.toEqual([{ title: 'corrected' }, { title: 'another' }]);
    await upgraded.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('refuses an applied migration that was changed, and a database that is ahead', async () => {
    const copy = join(dataDir, 'schemas');
    await cp(schemas, copy, { recursive: true });
    const migrations = pathToFileURL(`${copy}/`);
    await writeFile(join(copy, '900_more.sql'), "CREATE VIEW IF NOT EXISTS v_more AS SELECT 'a;b' AS text; -- the end;");
    const ahead = await openHistoryStore({ config, dataDir, historyTtlDays: 30, logger: silentLogger, migrations });
    await ahead.migrate();
    await expect(ahead.query('SELECT text FROM v_more')).resolves.toEqual([{ text: 'a;b' }]);
    await expect(store.migrate()).rejects.toMatchObject({ code: 'query_failed', message: expect.stringContaining('migration 900 (more)') });
    const views = join(copy, '002_views.sql');
    await writeFile(views, `${await readFile(views, 'utf8')}\nSELECT 1;`);
    const changed = await openHistoryStore({ config, dataDir, historyTtlDays: 30, logger: silentLogger, migrations });
    await expect(changed.migrate()).rejects.toMatchObject({ code: 'query_failed', message: expect.stringContaining('migration 2 (views) was applied with other contents') });
    await ahead.close();
    await changed.close();
  });

  it('finds shifts of level, slow sources and daily accuracy in what is stored', async () => {
    const daysAgo = (days: number) => Date.now() - days * 86_400_000;
    const runs = Array.from({ length: 20 }, (_, n) => raceRow(
      finishedRace(100 + n, { source: 'shift', title: 'nightly', duration_sec: n < 15 ? 60 : 120, started_at: daysAgo(21 - n), completed_at: daysAgo(21 - n) + 60_000 }),
      { topic: 'race-history', partition: 0, offset: 100 + n, appendedAtMs: Date.now() },
    ));
    await store.insert('races', runs, 'shift');
    await expect(store.query("SELECT title, races, recent_median_sec, earlier_median_sec, ratio FROM v_level_shifts WHERE source = 'shift'"))
      .resolves.toEqual([{ title: 'nightly', races: 20, recent_median_sec: 120, earlier_median_sec: 60, ratio: 2 }]);
    await expect(store.query("SELECT races, p50_sec, max_sec FROM v_slowest_sources WHERE source = 'shift'")).resolves.toEqual([{ races: 20, p50_sec: 60, max_sec: 120 }]);
  });

  it('ends the queries of users when it closes, instead of waiting for them', async () => {
    const other = await openHistoryStore({ config, dataDir, historyTtlDays: 30, logger: silentLogger });
    const query = other.userQuery('SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1', 'TSV', { maxSec: 300 });
    const ended = query.then(() => 'answered', (error: { code: string }) => error.code);
    for (let running = 0; running === 0;) {
      running = Number((await store.query<{ n: number }>("SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%processes%'"))[0]?.n);
    }
    await other.close();
    await expect(ended).resolves.toBe('query_failed');
  });
});
