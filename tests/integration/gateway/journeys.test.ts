import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runJourneys, type Journeys } from '../../../src/runtime/journeys.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { readRoutes, type RouteStore } from '../../../src/runtime/route-store.ts';
import { drive, lineOfStops, readyRoute, truePassageMs } from '../../support/journeys.ts';
import { silentLogger as logger } from '../../support/silent-logger.ts';
import { openEngines, openGateway, send, until, type Engines } from './harness.ts';
import { pointOfInterest } from '../../../src/journey/route.ts';

const startAtMs = Math.floor(Date.now() / 1_000) * 1_000 - 250_000;
const LAT_M = 111_195;
const poi = (id: string, metres: number, besideM: number) => pointOfInterest(id, id, { lat: 50 + metres / LAT_M, lon: 8 + besideM / (LAT_M * Math.cos((50.05 * Math.PI) / 180)) });
const record = { ...lineOfStops('line/1', 4, startAtMs), pois: [poi('on', 5_600, 0), poi('beside', 5_600, 1_000), poi('behind', 1_000, 0), poi('far', 5_600, 30_000), poi('end', 6_000, 0)] };
const route = readyRoute(record);
const clock = { nowMs: () => Date.now() };
let engines: Engines;
let gateway: Gateway;
let learner: Learner;
let pipeline: Pipeline;
let routes: RouteStore;
let journeys: Journeys;

beforeAll(async () => {
  engines = await openEngines();
  learner = await runLearner({ ...engines, clock, logger });
  pipeline = await runPipeline({ ...engines, learner, clock, logger, hooks: noHooks, finishedTtlMs: 3_600_000, writerId: 'w' });
  routes = readRoutes({ ...engines, logger });
  journeys = await runJourneys({ ...engines, routes, clock, logger, writerId: 'j' });
  gateway = await openGateway(engines);
  await send(gateway, 'POST', '/v1/routes', record);
  await send(gateway, 'POST', '/v1/updates', JSON.stringify({ race_id: 'bus', source: 'city', title: 'line', at: startAtMs - 60_000, state: 'queued', route_id: 'line/1' }), { 'content-type': 'application/x-ndjson' });
  await until(async () => (await send(gateway, 'GET', '/v1/races/bus')).status === 200);
  // 250 s at 20 m/s: two and a half of the legs of 2 km.
  const lines = drive('bus', route, startAtMs).slice(0, 251).map((point) => JSON.stringify(point)).join('\n');
  await until(async () => {
    await send(gateway, 'POST', '/v1/telemetry', lines, { 'content-type': 'application/x-ndjson' });
    const { body } = await send(gateway, 'GET', '/v1/journeys/bus');
    return body.leg?.index === 3 && body.waypoints.at(-1).eta_at !== null;
  });
});
afterAll(async () => {
  await gateway.close();
  await journeys.close();
  await pipeline.close();
  await learner.close();
  await routes.close();
  await engines.log.close();
});

