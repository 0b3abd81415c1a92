import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { finishedRace } from '../../support/clickhouse/history-records.ts';
import { raceRow } from '../../../src/history/rows.ts';
import { openGateway, openHistoryGateway, pipelineWriter, raceState, readUpdates, send, until, type Engines, type HistoryGateway } from './harness.ts';

const DAY_MS = 86_400_000;
let engines: Engines;
let history: HistoryStore;
let gateway: Gateway;
let withoutHistory: Gateway;
let closeAll: HistoryGateway['closeAll'];

beforeAll(async () => {
  ({ engines, history, gateway, closeAll } = await openHistoryGateway());
  await history.insert('races', [0, 1, 2].map((n) => raceRow({ ...finishedRace(n), race_id: `old-${n}`, source: n < 2 ? 'ci/old' : 'ci/new' }, { topic: 'race-history', partition: 0, offset: n, appendedAtMs: Date.now() })), 'races-1');
  withoutHistory = await openGateway(engines);
  for (const id of ['live-1', 'live-2', 'live-3']) await pipelineWriter(engines).state(raceState({ race_id: id, source: 'ci/live', applied_offset: -1 }));
  for (const each of [gateway, withoutHistory]) await until(async () => (await send(each, 'GET', '/race/live-3')).status === 200);
});
afterAll(async () => {
  await withoutHistory.close();
  await closeAll();
});

describe('POST /admin/purge', () => {
  test('orders live and stored races to be forgotten, says what it does not know, and until when copies remain', async () => {
    const nowMs = Date.now();
    const { status, body } = await send(gateway, 'POST', '/admin/purge', { race_ids: ['live-1', 'old-0', 'does-not-exist', 'live-1'], reason: 'test', requested_by: 'me' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ purged: ['live-1', 'old-0'], not_found: ['does-not-exist'] });
    expect(body.remains.map(({ topic }: { topic: string }) => topic)).toEqual(['race-updates', 'telemetry', 'race-history', 'dead-letters']);
    expect(Math.abs(Date.parse(body.expires_at) - nowMs - 90 * DAY_MS)).toBeLessThan(60_000);
    expect((await send(gateway, 'GET', '/race/live-1')).status).toBe(404);
    const orders = (await readUpdates(engines)).filter(({ update }) => update === null);
    expect(orders.map(({ raceId }) => raceId).sort()).toEqual(['live-1', 'old-0']);
  });

  test('names the sources of history in the order, so that the pipeline can forget what is not live', async () => {
    const records = await Promise.all(Array.from({ length: 4 }, async (_, partition) => {
      const found: [string, string[]][] = [];
      const reader = engines.log.readPartitions({ topic: 'race-updates', partitions: [partition], from: () => 'earliest', onRecords: (batch) => {
        for (const { key, value, headers } of batch) if (value === null) found.push([String(key), headers.map(([name, text]) => `${name}=${text}`)]);
      } });
      await reader.caughtUp;
      await reader.close();
      return found;
    }));
    expect(Object.fromEntries(records.flat())).toMatchObject({ 'live-1': [], 'old-0': ['source=ci/old'] });
  });

  test.each([[{ race_ids: [] }], [{ ids: ['a'] }], [{ race_ids: 'a' }], [{ race_ids: [''] }], [{ race_ids: [1] }], [{ race_ids: Array.from({ length: 1_001 }, (_, i) => `r${i}`) }]])('refuses %j', async (body) => {
    const answer = await send(gateway, 'POST', '/admin/purge', body);
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request', code: 'invalid_request', message: expect.stringMatching(/^race_ids must/) } });
  });

  test('without ClickHouse purges what is live, and nothing at all where it cannot know', async () => {
    expect(await send(withoutHistory, 'POST', '/admin/purge', { race_ids: ['live-2'] })).toMatchObject({ status: 200, body: { purged: ['live-2'] } });
    expect(await send(withoutHistory, 'POST', '/admin/purge', { race_ids: ['live-3', 'old-1'] })).toMatchObject({ status: 503, body: { code: 'history_unavailable' } });
    expect((await send(withoutHistory, 'GET', '/race/live-3')).status).toBe(200);
    const broken = await openGateway(engines, { history: { ...history, query: () => Promise.reject(new AppError('history_unavailable', 'gone')) } });
    expect(await send(broken, 'POST', '/admin/purge', { race_ids: ['live-3'] })).toMatchObject({ status: 503 });
    expect((await send(broken, 'GET', '/race/live-3')).status).toBe(200);
    expect((await send(broken, 'GET', '/admin/metrics')).status).toBe(503);
    await broken.close();
  });
});

