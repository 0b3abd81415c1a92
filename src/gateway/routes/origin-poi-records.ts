import { randomUUID } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { LONGEST_NAME, type PointOfInterest } from '../../journey/route.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure, fieldFailure } from '../failures.ts';
import { meantBy } from '../journeys/meant.ts';
import { poiRecordsOf, PoiRecordBody, type PoiRecord } from '../origin/pois.ts';
import { knownRoute } from '../journeys/route-editor.ts';
import { addPoi, poiNotFound, poiFields, putPoi, readPoi, refuseWaypoint, removePoi, routeOfPoi } from '../journeys/route-pois.ts';
import { summaryOf } from '../journeys/route-views.ts';
import { failures } from '../schemas.ts';
import { objectBody } from '../validation.ts';
import { requireVehicles } from './require-view.ts';

const tags = ['compatible'];
const DEFAULT_LIMIT = 1_000;

const PoiParam = Type.Object({ poi_id: Type.String({ maxLength: 200 }) });
const PoiQuery = Type.Object({ route_id: Type.Optional(Type.String({ maxLength: 200, description: 'Needed only where several routes have the id' })) });
const ListQuery = Type.Object({
  route_id: Type.Optional(Type.String({ maxLength: 200, description: 'Default: all routes, the last changed first' })),
  mission_id: Type.Optional(Type.String({ maxLength: 200, description: 'There are no missions: nothing is listed for one' })),
  active_only: Type.Optional(Type.Boolean({ default: true, description: 'Nothing of a route that is not active' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: DEFAULT_LIMIT })),
});
const ListBody = Type.Object({
  pois: Type.Array(PoiRecordBody), total: Type.Integer({ description: 'Of all that fit, whatever the limit' }),
  route_id: Type.Unsafe<string | null>({ type: ['string', 'null'] }), mission_id: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
});

const orNull = (schema: Type.TSchema) => Type.Optional(Type.Union([schema, Type.Null()]));
const name = Type.String({ minLength: 1, maxLength: LONGEST_NAME });
const latitude = Type.Number({ minimum: -90, maximum: 90 });
const longitude = Type.Number({ minimum: -180, maximum: 360, description: 'Above 180 it is counted on round the earth' });
const more = { ...poiFields, mission_id: Type.Optional(Type.Null({ description: 'There are no missions' })) };
const PoiPost = Type.Object({ name, latitude, longitude, ...more, route_id: orNull(Type.String({ maxLength: 200, description: 'Default: the route of the vehicle under way, else the active one that changed last' })) });
const PoiPut = Type.Object({ name: orNull(name), latitude: orNull(latitude), longitude: orNull(longitude), ...more, route_id: orNull(Type.String({ description: 'Only the one that it is on' })) });

