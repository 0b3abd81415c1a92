import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient, type Client } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RaceService, RaceState, RaceUpdate_UpdateType as Type, type RaceUpdate } from '../../../src/gateway/grpc/generated/race_pb.js';
import type { Gateway } from '../../../src/gateway/server.ts';
import { openTokens } from '../../../src/gateway/tokens.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { etaUpdate, openEngines, openGateway, pipelineWriter, raceState, send, until, type Engines } from './harness.ts';

let engines: Engines;
let gateway: Gateway;
let client: Client<typeof RaceService>;
const streams: AbortController[] = [];

beforeAll(async () => {
  engines = await openEngines();
  gateway = await openGateway(engines, { grpcPort: 0 });
  client = grpc(gateway);
});
afterEach(() => { for (const stream of streams.splice(0)) stream.abort(); });
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

const urlOf = ({ grpcPort }: Gateway): string => `http://127.0.0.1:${grpcPort}`;
const grpc = (to: Gateway): Client<typeof RaceService> => createClient(RaceService, createGrpcTransport({ baseUrl: urlOf(to) }));

/** Reads a stream into an array until the test is over. */
function follow(request: Parameters<typeof client.streamRaces>[0], from = client): { readonly seen: RaceUpdate[]; readonly failed: Promise<ConnectError | null> } {
  const stream = new AbortController();
  streams.push(stream);
  const seen: RaceUpdate[] = [];
  const failed = (async () => {
    try {
      for await (const update of from.streamRaces(request, { signal: stream.signal })) seen.push(update);
      return null;
    } catch (error) {
      return ConnectError.from(error);
    }
  })();
  return { seen, failed };
}

describe('unary calls', () => {
  test('do what the routes do: create, update, add an event, read, list, delete', async () => {
    const created = await client.createRace({ id: 'g1', source: 'npm', title: 'npm run build', state: RaceState.RUNNING, metadata: { a: 'b' }, startedAt: { seconds: BigInt(Math.floor(Date.now() / 1_000) - 5), nanos: 0 } });
    expect(created).toMatchObject({ id: 'g1', source: 'npm', state: RaceState.RUNNING, metadata: { a: 'b' } });
    expect((await client.updateRace({ id: 'g1', progress: 40, metadata: { c: 'd' } }))).toMatchObject({ progress: 40, metadata: { a: 'b', c: 'd' }, title: 'npm run build' });
    const withEvent = await client.addEvent({ raceId: 'g1', event: { type: 'note', data: '{"x":1}', timestamp: { seconds: 1n, nanos: 0 } } });
    expect(withEvent.events).toMatchObject([{ type: 'note', data: '{"x":1}', timestamp: { seconds: 1n } }]);
    expect((await send(gateway, 'GET', '/race/g1')).body.events[0].data).toEqual({ x: 1 });
    const passed = await client.updateRace({ id: 'g1', state: RaceState.PASSED });
    expect(passed.state).toBe(RaceState.PASSED);
    expect(Number(passed.durationSec)).toBeGreaterThanOrEqual(5);
    expect((await client.listRaces({})).races.map(({ id }) => id)).toContain('g1');
    await client.deleteRace({ id: 'g1' });
    await expect(client.getRace({ id: 'g1' })).rejects.toMatchObject({ code: Code.NotFound });
  });

  test('fail with the codes of the routes', async () => {
    const failure = (call: Promise<unknown>) => call.then(() => null, (error: unknown) => {
      const { code, rawMessage, metadata } = ConnectError.from(error);
      return [code, metadata.get('raceline-code'), rawMessage];
    });
    expect(await failure(client.createRace({ id: 'bad', source: 'x', progress: 140 }))).toEqual([Code.InvalidArgument, 'progress_out_of_range', expect.stringContaining('140')]);
    expect(await failure(client.createRace({ id: 'bad', source: '' }))).toEqual([Code.InvalidArgument, 'source_missing', expect.any(String)]);
    expect(await failure(client.createRace({ id: 'bad', source: 'x', state: 77 as RaceState }))).toEqual([Code.InvalidArgument, 'state_invalid', expect.any(String)]);
    expect(await failure(client.updateRace({ id: 'nope' }))).toEqual([Code.NotFound, 'not_found', expect.any(String)]);
    await client.createRace({ id: 'done', source: 'x', state: RaceState.PASSED });
    expect(await failure(client.updateRace({ id: 'done', state: RaceState.RUNNING }))).toEqual([Code.FailedPrecondition, 'conflict', expect.any(String)]);
    expect(await failure(client.updateRace({ id: 'done', source: 'y' }))).toEqual([Code.InvalidArgument, null, expect.any(String)]);
    expect(await failure(client.createRace({ id: 'large', source: 'x', title: 'x'.repeat(1_100_000) }))).toEqual([Code.ResourceExhausted, null, expect.any(String)]);
  });

  test('tell of the registered client processes', async () => {
    await send(gateway, 'POST', '/adapter/register', { id: 'adapter:gitlab:h1', adapter_type: 'GitLab', instance_id: 'h1', pid: 1 });
    await send(gateway, 'POST', '/adapter/health', { adapter_id: 'adapter:gitlab:h1', metrics: { races_created: 1, races_updated: 2 } });
    expect(await client.getSystemStatus({})).toMatchObject({ totalAdapters: 1, healthyCount: 1, totalRacesUpdated: 2n, adapters: [{ id: 'adapter:gitlab:h1', racesCreated: 1n, pid: 1n }] });
  });
});

