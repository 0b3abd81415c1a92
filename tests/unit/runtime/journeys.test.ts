import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { TelemetryPoint } from '../../../src/journey/telemetry.ts';
import type { Logger } from '../../../src/ports/logger.ts';
import type { LogRecord, RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { isPositionKey } from '../../../src/race/position-key.ts';
import type { RaceState } from '../../../src/race/state.ts';
import { emptyUpdate, type RaceUpdate } from '../../../src/race/update.ts';
import { changelogHeaders } from '../../../src/runtime/changelog-headers.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runJourneys, type Journeys } from '../../../src/runtime/journeys.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { readRoutes, type RouteStore } from '../../../src/runtime/route-store.ts';
import { type TopicName } from '../../../topology/topics.ts';
import { embeddedCodec, HOUR_MS } from '../../support/graph-driver.ts';
import { drive, lineOfStops, readyRoute } from '../../support/journeys.ts';
import { readAll } from '../../support/read-all.ts';
import { everyTopic } from '../../support/topics.ts';
import { waitUntil } from '../../support/wait-until.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const STOPS = 4;
const record = lineOfStops('line', STOPS, T0);
const route = readyRoute(record);
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const codec = await embeddedCodec();
const clock = { nowMs: () => T0 + 600_000 };

let log: RecordLog;
let learner: Learner;
let pipeline: Pipeline;
let routes: RouteStore;
const running: Journeys[] = [];

beforeEach(async () => {
  log = openLocalLog({ storage: memoryStorage(), clock });
  await log.ensureTopics(everyTopic());
  learner = await runLearner({ log, codec, clock, logger: quiet });
  pipeline = await runPipeline({ log, codec, learner, clock, logger: quiet, hooks: noHooks, finishedTtlMs: 24 * HOUR_MS, writerId: 'w' });
  routes = readRoutes({ log, codec, logger: quiet });
  await log.append('routes', 0, [{ key: Buffer.from('line'), value: codec.encode('routes', record) }]);
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
  await pipeline.close();
  await learner.close();
  await routes.close();
  await log.close();
});

async function follow(over: RecordLog = log): Promise<Journeys> {
  const journeys = await runJourneys({ log: over, codec, routes, clock, logger: quiet, writerId: `j${running.length}` });
  running.push(journeys);
  return journeys;
}

async function append(topic: 'race-updates' | 'telemetry', raceId: string, values: readonly (object | Buffer)[]): Promise<void> {
  await log.append(topic, partitionOf(raceId, 4), values.map((value) => ({ key: Buffer.from(raceId), value: Buffer.isBuffer(value) ? value : codec.encode(topic, value) })));
}

/** Opens a race on the route, and waits until whoever follows may know of it. */
async function openRace(raceId: string, news: Partial<RaceUpdate> = {}): Promise<void> {
  await append('race-updates', raceId, [{ ...emptyUpdate(raceId, 'city', T0 - 60_000), title: 'line', state: 'queued', route_id: 'line', ...news }]);
  await waitUntil(`the race ${raceId} is known`, async () => (await statesOf()).has(raceId));
}

function valueOf<T>(topic: TopicName, { value }: LogRecord): T {
  const result = codec.decode(topic, value!);
  if ('error' in result) throw new Error(result.error.message);
  return result.decoded.value as T;
}

async function statesOf(): Promise<Map<string, RaceState>> {
  const records = (await readAll(log, 'race-states')).filter(({ key, value }) => value !== null && !isPositionKey(String(key)));
  return new Map(records.map((one) => [String(one.key), valueOf<RaceState>('race-states', one)]));
}

async function updatesOf(raceId: string): Promise<RaceUpdate[]> {
  return (await readAll(log, 'race-updates')).filter(({ key }) => String(key) === raceId).map((one) => valueOf<RaceUpdate>('race-updates', one));
}

const stateOf = async (raceId: string) => (await statesOf()).get(raceId);
const isOver = (raceId: string) => waitUntil(`${raceId} has arrived`, async () => (await stateOf(raceId))?.state === 'passed');
const passagesIn = (updates: readonly RaceUpdate[]) => updates.flatMap(({ stage }) => (stage === null ? [] : [`${stage.seq} at ${stage.completed_at}`]));
const totals = (journeys: Journeys) => {
  const sum = { read: 0, applied: 0, late: 0, outlier: 0, unrouted: 0, rejected: 0, rerouted: 0, skipped: 0 };
  for (const { store: { position } } of journeys.tasks.values()) for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += position[name];
  return sum;
};

describe('runJourneys()', () => {
  it('makes a race of positions: its plan, passages, arrival and milestones', async () => {
    const journeys = await follow();
    await openRace('bus');
    const track = drive('bus', route, T0);
    await append('telemetry', 'bus', track);
    await isOver('bus');
    const race = (await stateOf('bus'))!;
    expect(race.stages.map(({ name, state }) => [name, state])).toEqual(Array.from({ length: STOPS }, (_, i) => [`stop ${i}`, 'passed']));
    expect(race.completed_at).toBe(race.stages.at(-1)!.completed_at);
    expect(totals(journeys)).toMatchObject({ read: track.length, rejected: 0, unrouted: 0 });
    const etas = (await readAll(log, 'eta-updates')).map((one) => valueOf<{ milestones: { name: string; state: string; eta_at: number | null }[] }>('eta-updates', one));
    expect(etas.some(({ milestones }) => milestones.length === STOPS && milestones[3]!.eta_at !== null && milestones[3]!.state !== 'passed')).toBe(true);
  });

  it('counts what is not followed, refuses what is none, each once', async () => {
    const journeys = await follow();
    await openRace('bus');
    await openRace('no-route', { route_id: null });
    await openRace('lost', { route_id: 'nowhere' });
    const [point] = drive('bus', route, T0) as [TelemetryPoint];
    await append('telemetry', 'bus', [
      point, point, { ...point, at: T0 + 1_000, lat: 91 }, { ...point, at: T0 + 2_000, lat: 0, lon: 0 }, { ...point, at: T0 + 3_000, lon: Number.NaN },
      { ...point, at: clock.nowMs() + HOUR_MS }, { ...point, race_id: 'other' }, Buffer.from([9, 9]),
    ]);
    for (const raceId of ['no-route', 'lost', 'unknown']) await append('telemetry', raceId, [{ ...point, race_id: raceId }]);
    await log.append('telemetry', (partitionOf('bus', 4) + 1) % 4, [{ key: Buffer.from('bus'), value: codec.encode('telemetry', { ...point, at: T0 + 5_000 }) }]);
    await waitUntil('all is read', () => totals(journeys).read === 13);
    expect(totals(journeys)).toEqual({ read: 13, applied: 2, late: 1, outlier: 0, unrouted: 3, rejected: 6, rerouted: 1, skipped: 0 });
    const codes = (await readAll(log, 'dead-letters')).map(({ headers }) => String(headers.find(([name]) => name === 'code')?.[1]));
    expect(codes).toEqual(['position_invalid', 'position_invalid', 'position_invalid', 'at_in_future', 'key_mismatch', 'undecodable']);
  });

  it('lets go of a journey whose race is over, and follows no vehicle on a route that is not active', async () => {
    const journeys = await follow();
    await openRace('bus');
    const track = drive('bus', route, T0);
    await append('telemetry', 'bus', track.slice(0, 100));
    await waitUntil('it is followed', () => totals(journeys).applied === 100);
    await append('race-updates', 'bus', [{ ...emptyUpdate('bus', 'city', T0 + 100_000), state: 'canceled', completed_at: T0 + 100_000 }]);
    await waitUntil('it is canceled', async () => (await stateOf('bus'))?.state === 'canceled');
    await waitUntil('its journey is gone', async () => {
      await append('telemetry', 'bus', [{ ...track[100]!, at: track[100]!.at + totals(journeys).read }]);
      return [...journeys.tasks.values()].every(({ store }) => store.size === 0);
    });
    await log.append('routes', 0, [{ key: Buffer.from('line'), value: codec.encode('routes', { ...record, active: false }) }]);
    await openRace('tram');
    await routes.reached(1);
    await append('telemetry', 'tram', drive('tram', route, T0).slice(0, 5));
    await waitUntil('they are read', () => totals(journeys).unrouted === 5);
  });

  it('loses no passage and tells none otherwise, when the one that follows is killed and another goes on', async () => {
    let isDead = false;
    const dying: RecordLog = { ...log, append: (...args) => (isDead ? Promise.reject(new Error('killed')) : log.append(...args)) };
    const first = await follow(dying);
    await openRace('bus');
    const track = drive('bus', route, T0);
    await append('telemetry', 'bus', track.slice(0, 90));
    await waitUntil('the first positions are followed', () => totals(first).applied === 90);
    // Logged and committed: what follows is sent, and in no changelog yet.
    for (const task of first.tasks.values()) await task.drain();
    await append('telemetry', 'bus', track.slice(90, 160));
    await waitUntil('more passages are told', async () => passagesIn(await updatesOf('bus')).length === 2);
    isDead = true;
    await append('telemetry', 'bus', track.slice(160, 170));
    await first.close();
    const second = await follow();
    await append('telemetry', 'bus', track.slice(170));
    await isOver('bus');
    const told = passagesIn(await updatesOf('bus'));
    expect(told.length, 'some was told again').toBeGreaterThan(STOPS);
    expect(new Set(told).size, 'each the same').toBe(STOPS);
    expect((await stateOf('bus'))!.stages.map(({ name, occurrence }) => [name, occurrence])).toEqual(Array.from({ length: STOPS }, (_, i) => [`stop ${i}`, 1]));
    expect(totals(second).read).toBe(track.length);
  });

  it('lets a vehicle depart and arrive by events of its race, with a position and without any', async () => {
    const journeys = await follow();
    await openRace('bus');
    await openRace('silent');
    const still = { ...drive('bus', route, T0)[0]!, speed_mps: 0 };
    await append('telemetry', 'bus', [still]);
    await waitUntil('it is followed', () => totals(journeys).applied === 1);
    const say = async (type: string, at: number) => {
      for (const raceId of ['bus', 'silent']) await append('race-updates', raceId, [{ ...emptyUpdate(raceId, 'city', at), event: { type, at, data: null } }]);
    };
    const phaseOfBus = () => [...journeys.tasks.values()].map(({ store }) => store.get('bus')?.phase.phase).find((phase) => phase !== undefined);
    await say('depart', T0 + 1_000);
    for (const raceId of ['bus', 'silent']) await waitUntil(`${raceId} has left`, async () => (await stateOf(raceId))?.state === 'running');
    expect((await stateOf('silent'))!.started_at).toBe(T0 + 1_000);
    expect(phaseOfBus()).toBe('in_flight');
    await say('arrive', T0 + 90_000);
    for (const raceId of ['bus', 'silent']) await isOver(raceId);
    expect(await stateOf('bus')).toMatchObject({ started_at: T0 + 1_000, completed_at: T0 + 90_000 });
    await waitUntil('the journey knows', () => phaseOfBus() === 'post_arrival');
  });

  it('lets go of a journey whose race is forgotten, also where that was while nobody followed', async () => {
    const first = await follow();
    for (const raceId of ['bus', 'tram']) {
      await openRace(raceId);
      await append('telemetry', raceId, drive(raceId, route, T0).slice(0, 20));
    }
    await waitUntil('they are followed', () => totals(first).applied === 40);
    await log.append('race-updates', partitionOf('bus', 4), [{ key: Buffer.from('bus'), value: null }]);
    const sizeOf = (journeys: Journeys) => [...journeys.tasks.values()].reduce((sum, { store }) => sum + store.size, 0);
    await waitUntil('the bus is gone', () => sizeOf(first) === 1);
    await first.close();
    await log.append('race-updates', partitionOf('tram', 4), [{ key: Buffer.from('tram'), value: null }]);
    await waitUntil('the tram is forgotten', async () => (await readAll(log, 'race-states')).some(({ key, value }) => String(key) === 'tram' && value === null));
    const second = await follow();
    await waitUntil('partitions are taken', () => second.tasks.size === 4);
    expect(sizeOf(second)).toBe(0);
  });

  it('answers what a former owner writes behind it with its own state', async () => {
    const windowMs = 300;
    const journeys = await follow({ ...log, zombieWindowMs: windowMs });
    await openRace('bus');
    const track = drive('bus', route, T0);
    await append('telemetry', 'bus', track.slice(0, 60));
    await waitUntil('it is followed', () => totals(journeys).applied === 60);
    const partition = partitionOf('bus', 4);
    await journeys.tasks.get(partition)!.drain();
    const rows = async () => (await readAll(log, 'journey-states')).filter(({ key }) => String(key) === 'bus');
    const [own] = await rows();
    // What the former owner had in hand stands for a lesser offset.
    const stale = { ...valueOf<object>('journey-states', own!), along_m: 1, applied_offset: 3 };
    await log.append('journey-states', partition, [{ key: Buffer.from('bus'), value: codec.encode('journey-states', stale, 'JourneyState'), headers: changelogHeaders('former', { epoch: 0, applied_offset: 3 }) }]);
    await waitUntil('it is answered', async () => (await rows()).length === 3);
    expect((await rows()).at(-1)!.value).toEqual(own!.value);
  });

  it('puts what is no route among the dead letters, once, with its code', async () => {
    const put = (key: string, value: Buffer | null) => log.append('routes', 0, [{ key: Buffer.from(key), value }]);
    await put('bytes', Buffer.from([9, 9]));
    await put('other', codec.encode('routes', record));
    await put('short', codec.encode('routes', { ...lineOfStops('short', 2, T0), points: record.points.slice(0, 1) }));
    await put('json', Buffer.from('{"points": [\n{"lat": 91, "lon": 8}]}'));
    await put('gone', null);
    const letters = async () => (await readAll(log, 'dead-letters')).map(({ headers }) => ['topic', 'offset', 'code'].map((wanted) => String(headers.find(([name]) => name === wanted)?.[1])));
    const expected = [['routes', '1', 'undecodable'], ['routes', '2', 'key_mismatch'], ['routes', '3', 'route_invalid'], ['routes', '4', 'route_invalid']];
    const first = await follow();
    await waitUntil('they are refused', async () => (await letters()).length === expected.length);
    await first.close();
    await follow();
    await openRace('bus');
    await append('telemetry', 'bus', drive('bus', route, T0).slice(0, 1));
    await waitUntil('the good one stands', () => totals(running.at(-1)!).applied === 1);
    expect(await letters()).toEqual(expected);
    expect(routes.size()).toBe(1);
  });
});
