import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalLog } from '../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../src/adapters/local-log/memory-storage.ts';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import type { HistoryRecord } from '../../src/forecast/history-record.ts';
import { learn } from '../../src/forecast/learn.ts';
import { createSourceModel, decodeModel, encodeModel } from '../../src/forecast/model.ts';
import { placeAt, type Route, type RouteRecord } from '../../src/journey/route.ts';
import type { TelemetryPoint } from '../../src/journey/telemetry.ts';
import type { Logger } from '../../src/ports/logger.ts';
import type { LogRecord, RecordLog } from '../../src/ports/record-log.ts';
import { partitionOf } from '../../src/race/partition.ts';
import { emptyUpdate } from '../../src/race/update.ts';
import { noHooks } from '../../src/runtime/hooks.ts';
import { runJourneys, type Journeys } from '../../src/runtime/journeys.ts';
import { runLearner, type Learner } from '../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../src/runtime/pipeline.ts';
import { readRoutes, type RouteStore } from '../../src/runtime/route-store.ts';
import { partitionCounts, type TopicName } from '../../topology/topics.ts';
import { embeddedCodec, HOUR_MS } from '../support/graph-driver.ts';
import { lineOfStops, readyRoute } from '../support/journeys.ts';
import { seededRandom } from '../support/random.ts';
import { readAll } from '../support/read-all.ts';
import { everyTopic } from '../support/topics.ts';
import { waitUntil } from '../support/wait-until.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const STOPS = 8;
const PLANNED_LEG_MS = 180_000;
const EVERY_MS = 10_000;
const CHUNK_MS = 300_000;
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const codec = await embeddedCodec();
const partitions = partitionCounts.embedded.races;

let nowMs = T0;
const clock = { nowMs: () => nowMs };
let log: RecordLog;
let routes: RouteStore;
let learner: Learner;
let pipeline: Pipeline;
let journeys: Journeys;

beforeEach(async () => {
  nowMs = T0;
  log = openLocalLog({ storage: memoryStorage(), clock });
  await log.ensureTopics(everyTopic());
  await start();
});
afterEach(async () => {
  await stop();
  await log.close();
});

async function start(): Promise<void> {
  routes = readRoutes({ log, codec, logger: quiet });
  learner = await runLearner({ log, codec, clock, logger: quiet });
  pipeline = await runPipeline({ log, codec, learner, routes, clock, logger: quiet, hooks: noHooks, finishedTtlMs: 24 * HOUR_MS, writerId: `p${nowMs}` });
  journeys = await runJourneys({ log, codec, routes, clock, logger: quiet, writerId: `j${nowMs}` });
  await waitUntil('all partitions are ours', () => journeys.tasks.size === partitions && pipeline.tasks.size === partitions);
}

async function stop(): Promise<void> {
  await journeys.close();
  await pipeline.close();
  await learner.close();
  await routes.close();
}

/** A trip on the line, planned to leave at `startAtMs`. */
function tripOf(id: string, startAtMs: number): { readonly record: RouteRecord; readonly route: Route } {
  const record = lineOfStops(id, STOPS, startAtMs);
  return { record, route: readyRoute(record) };
}

type Drive = { readonly points: readonly TelemetryPoint[]; readonly passedAtMs: readonly number[] };

/** Each leg takes a time of its own, times what this vehicle is slower; it stands 30 s at each stop. */
function driveOf(raceId: string, route: Route, startAtMs: number, legRatios: readonly number[], slowness: number): Drive {
  const passedAtMs = [startAtMs];
  for (let leg = 1; leg < STOPS; leg++) passedAtMs.push(passedAtMs[leg - 1]! + PLANNED_LEG_MS * legRatios[leg]! * slowness);
  const points: TelemetryPoint[] = [];
  for (let atMs = startAtMs - 60_000; atMs <= passedAtMs.at(-1)! + 120_000; atMs += EVERY_MS) {
    const leg = Math.max(1, Math.min(STOPS - 1, passedAtMs.findIndex((passed) => passed > atMs) === -1 ? STOPS - 1 : passedAtMs.findIndex((passed) => passed > atMs)));
    const [from, to] = [passedAtMs[leg - 1]!, passedAtMs[leg]!];
    const share = Math.min(1, Math.max(0, (atMs - from - 30_000) / (to - from - 30_000)));
    const [a, b] = [route.waypoints[leg - 1]!.alongM, route.waypoints[leg]!.alongM];
    points.push({ race_id: raceId, at: atMs, ...placeAt(route, a + share * (b - a)), speed_mps: share > 0 && share < 1 ? (b - a) / ((to - from) / 1000 - 30) : 0, heading_deg: null, altitude_m: null, accuracy_m: 5, device: null });
  }
  return { points, passedAtMs };
}

