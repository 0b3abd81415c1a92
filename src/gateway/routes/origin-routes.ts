import { Type } from 'typebox';
import { KNOT_MPS } from '../../journey/geodesy.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure, type HttpFailure } from '../failures.ts';
import { VehicleParams } from '../origin/flight-schemas.ts';
import { formFile } from '../form-file.ts';
import { activeRoute, meantBy } from '../journeys/meant.ts';
import { locationEtaOf, LocationEtaBody, routeProgressOf, RouteProgressBody, waypointEtaOf, WaypointEtaBody, type Placed } from '../origin/progress.ts';
import {
  activeTimingOf, fileNameOf, originRouteDetailOf, originRouteOf, originRouteStatsOf, OriginRouteBody, OriginRouteDetailBody, OriginRouteStatsBody, OriginTimingBody, type OriginRoute,
} from '../origin/routes.ts';
import { outlookOfPosition, outlookOfVehicle } from '../journeys/outlook.ts';
import { knownRoute } from '../journeys/route-editor.ts';
import { kmlOf } from '../journeys/route-kml.ts';
import { routeInFile } from '../journeys/route-upload.ts';
import { summaryOf } from '../journeys/route-views.ts';
import { failures, textAnswer } from '../schemas.ts';
import { vehicleOf, vehiclesByRoute, type Vehicle } from '../journeys/vehicle.ts';
import { requireVehicles } from './require-view.ts';

const MAX_FILE_BYTES = 5 * 1024 * 1024;
/** Around the file: the other parts of its form. */
const MAX_FORM_BYTES = MAX_FILE_BYTES + 64 * 1024;
const DEFAULT_LIMIT = 1_000;
const KML_TYPE = 'application/vnd.google-earth.kml+xml';
const tags = ['compatible'];

const RouteParam = Type.Object({ id: Type.String() });
const lat = (description: string) => Type.Number({ minimum: -90, maximum: 90, description });
const lon = (description: string) => Type.Number({ minimum: -180, maximum: 180, description });
const positionFields = {
  current_position_lat: Type.Optional(lat('With its longitude: where to count from; default: where the vehicle on the route is')),
  current_position_lon: Type.Optional(lon('')),
  current_speed_knots: Type.Optional(Type.Number({ minimum: 0, maximum: 10_000, description: 'Default: as the plan has it' })),
  race_id: VehicleParams.race_id,
};
const PositionQuery = Type.Object(positionFields);
type PositionQuery = { readonly current_position_lat?: number; readonly current_position_lon?: number; readonly current_speed_knots?: number; readonly race_id?: string };

/** In the words that their clients know. */
function indexRefused(index: number, count: number): HttpFailure {
  return failure('invalid_request', `Waypoint index ${index} out of range (route has ${count} waypoints)`, { value: index, range: `0..${count - 1}` });
}

