import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connectEtas, type EtasClient, type WebSocketLike } from '../../../src/bridge/client.ts';
import type { EtaFilter, RaceView, ServerFrame } from '../../../src/bridge/frames.ts';
import type { Milestone } from '../../../src/forecast/eta-update.ts';
import type { GatewayDeps } from '../../../src/gateway/context.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import { etaUpdate, openEngines, openGateway, pipelineWriter, raceState, send, until, type Engines } from './harness.ts';

let engines: Engines;
let gateway: Gateway;
let writer: ReturnType<typeof pipelineWriter>;
const sockets: WebSocket[] = [];
const clients: EtasClient[] = [];

beforeEach(async () => {
  engines = await openEngines();
  writer = pipelineWriter(engines);
  gateway = await openGateway(engines);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.terminate();
  await gateway.close();
  await engines.log.close();
});

type Open = { readonly socket: WebSocket; readonly frames: ServerFrame[]; readonly closed: { code: number; reason: string }[] };

async function connect(options: { headers?: Record<string, string>; to?: Gateway } = {}): Promise<Open> {
  const socket = new WebSocket(`${(options.to ?? gateway).address.replace('http', 'ws')}/v1/etas`, { headers: options.headers ?? {} });
  sockets.push(socket);
  const frames: ServerFrame[] = [];
  const closed: { code: number; reason: string }[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  socket.on('close', (code, reason) => closed.push({ code, reason: String(reason) }));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return { socket, frames, closed };
}

const subscribe = ({ socket }: Open, filter: EtaFilter, resume?: string) => socket.send(JSON.stringify({ type: 'subscribe', filter, resume }));
const racesOf = (frames: readonly ServerFrame[]) => frames.flatMap((frame) => (frame.type === 'snapshot' || frame.type === 'delta' ? frame.races : []));
const viewed = (id: string) => until(async () => (await send(gateway, 'GET', `/race/${id}`)).status === 200);

describe('/v1/etas', () => {
  test('sends a snapshot, then what changes, with numbers without gaps', async () => {
    await writer.state(raceState({ race_id: 'a', source: 'ci/x' }));
    await writer.state(raceState({ race_id: 'b', source: 'other' }));
    await viewed('b');
    const open = await connect();
    subscribe(open, { source: 'ci/*' });
    await until(() => open.frames.length === 1);
    expect(open.frames[0]).toMatchObject({ type: 'snapshot', seq: 1, first: true, complete: true, races: [{ race_id: 'a', eta: null }], resume: expect.any(String) });
    await writer.eta(etaUpdate({ race_id: 'a', source: 'ci/x', revision: 1 }));
    await writer.eta(etaUpdate({ race_id: 'b', source: 'other', revision: 1 }));
    await until(() => open.frames.length === 2);
    expect(open.frames[1]).toMatchObject({ type: 'delta', seq: 2, removed: [], races: [{ race_id: 'a', eta: { revision: 1, eta_sec: 30.4 } }] });
    await writer.removed('a');
    await until(() => open.frames.length === 3);
    expect(open.frames[2]).toMatchObject({ type: 'delta', seq: 3, removed: ['a'], races: [] });
  });

  test('coalesces: the latest state of a race, at most four frames a second, the first at once', async () => {
    await writer.state(raceState({ race_id: 'a' }));
    await viewed('a');
    const open = await connect();
    subscribe(open, { race_ids: ['a'] });
    await until(() => open.frames.length === 1);
    // Idle for longer than a tick: the next change goes out at once.
    const idleUntilMs = Date.now() + 300;
    await until(() => Date.now() >= idleUntilMs);
    const sentAtMs = Date.now();
    for (let revision = 1; revision <= 100; revision++) await writer.eta(etaUpdate({ race_id: 'a', revision }));
    await until(() => racesOf(open.frames).at(-1)?.eta?.revision === 100);
    expect(racesOf(open.frames.slice(1, 2))[0]!.eta!.revision).toBeLessThan(100);
    expect(open.frames.length).toBeLessThanOrEqual(2 + Math.ceil((Date.now() - sentAtMs) / 250));
  });

  test('tells that a race fits no more', async () => {
    await writer.state(raceState({ race_id: 'a', metadata: [{ key: 'branch', value: 'main', at: 1 }] }));
    await viewed('a');
    const open = await connect();
    subscribe(open, { states: ['running'], metadata: { branch: 'main' } });
    await until(() => open.frames.length === 1);
    expect(racesOf(open.frames)).toHaveLength(1);
    await writer.state(raceState({ race_id: 'a', state: 'passed', completed_at: 1_050_000 }));
    await until(() => open.frames.length === 2);
    expect(open.frames[1]).toMatchObject({ type: 'delta', races: [], removed: ['a'] });
  });

  test('resumes from a token with what changed since, removals included', async () => {
    for (const race_id of ['a', 'b', 'c']) await writer.state(raceState({ race_id }));
    await viewed('c');
    const first = await connect();
    subscribe(first, {});
    await until(() => first.frames.length === 1 && racesOf(first.frames).length === 3);
    const token = (first.frames[0] as { resume: string }).resume;
    first.socket.terminate();
    await writer.eta(etaUpdate({ race_id: 'b', revision: 7 }));
    await writer.removed('c');
    await until(async () => (await send(gateway, 'GET', '/race/c')).status === 404 && (await send(gateway, 'GET', '/v1/races/b')).body.eta !== null);
    const second = await connect();
    subscribe(second, {}, token);
    await until(() => second.frames.length === 2);
    expect(second.frames).toMatchObject([{ type: 'resumed', seq: 1 }, { type: 'delta', seq: 2, races: [{ race_id: 'b', eta: { revision: 7 } }], removed: ['c'] }]);
    expect(racesOf(second.frames)).toHaveLength(1);
    // The same log, another gateway: the token is as good there.
    const other = await openGateway(engines);
    const third = await connect({ to: other });
    subscribe(third, {}, token);
    await until(() => third.frames.length === 2);
    expect(third.frames).toMatchObject([{ type: 'resumed' }, { type: 'delta', races: [{ race_id: 'b' }], removed: ['c'] }]);
    await other.close();
  });

  test.each([['of another filter', { source: 'x*' }, null], ['that is none', {}, 'garbage']])('gives a snapshot for a token %s', async (_, filter, token) => {
    await writer.state(raceState({ race_id: 'a' }));
    await viewed('a');
    const first = await connect();
    subscribe(first, {});
    await until(() => first.frames.length === 1);
    const second = await connect();
    subscribe(second, filter, token ?? (first.frames[0] as { resume: string }).resume);
    await until(() => second.frames.length === 1);
    expect(second.frames[0]).toMatchObject({ type: 'snapshot', first: true });
  });

  test('of two gateways over one log say the same: the last of every race, and each takes the other\'s token', async () => {
    const other = await openGateway(engines);
    const ids = Array.from({ length: 20 }, (_, i) => `two-${i}`);
    for (const id of ids) await writer.state(raceState({ race_id: id, source: 'two' }));
    await viewed('two-19');
    await until(async () => (await send(other, 'GET', '/race/two-19')).status === 200);
    const opens = [await connect(), await connect({ to: other })];
    for (const open of opens) subscribe(open, { source: 'two' });
    await until(() => opens.every(({ frames }) => frames.length > 0));
    for (let revision = 1; revision <= 4; revision++) for (const id of ids) await writer.eta(etaUpdate({ race_id: id, source: 'two', revision, eta_sec: 30 + revision }));
    await writer.removed('two-3');
    const last = ({ frames }: Open): Map<string, RaceView> => {
      const races = new Map(racesOf(frames).map((race) => [race.race_id, race]));
      for (const frame of frames) if (frame.type === 'delta') for (const id of frame.removed) races.delete(id);
      return races;
    };
    await until(() => opens.every((open) => last(open).size === 19 && [...last(open).values()].every((race) => race.eta?.revision === 4)));
    const byId = (open: Open) => [...last(open)].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(byId(opens[0]!)).toEqual(byId(opens[1]!));
    const { resume } = opens[0]!.frames.find((frame) => frame.type === 'snapshot')!;
    const [here, there] = [await connect(), await connect({ to: other })];
    for (const open of [here, there]) {
      subscribe(open, { source: 'two' }, resume);
      await until(() => racesOf(open.frames).length >= 19);
      expect(open.frames[0]).toMatchObject({ type: 'resumed' });
      expect(racesOf(open.frames).map(({ race_id: id }) => id).sort()).toEqual(ids.filter((id) => id !== 'two-3').sort());
    }
    expect(byId(there)).toEqual(byId(here));
    await other.close();
  });

  test('splits a great snapshot into parts', async () => {
    const note = 'x'.repeat(1_500);
    for (let i = 0; i < 400; i++) await writer.state(raceState({ race_id: `r${i}`, metadata: [{ key: 'note', value: note, at: 1 }] }));
    await until(async () => (await send(gateway, 'GET', '/v1/races')).body.total === 400);
    const open = await connect();
    subscribe(open, {});
    await until(() => open.frames.some((frame) => frame.type === 'snapshot' && frame.complete));
    const parts = open.frames.filter((frame) => frame.type === 'snapshot');
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map((part) => part.first)).toEqual(parts.map((_, i) => i === 0));
    expect(new Set(racesOf(open.frames).map((race) => race.race_id)).size).toBe(400);
  });

  test('complains about wrong frames and closes after the sixth', async () => {
    const open = await connect();
    for (const text of ['{', '[]', '{"type":"x"}', '{"type":"subscribe","filter":{"states":["odd"]}}', '{"type":"subscribe","filter":{"nope":1}}', '{"type":"subscribe","filter":7}']) open.socket.send(text);
    await until(() => open.closed.length === 1);
    expect(open.closed[0]).toMatchObject({ code: 1008 });
    expect(open.frames).toHaveLength(6);
    expect(open.frames[0]).toMatchObject({ type: 'error', seq: 1, code: 'invalid_request' });
  });

  test('closes frames over 64 KB with 1009 and goes with 1001', async () => {
    const greedy = await connect();
    greedy.socket.send('x'.repeat(70_000));
    await until(() => greedy.closed.length === 1);
    expect(greedy.closed[0]!.code).toBe(1009);
    const open = await connect();
    subscribe(open, {});
    await until(() => open.frames.length === 1);
    await gateway.close();
    await until(() => open.closed.length === 1);
    expect(open.closed[0]!.code).toBe(1001);
  });

  test('refuses the upgrade of other sites and beyond the number of connections', async () => {
    await expect(connect({ headers: { origin: 'https://evil.example' } })).rejects.toThrow('403');
    await (await connect({ headers: { origin: gateway.address } })).socket.close();
    const small = await openGateway(engines, { options: { maxConnections: 1 } } satisfies Partial<GatewayDeps>);
    await connect({ to: small });
    await expect(connect({ to: small })).rejects.toThrow('503');
    await small.close();
  });
});

