import { Check, Errors } from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import openApi from '../../../schemas/openapi.json' with { type: 'json' };
import type { Gateway } from '../../../src/gateway/server.ts';
import { openEngines, openGateway, send, type Answer, type Engines } from './harness.ts';

// Points of interest by both of their paths: what one changes, the other shows.

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

const line = (routeId: string, active = true): Promise<Answer> => send(gateway, 'POST', '/v1/routes', { route_id: routeId, name: routeId, active, points: [{ lat: 0, lon: 0, name: 'A' }, { lat: 0, lon: 3, name: 'B' }] });
const central = { name: 'Central Park', latitude: 0.05, longitude: 2, icon: 'park', category: 'landmark', description: 'A park', mission_id: null };
const record = openApi.paths['/api/pois/{poi_id}'].get.responses['200'].content['application/json'].schema as object as Parameters<typeof Check>[0];
const idsOf = ({ body }: Answer): string[] => body.pois.map(({ id }: { id: string }) => id);

describe('/api/pois', () => {
  test('refuses one where there is no route for it to lie on', async () => {
    expect((await send(gateway, 'GET', '/api/pois')).body).toEqual({ pois: [], total: 0, route_id: null, mission_id: null });
    expect(await send(gateway, 'POST', '/api/pois', central)).toMatchObject({ status: 400, body: { code: 'invalid_request', range: 'the id of a route', detail: expect.stringContaining('none is active') } });
  });

  test('adds, shows, changes and removes one, beside the waypoints', async () => {
    await line('east');
    const added = await send(gateway, 'POST', '/api/pois/', central);
    expect(added).toMatchObject({
      status: 201,
      body: { ...central, route_id: 'east', active: true, projected_latitude: expect.closeTo(0, 6), projected_longitude: expect.closeTo(2, 6), projected_waypoint_index: 1, projected_route_progress: expect.closeTo(200 / 3, 6) },
    });
    expect(Check(record, added.body), JSON.stringify(Errors(record, added.body)[1])).toBe(true);
    const { id } = added.body;
    expect((await send(gateway, 'GET', `/api/pois/${id}`)).body).toEqual(added.body);
    expect((await send(gateway, 'GET', '/v1/routes/east/pois')).body.pois).toEqual([{ id, name: 'Central Park', lat: 0.05, lon: 2, radius_m: null, icon: 'park', category: 'landmark', description: 'A park' }]);
    expect((await send(gateway, 'GET', '/api/pois/etas?category=landmark&latitude=0&longitude=0')).body.pois).toMatchObject([{ poi_id: id, icon: 'park', category: 'landmark' }]);

    const changed = await send(gateway, 'PUT', `/api/pois/${id}`, { name: 'Park', longitude: 359, category: null, route_id: 'east' });
    expect(changed).toMatchObject({ status: 200, body: { id, name: 'Park', latitude: 0.05, longitude: -1, category: 'landmark', icon: 'park', projected_waypoint_index: 0 } });
    expect(Date.parse(changed.body.updated_at)).toBeGreaterThanOrEqual(Date.parse(added.body.updated_at));
    expect(idsOf(await send(gateway, 'GET', '/api/pois/'))).toEqual(['waypoint-0', 'waypoint-1', id]);
    expect((await send(gateway, 'GET', '/api/pois/waypoint-1')).body).toMatchObject({ name: 'B', category: 'arrival', icon: 'flag', longitude: 3, description: null });

    expect((await send(gateway, 'DELETE', `/api/pois/${id}`)).status).toBe(204);
    for (const method of ['GET', 'DELETE'] as const) expect(await send(gateway, method, `/api/pois/${id}`)).toMatchObject({ status: 404, body: { code: 'not_found', detail: expect.stringContaining(id) } });
    expect((await send(gateway, 'GET', '/api/pois/count/total')).body).toEqual({ count: 2, route_id: 'east' });
  });

  test('lists those of active routes, of one route, and no more than is asked for', async () => {
    await line('parked', false);
    await send(gateway, 'POST', '/v1/routes/parked/pois', { id: 'depot', lat: 0, lon: 1 });
    expect(idsOf(await send(gateway, 'GET', '/api/pois'))).not.toContain('depot');
    expect((await send(gateway, 'GET', '/api/pois?active_only=false&limit=3')).body).toMatchObject({ total: 5, pois: [{ route_id: 'parked' }, {}, { id: 'depot', active: false, icon: 'marker', category: null }] });
    expect((await send(gateway, 'GET', '/api/pois?route_id=parked&active_only=false')).body).toMatchObject({ total: 3, route_id: 'parked' });
    expect((await send(gateway, 'GET', '/api/pois?route_id=parked')).body.total).toBe(0);
    expect((await send(gateway, 'GET', '/api/pois?mission_id=m1')).body).toMatchObject({ total: 0, mission_id: 'm1' });
    expect((await send(gateway, 'GET', '/api/pois?route_id=none')).status).toBe(404);
    expect((await send(gateway, 'GET', '/api/pois?limit=0')).status).toBe(400);
  });

  test('asks which is meant where several routes have the id; an active one comes first', async () => {
    expect((await send(gateway, 'GET', '/api/pois/waypoint-0')).body.route_id).toBe('east');
    await line('west');
    for (const id of ['east', 'west']) await send(gateway, 'POST', `/v1/routes/${id}/pois`, { id: 'gate', lat: 0, lon: 1 });
    for (const method of ['GET', 'DELETE'] as const) expect(await send(gateway, method, '/api/pois/gate')).toMatchObject({ status: 409, body: { code: 'conflict', range: 'one of the routes that have it' } });
    expect((await send(gateway, 'PUT', '/api/pois/gate?route_id=west', { latitude: 1 })).body).toMatchObject({ route_id: 'west', latitude: 1 });
    expect((await send(gateway, 'GET', '/api/pois/gate?route_id=east')).body.latitude).toBe(0);
  });

  test('leaves waypoints to their routes', async () => {
    for (const [method, body] of [['PUT', { name: 'X' }], ['DELETE', undefined]] as const) {
      expect(await send(gateway, method, '/api/pois/waypoint-0?route_id=east', body)).toMatchObject({ status: 409, body: { code: 'conflict', message: 'waypoint-0 is a waypoint of the route "east": store the route anew to change it' } });
    }
  });

  test.each([
    [{ latitude: 91 }, 'latitude', 91], [{ longitude: 361 }, 'longitude', 361], [{ longitude: '1' }, 'longitude', '1'], [{ name: '' }, 'name', ''], [{ name: 'x'.repeat(201) }, 'name', 'x'.repeat(200)],
    [{ description: 'x'.repeat(1_001) }, 'description', 'x'.repeat(200)], [{ icon: 7 }, 'icon', 7], [{ mission_id: 'm1' }, 'mission_id', 'm1'], [{ route_id: 7 }, 'route_id', 7], [{ radius_m: -1 }, 'radius_m', -1],
  ])('refuses %j with its value and its range', async (wrong, field, value) => {
    const { status, body } = await send(gateway, 'POST', '/api/pois', { ...central, route_id: 'east', ...wrong });
    expect({ status, ...body }).toMatchObject({ status: 400, code: 'invalid_request', value, range: expect.any(String), message: expect.stringContaining(field), detail: body.message });
  });

  test.each([[{ latitude: 1, longitude: 1 }, 'name'], [{ name: 'x', longitude: 1 }, 'latitude'], [{ name: 'x', latitude: 1 }, 'longitude']])('refuses %j: %s is missing', async (body, field) => {
    expect(await send(gateway, 'POST', '/api/pois', body)).toMatchObject({ status: 400, body: { code: 'invalid_request', range: expect.any(String), message: expect.stringContaining(`${field} must be`) } });
  });

  test('of an unknown route there is none', async () => {
    expect((await send(gateway, 'POST', '/api/pois', { ...central, route_id: 'none' })).status).toBe(404);
    expect(await send(gateway, 'PUT', '/api/pois/gate?route_id=east', { route_id: 'west' })).toMatchObject({ status: 400, body: { value: 'west', range: '"east", the route that it is on' } });
  });
});
