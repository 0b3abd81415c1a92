import { Check, Errors } from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRouteFile } from '../../../src/adapters/route-files/read-route-file.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { JourneyState } from '../../../src/journey/journey-record.ts';
import { journeyStateOf } from '../../../src/journey/journey-record.ts';
import { takeTelemetry } from '../../../src/journey/take-position.ts';
import { pointOfInterest, type RouteRecord } from '../../../src/journey/route.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { readyRoute } from '../../support/journeys.ts';
import openApi from '../../../schemas/openapi.json' with { type: 'json' };
import { etaUpdate, openEngines, openGateway, pipelineWriter, raceState, readUpdates, send, until, type Engines } from './harness.ts';

// The API that dashboards of flights know, by the names in their JSON; what was wrong there is right here. ETAs are those that were published.

const DEGREE_M = 111_194.9266;
const MIN = 60_000;
const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
const point = (lon: number, name: string, minutes: number | null, lat = 0) => ({ lat, lon, name, planned_at: minutes === null ? null : nowMs + minutes * MIN, dwell_sec: null });
const poi = (id: string, lat: number, lon: number) => pointOfInterest(id, id, { lat, lon });

/** 0, 1, 2, 3 degrees east on the equator, legs planned for 30, 10 and 30 minutes; it left 20 minutes ago. */
const equator: RouteRecord = {
  route_id: 'equator', name: 'Equator', active: true, points: [point(0, 'A', -20), point(1, 'B', 10), point(2, 'C', 20), point(3, 'D', 50)],
  pois: [poi('near', 0.05, 1.5), poi('far', 2, 1.5), poi('behind', 0, 0.2)],
};
const clock = { now: nowMs, nowMs: () => clock.now };
let engines: Engines;
let gateway: Gateway;
let writer: ReturnType<typeof pipelineWriter>;

