import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { LogStorage } from '../../../src/adapters/local-log/storage.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import type { TelemetryPoint } from '../../../src/journey/telemetry.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import type { NewRecord, RecordLog } from '../../../src/ports/record-log.ts';
import { runHistorian, type Historian } from '../../../src/runtime/historian.ts';
import type { BatchLimits, HistorianLag } from '../../../src/runtime/historian-partition.ts';
import { topics, type TopicName } from '../../../topology/topics.ts';
import { etaUpdate, finishedRace, forget, partitionState } from '../../support/clickhouse/history-records.ts';
import { readAll } from '../../support/read-all.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { startClickHouse, type ClickHouseProcess } from '../../support/clickhouse/start-clickhouse.ts';
import { waitUntil } from '../../support/wait-until.ts';

const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
const clock = { nowMs: () => Date.now() };
// Long enough that nothing is cut but by its size, unless a test says otherwise.
const bySize: BatchLimits = { maxRows: 60, maxBytes: 1_000_000, maxWaitMs: 600_000 };
const soon: BatchLimits = { ...bySize, maxWaitMs: 20 };

let dir: string;
let server: ClickHouseProcess;
let store: HistoryStore;
let storage: LogStorage;
let log: RecordLog;
let historian: Historian | null;
let failures: number;
let repeats: number;
let stored: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raceline-historian-'));
  server = await startClickHouse({ dir });
  store = await openStore();
  await store.migrate();
  storage = memoryStorage();
  log = await openLog();
  await codec.register();
  historian = null;
  failures = repeats = stored = 0;
});