describe.each([
  ['gRPC-Web', (url: string) => createGrpcWebTransport({ baseUrl: url, httpVersion: '1.1' })],
  ['Connect with JSON', (url: string) => createConnectTransport({ baseUrl: url, httpVersion: '1.1', useBinaryFormat: false })],
  ['Connect over HTTP/2', (url: string) => createConnectTransport({ baseUrl: url, httpVersion: '2' })],
])('the same port speaks %s', (_name, transport) => {
  test('for calls and for streams', async () => {
    const other = createClient(RaceService, transport(urlOf(gateway)));
    await other.createRace({ id: 'web', source: 'web/x', title: 't' });
    expect((await other.getRace({ id: 'web' })).title).toBe('t');
    await pipelineWriter(engines).state(raceState({ race_id: 'web-live', source: 'web/live' }));
    const { seen } = follow({ source: 'web/live' }, other);
    await until(() => seen.length > 0);
    expect(seen[0]).toMatchObject({ type: Type.CREATED, race: { id: 'web-live' } });
  });
});

test('JSON by hand', async () => {
  await client.createRace({ id: 'curl', source: 's', title: 't' });
  const response = await fetch(`${urlOf(gateway)}/raceboard.RaceService/GetRace`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"curl"}' });
  expect(await response.json()).toMatchObject({ id: 'curl', state: 'QUEUED' });
  expect((await fetch(`${urlOf(gateway)}/nothing`)).status).toBe(404);
});

describe('StreamRaces', () => {
  test('sends what there is, then changes, then what is gone; marks only to those who ask', async () => {
    const writer = pipelineWriter(engines);
    await writer.state(raceState({ race_id: 's1', source: 'stream/a' }));
    await writer.state(raceState({ race_id: 's2', source: 'stream/a', state: 'queued' }));
    await writer.state(raceState({ race_id: 's3', source: 'other' }));
    const marked = follow({ source: 'stream/*', marks: true });
    const plain = follow({ source: 'stream/*' });
    await until(() => marked.seen.some(({ type }) => type === Type.SNAPSHOT_END) && plain.seen.length >= 2);
    expect(marked.seen.map(({ type, race }) => [type, race?.id])).toEqual([[Type.SNAPSHOT_BEGIN, undefined], [Type.CREATED, 's1'], [Type.CREATED, 's2'], [Type.SNAPSHOT_END, undefined]]);
    expect(marked.seen.at(-1)!.resume).toMatch(/^1\./);
    await writer.eta(etaUpdate({ race_id: 's1', source: 'stream/a', revision: 7 }));
    await until(() => plain.seen.length >= 3);
    expect(plain.seen.map(({ type, race }) => [type, race?.id])).toEqual([[Type.CREATED, 's1'], [Type.CREATED, 's2'], [Type.UPDATED, 's1']]);
    expect(plain.seen[2]!.race).toMatchObject({ etaSec: 30n, revision: 7, p10Sec: 20, p90Sec: 60, etaConfidence: 0.6, finishAt: { seconds: 1_030n } });
    await writer.removed('s2');
    await until(() => plain.seen.length >= 4);
    expect(plain.seen[3]).toMatchObject({ type: Type.DELETED, race: { id: 's2' } });
  });

  test('resumes after a cut: every race that changed exactly once, nothing else', async () => {
    const writer = pipelineWriter(engines);
    for (let i = 0; i < 30; i++) await writer.state(raceState({ race_id: `r${i}`, source: 'resume/a' }));
    const filter = { source: 'resume/a', marks: true };
    const first = follow(filter);
    await until(() => first.seen.some(({ type }) => type === Type.SNAPSHOT_END));
    const token = first.seen.at(-1)!.resume!;
    streams.at(-1)!.abort();
    await first.failed;
    for (let i = 0; i < 30; i += 3) await writer.state(raceState({ race_id: `r${i}`, source: 'resume/a', progress: 50, applied_offset: 1 }));
    await writer.removed('r1');
    await until(async () => (await send(gateway, 'GET', '/v1/races?source=resume/a')).body.total === 29);
    const second = follow({ ...filter, resume: token });
    await until(() => second.seen.length >= 12);
    expect(second.seen[0]!.type).toBe(Type.RESUMED);
    expect(second.seen.slice(1).map(({ type, race }) => `${Type[type]} ${race?.id}`).sort()).toEqual([...Array.from({ length: 10 }, (_, i) => `UPDATED r${3 * i}`), 'DELETED r1'].sort());
    // A token of another filter is no token: a snapshot.
    const third = follow({ source: 'resume/*', marks: true, resume: token });
    await until(() => third.seen.some(({ type }) => type === Type.SNAPSHOT_END));
    expect(third.seen.filter(({ type }) => type === Type.CREATED)).toHaveLength(29);
  });

  test('filters by id, state and metadata, and refuses a filter that is none', async () => {
    const writer = pipelineWriter(engines);
    const branch = { key: 'branch', value: 'main', at: 1 };
    await writer.state(raceState({ race_id: 'f1', source: 'filter', metadata: [branch] }));
    await writer.state(raceState({ race_id: 'f2', source: 'filter', state: 'queued', metadata: [branch] }));
    await writer.state(raceState({ race_id: 'f3', source: 'filter' }));
    for (const [filter, ids] of [[{ raceIds: ['f1', 'f3'] }, ['f1', 'f3']], [{ source: 'filter', states: [RaceState.QUEUED] }, ['f2']], [{ source: 'filter', metadata: { branch: 'main' } }, ['f1', 'f2']]] as const) {
      const { seen } = follow({ ...filter, marks: true } as never);
      await until(() => seen.some(({ type }) => type === Type.SNAPSHOT_END));
      expect(seen.flatMap(({ race }) => race?.id ?? []).sort()).toEqual(ids);
    }
    expect(await follow({ source: 'x'.repeat(201) }).failed).toMatchObject({ code: Code.InvalidArgument });
  });

  test('ends with UNAVAILABLE when the gateway stops', async () => {
    const stopping = await openGateway(engines, { grpcPort: 0 });
    const { seen, failed } = follow({ marks: true }, grpc(stopping));
    await until(() => seen.some(({ type }) => type === Type.SNAPSHOT_END));
    await stopping.close();
    expect(await failed).toMatchObject({ code: Code.Unavailable });
  });
});