beforeAll(async () => {
  engines = await openEngines();
  writer = pipelineWriter(engines);
  gateway = await openGateway(engines, { clock });
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

/** What the document says of the answers to a path. */
function schemaOf(path: string): object {
  const pathname = path.split('?')[0]!.replace(/^\/api\/routes\/$/, '/api/routes');
  const known = Object.entries(openApi.paths as Record<string, { get?: { responses: Record<string, { content?: Record<string, { schema: object }> }> } }>);
  // Those without parameters come first, as they do in the router.
  const [, operations] = known.toSorted(([a], [b]) => a.split('{').length - b.split('{').length).find(([pattern]) => new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname))!;
  return operations.get!.responses['200']!.content!['application/json']!.schema;
}

/** The answer, as the document describes it. */
async function get(path: string): Promise<any> {
  const { status, body } = await send(gateway, 'GET', path);
  if (status === 200) {
    const schema = schemaOf(path) as Parameters<typeof Check>[0];
    expect(Check(schema, body), `${path}: ${JSON.stringify(Errors(schema, body)[1]).slice(0, 500)}`).toBe(true);
  }
  return body;
}
const namesOf = (body: object) => Object.keys(body).sort();

/** Puts a vehicle on a route, as the pipeline and the role journeys leave it after positions `lons` a minute apart, the last one now; milestones are minutes from now. */
async function fly(raceId: string, record: RouteRecord, lons: readonly number[], { milestones = {}, mps = null, lat = 0, agoMs = 0 }: { milestones?: Readonly<Record<string, number | null>>; mps?: number | null; lat?: number; agoMs?: number } = {}): Promise<void> {
  const { body: { version } } = await send(gateway, 'POST', '/v1/routes', record);
  const identity = { race_id: raceId, source: 'air', first_offset: 0, attempt: 1, route_id: record.route_id, route_version: version };
  let followed: ReturnType<typeof takeTelemetry>['followed'] | undefined;
  for (const [i, lon] of lons.entries()) {
    const at = clock.now - agoMs - (lons.length - 1 - i) * MIN;
    followed = takeTelemetry(followed, { identity, byHand: { departedAtMs: null, arrivedAtMs: null } }, readyRoute(record), { race_id: raceId, at, lat, lon, speed_mps: mps, heading_deg: null, altitude_m: null, accuracy_m: null, device: null }, { epoch: 0, offset: i }).followed;
  }
  const isUnderWay = followed !== undefined && followed.phase.phase !== 'pre_departure';
  await writer.state(raceState({ race_id: raceId, source: 'air', title: 'flight', state: isUnderWay ? 'running' : 'queued', started_at: followed?.phase.departedAtMs ?? null, route_id: record.route_id, last_at: clock.now }));
  await writer.eta(etaUpdate({
    race_id: raceId, source: 'air', milestones: record.points.filter(({ name }) => name !== null).map(({ name }) => ({
      name: name!, kind: 'waypoint', state: 'pending', eta_at: milestones[name!] == null ? null : clock.now + milestones[name!]! * MIN, p10_at: null, p90_at: null, passed_at: null, distance_m: null, eta_type: null,
    })),
  }));
  if (followed !== undefined) {
    const state: JourneyState = journeyStateOf(followed);
    await engines.log.append('journey-states', partitionOf(raceId, 4), [{ key: Buffer.from(raceId), value: engines.codec.encode('journey-states', state, 'JourneyState') }]);
    await until(async () => (await send(gateway, 'GET', `/v1/journeys/${raceId}`)).body.at === state.at);
  } else await until(async () => (await send(gateway, 'GET', `/v1/races/${raceId}`)).body.eta != null);
}

const minutesEast = (from: number, to: number, minutes: number) => Array.from({ length: minutes + 1 }, (_, i) => from + ((to - from) * i) / minutes);

describe('without any vehicle', () => {
  test('nothing is made up: no position, no speed, no phase of anybody (11)', async () => {
    expect(await get('/api/pois/etas')).toMatchObject({ pois: [], total: 0, flight_phase: null });
    expect(await get('/api/flight-status')).toMatchObject({ phase: 'pre_departure', eta_mode: 'anticipated', active_route_id: null, has_timing_data: false, time_until_departure_seconds: null, race_id: null });
    expect(await get('/api/pois/stats/next-destination')).toEqual({ name: 'No POIs available', eta_type: 'estimated', flight_phase: null, eta_seconds: -1 });
    expect(await get('/api/pois/stats/approaching')).toEqual({ count: 0 });
    expect(await get('/api/routes/active/timing')).toEqual({ has_timing_data: false, message: 'No active route' });
    expect(await get('/api/routes/live-mode/active-route-eta')).toEqual({ has_active_route: false, message: 'No active route' });
    expect(await send(gateway, 'POST', '/api/flight-status/depart')).toMatchObject({ status: 404, body: { code: 'not_found', detail: expect.stringContaining('No race names a route') } });
    await send(gateway, 'POST', '/v1/routes', equator);
    const { pois } = await get('/api/pois/etas');
    expect(pois).toHaveLength(7);
    for (const one of pois) expect(one).toMatchObject({ eta_seconds: -1, distance_meters: -1, bearing_degrees: null, course_status: null, flight_phase: null });
  });

  test('counts from a position that is asked for, by its speed and the plan', async () => {
    const { pois } = await get('/api/pois/etas?latitude=0&longitude=0&speed_knots=200');
    const bySpeed = Object.fromEntries(pois.map((one: { poi_id: string }) => [one.poi_id, one]));
    // Legs at 120, 360 and 120 kn: the first at the mean with its own speed.
    expect(bySpeed['waypoint-2'].eta_seconds).toBeCloseTo(1_950.6, 1);
    expect(bySpeed['waypoint-2'].distance_meters).toBeCloseTo(2 * DEGREE_M, 0);
    expect(bySpeed['near']).toMatchObject({ projected_latitude: expect.closeTo(0, 6), projected_longitude: expect.closeTo(1.5, 6), projected_route_progress: expect.closeTo(50, 6), is_on_active_route: true });
    expect(bySpeed['near'].eta_seconds).toBeCloseTo(1_350.6 + 300 + 5_559.746 / (200 * 1852 / 3600), 0);
    expect(bySpeed['far']).toMatchObject({ is_on_active_route: false, route_aware_status: 'not_on_route', eta_seconds: -1 });
    // 1000 m at 100 kn, as their formula has it; below half a knot nobody arrives.
    const standing = await get('/api/pois/etas?latitude=0&longitude=0&speed_knots=0.4');
    expect(standing.pois.every((one: { eta_seconds: number }) => one.eta_seconds === -1)).toBe(true);
    expect((await send(gateway, 'GET', '/api/pois/etas?latitude=1')).status).toBe(400);
    for (const wrong of ['latitude=91&longitude=0', 'latitude=true&longitude=0', 'latitude=&longitude=0', 'latitude=NaN&longitude=0', 'speed_knots=-1']) expect((await send(gateway, 'GET', `/api/pois/etas?${wrong}`)).status, wrong).toBe(400);
  });
});

describe('ETAs on a route', () => {
  test('take the speed of a segment from that segment (1)', async () => {
    const eta = (query: string) => get(`/api/routes/equator/eta/waypoint/2?${query}`);
    const atStart = await eta('current_position_lat=0&current_position_lon=0&current_speed_knots=200');
    expect(atStart).toMatchObject({ waypoint_index: 2, waypoint_name: 'C', waypoint_lat: 0, waypoint_lon: 2, estimated_time_remaining_seconds: expect.closeTo(1_950.6, 1), distance_remaining_meters: expect.closeTo(2 * DEGREE_M, 0) });
    expect((await eta('current_position_lat=0&current_position_lon=0')).estimated_time_remaining_seconds, 'by the plan').toBeCloseTo(2_400, 3);
    const { points } = await get('/api/routes/equator');
    expect(points.map(({ expected_segment_speed_knots: knots }: { expected_segment_speed_knots: number | null }) => knots)).toEqual([null, expect.closeTo(120.0809, 3), expect.closeTo(360.2427, 3), expect.closeTo(120.0809, 3)]);
  });

  test('fall with every metre, not with every vertex (2)', async () => {
    let before = Infinity;
    for (const lon of [0, 0.1, 0.3, 0.49, 0.51, 0.8]) {
      const { estimated_time_remaining_seconds: sec } = await get(`/api/routes/equator/eta/waypoint/2?current_position_lat=0&current_position_lon=${lon}&current_speed_knots=200`);
      if (before < Infinity) expect(before - sec).toBeGreaterThan(20);
      before = sec;
    }
    expect(await get('/api/routes/equator/progress?current_position_lat=0&current_position_lon=0.49')).toMatchObject({
      progress_percent: expect.closeTo(49 / 3, 3), current_waypoint_index: 0, distance_completed_meters: expect.closeTo(0.49 * DEGREE_M, 0), distance_remaining_meters: expect.closeTo(2.51 * DEGREE_M, 0),
      total_route_distance_meters: expect.closeTo(3 * DEGREE_M, 0), expected_total_duration_seconds: 4_200, average_speed_knots: expect.closeTo(154.39, 1),
    });
  });

  test('of what lies behind there is none (3)', async () => {
    const { pois } = await get('/api/pois/etas?latitude=0&longitude=2.3&speed_knots=200');
    const behind = pois.filter(({ route_aware_status: status }: { route_aware_status: string }) => status === 'already_passed');
    expect(behind.map(({ poi_id: id }: { poi_id: string }) => id).sort()).toEqual(['behind', 'near', 'waypoint-0', 'waypoint-1', 'waypoint-2']);
    expect(behind.every(({ eta_seconds: sec }: { eta_seconds: number }) => sec === -1)).toBe(true);
    expect(await get('/api/routes/equator/eta/waypoint/1?current_position_lat=0&current_position_lon=2.3')).toMatchObject({ estimated_time_remaining_seconds: null, distance_remaining_meters: 0 });
  });

  test('lead to where a place is abeam, and across (4)', async () => {
    const { distance_to_target_meters: metres, estimated_time_remaining_seconds: sec } = await get('/api/routes/equator/eta/location?latitude=0.05&longitude=1.5&current_position_lat=0&current_position_lon=0.5');
    expect(metres).toBeCloseTo(DEGREE_M + 5_559.746, 0);
    expect(sec).toBeCloseTo(900 + 300 + 5_559.746 / (360.2427 * 1852 / 3600), 0);
  });

  test('refuse what is none: an index out of range, half a position, a route that is not there', async () => {
    const at = 'current_position_lat=0&current_position_lon=0';
    expect(await send(gateway, 'GET', `/api/routes/equator/eta/waypoint/9?${at}`)).toMatchObject({ status: 400, body: { detail: 'Waypoint index 9 out of range (route has 4 waypoints)' } });
    expect((await send(gateway, 'GET', '/api/routes/equator/eta/waypoint/1?current_position_lat=0')).status).toBe(400);
    expect((await send(gateway, 'GET', '/api/routes/equator/progress')).body.detail).toContain('No vehicle is followed');
    expect(await send(gateway, 'GET', `/api/routes/none/eta/waypoint/0?${at}`)).toMatchObject({ status: 404, body: { code: 'not_found', detail: expect.any(String) } });
  });
});

describe('a flight from an uploaded plan', () => {
  const place = (lon: number) => `${lon},10,0`;
  const mark = (name: string, lon: number, time: string) => `<Placemark><name>${name}</name><description>Airport\n Time Over Waypoint: 2026-10-27 ${time}Z</description><Point><coordinates>${place(lon)}</coordinates></Point></Placemark>`;
  const kml = `<kml><Document><name>PHNL-KADW</name><Placemark><LineString><coordinates>${place(0)} ${place(0.5)} ${place(1)}</coordinates></LineString></Placemark>${mark('PHNL', 0, '16:51:13')}${mark('KADW', 1, '17:51:13')}</Document></kml>`;
  const leavesAtMs = Date.UTC(2026, 9, 27, 16, 51, 13);
  const upload = async (name: string, text: string) => {
    const form = new FormData();
    form.set('file', new Blob([text]), name);
    const response = await fetch(`${gateway.address}/api/routes/upload`, { method: 'POST', body: form });
    return { status: response.status, body: (await response.json()) as any };
  };

  test('is stored under the name of its file, once more under another, with its plan in UTC (5)', async () => {
    const { status, body } = await upload('leg-1.kml', kml);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      id: 'leg-1', name: 'PHNL-KADW', description: null, point_count: 3, is_active: true, imported_poi_count: 2, skipped_poi_count: 0, has_timing_data: true, flight_phase: null, eta_mode: null,
      timing_profile: { departure_time: '2026-10-27T16:51:13.000Z', arrival_time: '2026-10-27T17:51:13.000Z', total_expected_duration_seconds: 3_600, flight_status: 'pre_departure', has_timing_data: true, segment_count_with_timing: 2 },
    });
    expect((await upload('leg-1.kml', kml)).body.id).toBe('leg-1-1');
    expect(await upload('bad.kml', '<kml>\n<Document></kml>')).toMatchObject({ status: 400, body: { code: 'route_invalid', line: 2 } });
    expect(await upload('empty.kml', '')).toMatchObject({ status: 400 });
    expect((await fetch(`${gateway.address}/api/routes/upload`, { method: 'POST', body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=b' } })).status).toBe(400);
    expect((await upload('big.kml', 'x'.repeat(5 * 1024 * 1024 + 1))).status).toBe(413);
  });

  test('comes down again as it went up', async () => {
    const response = await fetch(`${gateway.address}/api/routes/leg-1/download`);
    expect(response.headers.get('content-type')).toContain('application/vnd.google-earth.kml+xml');
    const again = readRouteFile('leg-1', await response.text());
    const { record } = { record: (await get('/v1/routes/leg-1')) };
    if ('refusal' in again) throw new Error(again.refusal.reason);
    expect(again.route.points.map(({ lat, lon, name, planned_at }) => [lon, lat, name, planned_at])).toEqual(record.line.map(([lon, lat]: number[], i: number) => [lon, lat, i === 1 ? null : i === 0 ? 'PHNL' : 'KADW', i === 1 ? null : leavesAtMs + i * 1_800_000]));
  });

  test('has anticipated ETAs by its plan until it has left, then none that rest on the plan alone', async () => {
    clock.now = leavesAtMs - 10 * MIN;
    await writer.state(raceState({ race_id: 'ph-1', source: 'air', applied_offset: -1, state: 'queued', started_at: null, queued_at: clock.now, route_id: 'leg-1', last_at: clock.now }));
    await until(async () => (await send(gateway, 'GET', '/v1/races/ph-1')).status === 200);
    const status = await get('/api/flight-status?race_id=ph-1');
    expect(namesOf(status)).toEqual([
      'active_route_id', 'active_route_name', 'arrival_time', 'departure_time', 'eta_mode', 'has_timing_data', 'phase', 'race_id', 'scheduled_arrival_time', 'scheduled_departure_time', 'time_since_departure_seconds', 'time_until_departure_seconds', 'timestamp',
    ]);
    expect(status).toMatchObject({ phase: 'pre_departure', eta_mode: 'anticipated', active_route_id: 'leg-1', active_route_name: 'PHNL-KADW', time_until_departure_seconds: 600, time_since_departure_seconds: null, scheduled_departure_time: '2026-10-27T16:51:13.000Z' });
    const etasOf = async () => (await get('/api/pois/etas?race_id=ph-1')).pois.map((one: { name: string; eta_seconds: number; eta_type: string; route_aware_status: string }) => [one.name, one.eta_seconds, one.eta_type, one.route_aware_status]);
    expect(await etasOf()).toEqual([['PHNL', 600, 'anticipated', 'pre_departure'], ['KADW', 4_200, 'anticipated', 'pre_departure']]);
    // Twelve minutes on, still at the gate: late by two, and so is the arrival.
    clock.now = leavesAtMs + 2 * MIN;
    expect((await get('/api/flight-status?race_id=ph-1')).time_until_departure_seconds).toBe(-120);
    expect((await etasOf())[1]).toEqual(['KADW', 3_600, 'anticipated', 'pre_departure']);
  });

  test('departs and arrives by hand, each once and in order', async () => {
    const post = (path: string, body?: unknown) => send(gateway, 'POST', `/api/flight-status${path}?race_id=ph-1`, body);
    expect(await post('/arrive')).toMatchObject({ status: 400, body: { code: 'conflict', detail: 'Cannot arrive: the journey is pre_departure' } });
    expect(await post('')).toMatchObject({ status: 200, body: { phase: 'pre_departure' } });
    for (const timestamp of ['yesterday', '2099-01-01T00:00:00Z', 5]) expect((await post('/depart', { timestamp })).status).toBe(400);
    const left = await post('/depart', { timestamp: '2026-10-27T16:52:00', reason: 'brakes off' });
    expect(left).toMatchObject({ status: 200, body: { phase: 'in_flight', eta_mode: 'estimated', departure_time: '2026-10-27T16:52:00.000Z', time_until_departure_seconds: 0, time_since_departure_seconds: 73 } });
    expect((await post('/depart')).body.detail).toBe('Cannot depart: the journey is in_flight');
    expect((await post('/transition', { phase: 'in_flight' })).status).toBe(400);
    expect((await post('/transition', { phase: 'pre_departure' })).status).toBe(400);
    expect((await post('/transition', { phase: 'flying' })).body.code).toBe('invalid_request');
    expect((await post('')).status, 'no reset once it has left').toBe(400);
    expect((await post('/arrive', { timestamp: '2026-10-27T16:51:59Z' })).status, 'not before it left').toBe(400);
    clock.now += 30_000;
    expect(await post('/transition', { phase: 'post_arrival', reason: null })).toMatchObject({ status: 200, body: { phase: 'post_arrival', eta_mode: 'estimated', arrival_time: new Date(clock.now).toISOString() } });
    expect((await post('/arrive')).body.detail).toBe('Cannot arrive: the journey is post_arrival');
    expect((await post('/depart')).status, 'nor from there').toBe(400);
    const updates = (await readUpdates(engines)).flatMap(({ raceId, update }) => (raceId === 'ph-1' && update !== null ? [update] : []));
    expect(updates).toMatchObject([
      { state: 'running', started_at: Date.UTC(2026, 9, 27, 16, 52), event: { type: 'depart', at: Date.UTC(2026, 9, 27, 16, 52), data: '"brakes off"' } },
      { state: 'passed', completed_at: clock.now, event: { type: 'arrive', at: clock.now } },
    ]);
    clock.now = nowMs;
    await writer.state(raceState({ race_id: 'off', source: 'air', state: 'canceled', completed_at: nowMs, route_id: 'leg-1', last_at: nowMs }));
    await until(async () => (await send(gateway, 'GET', '/v1/races/off')).status === 200);
    expect(await send(gateway, 'POST', '/api/flight-status/depart?race_id=off')).toMatchObject({ status: 400, body: { detail: 'The race is over: canceled' } });
  });
});

describe('a flight under way', () => {
  test('has the names of the API, and the ETAs that were published', async () => {
    await fly('eq-1', equator, minutesEast(0, 0.5, 20), { milestones: { B: 12, C: 22, D: 53 } });
    const answer = await get('/api/pois/etas?route_id=equator');
    expect(namesOf(answer)).toEqual(['eta_mode', 'flight_phase', 'pois', 'timestamp', 'total']);
    expect(answer).toMatchObject({ total: 7, eta_mode: 'estimated', flight_phase: 'in_flight' });
    expect(namesOf(answer.pois[0])).toEqual([
      'active', 'bearing_degrees', 'category', 'course_status', 'distance_meters', 'eta_seconds', 'eta_type', 'flight_phase', 'icon', 'is_on_active_route', 'is_pre_departure', 'latitude', 'longitude', 'name', 'poi_id',
      'projected_latitude', 'projected_longitude', 'projected_route_progress', 'projected_waypoint_index', 'route_aware_status',
    ]);
    expect(answer.pois.map((one: { name: string; eta_seconds: number }) => [one.name, one.eta_seconds < 0 ? -1 : Math.round(one.eta_seconds / 60)])).toEqual([['B', 12], ['near', 19], ['C', 22], ['D', 53], ['A', -1], ['behind', -1], ['far', -1]]);
    const [b] = answer.pois;
    expect(b).toMatchObject({ poi_id: 'waypoint-1', category: 'waypoint', icon: 'waypoint', eta_type: 'estimated', course_status: 'on_course', bearing_degrees: expect.closeTo(90, 3), distance_meters: expect.closeTo(0.5 * DEGREE_M, -1), projected_waypoint_index: 1, route_aware_status: 'ahead_on_route' });
    // Its own 0.5° in 20 minutes, across to what lies beside the route; not a straight line to it.
    const near = answer.pois.find((one: { name: string }) => one.name === 'near');
    const detourSec = 5_559.746 / ((0.5 * DEGREE_M) / 1_200);
    expect(near.eta_seconds).toBeCloseTo(17 * 60 + detourSec, -1);
    expect(answer.pois.at(-1)).toMatchObject({ name: 'far', route_aware_status: 'not_on_route', is_on_active_route: false });
  });

  test('is found without being named, and filtered as asked', async () => {
    expect((await get('/api/flight-status')).race_id).toBe('eq-1');
    const names = async (query: string) => (await get(`/api/pois/etas?${query}`)).pois.map((one: { name: string }) => one.name);
    expect(await names('category=arrival')).toEqual(['near', 'D', 'behind', 'far']);
    expect(await names('status_filter=on_course,slightly_off')).toEqual(['B', 'near', 'C', 'D']);
    expect(await names('status_filter=behind')).toEqual(['B', 'near', 'C', 'D']);
    expect(await get('/api/pois/count/total')).toEqual({ count: 7, route_id: 'equator' });
    expect(await get('/api/pois/stats/approaching')).toEqual({ count: 3 });
    expect(await get('/api/pois/stats/next-destination')).toMatchObject({ name: 'B', eta_type: 'estimated', flight_phase: 'in_flight', eta_seconds: 720 });
    expect(await get('/api/pois/stats/next-eta')).toMatchObject({ name: 'B', eta_seconds: 720 });
    expect((await send(gateway, 'GET', '/api/pois/etas?race_id=none')).status).toBe(404);
    expect((await send(gateway, 'GET', '/api/pois/etas?race_id=eq-1&route_id=leg-1')).status).toBe(404);
  });

  test('shows on its route, its plan and its progress', async () => {
    const { routes, total } = await get('/api/routes');
    expect(total).toBe(3);
    expect(routes.find(({ id }: { id: string }) => id === 'equator')).toMatchObject({ is_active: true, flight_phase: 'in_flight', eta_mode: 'estimated', point_count: 4 });
    expect((await get('/api/routes/?active=false')).total).toBe(0);
    expect(await get('/api/routes/active/timing')).toMatchObject({ route_name: 'Equator', is_departed: true, is_in_flight: true, total_expected_duration_seconds: 4_200, total_duration_readable: '01:10:00', segment_count_with_timing: 3 });
    expect(await get('/api/routes/equator/progress')).toMatchObject({ progress_percent: expect.closeTo(50 / 3, 1), expected_duration_remaining_seconds: 53 * 60, current_waypoint_name: expect.any(String) });
    const live = await get('/api/routes/live-mode/active-route-eta');
    expect(live).toMatchObject({ has_active_route: true, route_name: 'Equator', next_waypoint_eta: { waypoint_index: 1, estimated_time_remaining_seconds: 720 }, timing_profile: { has_timing_data: true, total_duration_seconds: 4_200 } });
    expect(live.current_position.speed_knots).toBeCloseTo((0.5 * DEGREE_M) / 1_200 / (1852 / 3600), 0);
    expect(await get('/api/routes/equator/eta/waypoint/1')).toMatchObject({ estimated_time_remaining_seconds: 720 });
    const detail = await get('/api/routes/equator');
    expect(detail).toMatchObject({ file_path: 'equator.kml', poi_count: 7, statistics: { distance_km: expect.closeTo(3 * DEGREE_M / 1_000, 2), bounds: { min_lat: 0, max_lat: 0, min_lon: 0, max_lon: 3 } } });
    expect(detail.waypoints.map(({ role }: { role: string }) => role)).toEqual(['departure', 'waypoint', 'waypoint', 'arrival']);
  });

  test('that stands has no ETA, and the next destination is the next on its way, not the first that there is', async () => {
    const still: RouteRecord = { ...equator, route_id: 'still', name: 'Still' };
    await fly('still-1', still, [0, 0.2, 0.4, ...Array.from({ length: 5 }, () => 0.4)], { milestones: { B: 12, C: 22, D: 53 }, mps: 0 });
    const { pois } = await get('/api/pois/etas?race_id=still-1');
    expect(pois.map((one: { eta_seconds: number }) => one.eta_seconds)).toEqual([-1, -1, -1, -1, -1, -1, -1]);
    expect(await get('/api/pois/stats/next-destination?race_id=still-1')).toMatchObject({ name: 'B', eta_seconds: -1 });
    expect(await get('/api/pois/stats/approaching?race_id=still-1')).toEqual({ count: 0 });
  });

  test('has not arrived while 44 km remain (6)', async () => {
    const late: RouteRecord = { ...equator, route_id: 'late', name: 'Late' };
    await fly('late-1', late, [...minutesEast(0, 2.6, 60), 2.6, 2.6, 2.6], { milestones: { D: 9 } });
    expect(await get('/api/flight-status?race_id=late-1')).toMatchObject({ phase: 'in_flight', arrival_time: null });
    expect((await get('/api/routes/late/progress')).distance_remaining_meters).toBeCloseTo(44_478, -2);
  });

  test('is told the same by every answer and every gauge, however often it is asked (7)', async () => {
    const seconds = async (path: string, of: (body: any) => number | null) => of(await get(path));
    for (let i = 0; i < 3; i++) {
      expect(await seconds('/api/pois/etas?race_id=eq-1', ({ pois }) => pois[0].eta_seconds)).toBe(720);
      expect(await seconds('/api/pois/stats/next-eta?race_id=eq-1', (body) => body.eta_seconds)).toBe(720);
      expect(await seconds('/api/routes/equator/eta/waypoint/1?race_id=eq-1', (body) => body.estimated_time_remaining_seconds)).toBe(720);
      const measured = gateway.measuredJourneys().find(({ raceId }) => raceId === 'eq-1')!;
      const { pois } = await get('/api/pois/etas?race_id=eq-1');
      expect(measured).toMatchObject({ phase: 'in_flight', etaType: 'estimated', etaSec: pois.find((one: { name: string }) => one.name === 'D').eta_seconds, untilDepartureSec: 0 });
      expect(measured.distanceM).toBeCloseTo((await get('/api/routes/equator/progress?race_id=eq-1')).distance_remaining_meters, 6);
      expect(await seconds('/v1/journeys/eq-1', (body) => (body.waypoints[1].eta_at - nowMs) / 1_000)).toBe(720);
    }
  });

  test('crosses 180° like any other meridian (10)', async () => {
    const pacific: RouteRecord = { route_id: 'pacific', name: 'Pacific', active: true, points: [point(178, 'A', -30), point(-178, 'B', 30)], pois: [poi('date-line', 0, 180)] };
    await fly('pa-1', pacific, minutesEast(178, 179, 10), { milestones: { B: 30 } });
    const { pois } = await get('/api/pois/etas?race_id=pa-1');
    expect(pois[0]).toMatchObject({ name: 'date-line', route_aware_status: 'ahead_on_route', distance_meters: expect.closeTo(DEGREE_M, -1), eta_seconds: expect.closeTo(600, -1), bearing_degrees: expect.closeTo(90, 3) });
    expect((await get('/api/routes/pacific/stats')).bounds).toEqual({ min_lat: 0, max_lat: 0, min_lon: 178, max_lon: -178 });
  });

  test('answers for 1,200 points and 1,000 points of interest in no time (9)', async () => {
    const points = Array.from({ length: 1_200 }, (_, i) => ({ ...point(20 + Math.sin(i / 40), `w${i}`, i / 6 - 30, 10 + i * 0.01), ...(i % 100 === 0 ? {} : { name: null, planned_at: null }) }));
    const large: RouteRecord = { route_id: 'large', name: 'Large', active: true, points: points as RouteRecord['points'], pois: Array.from({ length: 1_000 }, (_, i) => poi(`p${i}`, 10 + i * 0.012, 20.1)) };
    expect((await send(gateway, 'POST', '/v1/routes', large)).status).toBe(201);
    const ask = () => get('/api/pois/etas?route_id=large&latitude=10&longitude=20&speed_knots=300');
    await ask();
    const before = process.cpuUsage();
    for (let i = 0; i < 5; i++) expect((await ask()).total).toBe(1_013);
    expect(process.cpuUsage(before).user / 1_000 / 5).toBeLessThan(200);
  });

  test('is followed on no route that was deactivated; a route that is deleted is gone', async () => {
    expect(await send(gateway, 'POST', '/api/routes/deactivate?route_id=late')).toMatchObject({ status: 200, body: { message: 'Route deactivated successfully' } });
    expect((await get('/api/routes/late')).is_active).toBe(false);
    expect((await get('/api/pois/etas?route_id=late')).total).toBe(0);
    expect((await get('/api/pois/etas?route_id=late&active_only=false')).total).toBe(7);
    expect(await send(gateway, 'POST', '/api/routes/late/activate')).toMatchObject({ status: 200, body: { id: 'late', is_active: true } });
    expect((await send(gateway, 'DELETE', '/api/routes/late')).status).toBe(204);
    expect((await send(gateway, 'DELETE', '/api/routes/late')).status).toBe(404);
  });
});