describe('/v1/etas/stream', () => {
  test('sends the same frames as events, and resumes by Last-Event-ID', async () => {
    await writer.state(raceState({ race_id: 'a', source: 'ci' }));
    await writer.state(raceState({ race_id: 'b', source: 'ci' }));
    await viewed('b');
    const readFirst = async (headers: Record<string, string>): Promise<{ id: string | undefined; frame: any }> => {
      const abort = new AbortController();
      const response = await fetch(`${gateway.address}/v1/etas/stream?source=c*&race_id=a&race_id=b&state=running`, { headers, signal: abort.signal });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      let text = '';
      const decoder = new TextDecoder();
      for await (const chunk of response.body!) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        if (text.includes('\n\n')) break;
      }
      abort.abort();
      return { id: /^id: (.*)$/m.exec(text)?.[1], frame: JSON.parse(/^data: (.*)$/m.exec(text)![1]!) };
    };
    const { id, frame } = await readFirst({});
    expect(frame).toMatchObject({ type: 'snapshot', seq: 1, complete: true });
    expect(frame.races).toHaveLength(2);
    expect((await readFirst({ 'last-event-id': id! })).frame).toMatchObject({ type: 'resumed' });
    expect(await send(gateway, 'GET', '/v1/etas/stream?state=odd')).toMatchObject({ status: 400 });
  });
});

