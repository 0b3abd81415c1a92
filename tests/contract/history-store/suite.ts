import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etaRevisionRow, forecastErrorRows, raceRow, stageRows, telemetryRow } from '../../../src/history/rows.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { etaUpdate, finishedRace, START_AT_MS } from '../../support/clickhouse/history-records.ts';

export type OpenedStore = { readonly store: HistoryStore; readonly close: () => Promise<void> };

const migrations = readdirSync(new URL('../../../schemas/clickhouse/', import.meta.url)).sort()
  .flatMap((file) => [...file.matchAll(/^(\d{3})_(\w+)\.sql$/g)].map(([, id, name]) => ({ id: Number(id), name })));
const at = (offset: number, topic = 'race-history') => ({ topic, partition: 0, offset, appendedAtMs: START_AT_MS + offset });

/** What every HistoryStore must do. `open` gives one on an empty directory, not migrated yet. */
export function historyStoreContract(name: string, open: (directory: string) => Promise<OpenedStore>): void {
  describe(`${name}: a history store`, () => {
    let directory: string;
    let opened: OpenedStore;
    let store: HistoryStore;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'raceline-history-'));
      opened = await open(directory);
      ({ store } = opened);
      await expect(store.inspect()).resolves.toMatchObject({ missingMigrations: migrations.map(({ name }) => name) });
      await store.migrate();
    });
    afterAll(async () => {
      await opened.close();
      await rm(directory, { recursive: true, force: true });
    });

    const count = async (table: string): Promise<number> => Number((await store.query<{ n: number }>(`SELECT count() AS n FROM ${table}`))[0]?.n);

    it('tells what it is and that nothing is missing', async () => {
      await expect(store.inspect()).resolves.toEqual({ engine: expect.stringMatching(/(chDB|ClickHouse at \S+), version \d+\.\d+/), missingMigrations: [] });
    });

    it('migrates once, however often it is asked', async () => {
      await store.migrate();
      await expect(store.query('SELECT id, name FROM migrations FINAL ORDER BY id')).resolves.toEqual(migrations);
      await expect(store.ping()).resolves.toBeUndefined();
    });

    it('keeps every field of a race, with text that needs escaping', async () => {
      const race = finishedRace(1);
      await store.insert('races', [raceRow(race, at(1))], 'fields-races');
      const [row] = await store.query("SELECT * FROM v_races WHERE race_id = {id:String}", { id: 'race-1' });
      expect(row).toEqual(raceRow(race, at(1)));
      await store.insert('stages', stageRows(race, at(1)), 'fields-stages');
      await expect(store.query("SELECT * FROM v_stages WHERE race_id = 'race-1' ORDER BY seq")).resolves.toEqual(stageRows(race, at(1)));
      await store.insert('forecast_errors', forecastErrorRows(race, at(1)), 'fields-errors');
      const errors = await store.query<{ abs_log_ratio: number }>("SELECT * FROM v_forecast_errors WHERE race_id = 'race-1' ORDER BY checkpoint");
      expect(errors).toEqual(forecastErrorRows(race, at(1)));
      const eta = etaRevisionRow(etaUpdate('race-1', 1), at(7, 'eta-updates'));
      await store.insert('eta_revisions', [eta], 'fields-etas');
      await expect(store.query("SELECT * FROM v_eta_revisions WHERE race_id = 'race-1'")).resolves.toEqual([eta]);
    });

    it('keeps of the positions within ten seconds the one that came last', async () => {
      const slotMs = START_AT_MS - (START_AT_MS % 10_000);
      const position = (offset: number, atMs: number) => telemetryRow(
        { race_id: 'bus', at: atMs, lat: 30.25, lon: -97.5, speed_mps: 7.1, heading_deg: null, altitude_m: 150, accuracy_m: null, device: offset === 1 ? null : 'tracker' }, at(offset, 'telemetry'),
      );
      const [first, second, next] = [position(1, slotMs + 9_000), position(2, slotMs + 3_000), position(3, slotMs + 10_000)];
      await store.insert('telemetry', [first], 'positions-1');
      await store.insert('telemetry', [second, next], 'positions-2');
      await expect(store.query("SELECT * FROM v_telemetry WHERE race_id = 'bus' ORDER BY slot")).resolves.toEqual([second, next]);
    });

    it('keeps instants from 1970 to 2100 to the millisecond', async () => {
      const instants = [0, 1, 86_400_001, 999_999_999_999, 4_102_444_800_000];
      await store.insert('races', instants.map((submitted, n) => raceRow(finishedRace(50 + n, { submitted_at: submitted, source: 'instants' }), at(50 + n))), 'instants');
      const rows = await store.query<{ ms: number }>("SELECT toUnixTimestamp64Milli(submitted_at) AS ms FROM races WHERE source = 'instants' ORDER BY race_id");
      expect(rows.map(({ ms }) => Number(ms))).toEqual(instants);
    });

    it('stores a batch once per token, through the aggregates too', async () => {
      const rows = [2, 3, 4].map((n) => raceRow(finishedRace(n, { source: 'tokens', duration_sec: n }), at(n)));
      await store.insert('races', rows, 'token-a');
      await store.insert('races', rows, 'token-a');
      await expect(store.query("SELECT count() AS n FROM races WHERE source = 'tokens'")).resolves.toEqual([{ n: 3 }]);
      await expect(store.query("SELECT races, passed, min_sec, max_sec, mean_sec, p50_sec FROM v_source_stats WHERE source = 'tokens'"))
        .resolves.toEqual([{ races: 3, passed: 3, min_sec: 2, max_sec: 4, mean_sec: 3, p50_sec: 3 }]);
    });

    it('does not let a token reach the next insert', async () => {
      const row = (n: number) => raceRow(finishedRace(n, { source: 'leak' }), at(n));
      await store.insert('races', [row(10)], 'leak-a');
      await store.insert('races', [row(11)], 'leak-b');
      await store.insert('races', [row(11)], 'leak-a');
      await store.query("INSERT INTO forgotten (race_id, forgotten_at) SELECT 'a', now64(3)");
      await store.query("INSERT INTO forgotten (race_id, forgotten_at) SELECT 'b', now64(3)");
      await expect(store.query("SELECT race_id FROM races WHERE source = 'leak' ORDER BY race_id")).resolves.toEqual([{ race_id: 'race-10' }, { race_id: 'race-11' }]);
      await expect(store.query("SELECT count() AS n FROM forgotten WHERE race_id IN ('a', 'b')")).resolves.toEqual([{ n: 2 }]);
    });

    it('replaces a race by its correction, which does not count again', async () => {
      await store.insert('races', [raceRow(finishedRace(20, { source: 'corrected' }), at(20))], 'correction-1');
      const correction = finishedRace(20, { source: 'corrected', version: 2, correction: true, duration_sec: 77 });
      await store.insert('races', [raceRow(correction, { ...at(21), appendedAtMs: Date.UTC(2026, 11, 2) })], 'correction-2');
      await expect(store.query("SELECT version, duration_sec FROM v_races WHERE source = 'corrected'")).resolves.toEqual([{ version: 2, duration_sec: 77 }]);
      await expect(store.query("SELECT races, max_sec FROM v_source_stats WHERE source = 'corrected'")).resolves.toEqual([{ races: 1, max_sec: 100 }]);
    });

    it('stores all rows of a batch or none', async () => {
      const good = raceRow(finishedRace(30, { source: 'all-or-none' }), at(30));
      const bad = { ...raceRow(finishedRace(31, { source: 'all-or-none' }), at(31)), attempt: 'no number' };
      await expect(store.insert('races', [good, bad], 'all-or-none')).rejects.toMatchObject({ code: 'query_failed' });
      await expect(store.query("SELECT count() AS n FROM races WHERE source = 'all-or-none'")).resolves.toEqual([{ n: 0 }]);
    });

    it('answers users in the format they ask for', async () => {
      const answer = async (sql: string, format: string) => (await store.userQuery(sql, format)).toString();
      await expect(answer('SELECT 1 AS a, 2 AS b;', 'CSVWithNames')).resolves.toBe('"a","b"\n1,2\n');
      await expect(answer('-- a question\nSELECT 1 AS a FORMAT TSV', 'JSON')).resolves.toBe('1\n');
      await expect(answer('WITH 1 AS x SELECT x', 'TSV')).resolves.toBe('1\n');
      await expect(answer("SELECT count() > 0 FROM races WHERE title LIKE '%;%' OR 1", 'TSV')).resolves.toBe('1\n');
      await expect(answer('SHOW TABLES', 'TSV')).resolves.toContain('v_races');
      await expect(answer('DESCRIBE v_slo', 'TSV')).resolves.toContain('coverage');
      await expect(answer('EXISTS races', 'TSV')).resolves.toBe('1\n');
      await expect(answer('EXPLAIN SELECT 1', 'TSV')).resolves.not.toBe('');
      const parquet = await store.userQuery('SELECT number FROM numbers(10)', 'Parquet');
      expect(parquet.subarray(0, 4).toString()).toBe('PAR1');
    });

    it('answers every view', async () => {
      for (const view of ['v_races', 'v_stages', 'v_eta_revisions', 'v_forecast_errors', 'v_audit', 'v_source_stats', 'v_accuracy_daily', 'v_slo', 'v_slowest_sources', 'v_level_shifts', 'v_telemetry']) {
        await expect(store.userQuery(`SELECT * FROM ${view} LIMIT 1`, 'JSONEachRow'), view).resolves.toBeInstanceOf(Buffer);
      }
    });

    it.each([
      'INSERT INTO races (race_id) VALUES (1)', 'DROP TABLE races', 'TRUNCATE TABLE races', 'ALTER TABLE races DELETE WHERE 1', 'SET readonly = 0',
      'SYSTEM SHUTDOWN', 'KILL QUERY WHERE 1', 'CREATE TABLE x (a Int8) ENGINE = Memory', 'SELECT 1; DROP TABLE races', '', ' ; ', '-- nothing',
      "SELECT 1 INTO OUTFILE '/tmp/raceline-outfile'", "SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT file('/etc/passwd')",
      "SELECT `file`('/etc/passwd')", "SELECT \"file\" ('/etc/passwd')", "SELECT arrayMap(file, ['/etc/passwd'])",
      "SELECT COLUMNS('x') APPLY(file) FROM (SELECT '/etc/passwd' AS x)", "SELECT file/**/('/etc/passwd')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
      "SELECT * FROM remote('127.0.0.1', 'system', 'one')", "SELECT * FROM executable('id', 'TSV', 'a String')", "SELECT * FROM s3('http://127.0.0.1:1/b/x', 'CSV')",
      "SELECT * FROM icebergLocal('/tmp/x')", "SELECT ‘'’, file('/etc/passwd'), ‘'’", "SELECT 'no end", 'SELECT 1 SETTINGS max_execution_time = 0',
      'WITH x AS (SELECT 1) INSERT INTO races (race_id) SELECT 1 FROM x', 'SELECT 1 SETTINGS readonly = 0',
    ])('refuses %s', async (sql) => {
      const before = await count('races');
      await expect(store.userQuery(sql, 'TSV')).rejects.toMatchObject({ code: 'query_refused' });
      expect(await count('races')).toBe(before);
      expect(existsSync('/tmp/raceline-outfile')).toBe(false);
    });

    it.each([
      ["SELECT * FROM `/etc/passwd`", 'a file as a table'], ["SELECT * FROM default.`/etc/passwd`", 'a file of the default database'],
      ['SELECT nothing FROM nowhere', 'an unknown table'], ['SELECT FROM WHERE', 'what is no SQL'],
    ])('does not answer %s (%s)', async (sql) => {
      await expect(store.userQuery(sql, 'TSV')).rejects.toMatchObject({ code: expect.stringMatching(/^query_(failed|refused)$/) });
    });

    it('ends a user query at its limits of time, rows and memory', async () => {
      await expect(store.userQuery('SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1', 'TSV', { maxSec: 1 })).rejects.toMatchObject({ code: 'query_failed' });
      await expect(store.userQuery('SELECT number FROM numbers(101)', 'TSV', { maxRows: 100 })).rejects.toMatchObject({ code: 'query_failed' });
      await expect(store.userQuery('SELECT number FROM numbers(100)', 'TSV', { maxRows: 100 })).resolves.toBeInstanceOf(Buffer);
      await expect(store.userQuery('SELECT groupArray(number) FROM numbers(10000000)', 'Null', { maxMemoryBytes: 10_000_000 })).rejects.toMatchObject({ code: 'query_failed' });
      await expect(store.userQuery('SELECT 1', 'TSV', { maxSec: 0 })).rejects.toMatchObject({ code: 'query_refused' });
    });

    it('goes on inserting and answering while a user query runs', async () => {
      const slow = store.userQuery('SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1', 'TSV', { maxSec: 3 });
      const ended = slow.then(() => 'answered', () => 'ended');
      await store.insert('races', [raceRow(finishedRace(40, { source: 'meanwhile' }), at(40))], 'meanwhile');
      await expect(store.query("SELECT count() AS n FROM races WHERE source = 'meanwhile'")).resolves.toEqual([{ n: 1 }]);
      await expect(Promise.race([ended, Promise.resolve('running')])).resolves.toBe('running');
      await expect(ended).resolves.toBe('ended');
    });

    it('has nothing of one user query left in the next', async () => {
      await store.userQuery('SELECT 1', 'TSV', { maxRows: 1 });
      await expect(store.userQuery('SELECT number FROM numbers(5)', 'TSV')).resolves.toBeInstanceOf(Buffer);
      await expect(store.query<{ value: string }>("SELECT value FROM system.settings WHERE name = 'readonly'")).resolves.toEqual([{ value: '0' }]);
    });

    it('binds parameters as values, never as SQL', async () => {
      const text = "'; DROP TABLE races; -- \\' \n\t \\N {x}";
      await expect(store.query('SELECT {text:String} AS text, {list:Array(String)} AS list', { text, list: [text, 'b'] })).resolves.toEqual([{ text, list: [text, 'b'] }]);
    });
  });
}