describe('GET /v1/journeys', () => {
  test('shows where a vehicle is and when it will be at the end', async () => {
    const { status, body } = await send(gateway, 'GET', '/v1/journeys');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      total: 1,
      journeys: [{ race_id: 'bus', source: 'city', title: 'line', route_id: 'line/1', phase: 'in_flight', eta_type: 'estimated', off_route: false, arrived_at: null, leg: { index: 3, from: 'stop 2', to: 'stop 3' } }],
    });
    const [bus] = body.journeys;
    expect(bus.at).toBe(startAtMs + 250_000);
    expect(bus.along_m).toBeCloseTo(5_000, -2);
    expect(bus.remaining_m).toBeCloseTo(route.totalM - bus.along_m, 3);
    expect(bus.leg.fraction).toBeCloseTo(0.5, 1);
    expect(bus.speed_mps).toBeCloseTo(20, 3);
    // Planned three minutes a leg, driven in 100 s.
    expect(bus.delay_sec).toBeCloseTo(-160, -1);
    expect(Math.abs(bus.departed_at - startAtMs)).toBeLessThan(10_000);
    expect(bus.eta_at).toBeGreaterThan(bus.at);
    expect(bus.p10_at).toBeLessThanOrEqual(bus.p90_at);
  });

  test('shows its waypoints: those behind with when they were passed, those ahead with when and how far', async () => {
    const { waypoints } = (await send(gateway, 'GET', '/v1/journeys/bus')).body;
    expect(waypoints.map(({ name, distance_m: metres }: { name: string; distance_m: number | null }) => [name, metres === null])).toEqual([['stop 0', true], ['stop 1', true], ['stop 2', true], ['stop 3', false]]);
    for (const index of [1, 2]) expect(Math.abs(waypoints[index].passed_at - truePassageMs(route, index, startAtMs))).toBeLessThanOrEqual(5_000);
    expect(waypoints[2]).toMatchObject({ eta_at: null, planned_at: startAtMs + 360_000 });
    expect(waypoints[3]).toMatchObject({ passed_at: null, planned_at: startAtMs + 540_000 });
    expect(waypoints[3].distance_m).toBeCloseTo(1_000, -2);
  });

  test('says how it keeps to its route, and counts from its departure', async () => {
    const { body } = await send(gateway, 'GET', '/v1/journeys/bus');
    expect(body.heading_deg).toBe(0);
    expect(body.course).toMatchObject({ status: 'on_course', rejoin: null });
    expect(body.course.bearing_deg).toBeCloseTo(0, 3);
    expect(body.course.off_deg).toBeCloseTo(0, 3);
    expect(body.until_departure_sec).toBe(0);
    expect(Math.abs(body.since_departure_sec - (Date.now() - body.departed_at) / 1_000)).toBeLessThan(5);
  });

  test('has ETAs of points of interest between those of the waypoints around them, with the detour', async () => {
    const { pois, waypoints, at, along_m: alongM } = (await send(gateway, 'GET', '/v1/journeys/bus')).body;
    const { on, beside, behind, far, end } = Object.fromEntries(pois.map((one: { id: string }) => [one.id, one]));
    const lastAt = waypoints.at(-1).eta_at;
    expect(on).toMatchObject({ status: 'ahead_on_route', course_status: 'on_course' });
    expect(on.distance_m).toBeCloseTo(600, -1);
    expect(on.bearing_deg).toBeCloseTo(0, 1);
    expect(on.eta_at).toBeCloseTo(at + ((5_600 - alongM) / (6_000 - alongM)) * (lastAt - at), -3);
    expect(beside).toMatchObject({ status: 'ahead_on_route', course_status: 'off_track' });
    expect(beside.distance_m).toBeCloseTo(1_600, -1);
    // 1 km at its own 20 m/s.
    expect(beside.eta_at - on.eta_at).toBeCloseTo(50_000, -3);
    expect(end.eta_at).toBeCloseTo(lastAt, -3);
    expect(behind).toMatchObject({ status: 'already_passed', course_status: 'behind', eta_at: null, distance_m: null });
    expect(far).toMatchObject({ status: 'not_on_route', eta_at: null, distance_m: null });
  });

  test.each([['source=ci*', 1], ['source=x*', 0], ['route=line%2F1', 1], ['route=other', 0], ['phase=in_flight', 1], ['phase=post_arrival', 0]])('with %s finds %i', async (query, total) => {
    expect((await send(gateway, 'GET', `/v1/journeys?${query}`)).body.total).toBe(total);
  });

  test('lets a vehicle depart and arrive by hand that no position has come from', async () => {
    await send(gateway, 'POST', '/v1/updates', JSON.stringify({ race_id: 'tram', source: 'city', at: startAtMs, state: 'queued', route_id: 'line/1' }), { 'content-type': 'application/x-ndjson' });
    await until(async () => (await send(gateway, 'GET', '/v1/races/tram')).status === 200);
    expect((await send(gateway, 'GET', '/api/flight-status?race_id=tram')).body).toMatchObject({ phase: 'pre_departure', scheduled_departure_time: new Date(startAtMs).toISOString() });
    expect(await send(gateway, 'POST', '/api/flight-status/depart?race_id=tram')).toMatchObject({ status: 200, body: { phase: 'in_flight' } });
    await until(async () => (await send(gateway, 'GET', '/v1/races/tram')).body.state === 'running');
    expect((await send(gateway, 'GET', '/api/flight-status?race_id=tram')).body).toMatchObject({ phase: 'in_flight', time_until_departure_seconds: 0 });
    expect(await send(gateway, 'POST', '/api/flight-status/arrive?race_id=tram', { reason: 'seen at the platform' })).toMatchObject({ status: 200, body: { phase: 'post_arrival' } });
    await until(async () => (await send(gateway, 'GET', '/v1/races/tram')).body.state === 'passed');
    expect((await send(gateway, 'POST', '/api/flight-status/depart?race_id=tram')).status).toBe(400);
    // The one under way is meant where none is named.
    expect((await send(gateway, 'GET', '/api/flight-status')).body).toMatchObject({ race_id: 'bus', phase: 'in_flight' });
  });

  test('shows no leg of a route that has changed since, and answers 404 for who is not followed', async () => {
    await send(gateway, 'PUT', '/v1/routes/line%2F1/pois/p', { lat: 50.01, lon: 8 });
    expect((await send(gateway, 'GET', '/v1/journeys/bus')).body).toMatchObject({ leg: null, remaining_m: null, waypoints: [], pois: [], course: null, route_id: 'line/1' });
    expect(await send(gateway, 'GET', '/v1/journeys/none')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((await send(gateway, 'GET', '/v1/journeys?phase=flying')).status).toBe(400);
  });
});
