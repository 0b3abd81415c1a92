import { readFileSync } from 'node:fs';
import { Check, Errors } from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import type { Gateway } from '../../../src/gateway/server.ts';
import { etaUpdate, openEngines, openGateway, pipelineWriter, raceState, until, type Engines } from './harness.ts';

// The document is the judge: what is served must be in it, and what is in it must be served.

type Schema = { [name: string]: any };
const document = parse(readFileSync(new URL('../../../schemas/asyncapi.yaml', import.meta.url), 'utf8')) as Schema;

/** The schema with its references put in; strict = an object may hold nothing else, and must hold everything that is not optional. */
function resolved(schema: any, optional: ReadonlySet<string> = new Set()): any {
  if (Array.isArray(schema)) return schema.map((item) => resolved(item));
  if (typeof schema !== 'object' || schema === null) return schema;
  if (typeof schema.$ref === 'string') return resolved((schema.$ref as string).slice(2).split('/').reduce((at: any, name) => at[name], document));
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, name === 'properties' ? Object.fromEntries(Object.entries(value as object).map(([field, of]) => [field, resolved(of)])) : resolved(value)]));
  if (copy['properties'] === undefined) return copy;
  return { ...copy, additionalProperties: false, required: Object.keys(copy['properties']).filter((name) => !optional.has(name)) };
}

const frames = Object.fromEntries(Object.entries(document['components'].messages as Schema).map(([name, message]) => [name, resolved(message.payload, new Set(['resume', 'changes']))]));

let engines: Engines;
let gateway: Gateway;
const served: { readonly via: string; readonly frame: any }[] = [];

