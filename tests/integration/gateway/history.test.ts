import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { openHistoryGateway, send, type HistoryGateway } from './harness.ts';

let history: HistoryStore;
let gateway: Gateway;
let closeAll: HistoryGateway['closeAll'];

const STARTED_MS = Date.parse('2026-01-01T00:00:00Z');

beforeAll(async () => {
  ({ history, gateway, closeAll } = await openHistoryGateway());
  const from = { topic: 'race-history', partition: 0, ingested_at: new Date().toISOString().replace('T', ' ').replace('Z', '') };
  const instant = (atMs: number) => new Date(atMs).toISOString().replace('T', ' ').replace('Z', '');
  // Two at a time start in the same millisecond: pages must neither repeat nor skip.
  await history.insert('races', Array.from({ length: 10 }, (_, i) => {
    const startedMs = STARTED_MS + Math.floor(i / 2) * 60_000;
    return {
      race_id: `h${i}`, attempt: 1, version: 1, source: i % 2 === 0 ? 'even' : 'odd', title: `build ${i}`, outcome: i === 9 ? 'abandoned' : 'passed', queued_at: null,
      started_at: instant(startedMs), completed_at: instant(startedMs + 90_500), duration_sec: 90.5, submitted_at: instant(startedMs), metadata: { branch: 'main' },
      client_eta_sec: null, revisions: 1, is_correction: false, origin_epoch: 0, origin_partition: 0, origin_offset: i, origin_index: 0, ...from, offset: i,
    };
  }), 'races-1');
  await history.insert('eta_revisions', [1, 2].map((revision) => ({
    race_id: 'h0', attempt: 1, revision, version: revision, source: 'even', issued_at: instant(STARTED_MS + revision), event_at: instant(STARTED_MS + revision), state: 'running',
    started_at: instant(STARTED_MS), eta_sec: 90, remaining_sec: 80, finish_at: instant(STARTED_MS + 90_000), p10_sec: 70, p50_sec: 90, p90_sec: 120, confidence: 0.5,
    deadline_at: null, deadline_probability: null, basis: 'key', reason: 'submitted', model_version: 'm', cluster_id: null, previous_eta_sec: null, display_state: 'stable',
    display_finish_at: null, progress: null, ...from, topic: 'eta-updates', offset: revision,
  })), 'revisions-1');
});
afterAll(async () => {
  await closeAll();
});