afterEach(async () => {
  await historian?.close({ drainMs: 0 });
  await log.close();
  await store.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('the historian', () => {
  it('stores each finished race, its stages and errors, and keeps the audit of offsets', async () => {
    await produce('race-history', 0, Array.from({ length: 500 }, (_, n) => history(finishedRace(n))));
    await start(soon);
    await caughtUp();
    await expect(counts()).resolves.toEqual({ races: 500, stages: 1_000, forecast_errors: 1_000, eta_revisions: 0, audit: 0 });
    await expectEachOffsetOnce();
    await expect(store.query('SELECT races, p50_sec FROM v_source_stats')).resolves.toEqual([{ races: 500, p50_sec: 100 }]);
    await expect(log.groupOffsets('historian', 'race-history')).resolves.toMatchObject([{ offset: 500, metadata: '' }, { offset: null }]);
  });

  it('stores revisions of every partition, the later offset winning, and the audit totals of race-states', async () => {
    await produce('eta-updates', 0, [etaUpdate('a', 1), etaUpdate('a', 2), etaUpdate('a', 2, { eta_sec: 111 })].map(eta));
    await produce('eta-updates', 1, [etaUpdate('b', 1, { state: 'queued', started_at: null, finish_at: null, progress: null })].map(eta));
    const states = [10, 20].map((read) => ({ key: Buffer.from('__partition/1'), value: codec.encode('race-states', partitionState(1, read), 'PartitionState') }));
    await produce('race-states', 1, [{ key: Buffer.from('a'), value: Buffer.from('no state that the historian would look at') }, ...states]);
    await start(soon);
    await caughtUp();
    await expect(store.query('SELECT race_id, revision, eta_sec FROM v_eta_revisions ORDER BY race_id, revision')).resolves.toEqual([
      { race_id: 'a', revision: 1, eta_sec: 100 }, { race_id: 'a', revision: 2, eta_sec: 111 }, { race_id: 'b', revision: 1, eta_sec: 100 },
    ]);
    await expect(store.query('SELECT input_partition, read, is_balanced FROM v_audit')).resolves.toEqual([{ input_partition: 1, read: 20, is_balanced: 1 }].map((row) => ({ ...row, is_balanced: expect.toSatisfy(Boolean) })));
    await expectEachOffsetOnce();
  });

  it('shows what stands of revisions that were sent again, the second time fewer', async () => {
    await produce('eta-updates', 0, [1, 2, 3, 4, 1, 2].map((revision) => eta(etaUpdate('a', revision))));
    await produce('eta-updates', 1, [...[1, 2, 1, 2, 3].map((revision) => eta(etaUpdate('b', revision))), eta(etaUpdate('b', 1, { first_offset: 9 }))]);
    await start(soon);
    await caughtUp();
    await expect(store.query('SELECT race_id, first_offset, groupArray(revision) AS revisions FROM (SELECT * FROM v_eta_revisions ORDER BY revision) GROUP BY race_id, first_offset ORDER BY race_id, first_offset')).resolves.toEqual([
      { race_id: 'a', first_offset: 0, revisions: [1, 2] }, { race_id: 'b', first_offset: 0, revisions: [1, 2, 3] }, { race_id: 'b', first_offset: 9, revisions: [1] },
    ]);
  });

  it('leaves out a finish that was sent again after a crash of the pipeline, also when itself was restarted between', async () => {
    await produce('race-history', 0, [0, 1, 2].map((n) => history(finishedRace(n))));
    await start(soon);
    await caughtUp();
    await produce('race-history', 0, [1, 2, 3].map((n) => history(finishedRace(n))));
    await caughtUp();
    expect(repeats).toBe(2);
    await restart(soon);
    await produce('race-history', 0, [2, 3, 4].map((n) => history(finishedRace(n))));
    await caughtUp();
    expect(repeats).toBe(4);
    await expect(store.query('SELECT count() AS n, uniqExact(race_id) AS races FROM races')).resolves.toEqual([{ n: 5, races: 5 }]);
    await expect(store.query('SELECT races FROM v_source_stats')).resolves.toEqual([{ races: 5 }]);
  });

  it.each(['die-in-insert', 'die-after-insert'] as const)('stores nothing twice and loses nothing when ClickHouse shall %s and the historian crashes too', async (behaviour) => {
    await produce('race-history', 0, Array.from({ length: 100 }, (_, n) => history(finishedRace(n))));
    await produce('eta-updates', 0, Array.from({ length: 100 }, (_, n) => eta(etaUpdate('a', n + 1))));
    await server.behave(behaviour);
    await start(bySize);
    await server.exited;
    // What the log remembers of the batch in hand is all that the next historian has.
    const pending = await waitUntil('the range in hand is committed', async () => (await log.groupOffsets('historian', 'race-history'))[0]?.metadata);
    expect(pending).toBe('0-11');
    await waitUntil('ClickHouse was missed', () => failures > 0);
    await crash();
    await produce('race-history', 0, Array.from({ length: 100 }, (_, n) => history(finishedRace(100 + n))));
    server = await startClickHouse({ dir, port: server.port });
    await start({ ...soon, maxRows: 35 });
    await caughtUp();
    expect(server.inserted).toContain(`historian:race-history:0:${pending}`);
    await expect(counts()).resolves.toEqual({ races: 200, stages: 400, forecast_errors: 400, eta_revisions: 100, audit: 0 });
    await expectEachOffsetOnce();
    await expect(store.query('SELECT races, passed FROM v_source_stats')).resolves.toEqual([{ races: 200, passed: 200 }]);
  });

  it('is not misled by an insert whose answer was lost', async () => {
    await produce('race-history', 0, Array.from({ length: 20 }, (_, n) => history(finishedRace(n))));
    await server.behave('hang-up-after-insert');
    await start(soon);
    await waitUntil('it was tried three times', () => server.inserted.length > 2);
    expect(new Set(server.inserted)).toEqual(new Set(['historian:race-history:0:0-11']));
    await server.behave('serve');
    await caughtUp();
    await expect(counts()).resolves.toMatchObject({ races: 20, stages: 40, forecast_errors: 40 });
    await expectEachOffsetOnce();
  });

  it('waits for a ClickHouse that refuses, holding no more than two batches, and stores all once it serves', async () => {
    await start(soon);
    await waitUntil('it is assigned', () => lags().length === 8);
    await server.behave('refuse');
    await produce('race-history', 0, Array.from({ length: 400 }, (_, n) => history(finishedRace(n))));
    await waitUntil('it failed twice', () => failures > 1);
    const lag = lags().find(({ topic, partition }) => topic === 'race-history' && partition === 0);
    expect(lag?.failures).toBeGreaterThan(0);
    expect(lag?.records).toBeGreaterThan(0);
    expect(lag?.bufferedRows).toBeLessThanOrEqual(2 * (soon.maxRows + 5));
    expect(lag?.oldestAtMs).toBeLessThanOrEqual(producedAtMs);
    expect(stored).toBe(0);
    await server.behave('serve');
    await caughtUp();
    expect(lags().every(({ oldestAtMs }) => oldestAtMs === null)).toBe(true);
    expect(stored).toBeGreaterThan(0);
    await expect(counts()).resolves.toMatchObject({ races: 400, stages: 800, forecast_errors: 800 });
    await expectEachOffsetOnce();
    expect(lags().every(({ records, bufferedRows, failures: inRow }) => records + bufferedRows + inRow === 0)).toBe(true);
  });

  it('goes on where it stood when ClickHouse does not answer at its start', async () => {
    await produce('race-history', 0, [history(finishedRace(0))]);
    await server.behave('refuse');
    await start(soon);
    await waitUntil('it failed', () => failures > 0);
    await server.behave('serve');
    await caughtUp();
    await expect(counts()).resolves.toMatchObject({ races: 1 });
  });

  it('stores what is in hand when it closes', async () => {
    await start(bySize);
    await produce('race-history', 0, [history(finishedRace(0))]);
    await waitUntil('it has the record', () => lags().some(({ bufferedRows }) => bufferedRows === 5));
    await historian?.close();
    await expect(counts()).resolves.toMatchObject({ races: 1, stages: 2 });
    await expect(log.groupOffsets('historian', 'race-history')).resolves.toMatchObject([{ offset: 1, metadata: '' }, {}]);
  });

  it('puts what it cannot read into dead-letters and goes on', async () => {
    const poison = { key: Buffer.from('ci/acme'), value: Buffer.from([0, 0, 0, 0, 99, 1, 2]) };
    const nan = history({ ...finishedRace(1), duration_sec: Number.NaN });
    await produce('race-history', 0, [history(finishedRace(0)), poison, nan, history(finishedRace(2))]);
    await start(soon);
    await caughtUp();
    await expect(store.query('SELECT race_id FROM races ORDER BY race_id')).resolves.toEqual([{ race_id: 'race-0' }, { race_id: 'race-2' }]);
    const letters = await readAll(log, 'dead-letters');
    const headers = letters.map((letter) => Object.fromEntries(letter.headers.map(([name, value]) => [name, value.toString()])));
    expect(headers).toMatchObject([{ topic: 'race-history', partition: '0', offset: '1' }, { offset: '2', code: 'undecodable', message: 'duration_sec does not fit its column: NaN' }]);
    expect(letters[0]?.value).toEqual(poison.value);
  });

  it('counts a finish once that is sent again after its race was forgotten, also when itself was restarted between', async () => {
    const order = { key: Buffer.from('ci/acme'), value: codec.encode('race-history', forget(1, 'race-0', Date.now()), 'Forget') };
    await produce('race-history', 0, [history(finishedRace(0)), order]);
    await start(soon);
    await caughtUp();
    await restart(soon);
    await produce('race-history', 0, [history(finishedRace(0)), order, history(finishedRace(2))]);
    await caughtUp();
    expect(repeats).toBe(1);
    await expect(store.query('SELECT race_id FROM races')).resolves.toEqual([{ race_id: 'race-2' }]);
    await expect(store.query('SELECT races FROM v_source_stats')).resolves.toEqual([{ races: 2 }]);
  });

  it('removes the rows of a forgotten race, its late revisions and positions too, and keeps what the race did anew', async () => {
    await produce('race-history', 0, [history(finishedRace(0)), history(finishedRace(1))]);
    await produce('eta-updates', 0, [eta(etaUpdate('race-0', 1)), eta(etaUpdate('race-1', 1))]);
    await produce('telemetry', 0, [position('race-0', 0), position('race-1', 0)]);
    await start(soon);
    await caughtUp();
    await historian?.close();
    await produce('eta-updates', 0, [eta(etaUpdate('race-0', 2))]);
    await produce('telemetry', 0, [position('race-0', 1)]);
    await produce('race-history', 0, [{ key: Buffer.from('ci/acme'), value: codec.encode('race-history', forget(2, 'race-0', Date.now()), 'Forget') }]);
    await waitUntil('the clock went on', () => Date.now() > producedAtMs + 5);
    await produce('race-history', 0, [history(finishedRace(3, { race_id: 'race-0' }))]);
    await produce('eta-updates', 0, [eta(etaUpdate('race-0', 3))]);
    await produce('telemetry', 0, [position('race-0', 2)]);
    await start(soon);
    await caughtUp();
    await expect(store.query('SELECT race_id, offset FROM races ORDER BY offset')).resolves.toEqual([{ race_id: 'race-1', offset: 1 }, { race_id: 'race-0', offset: 3 }]);
    await expect(store.query('SELECT DISTINCT race_id, offset FROM stages ORDER BY offset')).resolves.toEqual([{ race_id: 'race-1', offset: 1 }, { race_id: 'race-0', offset: 3 }]);
    await expect(store.query('SELECT race_id, revision FROM eta_revisions ORDER BY race_id, revision')).resolves.toEqual([{ race_id: 'race-0', revision: 3 }, { race_id: 'race-1', revision: 1 }]);
    await expect(store.query('SELECT race_id, lat FROM v_telemetry ORDER BY race_id')).resolves.toEqual([{ race_id: 'race-0', lat: 12 }, { race_id: 'race-1', lat: 10 }]);
  });

  it('stores positions thinned, and leaves those that are refused to whoever follows the journey', async () => {
    const poison = { key: Buffer.from('bus'), value: Buffer.from([0, 0, 0, 0, 99, 1, 2]) };
    await produce('telemetry', 0, [...Array.from({ length: 30 }, (_, n) => position('bus', n)), poison, position('bus', 81)]);
    await start(soon);
    await caughtUp();
    await expect(store.query('SELECT lat, offset FROM v_telemetry ORDER BY slot')).resolves.toEqual([{ lat: 19, offset: 9 }, { lat: 29, offset: 19 }, { lat: 39, offset: 29 }]);
    await expect(readAll(log, 'dead-letters')).resolves.toEqual([]);
  });
});

/** The nth second of a journey, at lat 10 + n. */
function position(raceId: string, n: number): NewRecord {
  const point: TelemetryPoint = { race_id: raceId, at: 1_700_000_000_000 + 1_000 * n, lat: 10 + n, lon: 1, speed_mps: null, heading_deg: null, altitude_m: null, accuracy_m: null, device: null };
  return { key: Buffer.from(raceId), value: codec.encode('telemetry', point) };
}

let producedAtMs = 0;

async function openStore(): Promise<HistoryStore> {
  return openHistoryStore({
    config: { url: server.url, database: 'raceline', username: 'default', password: '' }, dataDir: dir, historyTtlDays: 365, logger: silentLogger,
  });
}

async function openLog(): Promise<RecordLog> {
  const opened = openLocalLog({ storage, retryDelayMs: 10 });
  await opened.ensureTopics(topics.map(({ name, cleanup, retentionMs, minCompactionLagMs }) => ({
    name, cleanup, retentionMs, minCompactionLagMs, partitions: name === 'dead-letters' ? 1 : 2,
  })));
  return opened;
}

async function start(limits: BatchLimits): Promise<void> {
  historian = await runHistorian({
    log, codec, store, clock, logger: silentLogger, limits, hooks: { onInsertFailure: () => failures++, onRepeated: () => repeats++, onStored: () => stored++ },
  });
}

function lags(): HistorianLag[] {
  return historian?.lag() ?? [];
}

/** Without a chance to store what is in hand; the log's own state is what was committed. */
async function crash(): Promise<void> {
  await historian?.close({ drainMs: 0 });
  historian = null;
}

async function restart(limits: BatchLimits): Promise<void> {
  await historian?.close();
  await log.close();
  log = await openLog();
  await start(limits);
}

async function produce(topic: TopicName, partition: number, records: readonly NewRecord[]): Promise<void> {
  for (let from = 0; from < records.length; from += 100) await log.append(topic, partition, records.slice(from, from + 100));
  producedAtMs = Date.now();
}

function history(race: FinishedRace): NewRecord {
  return { key: Buffer.from(race.source), value: codec.encode('race-history', race, 'FinishedRace') };
}

function eta(update: ReturnType<typeof etaUpdate>): NewRecord {
  return { key: Buffer.from(update.race_id), value: codec.encode('eta-updates', update) };
}

async function caughtUp(): Promise<void> {
  for (const topic of ['race-history', 'eta-updates', 'race-states', 'telemetry'] as const) {
    const ends = await log.endOffsets(topic);
    await waitUntil(`${topic} is stored`, async () => (await log.groupOffsets('historian', topic)).every(({ offset }, partition) => (offset ?? 0) === ends[partition]));
  }
}

async function counts(): Promise<Record<string, number>> {
  const result: Record<string, number> = {};
  for (const table of ['races', 'stages', 'forecast_errors', 'eta_revisions', 'audit']) {
    result[table] = Number((await store.query<{ n: number }>(`SELECT count() AS n FROM ${table}`))[0]?.n);
  }
  return result;
}

/** The audit that anyone can run: no record is in ClickHouse twice. */
async function expectEachOffsetOnce(): Promise<void> {
  const parts = { races: '', eta_revisions: '', audit: '', stages: ', name, occurrence', forecast_errors: ', checkpoint' };
  for (const [table, more] of Object.entries(parts)) {
    const [row] = await store.query<{ copies: number }>(`SELECT count() - uniqExact(topic, partition, offset${more}) AS copies FROM ${table}`);
    expect(Number(row?.copies), table).toBe(0);
  }
}