describe('connectEtas()', () => {
  type Seen = { readonly snapshots: RaceView[][]; readonly deltas: { races: readonly RaceView[]; removed: readonly string[] }[]; readonly statuses: string[] };

  function follow(filter: EtaFilter, address: string, WebSocketImpl: new (url: string) => WebSocketLike = globalThis.WebSocket as unknown as new (url: string) => WebSocketLike): Seen & { client: EtasClient } {
    const seen: Seen = { snapshots: [], deltas: [], statuses: [] };
    const client = connectEtas({
      url: `${address.replace('http', 'ws')}/v1/etas`, filter, WebSocketImpl, backoffMs: { first: 5, longest: 50 },
      onSnapshot: (races) => seen.snapshots.push([...races]),
      onDelta: (races, removed) => seen.deltas.push({ races, removed }),
      onStatus: (status) => seen.statuses.push(status),
    });
    clients.push(client);
    return { ...seen, client };
  }

  test('follows, reconnects to a gateway that comes back, and resumes', async () => {
    await writer.state(raceState({ race_id: 'a' }));
    await viewed('a');
    const port = Number(new URL(gateway.address).port);
    const seen = follow({}, gateway.address);
    await until(() => seen.snapshots.length === 1);
    expect(seen.snapshots[0]).toMatchObject([{ race_id: 'a' }]);
    await gateway.close();
    await until(() => seen.statuses.includes('retrying'));
    await writer.eta(etaUpdate({ race_id: 'a', revision: 3 }));
    gateway = await openGateway(engines, { port });
    await until(() => seen.deltas.some((delta) => delta.races.some((race) => race.eta?.revision === 3)));
    expect(seen.snapshots).toHaveLength(1);
  });

  test('tells what stages did though no revision came: in a snapshot, in deltas, after a resume, over HTTP', async () => {
    const milestone = (name: string): Milestone => ({ name, kind: 'stage', state: 'pending', eta_at: 1_020_000, p10_at: null, p90_at: null, passed_at: null, distance_m: null, eta_type: 'estimated' });
    const names = ['fetch', 'build', 'test'];
    const ended = async (count: number): Promise<void> => {
      const stages = names.slice(0, count).map((name, index) => ({ name, occurrence: 1, seq: index, state: 'passed', started_at: 1_000_000, completed_at: 1_001_000 + index, planned_sec: null, at: 1_000_000 }) as const);
      await writer.state(raceState({ race_id: 'a', revision: 1, stages }));
    };
    const strip = (race: RaceView | undefined): (number | null)[] | undefined => race?.eta?.milestones.map(({ passed_at: at }) => at);
    await writer.eta(etaUpdate({ race_id: 'a', revision: 1, milestones: names.map(milestone) }));
    await ended(1);
    await viewed('a');
    await until(async () => strip((await send(gateway, 'GET', '/v1/races/a')).body)?.[0] === 1_001_000);
    const port = Number(new URL(gateway.address).port);
    const seen = follow({}, gateway.address);
    await until(() => seen.snapshots.length === 1);
    expect(strip(seen.snapshots[0]![0])).toEqual([1_001_000, null, null]);
    const open = await connect();
    subscribe(open, {});
    await until(() => open.frames.length === 1);
    await ended(2);
    await until(() => seen.deltas.length > 0);
    expect(strip(seen.deltas.at(-1)!.races[0])).toEqual([1_001_000, 1_001_001, null]);
    expect(seen.deltas.at(-1)!.races[0]!.eta).toMatchObject({ revision: 1, eta_sec: 30.4 });
    await until(() => open.frames.length === 2);
    expect(strip(racesOf(open.frames).at(-1))).toEqual([1_001_000, 1_001_001, null]);
    await gateway.close();
    await until(() => seen.statuses.includes('retrying'));
    await ended(3);
    gateway = await openGateway(engines, { port });
    await until(() => strip(seen.deltas.at(-1)!.races[0])?.[2] === 1_001_002);
    expect(seen.snapshots).toHaveLength(1);
  });

  test('takes another filter', async () => {
    await writer.state(raceState({ race_id: 'a', source: 'x' }));
    await writer.state(raceState({ race_id: 'b', source: 'y' }));
    await viewed('b');
    const seen = follow({ source: 'x' }, gateway.address);
    await until(() => seen.snapshots.length === 1);
    seen.client.subscribe({ source: 'y' });
    await until(() => seen.snapshots.length === 2);
    expect(seen.snapshots.map((races) => races.map((race) => race.race_id))).toEqual([['a'], ['b']]);
  });

  test('says closed and stays closed', async () => {
    const seen = follow({}, gateway.address, WebSocket as unknown as new (url: string) => WebSocketLike);
    await until(() => seen.snapshots.length === 1);
    seen.client.close();
    expect(seen.statuses.at(-1)).toBe('closed');
  });
});