beforeAll(async () => {
  engines = await openEngines();
  gateway = await openGateway(engines);
  const writer = pipelineWriter(engines);
  const metadata = [{ key: 'branch', value: 'main', at: 1 }];
  for (const id of ['a', 'b', 'gone']) await writer.state(raceState({ race_id: id, source: 'ci/a', metadata, deeplink: 'https://x/1', deadline_at: 2_000_000, progress: 40, update_interval_hint_sec: 10 }));
  await writer.state(raceState({ race_id: 'bare', source: 'ci/a', state: 'queued', started_at: null }));
  const rich = (revision: number) => etaUpdate({
    race_id: 'a', source: 'ci/a', revision, deadline_at: 2_000_000, deadline_probability: 0.4, cluster_id: 'c1', previous_eta_sec: 29,
    progress: { current: 41, confidence: 0.5, predicted_next: 44, next_update_at: 1_010_000, source: 'interpolated' },
    milestones: [
      { name: 'compile', kind: 'stage', state: 'running', eta_at: 1_020_000, p10_at: 1_010_000, p90_at: 1_030_000, passed_at: null, distance_m: null, eta_type: null },
      { name: 'Brenner', kind: 'waypoint', state: 'passed', eta_at: 1_005_000, p10_at: null, p90_at: null, passed_at: 1_005_000, distance_m: 120.5, eta_type: 'estimated' },
    ],
  });
  await writer.eta(rich(1));
  const note = (via: string) => (text: string): void => { served.push({ via, frame: JSON.parse(text) }); };
  const count = (via: string, type: string): number => served.filter((item) => item.via === via && item.frame.type === type).length;

  const lean = new WebSocket(`${gateway.address.replace('http', 'ws')}/v1/etas`);
  lean.on('message', (text) => note('lean socket')(String(text)));
  await new Promise((resolve) => lean.once('open', resolve));
  lean.send(JSON.stringify({ type: 'subscribe', filter: { source: 'ci/*' }, changes: true }));
  await until(() => count('lean socket', 'snapshot') > 0);
  const socket = new WebSocket(`${gateway.address.replace('http', 'ws')}/v1/etas`);
  socket.on('message', (text) => note('socket')(String(text)));
  await new Promise((resolve) => socket.once('open', resolve));
  const say = (frame: object): void => socket.send(JSON.stringify(frame));
  say({ type: 'subscribe', filter: { source: 'ci/*' } });
  const stream = new AbortController();
  const follow = async (via: string, query: string): Promise<void> => {
    const events = await fetch(`${gateway.address}/v1/etas/stream?${query}`, { signal: stream.signal });
    let rest = '';
    for await (const chunk of events.body!) {
      const parts = (rest + Buffer.from(chunk).toString()).split('\n\n');
      rest = parts.pop()!;
      for (const part of parts) note(via)(part.split('\n').find((line) => line.startsWith('data: '))!.slice(6));
    }
  };
  const reading = Promise.allSettled([follow('stream', 'source=ci/*'), follow('lean stream', 'source=ci/*&changes=true')]);
  await until(() => count('socket', 'snapshot') > 0 && count('stream', 'snapshot') > 0 && count('lean stream', 'snapshot') > 0);
  await writer.eta(rich(2));
  await until(() => ['socket', 'lean socket', 'stream', 'lean stream'].every((via) => count(via, 'delta') > 0));
  const stage = { name: 'compile', occurrence: 1, seq: 0, state: 'passed', started_at: 1_000_000, completed_at: 1_020_000, planned_sec: null, at: 1_020_000 } as const;
  await writer.state(raceState({ race_id: 'a', source: 'ci/a', metadata, revision: 2, stages: [stage] }));
  await until(() => ['lean socket', 'lean stream'].every((lean) => served.some(({ via, frame }) => via === lean && frame.changes?.length > 0)));
  lean.terminate();
  await writer.removed('gone');
  await until(() => served.some(({ via, frame }) => via === 'socket' && frame.removed?.includes('gone')) && served.some(({ via, frame }) => via === 'stream' && frame.removed?.includes('gone')));
  const token = served.find(({ via, frame }) => via === 'socket' && frame.resume !== undefined)!.frame.resume;
  say({ type: 'subscribe', filter: { source: 'ci/*' }, resume: token });
  await until(() => count('socket', 'resumed') > 0);
  say({ type: 'nonsense' });
  await until(() => count('socket', 'error') > 0);
  say({ type: 'unsubscribe' });
  say({ type: 'nonsense' });
  await until(() => count('socket', 'error') > 1);
  const heard = served.filter(({ via }) => via === 'socket').length;
  await writer.eta(rich(3));
  await until(() => served.some(({ via, frame }) => via === 'stream' && frame.races?.some((race: any) => race.eta?.revision === 3)));
  expect(served.filter(({ via }) => via === 'socket')).toHaveLength(heard);
  socket.terminate();
  stream.abort();
  await reading;
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

describe('what is served', () => {
  test.each(['socket', 'lean socket', 'stream', 'lean stream'])('over the %s is what the document says, field by field', (via) => {
    const wrong = served.filter((item) => item.via === via).flatMap(({ frame }) => {
      const schema = frames[frame.type];
      if (schema === undefined) return [`${frame.type} is in no document`];
      return Check(schema, frame) ? [] : [`${frame.type}: ${JSON.stringify(Errors(schema, frame)).slice(0, 500)}`];
    });
    expect(wrong).toEqual([]);
  });

  test('holds every frame of the document but the heartbeat, which takes half a minute', () => {
    const sent = new Set([...document['operations'].sendEtas.messages].map((message: { $ref: string }) => message.$ref.split('/').at(-1)));
    expect([...new Set(served.filter(({ via }) => via === 'socket').map(({ frame }) => frame.type)), 'heartbeat'].sort()).toEqual([...sent].sort());
    const race = served.flatMap(({ frame }) => frame.races ?? []).find((each: any) => each.race_id === 'a' && each.eta !== null);
    expect(race.eta.milestones).toHaveLength(2);
  });

  test('would be noticed if it were wrong', () => {
    const { frame } = served.find(({ frame: each }) => each.type === 'delta' && each.races.length > 0)!;
    const broken = (change: object) => ({ ...frame, races: [{ ...frame.races[0], ...change }] });
    expect(Check(frames['delta'], frame)).toBe(true);
    for (const change of [{ state: 'exploded' }, { more: 1 }, { eta: {} }, { attempt: 0 }]) expect(Check(frames['delta'], broken(change)), JSON.stringify(change)).toBe(false);
    const { frame: lean } = served.find(({ frame: each }) => each.changes?.length > 0)!;
    expect(lean.changes[0].moves).toEqual([['compile', 1, 'passed', 1_020_000]]);
    for (const moves of [[['compile', 0, 'passed', 1]], [['compile', 1, 'exploded', 1]], [['compile', 1, 'passed']]]) expect(Check(frames['delta'], { ...lean, changes: [{ ...lean.changes[0], moves }] }), JSON.stringify(moves)).toBe(false);
  });
});

test('every reference of the document leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
  expect(references.length).toBeGreaterThan(30);
  for (const path of references) expect(path.split('/').reduce((at: any, name) => at?.[name], document), path).toBeDefined();
});
