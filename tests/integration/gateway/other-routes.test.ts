import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { openEngines, openGateway, readUpdates, send, type Engines } from './harness.ts';

let engines: Engines;
let gateway: Gateway;
const counted: unknown[][] = [];

beforeAll(async () => {
  engines = await openEngines();
  gateway = await openGateway(engines, { hooks: { onRequest: (...request) => { counted.push(request); } } });
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

const ndjson = (lines: readonly unknown[]) => lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
const batch = (body: string, headers: Record<string, string> = {}) => send(gateway, 'POST', '/v1/updates', body, { 'content-type': 'application/x-ndjson', ...headers });

describe('POST /v1/updates', () => {
  test('takes the good lines, names the bad ones, forgets what is to be forgotten', async () => {
    const { status, body } = await batch(ndjson([
      { race_id: 'n1', source: 's', at: 1_000_000, state: 'running' },
      '',
      { race_id: 'n2', source: 's', at: 1_000_000, progress: 140 },
      '{broken',
      { race_id: 'n1', source: 's', at: 2_000_000, progress: 50 },
      { race_id: 'n3', forget: true },
      '[1]',
    ]));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      accepted: 3,
      rejected_total: 3,
      rejected: [{ line: 3, code: 'progress_out_of_range' }, { line: 4, code: 'undecodable' }, { line: 7, code: 'type_invalid' }],
    });
    const stored = await readUpdates(engines);
    expect(stored.filter((item) => item.raceId === 'n1').map((item) => item.update?.progress)).toEqual([null, 50]);
    expect(stored.find((item) => item.raceId === 'n3')!.update).toBeNull();
  });

  test('refuses a position on a route, which the role journeys alone tells, and says so of one that is none', async () => {
    const position = { route_version: 0, along_m: 5, off_m: 0, next: 1, moves: true, moved_at: 1_000_000 };
    const update = { race_id: 'bus', source: 's', at: 1_000_000 };
    const { body } = await batch(ndjson([{ ...update, position }, { ...update, position: { ...position, along_m: -5 } }, { ...update, position: null }]));
    expect(body).toMatchObject({
      accepted: 1, rejected: [{ line: 1, code: 'position_invalid', message: expect.stringContaining('/v1/telemetry') }, { line: 2, code: 'position_invalid', message: expect.stringContaining('position.along_m must be a number in 0..400000000, got -5') }],
    });
  });

  test('takes CloudEvents and CDEvents as race-updates does', async () => {
    const { body } = await batch(ndjson([
      { specversion: '1.0', type: 'any', source: 'ci/acme', subject: 'n4', time: '2026-01-31T12:00:00Z', data: { state: 'running', title: 'build' } },
      { specversion: '1.0', type: 'any', source: 'ci/acme', subject: 'n5', data: 'text' },
    ]));
    expect(body).toMatchObject({ accepted: 1, rejected: [{ line: 2, code: 'undecodable' }] });
    const stored = await readUpdates(engines);
    expect(stored.find((item) => item.raceId === 'n4')!.update).toMatchObject({ source: 'ci/acme', title: 'build', state: 'running', at: Date.UTC(2026, 0, 31, 12) });
  });

  test('puts each race on the partition of its key', async () => {
    await batch(ndjson(Array.from({ length: 1_200 }, (_, i) => ({ race_id: `part-${i}`, source: 's', at: 1_000_000 }))));
    const stored = (await readUpdates(engines)).filter((item) => item.raceId.startsWith('part-'));
    expect(stored).toHaveLength(1_200);
    expect(stored.every((item) => item.partition === partitionOf(item.raceId, 4))).toBe(true);
  });

  test('refuses more than 5 MB, declared or not', async () => {
    const line = JSON.stringify({ race_id: 'big', source: 's', at: 1_000_000, title: 'x'.repeat(900) });
    const lines = ndjson(Array.from({ length: 6_000 }, () => line));
    expect(await batch(lines)).toMatchObject({ status: 413, body: { code: 'too_large' } });
    const chunked = await fetch(`${gateway.address}/v1/updates`, {
      method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: new Blob([lines]).stream(), duplex: 'half',
    } as RequestInit).catch(() => null);
    // The server may close before all was sent: then there is no answer to read.
    if (chunked !== null) expect(chunked.status).toBe(413);
    expect((await send(gateway, 'GET', '/healthz')).status).toBe(200);
  });

  test('refuses bytes that are no UTF-8 and lines nested too deeply, one by one', async () => {
    const deep = `{"race_id":"x","source":"s","event":{"type":"t","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    const body = Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from(`${deep}\n`), Buffer.from(JSON.stringify({ race_id: 'fine', source: 's' }))]);
    const response = await fetch(`${gateway.address}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body });
    expect(await response.json()).toMatchObject({ accepted: 1, rejected: [{ line: 1, code: 'undecodable' }, { line: 2, code: 'event_too_large' }] });
  });

  test('refuses other content types and encodings', async () => {
    expect((await batch('{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await batch('{}', { 'content-encoding': 'gzip' })).status).toBe(415);
  });
});

describe('a log that does not answer', () => {
  test('is a 503 for every write', async () => {
    const broken: RecordLog = { ...engines.log, append: () => Promise.reject(new AppError('log_unavailable', 'gone')) };
    const other = await openGateway({ ...engines, log: broken });
    const race = { id: 'x', source: 's', title: 't' };
    expect(await send(other, 'POST', '/race', race)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(await send(other, 'POST', '/v1/updates', JSON.stringify({ race_id: 'x', source: 's' }))).toMatchObject({ status: 503, body: { code: 'unavailable', accepted: 0 } });
    await other.close();
  });
});

describe('GET /v1/dead-letters', () => {
  test('gives the newest first, filtered and bounded', async () => {
    const letter = (i: number, code: string) => ({
      key: Buffer.from(`race-${i}`), value: i % 2 === 0 ? Buffer.from(`{"i":${i}}`) : Buffer.from([0xff, i]),
      headers: [['topic', Buffer.from('race-updates')], ['partition', Buffer.from('3')], ['offset', Buffer.from(String(i))], ['code', Buffer.from(code)], ['message', Buffer.from('why')]] as const,
    });
    await engines.log.append('dead-letters', 0, Array.from({ length: 50 }, (_, i) => letter(i, i % 5 === 0 ? 'undecodable' : 'at_in_future')));
    const { body } = await send(gateway, 'GET', '/v1/dead-letters?limit=2');
    expect(body).toMatchObject({ scanned: 50, items: [{ topic: 'race-updates', partition: 3, offset: 49, code: 'at_in_future', message: 'why', key: 'race-49', encoding: 'base64' }, { offset: 48, value: '{"i":48}', encoding: 'utf8' }] });
    const filtered = await send(gateway, 'GET', '/v1/dead-letters?code=undecodable&topic=race-updates');
    expect(filtered.body.items.map((item: { offset: number }) => item.offset)).toEqual([45, 40, 35, 30, 25, 20, 15, 10, 5, 0]);
    expect((await send(gateway, 'GET', '/v1/dead-letters?topic=telemetry')).body.items).toEqual([]);
  });
});

describe('the service', () => {
  test('tells health, readiness and metrics', async () => {
    expect(await send(gateway, 'GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await send(gateway, 'GET', '/readyz')).toMatchObject({ status: 200, body: { ready: true } });
    const { body, headers } = await send(gateway, 'GET', '/metrics');
    expect(body).toBe('up 1\n');
    expect(headers.get('content-type')).toContain('version=0.0.4');
    expect((await send(gateway, 'GET', '/health')).body).toMatchObject({ status: 'healthy' });
  });

  test('is not ready while a role is not', async () => {
    const other = await openGateway(engines, { ready: () => ({ ready: false, roles: { pipeline: 'starting' } }) });
    expect(await send(other, 'GET', '/readyz')).toMatchObject({ status: 503, body: { ready: false } });
    await other.close();
  });

  test('serves its own documentation', async () => {
    expect((await send(gateway, 'GET', '/docs/json')).body).toMatchObject({ openapi: '3.1.0', paths: { '/race/{id}': expect.any(Object) } });
    const page = await fetch(`${gateway.address}/docs/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
  });

  test('counts requests by route, never by path', async () => {
    await send(gateway, 'GET', '/race/some-id');
    expect(counted.at(-1)).toMatchObject(['GET', '/race/:id', 404, expect.any(Number)]);
  });

  test('answers history and SQL with 503 without ClickHouse', async () => {
    expect(await send(gateway, 'GET', '/historic/races')).toMatchObject({ status: 503, body: { code: 'history_unavailable' } });
    expect(await send(gateway, 'GET', '/v1/sql?query=SELECT+1')).toMatchObject({ status: 503, body: { code: 'history_unavailable' } });
    expect((await send(gateway, 'POST', '/clickhouse/', 'SELECT 1')).body).toContain('DB::Exception');
  });

  test.each(['/historic/races?limit=0', '/historic/races?limit=-1', '/historic/races?limit=x', '/historic/races?from=bad', '/historic/races?to=2026-01-01', '/historic/races?cursor=garbage'])('refuses %s', async (path) => {
    expect(await send(gateway, 'GET', path)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('other sites', () => {
  const preflight = (target: Gateway, origin: string) => send(target, 'OPTIONS', '/race', undefined, { origin, 'access-control-request-method': 'POST' });

  test('are refused unless they are listed', async () => {
    expect((await preflight(gateway, 'https://board.example')).status).toBe(403);
    expect((await preflight(gateway, gateway.address)).status).toBe(204);
    const other = await openGateway(engines, { options: { allowedOrigins: ['https://board.example'] } });
    const allowed = await preflight(other, 'https://board.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://board.example');
    expect(allowed.headers.get('access-control-allow-methods')).toContain('PATCH');
    await other.close();
  });
});

describe('adapters', () => {
  test('unknown ones are told so', async () => {
    expect((await send(gateway, 'POST', '/adapter/health', { adapter_id: 'adapter:none' })).status).toBe(404);
    await send(gateway, 'POST', '/adapter/register', { id: 'adapter:a', adapter_type: 'Cmd', instance_id: 'i', health_interval_seconds: 60 });
    expect((await send(gateway, 'POST', '/adapter/health', { adapter_id: 'adapter:a', metrics: { races_created: 2 } })).status).toBe(200);
    expect((await send(gateway, 'GET', '/adapter/status')).body).toMatchObject({ adapters: [{ id: 'adapter:a', state: 'HEALTHY' }], summary: { total: 1, races_created: 2 } });
  });
});
