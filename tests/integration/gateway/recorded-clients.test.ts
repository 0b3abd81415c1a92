import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import { openEngines, openGateway, readUpdates, send, type Engines } from './harness.ts';
import recorded from './recorded-clients.json' with { type: 'json' };

type Recorded = { readonly method: string; readonly path: string; readonly body?: Record<string, unknown> };

// What the origin's own clients sent, as a proxy in front of the origin recorded it.
let engines: Engines;
let gateway: Gateway;
const replayed = new Map<string, { readonly status: number; readonly body: any }[]>();

beforeAll(async () => {
  engines = await openEngines();
  // The recordings were made then: their starts must not lie in the future.
  gateway = await openGateway(engines, { clock: { nowMs: () => Date.parse('2026-11-22T02:10:00Z') } });
  for (const [client, requests] of Object.entries(recorded) as [string, Recorded[]][]) {
    const answers = [];
    for (const { method, path, body } of requests) answers.push(await send(gateway, method, path, body));
    replayed.set(client, answers);
  }
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

describe.each(Object.keys(recorded))('the recorded %s client', (client) => {
  test('gets 200 for everything it sends', () => {
    const requests = (recorded as Record<string, Recorded[]>)[client]!;
    const refused = replayed.get(client)!.map((answer, i) => ({ ...requests[i], ...answer })).filter(({ status }) => status !== 200);
    expect(refused).toEqual([]);
  });

  test('gets its races back with what it said of them', () => {
    const requests = (recorded as Record<string, Recorded[]>)[client]!;
    for (const [i, { path, body }] of requests.entries()) {
      if (path !== '/race') continue;
      expect(replayed.get(client)![i]!.body).toMatchObject({ id: body!['id'], source: body!['source'], title: body!['title'], state: body!['state'] });
    }
  });
});

test('the command client keeps its metadata, its events and its exit code', async () => {
  const { body } = await send(gateway, 'GET', '/race/8dc89120-b28e-4443-a29c-f23f3f63a91b');
  expect(body).toMatchObject({ state: 'passed', progress: 100, deeplink: 'https://x/1', metadata: { suite: 'unit', working_dir: '/tmp', exit_code: '0' } });
  expect(body.events.map((event: { type: string }) => event.type)).toEqual(['stdout', 'stdout', 'completed']);
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
