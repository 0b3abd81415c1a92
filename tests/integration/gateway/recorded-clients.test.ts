import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { Learner } from '../../../src/runtime/learner.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runLearner } from '../../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { recordedClients, recordedErrors, type RecordedRequest } from '../../support/recorded-clients.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { openEngines, openGateway, readUpdates, send, until, type Answer, type Engines } from './harness.ts';

// What the clients of the raceboard API sent, and what they were answered there: sent again, each at the time it was sent
// then, to a gateway with a pipeline behind it.

const clock = { atMs: 0, nowMs: () => clock.atMs };
const clients = recordedClients();

/** What was seen after each request, once the pipeline had dealt with it. */
type Replayed = RecordedRequest & { readonly answered: Answer; readonly race: any };

let engines: Engines;
let gateway: Gateway;
let learner: Learner;
let pipeline: Pipeline;
const replayed = new Map<string, Replayed[]>();

beforeAll(async () => {
  clock.atMs = Math.min(...[...clients.values()].flat().map(({ atMs }) => atMs));
  engines = await openEngines(clock);
  learner = await runLearner({ ...engines, clock, logger: silentLogger });
  pipeline = await runPipeline({ ...engines, learner, clock, logger: silentLogger, hooks: noHooks, finishedTtlMs: 86_400_000, writerId: 'w' });
  gateway = await openGateway(engines, { clock });
  for (const client of clients.keys()) replayed.set(client, []);
  const inOrder = [...clients].flatMap(([client, requests]) => requests.map((request) => ({ client, request }))).sort((a, b) => a.request.atMs - b.request.atMs);
  for (const { client, request } of inOrder) {
    clock.atMs = Math.max(clock.atMs, request.atMs);
    const answered = await send(gateway, request.method, request.path, request.body);
    await settled();
    const id = /^\/race\/([^/]+)/.exec(request.path)?.[1] ?? (request.path === '/race' ? JSON.parse(request.body!).id : null);
    replayed.get(client)!.push({ ...request, answered, race: id === null ? null : (await send(gateway, 'GET', `/race/${id}`)).body });
  }
});
afterAll(async () => {
  await gateway.close();
  await pipeline.close();
  await learner.close();
  await engines.log.close();
});

/** The pipeline has applied everything, and the gateway has seen what it said. */
async function settled(): Promise<void> {
  const { log } = engines;
  await until(async () => {
    const [ends, committed] = await Promise.all([log.endOffsets('race-updates'), log.groupOffsets('pipeline', 'race-updates')]);
    return ends.every((end, partition) => end === 0 || committed[partition]?.offset === end);
  });
  const { body } = await send(gateway, 'GET', '/v1/races');
  const known = (body.races as { race_id: string; updated_at: number }[]).length;
  await until(async () => known === (await send(gateway, 'GET', '/v1/races')).body.races.filter((race: { eta: unknown }) => race.eta !== null).length);
}

/** The proxy noted times to 10 ms, from a start that is derived. */
const CLOCK_MS = 50;
const racesOf = (client: string): Replayed[] => replayed.get(client)!.filter(({ path, answer }) => path.startsWith('/race') && typeof answer === 'object' && answer !== null && 'id' in answer && 'state' in answer);
/** Ours where the origin left them out, or says something else by intent. */
const free = new Set(['eta_sec', 'eta_source', 'eta_confidence', 'update_interval_hint', 'eta_history', 'last_eta_update', 'last_progress_update', 'events', 'metadata', 'started_at', 'completed_at', 'duration_sec']);
const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

describe.each([...clients.keys()])('the recorded %s client', (client) => {
  test('gets 200 for everything it sends, events under their other name too', () => {
    expect(replayed.get(client)!.filter(({ answered }) => answered.status !== 200).map(({ number, answered }) => ({ number, ...answered }))).toEqual([]);
  });

  test('gets answers of the recorded shape: the same fields, in their order, of the same kinds', () => {
    for (const { number, answer, answered } of replayed.get(client)!) {
      if (kindOf(answer) !== 'object') continue;
      const recorded = answer as Record<string, unknown>;
      expect(Object.keys(answered.body), `#${number}`).toEqual(expect.arrayContaining(Object.keys(recorded).filter((field) => field !== 'last_progress_update' && field !== 'last_eta_update' && field !== 'eta_history')));
      if (!('id' in recorded)) continue;
      const shared = Object.keys(recorded).filter((field) => field in answered.body);
      expect(Object.keys(answered.body).filter((field) => field in recorded), `#${number}`).toEqual(shared);
      for (const field of shared) expect([field, kindOf(answered.body[field])], `#${number}`).toEqual([field, kindOf(recorded[field])]);
    }
  });

  test('reads its races as it told them', () => {
    for (const { number, atMs, answer, answered, race } of racesOf(client)) {
      const recorded = answer as Record<string, any>;
      for (const seen of [answered.body, race]) {
        for (const field of Object.keys(recorded)) if (!free.has(field)) expect([field, seen[field]], `#${number}`).toEqual([field, recorded[field]]);
        // A queued race starts when it runs, an attempt not before the end of the one before.
        expect(Date.parse(seen.started_at), `#${number}`).toBeGreaterThanOrEqual(Date.parse(recorded['started_at']) - CLOCK_MS);
        expect(Date.parse(seen.started_at), `#${number}`).toBeLessThanOrEqual(Math.max(atMs, Date.parse(recorded['started_at'])) + CLOCK_MS);
        // Merged: what the origin lost is still there.
        expect(seen.metadata ?? {}, `#${number}`).toMatchObject(recorded['metadata'] ?? {});
        if (recorded['duration_sec'] === undefined) continue;
        expect(Math.abs(Date.parse(seen.completed_at) - Date.parse(recorded['completed_at'])), `#${number}`).toBeLessThan(1_000);
        expect(seen.duration_sec).toBe(Math.floor((Date.parse(seen.completed_at) - Date.parse(seen.started_at)) / 1_000));
      }
    }
  });
});

