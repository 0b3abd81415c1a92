import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { LONGEST_NAME } from '../../journey/route.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { knownRoute } from '../journeys/route-editor.ts';
import { addPoi, poiFields, putPoi, readPoi, removePoi } from '../journeys/route-pois.ts';
import { routeInFile } from '../journeys/route-upload.ts';
import { PoiBody, RouteSummaryBody, RouteViewBody, routeViewOf, summaryOf, type RouteSummary, type RouteView } from '../journeys/route-views.ts';
import { failures } from '../schemas.ts';
import { objectBody } from '../validation.ts';

const MAX_FILE_BYTES = 5 * 1024 * 1024;
const tags = ['v1'];
const fileTypes = [
  'application/json', 'application/geo+json', 'application/vnd.google-earth.kml+xml', 'application/gpx+xml', 'application/xml', 'text/xml',
];

const RouteParam = Type.Object({ id: Type.String() });
const PoiParam = Type.Object({ id: Type.String(), poi: Type.String() });
const FileQuery = Type.Object({
  route_id: Type.Optional(Type.String({ description: 'Default: what the file says, else a UUID. The id of a route that is there replaces it' })),
  name: Type.Optional(Type.String({ maxLength: 200, description: 'Default: what the file says' })),
});
const ListQuery = Type.Object({ active: Type.Optional(Type.Boolean()), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Default: 1,000' })) });
const PoiPut = Type.Object({
  name: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], minLength: 1, maxLength: LONGEST_NAME, description: 'Default: its id' })), lat: Type.Number({ minimum: -90, maximum: 90 }), lon: Type.Number({ minimum: -180, maximum: 180 }),
  ...poiFields,
});
const PoiPost = Type.Intersect([Type.Object({ id: Type.Optional(Type.String({ maxLength: 200, description: 'Default: a UUID' })) }), PoiPut]);

/** Routes that vehicles travel: files in, what is known of them out, points of interest beside them. */
export function travelRoutes(app: App, context: GatewayContext): void {
  const { routes, routeEditor: editor } = context;
  app.addHook('preHandler', async () => {
    if (!routes.isCaughtUp()) throw failure('not_ready', 'The routes are still being read from the log');
  });

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(fileTypes, { parseAs: 'buffer', bodyLimit: MAX_FILE_BYTES }, (_request, body, done) => done(null, body));
    scope.post('/v1/routes', {
      bodyLimit: MAX_FILE_BYTES,
      schema: {
        tags, summary: 'Store a route: KML, GPX, GeoJSON, or the JSON of a Route; at most 5 MB. A file that is none is refused with its line and a reason',
        consumes: fileTypes, querystring: FileQuery, body: Type.String({ description: 'The file' }), response: { 200: RouteViewBody, 201: RouteViewBody, ...failures },
      },
    }, async (request, reply): Promise<RouteView> => {
      const { route_id: routeId, name } = request.query as { readonly route_id?: string; readonly name?: string };
      const read = routeInFile(request.body, routeId ?? randomUUID(), context.readRouteFile);
      const record = { ...read, ...(routeId === undefined ? {} : { route_id: routeId }), ...(name === undefined ? {} : { name }) };
      void reply.code(routes.find(record.route_id) === undefined ? 201 : 200);
      return routeViewOf(await editor.put(record));
    });
  });

  app.get('/v1/routes', {
    schema: { tags, summary: 'Routes, the last changed first', querystring: ListQuery, response: { 200: Type.Object({ routes: Type.Array(RouteSummaryBody), total: Type.Integer({ description: 'Of all that fit' }) }), ...failures } },
  }, async (request): Promise<{ readonly routes: RouteSummary[]; readonly total: number }> => {
    const { active, limit = 1_000 } = request.query;
    const found = [...routes.all()].map(summaryOf).filter((route) => active === undefined || route.active === active);
    return { routes: found.reverse().slice(0, limit), total: found.length };
  });

  app.get('/v1/routes/:id', {
    schema: { tags, summary: 'A route with its line, waypoints and points of interest', params: RouteParam, response: { 200: RouteViewBody, ...failures } },
  }, async (request): Promise<RouteView> => routeViewOf(knownRoute(routes, request.params.id)));

  app.delete('/v1/routes/:id', {
    schema: { tags, summary: 'Delete a route; vehicles under way on it are no longer followed', params: RouteParam, response: { 200: Type.Object({ route_id: Type.String() }), ...failures } },
  }, async (request) => {
    await editor.remove(request.params.id);
    return { route_id: request.params.id };
  });

  for (const [action, active] of [['activate', true], ['deactivate', false]] as const) {
    app.post(`/v1/routes/:id/${action}`, {
      schema: { tags, summary: active ? 'Follow vehicles on a route' : 'Follow no vehicle on a route any more', params: RouteParam, response: { 200: RouteSummaryBody, ...failures } },
    }, async (request): Promise<RouteSummary> => summaryOf(await editor.change(request.params.id, (record) => ({ ...record, active }))));
  }

  app.get('/v1/routes/:id/pois', {
    schema: { tags, summary: 'Points of interest of a route', params: RouteParam, response: { 200: Type.Object({ pois: Type.Array(PoiBody) }), ...failures } },
  }, async (request) => ({ pois: knownRoute(routes, request.params.id).read().record.pois }));

  app.post('/v1/routes/:id/pois', {
    schema: { tags, summary: 'Add a point of interest', params: RouteParam, body: PoiPost, response: { 201: PoiBody, ...failures } },
  }, async (request, reply) => {
    const body = objectBody(request.body);
    const poi = readPoi(body, body['id'] ?? randomUUID());
    await addPoi(editor, request.params.id, poi);
    void reply.code(201);
    return poi;
  });

  app.put('/v1/routes/:id/pois/:poi', {
    schema: { tags, summary: 'Replace a point of interest, or add it', params: PoiParam, body: PoiPut, response: { 200: PoiBody, ...failures } },
  }, async (request) => {
    const poi = readPoi(objectBody(request.body), request.params.poi);
    await putPoi(editor, request.params.id, poi.id, () => poi);
    return poi;
  });

  app.delete('/v1/routes/:id/pois/:poi', {
    schema: { tags, summary: 'Remove a point of interest', params: PoiParam, response: { 200: Type.Object({ id: Type.String() }), ...failures } },
  }, async (request) => {
    await removePoi(editor, request.params.id, request.params.poi);
    return { id: request.params.poi };
  });
}