async function append(topic: 'race-updates' | 'telemetry', raceId: string, values: readonly object[]): Promise<void> {
  await log.append(topic, partitionOf(raceId, partitions), values.map((value) => ({ key: Buffer.from(raceId), value: codec.encode(topic, value) })));
}

async function open(raceId: string, record: RouteRecord): Promise<void> {
  await routes.reached(await log.append('routes', 0, [{ key: Buffer.from(record.route_id), value: codec.encode('routes', record) }]));
  await append('race-updates', raceId, [{ ...emptyUpdate(raceId, 'city', nowMs), title: 'line', state: 'queued', route_id: record.route_id }]);
}

const read = () => [...journeys.tasks.values()].reduce((sum, { store }) => sum + store.position.read, 0);
const isIdle = () => [...pipeline.tasks.values()].every(({ lag }) => lag === 0);

async function send(raceId: string, points: readonly TelemetryPoint[]): Promise<void> {
  for (let i = 0; i < points.length;) {
    const untilMs = points[i]!.at + CHUNK_MS;
    const chunk = points.slice(i).filter(({ at }) => at < untilMs);
    nowMs = Math.max(nowMs, chunk.at(-1)!.at);
    const before = read();
    await append('telemetry', raceId, chunk);
    await waitUntil('the positions are followed', () => read() === before + chunk.length);
    i += chunk.length;
  }
}

function decoded(topic: TopicName, { value }: LogRecord): unknown {
  const result = codec.decode(topic, value!);
  if ('error' in result) throw new Error(result.error.message);
  return topic === 'race-history' ? result.decoded : result.decoded.value;
}

const etasOf = async (raceId: string) => (await readAll(log, 'eta-updates')).filter(({ key, value }) => String(key) === raceId && value !== null).map((one) => decoded('eta-updates', one) as EtaUpdate);

async function arrive(raceId: string): Promise<void> {
  await waitUntil(`${raceId} has arrived`, async () => isIdle() && (await etasOf(raceId)).some(({ state }) => state === 'passed'));
  const ends = await log.endOffsets('race-history');
  await waitUntil('it is learned', () => learner.partitions.every(({ offset }, partition) => offset === ends[partition]));
}