/** ETAs shown after each request about one race, total seconds. */
const etas = (client: string, id: string): number[] => racesOf(client).filter(({ race }) => race.id === id).map(({ race }) => race.eta_sec);

describe('the ETA shown', () => {
  test('of the command client is the total that its countdown means, and the truth in the end', () => {
    const shown = etas('cmd', '8dc89120-b28e-4443-a29c-f23f3f63a91b');
    expect(shown.length).toBeGreaterThanOrEqual(5);
    for (const eta of shown) expect(eta).toBeGreaterThanOrEqual(5);
    for (const eta of shown) expect(eta).toBeLessThanOrEqual(7);
    const last = racesOf('cmd').filter(({ race }) => race.id === '8dc89120-b28e-4443-a29c-f23f3f63a91b').at(-1)!.race;
    expect(last).toMatchObject({ eta_sec: 5, duration_sec: 4, eta_source: 1, eta_confidence: 1 });
  });

  test('of the calendar ends with its window, while there is no history to say otherwise', () => {
    const running = racesOf('calendar').filter(({ race, number }) => race.state === 'running' && number < 5);
    expect(running).toHaveLength(2);
    for (const { race, number } of running) {
      const leftSec = (Date.parse(race.metadata.window_end) - Date.parse(race.started_at)) / 1_000;
      expect(Math.abs(race.eta_sec / leftSec - 1), `#${number}: ${race.eta_sec} of ${leftSec} s`).toBeLessThan(0.1);
    }
  });

  test('of Claude\'s prompt is what its hook guessed; without a guess that of the table', () => {
    expect(etas('claude', 'c19f2339-a858-414e-9805-4d0a8ad9a03d')[0]).toBe(20);
    expect(etas('gitlab', 'gitlab-7-100')[0]).toBe(30);
    expect(etas('codex', 'a8690d5c-edef-48a8-b750-b367c524115d')[0]).toBe(45);
  });
});

test('the command client keeps its metadata, its events and its exit code', async () => {
  const { body } = await send(gateway, 'GET', '/race/8dc89120-b28e-4443-a29c-f23f3f63a91b');
  expect(body).toMatchObject({ state: 'passed', progress: 100, deeplink: 'https://x/1', metadata: { suite: 'unit', working_dir: '/tmp', exit_code: '0' } });
  expect(body.events.map((event: { type: string }) => event.type)).toEqual(['stdout', 'stdout', 'completed']);
  expect(body.events[0].data.lines).toHaveLength(10);
  expect((await send(gateway, 'GET', '/race/d7cb3f88-0b15-4d53-a1e3-30d99ca503d7')).body).toMatchObject({ state: 'failed', metadata: { exit_code: '3' } });
});

test('the countdown of the command client is kept as what remains', async () => {
  const updates = (await readUpdates(engines)).filter((item) => item.raceId === '8dc89120-b28e-4443-a29c-f23f3f63a91b').map((item) => item.update!);
  expect(updates.filter((update) => update.eta_sec !== null).map((update) => [update.eta_sec, update.eta_kind])).toEqual([[6, 'remaining'], [6, 'remaining'], [4, 'remaining'], [2, 'remaining']]);
});

test('the calendar client opens an attempt with each window', async () => {
  const updates = (await readUpdates(engines)).filter((item) => item.raceId.startsWith('gcal:')).map((item) => item.update!);
  expect(new Set(updates.map((update) => update.started_at).filter((at) => at !== null)).size).toBe(3);
});