test('POST /admin/compact runs one job at a time, which the storage report tells of', async () => {
  await history.insert('races', [raceRow({ ...finishedRace(0), race_id: 'old-0', source: 'ci/old', version: 9 }, { topic: 'race-history', partition: 0, offset: 9, appendedAtMs: Date.now() })], 'races-2');
  const first = await send(gateway, 'POST', '/admin/compact');
  expect(first).toMatchObject({ status: 202, body: { status: 'accepted', job_id: expect.stringMatching(/^compact_\d+$/) } });
  expect((await send(gateway, 'POST', '/admin/compact')).status).toBe(202);
  await until(async () => (await send(gateway, 'GET', '/admin/storage-report')).body.compaction.status === 'done', 15_000);
  const report = (await send(gateway, 'GET', '/admin/storage-report')).body;
  expect(report).toMatchObject({ schema_version: String(readdirSync(new URL('../../../schemas/clickhouse/', import.meta.url)).length), races_count: 3, index_entries: 3, compaction: { error: null } });
  expect(report.compaction.cleaned).toEqual(expect.arrayContaining(['log', 'races', 'stages', 'eta_revisions', 'forecast_errors', 'audit']));
  // The superseded row is gone from the disk.
  expect(report.history.rows.races).toBe(3);
  expect(report.history.bytes).toBeGreaterThan(1_000);
  expect(report.log.records['race-updates']).toBe(3);
  const { metrics, slo_violations: violations } = (await send(gateway, 'GET', '/admin/metrics')).body;
  expect(metrics).toMatchObject({ purge_requests_total: 1, purge_failures_total: 0, read_only_mode_active: false, flush_latency_ms: { p50: null }, compaction_last_success: expect.any(String) });
  expect(metrics.tree_counts).toMatchObject({ races: 3, 'race-updates': report.log.records['race-updates'] });
  expect(violations).toEqual([]);
});

test('/admin/metrics reads latencies and failures from the counters, and says which objective is missed', async () => {
  const text = [
    'raceline_clickhouse_insert_duration_seconds_bucket{le="0.01",table="races"} 10', 'raceline_clickhouse_insert_duration_seconds_bucket{le="0.05",table="races"} 100',
    'raceline_clickhouse_insert_duration_seconds_bucket{le="+Inf",table="races"} 100', 'raceline_clickhouse_insert_duration_seconds_count{table="races"} 100',
    'raceline_clickhouse_insert_failures_total 3', 'raceline_rejections_total{code="undecodable"} 4', 'raceline_rejections_total{code="processing_failed"} 1', 'raceline_history_undecodable_total 2',
  ].join('\n');
  const measured = await openGateway(engines, { metricsText: async () => text });
  const { metrics, slo_violations: violations } = (await send(measured, 'GET', '/admin/metrics')).body;
  expect(metrics).toMatchObject({ flush_failures_total: 3, deserialize_failures_total: 6, serialize_failures_total: 1, write_latency_ms: { p50: 27.78, p95: 47.78, p99: 49.56 } });
  expect(violations).toEqual(['write latency p95 is 47.78 ms, the objective is 25']);
  await measured.close();
});

test('/health tells of storage under the recorded names', async () => {
  await until(async () => Object.keys((await send(gateway, 'GET', '/health')).body.storage.races_by_source).length === 2);
  const { body } = await send(gateway, 'GET', '/health');
  expect(body).toMatchObject({
    read_only_mode_active: false, service: 'Raceline', status: 'healthy', version: '1.0.0',
    storage: { cluster_data_sufficient: false, critical_errors: [], max_races: null, races_by_source: { 'ci/old': 2, 'ci/new': 1 }, total_races: 6 },
  });
  expect(body.storage.usage_percent).toBeGreaterThan(0);
  expect(body.storage.warnings).toContain('Source "ci/old" has only 2 finished races: forecasts are wide below 100');
});

test('GET /adapter/metrics is Prometheus text, its labels escaped', async () => {
  const id = 'adapter:gitlab:h"1';
  await send(gateway, 'POST', '/adapter/register', { id, adapter_type: 'GitLab', instance_id: 'h"1', health_interval_seconds: 60 });
  await send(gateway, 'POST', '/adapter/health', { adapter_id: id, metrics: { races_created: 1, races_updated: 2 } });
  const { body, headers } = await send(gateway, 'GET', '/adapter/metrics');
  expect(headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(body).toContain('raceboard_adapters_total 1\n');
  expect(body).toContain('raceboard_adapters_state{state="HEALTHY"} 1\n');
  expect(body).toContain('raceboard_adapter_races_updated{adapter_type="gitlab",instance="h\\"1",state="HEALTHY"} 2\n');
});

test('a read-only gateway refuses every change and answers every question', async () => {
  const closed = await openGateway(engines, { history, options: { readOnly: true } });
  for (const [method, path, body] of [['POST', '/race', { id: 'x', source: 's' }], ['PATCH', '/race/live-3', {}], ['DELETE', '/race/live-3', undefined], ['POST', '/admin/purge', { race_ids: ['live-3'] }], ['POST', '/admin/compact', undefined]] as const) {
    const answer = await send(closed, method, path, body);
    expect(answer).toMatchObject({ status: 503, body: { error: 'read_only', code: 'read_only' } });
    expect(answer.headers.get('x-raceboard-read-only')).toBe('1');
  }
  expect((await send(closed, 'GET', '/race/live-3')).status).toBe(200);
  expect((await send(closed, 'POST', '/v1/sql', 'SELECT 1', { 'content-type': 'text/plain' })).status).toBe(200);
  expect((await send(closed, 'GET', '/health')).body.read_only_mode_active).toBe(true);
  await closed.close();
});