/** Points of interest as they are stored, in the names of the API that dashboards of flights know. Waypoints are listed with them. */
export function originPoiRecordRoutes(app: App, context: GatewayContext): void {
  const { routes, routeEditor: editor } = context;
  app.addHook('preHandler', requireVehicles(context));

  const recordOf = (stored: StoredRoute, poiId: string): PoiRecord => {
    const found = poiRecordsOf(stored).findLast(({ id }) => id === poiId);
    if (found === undefined) throw poiNotFound(poiId);
    return found;
  };

  for (const [path, hide] of [['/api/pois', false], ['/api/pois/', true]] as const) {
    app.get(path, {
      schema: { hide, tags, summary: 'Waypoints and points of interest of routes, as they are stored', querystring: ListQuery, response: { 200: ListBody, ...failures } },
    }, async (request): Promise<Static<typeof ListBody>> => {
      const { route_id: routeId, mission_id: missionId, active_only: activeOnly = true, limit = DEFAULT_LIMIT } = request.query;
      const listed = (routeId === undefined ? [...routes.all()].reverse() : [knownRoute(routes, routeId)]).filter((stored) => missionId === undefined && (!activeOnly || summaryOf(stored).active));
      const pois: PoiRecord[] = [];
      let total = 0;
      for (const stored of listed) {
        const { waypoint_count: waypoints, poi_count: ofRoute } = summaryOf(stored);
        total += waypoints + ofRoute;
        if (pois.length < limit) pois.push(...poiRecordsOf(stored).slice(0, limit - pois.length));
      }
      return { pois, total, route_id: routeId ?? null, mission_id: missionId ?? null };
    });

    app.post(path, {
      schema: { hide, tags, summary: 'Add a point of interest to a route', body: PoiPost, response: { 201: PoiRecordBody, ...failures } },
    }, async (request, reply): Promise<PoiRecord> => {
      const body = objectBody(request.body);
      const routeId = routeIn(body);
      const stored = routeId === null ? meantBy(context, {}).stored : knownRoute(routes, routeId);
      if (stored === undefined) throw failure('invalid_request', 'A point of interest lies on a route, and none is active: say which by route_id', { range: 'the id of a route' });
      if ((body['name'] ?? null) === null) throw fieldFailure('name', body['name'], `text of 1..${LONGEST_NAME} characters`);
      const poi = readPoi(withLongitude(body), randomUUID(), placeNames);
      void reply.code(201);
      return recordOf(await addPoi(editor, stored.routeId, poi), poi.id);
    });
  }

  app.get('/api/pois/:poi_id', {
    schema: { tags, summary: 'A point of interest or a waypoint', params: PoiParam, querystring: PoiQuery, response: { 200: PoiRecordBody, ...failures } },
  }, async (request): Promise<PoiRecord> => recordOf(routeOfPoi(routes, request.params.poi_id, request.query.route_id), request.params.poi_id));

  app.put('/api/pois/:poi_id', {
    schema: { tags, summary: 'Change a point of interest: what is absent or null stays. Waypoints are changed with their route', params: PoiParam, querystring: PoiQuery, body: PoiPut, response: { 200: PoiRecordBody, ...failures } },
  }, async (request): Promise<PoiRecord> => {
    const { poi_id: poiId } = request.params;
    const stored = routeOfPoi(routes, poiId, request.query.route_id);
    refuseWaypoint(stored, poiId);
    const body = objectBody(request.body);
    const routeId = routeIn(body);
    if (routeId !== null && routeId !== stored.routeId) throw fieldFailure('route_id', routeId, `${JSON.stringify(stored.routeId)}, the route that it is on`);
    const changed = await putPoi(editor, stored.routeId, poiId, (known) => {
      if (known === undefined) throw poiNotFound(poiId);
      return readPoi({ ...fieldsOf(known), ...said(withLongitude(body)) }, poiId, placeNames);
    });
    return recordOf(changed, poiId);
  });

  app.delete('/api/pois/:poi_id', {
    schema: { tags, summary: 'Remove a point of interest', params: PoiParam, querystring: PoiQuery, response: { 204: Type.Null(), ...failures } },
  }, async (request, reply) => {
    const { poi_id: poiId } = request.params;
    const stored = routeOfPoi(routes, poiId, request.query.route_id);
    refuseWaypoint(stored, poiId);
    await removePoi(editor, stored.routeId, poiId);
    return await reply.code(204).send(null);
  });
}

const placeNames = { lat: 'latitude', lon: 'longitude' };

type Fields = Readonly<Record<string, unknown>>;

/** The route that a body names; null = none. */
function routeIn({ route_id: routeId = null, mission_id: missionId = null }: Fields): string | null {
  if (missionId !== null) throw fieldFailure('mission_id', missionId, 'null: there are no missions');
  if (routeId !== null && typeof routeId !== 'string') throw fieldFailure('route_id', routeId, 'the id of a route');
  return routeId;
}

/** Their clients may count longitudes 0..360. */
function withLongitude(body: Fields): Fields {
  const { longitude: lon } = body;
  return typeof lon === 'number' && lon > 180 && lon <= 360 ? { ...body, longitude: lon - 360 } : body;
}

/** A stored one as a body would say it. */
function fieldsOf({ lat, lon, ...rest }: PointOfInterest): Fields {
  return { ...rest, latitude: lat, longitude: lon };
}

/** Null says as little as absence. */
function said(body: Fields): Fields {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}