describe('who may', () => {
  let directory: string;
  let closed: Gateway;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'raceline-grpc-'));
    const path = join(directory, 'tokens');
    await writeFile(path, [['read', 'r'], ['write', 'w']].map(([scope, token]) => `${scope} ${createHash('sha256').update(token!).digest('hex')} ${scope}er`).join('\n'));
    closed = await openGateway(engines, { grpcPort: 0, options: { tokens: openTokens({ path, clock: { nowMs: () => Date.now() }, logger: silentLogger }) } });
  });
  afterAll(async () => {
    await closed.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('is asked for a token with the scope of the route', async () => {
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    const strict = grpc(closed);
    const code = (call: Promise<unknown>) => call.then(() => null, (error: unknown) => ConnectError.from(error).code);
    expect(await code(strict.listRaces({}))).toBe(Code.Unauthenticated);
    expect(await code(strict.listRaces({}, as('x')))).toBe(Code.Unauthenticated);
    expect(await code(strict.listRaces({}, as('r')))).toBeNull();
    expect(await code(strict.createRace({ id: 'x', source: 's' }, as('r')))).toBe(Code.PermissionDenied);
    expect(await code(strict.createRace({ id: 'x', source: 's' }, as('w')))).toBeNull();
    expect(await follow({}, strict).failed).toMatchObject({ code: Code.Unauthenticated });
    const read = (async () => {
      for await (const update of strict.streamRaces({ marks: true }, as('r'))) return update.type;
      return null;
    })();
    expect(await read).toBe(Type.SNAPSHOT_BEGIN);
  });

  test('pages of other origins and requests for other hosts are refused, allowed pages are told so', async () => {
    const page = 'https://board.example';
    const open = await openGateway(engines, { grpcPort: 0, options: { allowedOrigins: [page] } });
    const ask = (headers: Record<string, string>, method = 'POST') => fetch(`${urlOf(open)}/raceboard.RaceService/ListRaces`, { method, headers: { 'content-type': 'application/json', ...headers }, ...(method === 'POST' ? { body: '{}' } : {}) });
    expect((await ask({ origin: 'https://evil.example' })).status).toBe(403);
    const allowed = await ask({ origin: page });
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, page]);
    const preflight = await ask({ origin: page, 'access-control-request-method': 'POST' }, 'OPTIONS');
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, expect.stringContaining('X-Grpc-Web')]);
    await open.close();
    const answer = await new Promise<string>((resolve) => {
      const socket = createConnection(gateway.grpcPort!, '127.0.0.1', () => socket.write('POST /raceboard.RaceService/ListRaces HTTP/1.1\r\nhost: evil.example\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}'));
      let text = '';
      socket.on('data', (chunk) => { text += chunk.toString(); }).on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  });
});