/** Routes in the names of the API that dashboards of flights know. */
export function originRouteRoutes(app: App, context: GatewayContext): void {
  const { clock, routes, routeEditor: editor } = context;
  app.addHook('preHandler', requireVehicles(context));

  const shown = (stored: StoredRoute): OriginRoute => originRouteOf(stored, vehicleOn(stored));
  const vehicleOn = ({ routeId }: StoredRoute): Vehicle | undefined => vehicleOf(context, { route_id: routeId }) ?? undefined;

  const listSchema = {
    tags, summary: 'Routes, the last changed first',
    querystring: Type.Object({ active: Type.Optional(Type.Boolean()), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: DEFAULT_LIMIT })) }),
    response: { 200: Type.Object({ routes: Type.Array(OriginRouteBody), total: Type.Integer({ description: 'Of all that fit, whatever the limit' }) }), ...failures },
  };
  for (const [path, isHidden] of [['/api/routes', false], ['/api/routes/', true]] as const) {
    app.get(path, { schema: { ...listSchema, hide: isHidden } }, async (request): Promise<{ readonly routes: OriginRoute[]; readonly total: number }> => {
      const { active, limit = DEFAULT_LIMIT } = request.query;
      const found = [...routes.all()].filter((stored) => active === undefined || summaryOf(stored).active === active).reverse();
      const vehicles = vehiclesByRoute(context);
      return { routes: found.slice(0, limit).map((stored) => originRouteOf(stored, vehicles.get(stored.routeId))), total: found.length };
    });
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('multipart/form-data', { parseAs: 'buffer', bodyLimit: MAX_FORM_BYTES }, (_request, body, done) => done(null, body));
    scope.post('/api/routes/upload', {
      bodyLimit: MAX_FORM_BYTES,
      schema: {
        tags, summary: 'Store a route from a file of a form: KML, GPX, GeoJSON or JSON of at most 5 MB. Its id is the name of the file; one that is taken gets a number',
        consumes: ['multipart/form-data'], body: Type.Object({ file: Type.Unsafe({ type: 'string', format: 'binary' }) }),
        querystring: Type.Object({ import_pois: Type.Optional(Type.Boolean({ description: 'Whether to count them: waypoints are always among the points of interest' })) }),
        response: { 201: OriginRouteBody, ...failures },
      },
    }, async (request, reply): Promise<OriginRoute> => {
      const { name, bytes } = await formFile(request.body, request.headers['content-type']);
      if (bytes.length > MAX_FILE_BYTES) throw failure('too_large', `The file must have at most ${MAX_FILE_BYTES} bytes`);
      const routeId = name.replace(/^.*[\\/]/, '').replace(/\.[^.]*$/, '');
      const stored = await editor.add({ ...routeInFile(bytes, routeId, context.readRouteFile), route_id: routeId });
      const { waypoint_count: waypoints, poi_count: pois } = summaryOf(stored);
      void reply.code(201);
      const { import_pois: isCounted = true } = request.query as { readonly import_pois?: boolean };
      return { ...shown(stored), ...(isCounted ? { imported_poi_count: waypoints + pois, skipped_poi_count: 0 } : {}) };
    });
  });

  app.get('/api/routes/active/timing', {
    schema: { tags, summary: 'The plan of the active route and what has become of it', querystring: Type.Object(VehicleParams), response: { 200: OriginTimingBody, ...failures } },
  }, async (request) => {
    const { vehicle, stored } = meantBy(context, request.query);
    return stored === undefined ? { has_timing_data: false, message: 'No active route' } : activeTimingOf(stored, vehicle ?? undefined);
  });

  app.post('/api/routes/deactivate', {
    schema: { tags, summary: 'Follow no vehicle on the active route any more', querystring: Type.Object(VehicleParams), response: { 200: Type.Object({ message: Type.String() }), ...failures } },
  }, async (request) => {
    const { stored } = meantBy(context, request.query);
    if (stored !== undefined) await editor.change(stored.routeId, (record) => ({ ...record, active: false }));
    return { message: 'Route deactivated successfully' };
  });

  app.get('/api/routes/live-mode/active-route-eta', {
    schema: {
      tags, summary: 'How far along the active route somebody is, and when at its next waypoint', querystring: PositionQuery,
      response: { 200: Type.Object({ has_active_route: Type.Boolean() }, { additionalProperties: true, description: 'With a route: route_name, current_position, progress, timing_profile, next_waypoint_eta' }), ...failures },
    },
  }, async (request) => {
    const stored = request.query.race_id === undefined ? (vehicleOf(context, {})?.stored ?? activeRoute(routes)) : meantBy(context, { race_id: request.query.race_id }).stored;
    if (stored === undefined) return { has_active_route: false, message: 'No active route' };
    const outlook = placed(stored, request.query);
    const { standing, route: { waypoints } } = outlook;
    const next = waypoints[Math.min(standing.next, waypoints.length - 1)]!;
    const { has_timing_data, timing_profile: profile, name } = shown(stored);
    return {
      has_active_route: true, route_name: name, current_position: { latitude: standing.place.lat, longitude: standing.place.lon, speed_knots: standing.mps === null ? null : standing.mps / KNOT_MPS }, progress: routeProgressOf(outlook, stored),
      timing_profile: profile === null ? {} : { has_timing_data, departure_time: profile.departure_time, arrival_time: profile.arrival_time, total_duration_seconds: profile.total_expected_duration_seconds },
      next_waypoint_eta: waypointEtaOf(outlook, next),
    };
  });

  app.get('/api/routes/:id', {
    schema: { tags, summary: 'A route with its points, waypoints and plan', params: RouteParam, response: { 200: OriginRouteDetailBody, ...failures } },
  }, async (request) => {
    const stored = knownRoute(routes, request.params.id);
    return originRouteDetailOf(stored, vehicleOn(stored));
  });

  app.delete('/api/routes/:id', { schema: { tags, summary: 'Delete a route', params: RouteParam, response: { 204: Type.Null(), ...failures } } }, async (request, reply) => {
    await editor.remove(request.params.id);
    return await reply.code(204).send(null);
  });

  for (const [action, active] of [['activate', true], ['deactivate', false]] as const) {
    app.post(`/api/routes/:id/${action}`, {
      schema: { tags, summary: active ? 'Follow vehicles on a route; others stay active' : 'Follow no vehicle on a route any more', params: RouteParam, response: { 200: OriginRouteBody, ...failures } },
    }, async (request) => shown(await editor.change(request.params.id, (record) => ({ ...record, active }))));
  }

  app.get('/api/routes/:id/download', {
    schema: { tags, summary: 'A route as KML', params: RouteParam, response: { 200: textAnswer('A file', KML_TYPE), ...failures } },
  }, async (request, reply) => {
    const stored = knownRoute(routes, request.params.id);
    void reply.type(KML_TYPE).header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(fileNameOf(stored))}`);
    return kmlOf(stored.read().record);
  });

  app.get('/api/routes/:id/stats', {
    schema: { tags, summary: 'Length and bounds of a route', params: RouteParam, response: { 200: OriginRouteStatsBody, ...failures } },
  }, async (request) => originRouteStatsOf(knownRoute(routes, request.params.id)));

  app.get('/api/routes/:id/eta/waypoint/:index', {
    schema: { tags, summary: 'When somebody is at a waypoint', params: Type.Object({ id: Type.String(), index: Type.Integer({ minimum: 0 }) }), querystring: PositionQuery, response: { 200: WaypointEtaBody, ...failures } },
  }, async (request) => {
    const outlook = placed(knownRoute(routes, request.params.id), request.query);
    const { waypoints } = outlook.route;
    const waypoint = waypoints[request.params.index];
    if (waypoint === undefined) throw indexRefused(request.params.index, waypoints.length);
    return waypointEtaOf(outlook, waypoint);
  });

  app.get('/api/routes/:id/eta/location', {
    schema: {
      tags, summary: 'When somebody is at a place on or beside a route', params: RouteParam,
      querystring: Type.Object({ latitude: lat('Of the place'), longitude: lon('Of the place'), ...positionFields }), response: { 200: LocationEtaBody, ...failures },
    },
  }, async (request) => locationEtaOf(placed(knownRoute(routes, request.params.id), request.query), { lat: request.query.latitude, lon: request.query.longitude }));

  app.get('/api/routes/:id/progress', {
    schema: { tags, summary: 'How far along a route somebody is', params: RouteParam, querystring: PositionQuery, response: { 200: RouteProgressBody, ...failures } },
  }, async (request) => {
    const stored = knownRoute(routes, request.params.id);
    return routeProgressOf(placed(stored, request.query), stored);
  });

  /** The outlook from the position asked for, else of the vehicle on the route. */
  function placed(stored: StoredRoute, { current_position_lat: atLat, current_position_lon: atLon, current_speed_knots: knots, race_id: raceId }: PositionQuery): Placed {
    if ((atLat === undefined) !== (atLon === undefined)) throw failure('invalid_request', 'current_position_lat and current_position_lon go together');
    const { vehicle } = atLat === undefined ? meantBy(context, { route_id: stored.routeId, ...(raceId === undefined ? {} : { race_id: raceId }) }) : { vehicle: null };
    const outlook = atLat === undefined || atLon === undefined
      ? (vehicle === null ? null : outlookOfVehicle(vehicle, stored, clock.nowMs()))
      : outlookOfPosition({ lat: atLat, lon: atLon, knots: knots ?? null }, stored, clock.nowMs());
    if (outlook?.standing == null) throw failure('invalid_request', 'No vehicle is followed on the route: say where you are with current_position_lat and current_position_lon');
    return { ...outlook, standing: outlook.standing };
  }
}
