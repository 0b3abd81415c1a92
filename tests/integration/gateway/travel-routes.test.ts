import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import { openEngines, openGateway, send, until, type Answer, type Engines } from './harness.ts';

let engines: Engines;
let gateway: Gateway;

beforeAll(async () => {
  engines = await openEngines();
  gateway = await openGateway(engines);
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

const KML = `<?xml version="1.0"?>
<kml><Document><name>Lisbon to Porto</name>
<Placemark><LineString><coordinates>-9.14,38.72 -8.75,40.0 -8.61,41.15</coordinates></LineString></Placemark>
<Placemark><name>LIS</name><description>Time Over Waypoint: 2026-03-01 10:00:00Z</description><Point><coordinates>-9.14,38.72</coordinates></Point></Placemark>
<Placemark><name>OPO</name><description>Time Over Waypoint: 2026-03-01 13:00:00Z</description><Point><coordinates>-8.61,41.15</coordinates></Point></Placemark>
</Document></kml>`;
const GPX = '<gpx><rte><name>Loop</name><rtept lat="50" lon="8"><name>start</name></rtept><rtept lat="50.1" lon="8"/><rtept lat="50.1" lon="8.1"><name>end</name></rtept></rte></gpx>';
const GEOJSON = { type: 'Feature', properties: { name: 'Ferry' }, geometry: { type: 'LineString', coordinates: [[179.9, -17], [-179.9, -17]] } };

const put = (query: string, body: unknown, type: string) => send(gateway, 'POST', `/v1/routes${query}`, body, { 'content-type': type });
const line = (routeId: string): Promise<Answer> => put(`?route_id=${routeId}`, GEOJSON, 'application/geo+json');

describe('POST /v1/routes', () => {
  test('takes KML with its times in UTC, and shows the route as it was read', async () => {
    const { status, body } = await put('?route_id=lis-opo', KML, 'application/vnd.google-earth.kml+xml');
    expect(status).toBe(201);
    expect(body).toMatchObject({
      route_id: 'lis-opo', name: 'Lisbon to Porto', active: true, points: 3, waypoint_count: 2, poi_count: 0,
      planned_departure_at: Date.UTC(2026, 2, 1, 10), planned_arrival_at: Date.UTC(2026, 2, 1, 13), line: [[-9.14, 38.72], [-8.75, 40], [-8.61, 41.15]],
      waypoints: [{ index: 0, name: 'LIS', along_m: 0 }, { index: 1, name: 'OPO', lat: 41.15, lon: -8.61, planned_at: Date.UTC(2026, 2, 1, 13) }],
    });
    expect(body.length_m).toBeGreaterThan(270_000);
    expect(body.length_m).toBeLessThan(275_000);
    expect((await send(gateway, 'GET', '/v1/routes/lis-opo')).body).toEqual(body);
  });

  test('takes GPX, GeoJSON over the antimeridian, and the JSON of a Route', async () => {
    expect(await put('', GPX, 'application/gpx+xml')).toMatchObject({ status: 201, body: { name: 'Loop', waypoint_count: 2, points: 3 } });
    const ferry = await put('?name=Ferry%202', GEOJSON, 'application/geo+json');
    expect(ferry).toMatchObject({ status: 201, body: { name: 'Ferry 2' } });
    expect(ferry.body.length_m).toBeLessThan(22_000);
    const plain = { route_id: 'own', name: 'Own', points: [{ lat: 1, lon: 2, name: 'A', planned_at: '2026-01-31T12:00:00+01:00' }, { lat: 1, lon: 3 }], pois: [{ id: 'p', lat: 1, lon: 2.5 }] };
    expect(await put('', plain, 'application/json')).toMatchObject({ status: 201, body: { route_id: 'own', planned_departure_at: Date.UTC(2026, 0, 31, 11), pois: [{ id: 'p', name: 'p' }] } });
  });

  test('puts a route in place of the one of its id', async () => {
    const first = await line('again');
    const second = await put('?route_id=again', GPX, 'application/xml');
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body.version).toBeGreaterThan(first.body.version);
    expect((await send(gateway, 'GET', '/v1/routes')).body.routes.filter((route: { route_id: string }) => route.route_id === 'again')).toMatchObject([{ name: 'Loop' }]);
  });

  test.each([
    ['XML that closes what it did not open', '<kml>\n<Document></Folder></kml>', 'application/xml', 2],
    ['a point that is nowhere', '<gpx><rte>\n<rtept lat="50" lon="8"/>\n<rtept lat="91" lon="8"/></rte></gpx>', 'application/gpx+xml', 3],
    ['JSON that breaks off', '{"points": [\n{"lat": 1,', 'application/json', 2],
    ['one place', '{"points": [{"lat": 1, "lon": 1}, {"lat": 1, "lon": 1}]}', 'application/json', 1],
    ['a name without end', `{"name": "x", "points": [{"lat": 1, "lon": 1, "name": "${'n'.repeat(201)}"}, {"lat": 1, "lon": 2}]}`, 'application/json', 1],
    ['a document type', '<!DOCTYPE kml [<!ENTITY a "b">]><kml/>', 'application/xml', 1],
  ])('refuses %s, and says where and why', async (_, file, type, where) => {
    const { status, body } = await put('', file, type);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'route_invalid', line: where, reason: expect.stringMatching(/\w{3}/) });
    expect(body.message).toContain(`Line ${where}: ${body.reason}`);
  });

  test('refuses ids that are none, bytes that are no text, other content, and more than 5 MB', async () => {
    expect(await put(`?route_id=${'i'.repeat(201)}`, GPX, 'application/xml')).toMatchObject({ status: 400, body: { code: 'id_invalid' } });
    const bytes = await fetch(`${gateway.address}/v1/routes`, { method: 'POST', headers: { 'content-type': 'application/xml' }, body: Buffer.from([0x3c, 0xff, 0xfe]) });
    expect(await bytes.json()).toMatchObject({ code: 'route_invalid', reason: 'The file is not UTF-8' });
    expect((await put('', 'x', 'text/csv')).status).toBe(415);
    expect((await fetch(`${gateway.address}/v1/routes`, { method: 'POST', headers: { 'content-type': 'application/xml' } })).status).toBe(400);
    const large = await fetch(`${gateway.address}/v1/routes`, { method: 'POST', headers: { 'content-type': 'application/xml' }, body: ' '.repeat(5 * 1024 * 1024 + 1) }).catch(() => null);
    // The server may close before all was sent: then there is no answer to read.
    if (large !== null) expect(await large.json()).toMatchObject({ code: 'too_large', message: 'The body must have at most 5 MB' });
  });
});