describe('GET /historic/races', () => {
  test('pages through everything once, in order of start', async () => {
    const ids: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { status, body }: { status: number; body: any } = await send(gateway, 'GET', `/historic/races?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      expect(body.items).toEqual(body.races);
      expect(body.total).toBe(body.items.length);
      ids.push(...body.items.map((item: { id: string }) => item.id));
      cursor = body.next_cursor;
    }
    expect(ids).toEqual(Array.from({ length: 10 }, (_, i) => `h${i}`));
  });

  test('filters and answers in the words of the origin', async () => {
    const { body } = await send(gateway, 'GET', '/historic/races?source=odd&from=2026-01-01T00:01:00Z&to=2026-01-01T00:02:00Z&include_events=true');
    expect(body).toEqual({ items: expect.any(Array), races: expect.any(Array), total: 1, next_cursor: null });
    expect(body.items[0]).toEqual({
      id: 'h3', source: 'odd', title: 'build 3', state: 'passed', started_at: '2026-01-01T00:01:00.000Z', completed_at: '2026-01-01T00:02:30.500Z', duration_sec: 90,
      eta_sec: null, progress: 100, deeplink: null, metadata: { branch: 'main' }, attempt: 1, events: [],
    });
    expect((await send(gateway, 'GET', '/historic/races?source=none')).body).toEqual({ items: [], next_cursor: null, races: [], total: 0 });
    expect((await send(gateway, 'GET', '/historic/races?limit=999999&source=odd')).body.items.at(-1)).toMatchObject({ id: 'h9', state: 'canceled' });
  });
});

test('GET /v1/races/:id/revisions comes from ClickHouse', async () => {
  const { body } = await send(gateway, 'GET', '/v1/races/h0/revisions');
  expect(body).toMatchObject({ origin: 'history', revisions: [{ revision: 1, issued_at: STARTED_MS + 1, eta_sec: 90, finish_at: STARTED_MS + 90_000 }, { revision: 2 }] });
});

describe('SQL', () => {
  test('runs a query in the format asked for', async () => {
    expect((await send(gateway, 'GET', `/v1/sql?format=JSONEachRow&query=${encodeURIComponent('SELECT count() AS n FROM races')}`)).body).toMatchObject({ n: expect.anything() });
    const posted = await send(gateway, 'POST', '/v1/sql', 'SELECT race_id FROM races ORDER BY race_id LIMIT 2 FORMAT CSV', { 'content-type': 'text/plain' });
    expect(posted).toMatchObject({ status: 200, body: '"h0"\n"h1"\n' });
    expect(posted.headers.get('content-type')).toContain('text/csv');
    expect((await send(gateway, 'POST', '/v1/sql?format=JSON', "SELECT 'a' FORMAT TSV", { 'content-type': 'text/plain' })).body).toBe('a\n');
  });

  test.each([['DROP TABLE races', 403, 'query_refused'], ['SELECT 1; SELECT 2', 403, 'query_refused'], ['SELECT nope FROM races', 400, 'query_failed'], [' ', 400, 'invalid_request']])('refuses %j', async (sql, status, code) => {
    expect(await send(gateway, 'POST', '/v1/sql', sql, { 'content-type': 'text/plain' })).toMatchObject({ status, body: { code } });
  });

  test('serves the ordinary ClickHouse client', async () => {
    const client = createClient({ url: gateway.address, pathname: '/clickhouse', database: 'raceline', log: { level: ClickHouseLogLevel.OFF } });
    expect((await client.ping()).success).toBe(true);
    const rows = await (await client.query({
      query: 'SELECT race_id FROM races WHERE source = {source:String} AND race_id != {other:String} ORDER BY race_id LIMIT {n:UInt32}',
      query_params: { source: 'even', other: "h0'\\", n: 3 },
      format: 'JSONEachRow',
    })).json();
    expect(rows).toEqual([{ race_id: 'h0' }, { race_id: 'h2' }, { race_id: 'h4' }]);
    await expect(client.query({ query: 'SELECT nope FROM races' })).rejects.toMatchObject({ code: '47' });
    await expect(client.command({ query: 'DROP TABLE races' })).rejects.toThrow();
    await client.close();
  });

  test('answers the requests of clickhouse-go, on which Grafana\'s plugin stands: Native, the user in the URL, settings beside', async () => {
    const ask = async (sql: string): Promise<Response> => await fetch(`${gateway.address}/clickhouse/?database=raceline&default_format=Native&max_execution_time=60`, {
      method: 'POST', body: sql, headers: { authorization: `Basic ${Buffer.from('default:').toString('base64')}`, 'user-agent': 'clickhouse-go/2' },
    });
    // One block: columns, rows, then each column's name, type and values.
    const cell = async (sql: string): Promise<string[]> => {
      const response = await ask(sql);
      expect([response.status, response.headers.get('x-clickhouse-format')]).toEqual([200, 'Native']);
      const bytes = Buffer.from(await response.arrayBuffer());
      expect([bytes[0], bytes[1]]).toEqual([1, 1]);
      let at = 2;
      const text = (): string => bytes.toString('utf8', at + 1, at += 1 + bytes[at]!);
      const [name, type] = [text(), text()];
      return [name, type, type === 'String' ? text() : bytes.toString('hex', at)];
    };
    expect(await cell('SELECT timeZone()')).toEqual(['timeZone()', 'String', (await ask('SELECT 1')).headers.get('x-clickhouse-timezone')]);
    expect(await cell('SELECT 1')).toEqual(['1', 'UInt8', '01']);
    expect(await cell("SELECT toString(count()) FROM races WHERE (started_at >= toDateTime64(1767225600, 3)) AND (started_at <= toDateTime64(1798761599, 3))")).toEqual(['toString(count())', 'String', '10']);
    for (const sql of ['SHOW DATABASES', 'SHOW TABLES FROM raceline', "SELECT name FROM system.tables WHERE database = 'raceline'", "SELECT name, type FROM system.columns WHERE database = 'raceline' AND table = 'races'", 'DESC TABLE raceline.races', 'EXPLAIN AST SELECT 1', 'SELECT displayName(), version(), revision(), timezone()']) {
      const response = await ask(sql);
      expect([sql, response.status], await response.clone().text()).toEqual([sql, 200]);
    }
    expect((await ask('INSERT INTO races VALUES (1)')).status).toBe(403);
  });

  test('answers like ClickHouse over plain HTTP', async () => {
    expect(await (await fetch(`${gateway.address}/clickhouse/ping`)).text()).toBe('Ok.\n');
    const response = await fetch(`${gateway.address}/clickhouse/?query=${encodeURIComponent('SELECT {a:Int32} + 1')}&param_a=41`);
    expect(response.headers.get('x-clickhouse-format')).toBe('TabSeparated');
    expect(await response.text()).toBe('42\n');
    const missing = await fetch(`${gateway.address}/clickhouse/`, { method: 'POST', body: 'SELECT {a:Int32}' });
    expect([missing.status, missing.headers.get('x-clickhouse-exception-code')]).toEqual([400, '456']);
  });
});