/** Mean error of what was said of the stops ahead, and of the plan and the delay at the last passage, seconds. */
function errors(etas: readonly EtaUpdate[], route: Route, passedAtMs: readonly number[]): { readonly said: number; readonly planned: number } {
  let [said, planned, count] = [0, 0, 0];
  for (const { event_at, reason, basis, milestones } of etas) {
    if (basis !== 'telemetry' || (reason !== 'passage' && reason !== 'progress')) continue;
    const last = milestones.findLastIndex(({ passed_at }) => passed_at !== null);
    if (last < 0) continue;
    const delayMs = milestones[last]!.passed_at! - route.waypoints[last]!.plannedAtMs!;
    for (const [i, { eta_at }] of milestones.entries()) {
      if (eta_at === null) continue;
      said += Math.abs(passedAtMs[i]! - eta_at);
      planned += Math.abs(passedAtMs[i]! - Math.max(event_at, route.waypoints[i]!.plannedAtMs! + delayMs));
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(20);
  return { said: said / count / 1000, planned: planned / count / 1000 };
}

describe('vehicles through the whole graph', () => {
  it('get ETAs by what the legs took those before them, which beat the plan and the delay; whoever folds the history learns the same', async () => {
    const random = seededRandom(7);
    const ratios = Array.from({ length: STOPS }, () => 0.8 + 1.4 * random());
    const figures: { said: number; planned: number }[] = [];
    for (let n = 0; n < 12; n++) {
      const startAtMs = T0 + n * HOUR_MS;
      const raceId = `bus-${n}`;
      nowMs = startAtMs - 120_000;
      const { record, route } = tripOf(`trip-${n}`, startAtMs);
      await open(raceId, record);
      const { points, passedAtMs } = driveOf(raceId, route, startAtMs, ratios, 0.95 + 0.1 * random());
      await send(raceId, points);
      await arrive(raceId);
      figures.push(errors(await etasOf(raceId), route, passedAtMs));
    }
    const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
    const learned = figures.slice(8);
    expect(mean(learned.map(({ said }) => said))).toBeLessThan(0.4 * mean(learned.map(({ planned }) => planned)));
    expect(mean(learned.map(({ said }) => said))).toBeLessThan(0.5 * mean(figures.slice(0, 2).map(({ said }) => said)));

    const again = createSourceModel('city');
    for (const record of await readAll(log, 'race-history')) learn(again, decoded('race-history', record) as HistoryRecord);
    const model = learner.modelOf('city')!;
    expect(model.journeys!.legs.legs.size).toBe(STOPS - 1);
    expect(Buffer.from(encodeModel(again)).equals(Buffer.from(encodeModel(model)))).toBe(true);
    expect(Buffer.from(encodeModel(decodeModel(encodeModel(model)))).equals(Buffer.from(encodeModel(model)))).toBe(true);
  }, 120_000);

  it('have ETAs before they leave, and a finish that is that of the last stop', async () => {
    const { record, route } = tripOf('trip', T0 + 120_000);
    await open('bus', record);
    const { points, passedAtMs } = driveOf('bus', route, T0 + 120_000, Array.from({ length: STOPS }, () => 1), 1);
    await send('bus', points);
    await arrive('bus');
    const etas = await etasOf('bus');
    expect(etas[0]).toMatchObject({ reason: 'submitted', basis: 'plan', finish_at: null, milestones: route.waypoints.map(({ name }) => ({ name, kind: 'waypoint', eta_type: 'anticipated' })) });
    for (const [i, { eta_at }] of etas[0]!.milestones.entries()) expect(Math.abs(eta_at! - route.waypoints[i]!.plannedAtMs!)).toBeLessThan(90_000);
    const before = etas.find(({ basis }) => basis === 'telemetry')!;
    expect(before.milestones.map(({ eta_type, eta_at }) => [eta_type, eta_at !== null])).toEqual(Array.from({ length: STOPS }, () => ['anticipated', true]));
    const midway = etas.find(({ reason, milestones }) => reason === 'passage' && milestones[3]!.passed_at !== null)!;
    expect(midway).toMatchObject({ basis: 'telemetry', state: 'running' });
    expect(midway.milestones.map(({ name, kind }) => [name, kind])).toEqual(route.waypoints.map(({ name }) => [name, 'waypoint']));
    const last = midway.milestones[STOPS - 1]!;
    expect(Math.abs(midway.finish_at! - last.eta_at!)).toBeLessThanOrEqual(1);
    expect(Math.abs(last.eta_at! - passedAtMs.at(-1)!) / 1000).toBeLessThan(120);
    expect(last.p10_at).toBeLessThanOrEqual(last.eta_at!);
    expect(last.p90_at).toBeGreaterThanOrEqual(last.eta_at!);
  });

  it('are forecast on after a restart, each passage once, as if nothing had been', async () => {
    const { record, route } = tripOf('trip', T0 + 120_000);
    await open('bus', record);
    const { points } = driveOf('bus', route, T0 + 120_000, Array.from({ length: STOPS }, () => 1.3), 1);
    const half = Math.floor(points.length / 2);
    await send('bus', points.slice(0, half));
    await waitUntil('the pipeline is idle', isIdle);
    await stop();
    await start();
    const before = (await etasOf('bus')).length;
    await send('bus', points.slice(half, half + 10));
    await waitUntil('a revision comes', async () => (await etasOf('bus')).length > before);
    const next = (await etasOf('bus'))[before]!;
    expect(next.basis).toBe('telemetry');
    expect(next.milestones.filter(({ passed_at }) => passed_at !== null).length).toBeGreaterThan(2);
    await send('bus', points.slice(half + 10));
    await arrive('bus');
    const races = (await readAll(log, 'race-history')).map((one) => decoded('race-history', one) as HistoryRecord);
    const passages = races.flatMap((one) => (one.kind === 'StageFacts' ? one.value.facts.map(({ stage }) => stage) : []));
    expect([...new Set(passages)].toSorted()).toEqual(route.waypoints.map(({ name }) => name).toSorted());
    expect(passages).toHaveLength(STOPS);
  });

  it('are forecast as other races are while nobody knows their route, and followed from a position that came before its race', async () => {
    await append('race-updates', 'lost', [{ ...emptyUpdate('lost', 'city', nowMs), title: 'line', state: 'running', started_at: nowMs, route_id: 'nowhere', plan: [{ name: 'a', planned_sec: 60, planned_at: null }] }]);
    await waitUntil('it has an ETA', async () => (await etasOf('lost')).length > 0);
    const [first] = await etasOf('lost');
    expect(first).toMatchObject({ basis: 'plan', milestones: [{ name: 'a', kind: 'stage' }] });

    const { record, route } = tripOf('trip', T0 + 120_000);
    const { points } = driveOf('early', route, T0 + 120_000, Array.from({ length: STOPS }, () => 1), 1);
    nowMs = points[2]!.at;
    await append('telemetry', 'early', points.slice(0, 3));
    await open('early', record);
    await waitUntil('all are followed', () => read() === 3);
    const totals = [...journeys.tasks.values()].reduce((sum, { store: { position } }) => ({ applied: sum.applied + position.applied, unrouted: sum.unrouted + position.unrouted }), { applied: 0, unrouted: 0 });
    expect(totals).toEqual({ applied: 3, unrouted: 0 });
  });
});