describe('routes that are there', () => {
  test('are activated and deactivated, listed by it, and deleted', async () => {
    await line('on-off');
    expect((await send(gateway, 'POST', '/v1/routes/on-off/deactivate')).body).toMatchObject({ route_id: 'on-off', active: false });
    const idle = (await send(gateway, 'GET', '/v1/routes?active=false')).body;
    expect(idle).toMatchObject({ total: 1, routes: [{ route_id: 'on-off' }] });
    expect((await send(gateway, 'POST', '/v1/routes/on-off/activate')).body.active).toBe(true);
    expect((await send(gateway, 'GET', '/v1/routes?active=false')).body.total).toBe(0);
    expect((await send(gateway, 'DELETE', '/v1/routes/on-off')).status).toBe(200);
    for (const [method, path] of [['GET', ''], ['DELETE', ''], ['POST', '/activate'], ['GET', '/pois']] as const) {
      expect(await send(gateway, method, `/v1/routes/on-off${path}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });

  test('have points of interest that come, change and go', async () => {
    await line('seen');
    const at = '/v1/routes/seen/pois';
    expect(await send(gateway, 'POST', at, { id: 'lighthouse', name: 'The lighthouse', lat: -17.01, lon: 180, radius_m: 500 })).toMatchObject({ status: 201, body: { id: 'lighthouse' } });
    expect((await send(gateway, 'POST', at, { id: 'lighthouse', lat: 1, lon: 1 })).status).toBe(409);
    const unnamed = await send(gateway, 'POST', at, { lat: -17.2, lon: -179.95 });
    expect(unnamed.body.id).toMatch(/^[0-9a-f-]{36}$/);
    expect((await send(gateway, 'PUT', `${at}/lighthouse`, { lat: -17.02, lon: 180 })).body).toEqual({ id: 'lighthouse', name: 'lighthouse', lat: -17.02, lon: 180, radius_m: null, icon: null, category: null, description: null });
    expect((await send(gateway, 'GET', at)).body.pois.map(({ id }: { id: string }) => id)).toEqual(['lighthouse', unnamed.body.id]);
    expect(await send(gateway, 'POST', at, { lat: 91, lon: 0 })).toMatchObject({ status: 400, body: { code: 'invalid_request', message: 'lat must be a number in -90..90, got 91', value: 91, range: 'a number in -90..90' } });
    expect((await send(gateway, 'POST', at, { lat: '1', lon: 0 })).status).toBe(400);
    expect((await send(gateway, 'DELETE', `${at}/lighthouse`)).status).toBe(200);
    expect((await send(gateway, 'DELETE', `${at}/lighthouse`)).status).toBe(404);
    expect((await send(gateway, 'GET', '/v1/routes/seen')).body).toMatchObject({ poi_count: 1, active: true });
  });

  test('lose no change of many at once', async () => {
    await line('busy');
    const ids = Array.from({ length: 20 }, (_, i) => `p${i}`);
    const answers = await Promise.all(ids.map((id) => send(gateway, 'POST', '/v1/routes/busy/pois', { id, lat: -17, lon: 179.9 })));
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 201));
    expect((await send(gateway, 'GET', '/v1/routes/busy')).body.poi_count).toBe(20);
  });

  test('are what other gateways and producers wrote; what is no route counts as none', async () => {
    const append = (id: string, value: Buffer | null) => engines.log.append('routes', 0, [{ key: Buffer.from(id), value }]);
    await append('by-json', Buffer.from(JSON.stringify({ route_id: 'by-json', name: 'Json', points: [{ lat: 1, lon: 1 }, { lat: 1, lon: 2 }] })));
    await line('spoilt');
    await append('spoilt', Buffer.from('{"route_id":"spoilt","points":[]}'));
    await append('other-key', Buffer.from(JSON.stringify({ route_id: 'by-json', points: [{ lat: 1, lon: 1 }, { lat: 1, lon: 2 }] })));
    await append('last', Buffer.from(JSON.stringify({ route_id: 'last', points: [{ lat: 1, lon: 1 }, { lat: 1, lon: 2 }] })));
    await until(async () => (await send(gateway, 'GET', '/v1/routes/last')).status === 200);
    const other = await openGateway(engines);
    for (const one of [gateway, other]) {
      await until(async () => (await send(one, 'GET', '/v1/routes/last')).status === 200);
      const statuses = await Promise.all(['by-json', 'spoilt', 'other-key'].map(async (id) => (await send(one, 'GET', `/v1/routes/${id}`)).status));
      expect(statuses).toEqual([200, 404, 404]);
    }
    await other.close();
  });
});
