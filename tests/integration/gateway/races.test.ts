import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import { etaUpdate, openEngines, openGateway, pipelineWriter, raceState, readUpdates, send, until, type Engines } from './harness.ts';

let engines: Engines;
let gateway: Gateway;
let writer: ReturnType<typeof pipelineWriter>;

beforeAll(async () => {
  engines = await openEngines();
  writer = pipelineWriter(engines);
  gateway = await openGateway(engines);
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

const post = (body: unknown) => send(gateway, 'POST', '/race', body);
const patch = (id: string, body: unknown) => send(gateway, 'PATCH', `/race/${id}`, body);
const updatesOf = async (id: string) => (await readUpdates(engines)).filter((item) => item.raceId === id).map((item) => item.update);

describe('POST /race', () => {
  test('appends an update and answers with the race in the order of the origin', async () => {
    const { status, body } = await post({ id: 'p1', source: 'cargo', title: 'cargo build', state: 'running', started_at: '2026-01-01T00:00:00.123456789Z', progress: 5, metadata: { a: '1' } });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['id', 'source', 'title', 'state', 'started_at', 'eta_sec', 'progress', 'deeplink', 'metadata', 'last_progress_update']);
    expect(body).toMatchObject({ id: 'p1', source: 'cargo', state: 'running', started_at: '2026-01-01T00:00:00.123Z', eta_sec: null, progress: 5, deeplink: null, metadata: { a: '1' } });
    expect(await updatesOf('p1')).toMatchObject([{ race_id: 'p1', source: 'cargo', state: 'running', started_at: Date.parse('2026-01-01T00:00:00.123Z'), metadata: { a: '1' } }]);
  });

  test('waits for the first ETA and answers with it', async () => {
    const answer = post({ id: 'p2', source: 'ci', title: 'build', state: 'running', started_at: 1_000_000 });
    await until(async () => (await updatesOf('p2')).length === 1);
    await writer.eta(etaUpdate({ race_id: 'p2', eta_sec: 44.6, basis: 'bootstrap', confidence: 0.3 }));
    expect((await answer).body).toMatchObject({ eta_sec: 45, eta_source: 4, eta_confidence: 0.3, update_interval_hint: 10 });
  });

  test.each([undefined, '', null])('makes a UUID for the id %j', async (id) => {
    const { body } = await post({ id, source: 's', title: 't', state: 'queued' });
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  test('takes started_at of a queued race for the time it was queued', async () => {
    await post({ id: 'p3', source: 's', title: 't', state: 'queued', started_at: '2026-01-01T00:00:00Z' });
    expect(await updatesOf('p3')).toMatchObject([{ started_at: null, queued_at: Date.parse('2026-01-01T00:00:00Z') }]);
    expect((await send(gateway, 'GET', '/race/p3')).body.started_at).toBe('2026-01-01T00:00:00.000Z');
  });

  test('of the same id merges: events and metadata stay', async () => {
    await post({ id: 'p4', source: 's', title: 't', state: 'running', metadata: { a: '1' }, events: [{ type: 'note', data: { k: 1 }, timestamp: '2026-01-01T00:00:00Z' }] });
    const { body } = await post({ id: 'p4', source: 's', title: 't2', metadata: { b: '2' } });
    expect(body).toMatchObject({ title: 't2', metadata: { a: '1', b: '2' }, events: [{ type: 'note', data: { k: 1 }, timestamp: '2026-01-01T00:00:00.000Z' }] });
  });

  test('with a terminal state and duration_sec gives completed_at', async () => {
    const { body } = await post({ id: 'p5', source: 's', title: 't', state: 'passed', started_at: '2026-01-01T00:00:00Z', duration_sec: 60 });
    expect(body).toMatchObject({ state: 'passed', completed_at: '2026-01-01T00:01:00.000Z', duration_sec: 60 });
  });

  test('counts eta_sec as remaining for cmd and leaves it to be learned for others', async () => {
    await post({ id: 'p6', source: 'cmd', title: 't', state: 'running', eta_sec: 6 });
    await post({ id: 'p7', source: 'gitlab', title: 't', state: 'running', eta_sec: 6 });
    expect((await updatesOf('p6'))[0]).toMatchObject({ eta_sec: 6, eta_kind: 'remaining' });
    expect((await updatesOf('p7'))[0]).toMatchObject({ eta_sec: 6, eta_kind: null });
  });

  test('refuses another source for a known race', async () => {
    await post({ id: 'p8', source: 's', title: 't', state: 'running' });
    expect(await post({ id: 'p8', source: 'other', title: 't' })).toMatchObject({ status: 400, body: { code: 'source_changed' } });
  });
});

describe('PATCH /race/:id', () => {
  test('takes the source from the own POST before the pipeline has told it, and merges metadata', async () => {
    await post({ id: 'q1', source: 's', title: 't', state: 'running', metadata: { a: '1' } });
    const { status, body } = await patch('q1', { progress: 33.7, metadata: { b: '2' } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ progress: 33, metadata: { a: '1', b: '2' } });
    expect((await updatesOf('q1'))[1]).toMatchObject({ source: 's', progress: 33.7, metadata: { b: '2' } });
  });

  test('takes the source from the view', async () => {
    await writer.state(raceState({ race_id: 'q2', source: 'from-view' }));
    await until(async () => (await send(gateway, 'GET', '/race/q2')).status === 200);
    await patch('q2', { progress: 1 });
    expect((await updatesOf('q2'))[0]).toMatchObject({ source: 'from-view' });
  });

  test.each([[{}], [{ eta_sec: null, progress: null }], [{ nope: 1 }]])('answers 200 to %j and appends nothing', async (body) => {
    await post({ id: 'q3', source: 's', title: 't', state: 'running' });
    const before = (await updatesOf('q3')).length;
    expect((await patch('q3', body)).status).toBe(200);
    expect((await updatesOf('q3')).length).toBe(before);
  });

  test('drops the eta_sec: 0 that comes with the finish', async () => {
    await post({ id: 'q4', source: 'cmd', title: 't', state: 'running' });
    const { body } = await patch('q4', { state: 'passed', eta_sec: 0, progress: 100, metadata: { exit_code: '0' } });
    expect(body).toMatchObject({ state: 'passed', progress: 100 });
    expect((await updatesOf('q4'))[1]).toMatchObject({ state: 'passed', eta_sec: null, progress: 100 });
  });

  test.each(['failed', 'running', 'queued'])('refuses passed to %s with 409', async (state) => {
    await post({ id: 'q5', source: 's', title: 't', state: 'passed', started_at: '2026-01-01T00:00:00Z', completed_at: '2026-01-01T00:01:00Z' });
    expect(await patch('q5', { state })).toMatchObject({ status: 409, body: { code: 'conflict', value: state } });
    expect((await patch('q5', { state: 'passed' })).status).toBe(200);
  });

  test('opens another attempt with a new started_at', async () => {
    await post({ id: 'q6', source: 's', title: 't', state: 'passed', started_at: '2026-01-01T00:00:00Z', completed_at: '2026-01-01T00:01:00Z' });
    const { status, body } = await patch('q6', { state: 'running', started_at: '2026-01-01T01:00:00Z' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'running', started_at: '2026-01-01T01:00:00.000Z' });
    expect(body).not.toHaveProperty('completed_at');
  });

  test('answers 404 as the origin does', async () => {
    for (const [method, path, body] of [['GET', '/race/nope'], ['DELETE', '/race/nope'], ['PATCH', '/race/nope', { progress: 1 }], ['POST', '/race/nope/event', { type: 'x' }]] as const) {
      expect(await send(gateway, method, path, body)).toMatchObject({ status: 404, body: { error: 'Race not found', id: 'nope' } });
    }
  });
});

describe('the pipeline\'s word', () => {
  test('replaces the own writes once it has applied them', async () => {
    await post({ id: 'r1', source: 's', title: 'mine', state: 'running' });
    const records = (await readUpdates(engines)).filter((item) => item.raceId === 'r1');
    const offset = (await readUpdates(engines)).filter((item) => item.partition === records[0]!.partition).findLastIndex((item) => item.raceId === 'r1');
    await writer.state(raceState({ race_id: 'r1', source: 's', title: 'folded', applied_offset: offset }));
    await until(async () => (await send(gateway, 'GET', '/race/r1')).body.title === 'folded');
  });
});

describe('events, lists and deletion', () => {
  test('takes type and event_type', async () => {
    await post({ id: 'e1', source: 's', title: 't', state: 'running' });
    await send(gateway, 'POST', '/race/e1/event', { event_type: 'stdout', timestamp: '2026-01-01T00:00:00Z', data: { lines: ['a'] } });
    const { status, body } = await send(gateway, 'POST', '/race/e1/event', { type: 'note', data: 'x' });
    expect(status).toBe(200);
    expect(body.events).toMatchObject([{ type: 'stdout', data: { lines: ['a'] }, timestamp: '2026-01-01T00:00:00.000Z' }, { type: 'note', data: 'x' }]);
    expect(await send(gateway, 'POST', '/race/e1/event', { data: 1 })).toMatchObject({ status: 400, body: { code: 'type_invalid' } });
  });

  test('lists with filters and a limit', async () => {
    await writer.state(raceState({ race_id: 'l1', source: 'list/a' }));
    await writer.state(raceState({ race_id: 'l2', source: 'list/b', state: 'passed', completed_at: 1_060_000 }));
    await until(async () => (await send(gateway, 'GET', '/races?source=list/*')).body.length === 2);
    expect((await send(gateway, 'GET', '/races?source=list/*&state=passed')).body).toMatchObject([{ id: 'l2', duration_sec: 60 }]);
    expect((await send(gateway, 'GET', '/races?source=list/*&limit=1')).body).toHaveLength(1);
    expect(await send(gateway, 'GET', '/races?limit=0')).toMatchObject({ status: 400, body: { code: 'invalid_request', value: 0 } });
    expect(await send(gateway, 'GET', '/races?state=odd')).toMatchObject({ status: 400 });
    expect((await send(gateway, 'GET', '/v1/races?source=list/*')).body).toMatchObject({ total: 2 });
  });

  test('forgets a race at once and appends a tombstone', async () => {
    await post({ id: 'd1', source: 's', title: 't', state: 'running' });
    expect(await send(gateway, 'DELETE', '/race/d1')).toMatchObject({ status: 200, body: { id: 'd1', message: 'Race deleted successfully' } });
    expect((await send(gateway, 'GET', '/race/d1')).status).toBe(404);
    expect(await updatesOf('d1')).toEqual([expect.objectContaining({ race_id: 'd1' }), null]);
  });

  test('shows state, stages and revision under /v1', async () => {
    await writer.state(raceState({ race_id: 'v1', revision: 1, stages: [{ name: 'test', occurrence: 1, seq: 0, state: 'running', started_at: 1_000_000, completed_at: null, planned_sec: null, at: 1_000_000 }] }));
    await writer.eta(etaUpdate({ race_id: 'v1' }));
    await until(async () => (await send(gateway, 'GET', '/v1/races/v1')).body.eta?.model_version === 'm1');
    expect((await send(gateway, 'GET', '/v1/races/v1')).body).toMatchObject({ race_id: 'v1', state: 'running', stages: [{ name: 'test' }], eta: { revision: 1, p10_sec: 20, p90_sec: 60, basis: 'key' } });
    expect((await send(gateway, 'GET', '/v1/races/v1/revisions')).body).toMatchObject({ race_id: 'v1', origin: 'live', revisions: [{ revision: 1, eta_sec: 30.4 }] });
    expect((await send(gateway, 'GET', '/v1/races/none/revisions')).status).toBe(404);
  });
});

describe('bad requests', () => {
  const ok = { id: 'b1', source: 's', title: 't', state: 'running' };
  test.each([
    ['progress 140', { ...ok, progress: 140 }, 'progress_out_of_range'],
    ['a negative eta', { ...ok, eta_sec: -50 }, 'eta_out_of_range'],
    ['a negative eta with the finish', { ...ok, state: 'passed', eta_sec: -50 }, 'eta_out_of_range'],
    ['a negative duration', { ...ok, state: 'passed', duration_sec: -1 }, 'duration_out_of_range'],
    ['a state that is none', { ...ok, state: 'exploded' }, 'state_invalid'],
    ['NaN as text', { ...ok, progress: 'NaN' }, 'progress_out_of_range'],
    ['a start in the far future', { ...ok, started_at: '2090-01-01T00:00:00Z' }, 'at_in_future'],
    ['a finish before the start', { ...ok, state: 'passed', started_at: '2026-01-02T00:00:00Z', completed_at: '2026-01-01T00:00:00Z' }, 'finish_before_start'],
    ['10,000 metadata keys', { ...ok, metadata: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 'v'])) }, 'metadata_too_large'],
    ['an id with NUL', { ...ok, id: 'a\0b' }, 'id_invalid'],
    ['an id that is no text', { ...ok, id: 7 }, 'type_invalid'],
    ['a long title', { ...ok, title: 'x'.repeat(900_000) }, 'title_invalid'],
    ['no source', { id: 'b2', title: 't' }, 'source_missing'],
    ['an empty source', { ...ok, id: 'b3', source: '' }, 'source_missing'],
    ['a date that is none', { ...ok, started_at: 'yesterday' }, 'instant_invalid'],
    ['a script as link', { ...ok, deeplink: 'javascript:alert(1)' }, 'link_invalid'],
    ['an adapter', { ...ok, id: 'adapter:x' }, 'invalid_request'],
  ])('answer 400 with a code to %s', async (_, body, code) => {
    const answer = await post(body);
    expect(answer).toMatchObject({ status: 400, body: { code, message: expect.any(String), error: expect.any(String) } });
  });

  test('give the value and the range', async () => {
    expect((await post({ ...ok, progress: 140 })).body).toMatchObject({ value: 140, range: '0..100' });
    expect((await post({ ...ok, progress: 140 })).body.message).toContain('140');
  });

  test.each([
    ['broken JSON', '{"id":', {}, 400],
    ['an empty body', '', {}, 400],
    ['an array', '[]', {}, 400],
    ['null', 'null', {}, 400],
    ['deep JSON', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, {}, 400],
    ['deep event data', `{"id":"x","source":"s","title":"t","events":[{"type":"t","data":${'['.repeat(200_000)}${']'.repeat(200_000)}}]}`, {}, 400],
    ['prototype pollution', '{"id":"x","source":"s","title":"t","__proto__":{"a":1}}', {}, 400],
    ['constructor pollution', '{"id":"x","source":"s","title":"t","constructor":{"prototype":{"a":1}}}', {}, 400],
    ['text/plain', '{"id":"x"}', { 'content-type': 'text/plain' }, 415],
    ['an unknown type', '<id/>', { 'content-type': 'application/xml' }, 415],
    ['2 MB', JSON.stringify({ ...ok, title: 'x'.repeat(2_000_000) }), {}, 413],
    ['another site', JSON.stringify(ok), { origin: 'https://evil.example' }, 403],
  ])('answer 4xx to %s', async (_, body, headers, status) => {
    const answer = await send(gateway, 'POST', '/race', body, headers as Record<string, string>);
    expect(answer).toMatchObject({ status, body: { code: expect.any(String), message: expect.any(String) } });
  });

  test('answer 404 with JSON to unknown routes and 400 to paths that cannot be decoded', async () => {
    expect(await send(gateway, 'GET', '/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await send(gateway, 'GET', '/race/%zz')).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect((await send(gateway, 'GET', '/race/a%00b')).status).toBe(404);
  });
});