/** What each wrong request is answered with here: status and code; null = it is taken. */
const answers: Readonly<Record<string, readonly [status: number, code: string | null]>> = {
  'get unknown': [404, 'not_found'], 'patch unknown': [404, 'not_found'], 'complete unknown': [404, 'not_found'], 'event unknown': [404, 'not_found'],
  'bad JSON': [400, 'invalid_request'], 'empty body': [400, 'invalid_request'], 'no content-type': [415, 'invalid_request'], 'text/plain': [415, 'invalid_request'],
  'missing required id': [200, null], 'missing started_at': [200, null],
  'bad enum': [400, 'state_invalid'], 'upper-case enum': [400, 'state_invalid'], 'bad date': [400, 'instant_invalid'], 'date with offset': [200, null],
  'float eta': [200, null], 'negative eta (accepted)': [400, 'eta_out_of_range'], 'progress 250 (accepted)': [400, 'progress_out_of_range'],
  'progress > i32': [404, 'not_found'], 'eta > i64': [404, 'not_found'], 'patch bad enum': [404, 'not_found'],
  'empty id, empty title, empty source': [400, 'source_missing'], 'metadata non-string value': [200, null],
  'event without type (what adapters send)': [404, 'not_found'], 'adapter id': [400, 'invalid_request'],
  'started_at in future, complete => negative duration': [400, 'at_in_future'], '...complete': [404, 'not_found'],
  '1 MB title': [400, 'title_invalid'], '2.2 MB title (actix JSON limit 2 MiB)': [413, 'too_large'], 'cleanup big1': [404, 'not_found'],
  'unknown route': [404, 'not_found'], 'wrong method on known route': [405, 'method_not_allowed'],
  'OPTIONS (CORS preflight)': [204, null], 'response headers': [200, null],
};

describe('the recorded error table', () => {
  const errors = recordedErrors();
  test('is answered in full', () => {
    expect(errors.map(({ name }) => name).sort()).toEqual(Object.keys(answers).sort());
  });

  test.each(errors)('$name', async ({ name, method, path, body: recorded }) => {
    // Too large to be recorded.
    const title = name === '1 MB title' ? 'x'.repeat(1_000_000) : name.startsWith('2.2 MB') ? 'x'.repeat(2_200_000) : null;
    const body = title === null ? recorded ?? (method === 'POST' ? '' : undefined) : JSON.stringify({ id: 'big', source: 'cargo', title, state: 'queued' });
    const headers: Record<string, string> = name === 'no content-type' ? { 'content-type': '' } : name === 'text/plain' ? { 'content-type': 'text/plain' } : {};
    const answer = await send(gateway, method, path, body, headers);
    const [status, code] = answers[name]!;
    expect([answer.status, answer.body?.code ?? null]).toEqual([status, code]);
    if (code !== null) expect(answer.body).toMatchObject({ error: expect.any(String), message: expect.stringMatching(/./) });
  });

  test('names value and range of what was refused', async () => {
    const started = '2026-11-22T01:30:00Z';
    expect((await send(gateway, 'POST', '/race', { id: 'e6', source: 'cargo', title: 'x', started_at: started, progress: 250 })).body).toMatchObject({ value: 250, range: '0..100' });
    await send(gateway, 'POST', '/race', { id: 'e6', source: 'cargo', title: 'x', state: 'running', started_at: started });
    for (const [patch, code] of [[{ progress: 3_000_000_000 }, 'progress_out_of_range'], ['{"eta_sec":99999999999999999999}', 'eta_out_of_range'], [{ state: 'done' }, 'state_invalid']] as const) {
      expect(await send(gateway, 'PATCH', '/race/e6', patch)).toMatchObject({ status: 400, body: { code } });
    }
    await send(gateway, 'PATCH', '/race/e6', { state: 'passed' });
    expect(await send(gateway, 'PATCH', '/race/e6', { state: 'failed' })).toMatchObject({ status: 409, body: { code: 'conflict', value: 'failed' } });
    expect(await send(gateway, 'POST', '/race/e6/event', { event_type: 'stdout', data: { lines: ['a'] } })).toMatchObject({ status: 200, body: { events: [{ type: 'stdout' }] } });
  });
});

test('a preflight of an allowed page is answered with what it may do, one of any other page with nothing', async () => {
  const page = 'https://board.example';
  const open = await openGateway(engines, { clock, options: { allowedOrigins: [page] } });
  const preflight = (origin: string) => fetch(`${open.address}/race/x`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'content-type' } });
  const allowed = await preflight(page);
  expect(allowed.status).toBe(204);
  expect(Object.fromEntries(allowed.headers)).toMatchObject({ 'access-control-allow-origin': page, 'access-control-allow-methods': expect.stringContaining('PATCH'), 'access-control-allow-headers': expect.stringContaining('content-type') });
  const answer = await send(open, 'POST', '/race', { id: 'cors', source: 's', state: 'queued' }, { origin: page });
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, page]);
  expect([...(await preflight('https://elsewhere.example')).headers.keys()].filter((name) => name === 'access-control-allow-origin')).toEqual([]);
  await open.close();
});
