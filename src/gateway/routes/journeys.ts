import { Type } from 'typebox';
import { compileFilter } from '../../bridge/frames.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { journeyDetailsOf, journeyViewOf, JourneyBody, JourneyDetailsBody, type JourneyDetails, type JourneyView } from '../journeys/journey-views.ts';
import { failures, RaceIdParam } from '../schemas.ts';
import { requireVehicles } from './require-view.ts';

const tags = ['v1'];
const DEFAULT_LIMIT = 1_000;

const ListQuery = Type.Object({
  source: Type.Optional(Type.String({ maxLength: 200, description: 'A glob: * for any characters, ? for one' })),
  route: Type.Optional(Type.String({ maxLength: 200, description: 'A route_id' })),
  phase: Type.Optional(JourneyBody.properties.phase),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: DEFAULT_LIMIT })),
});

/** Vehicles under way: where they are, and when they will be where. Their ETAs are those of their races. */
export function journeyRoutes(app: App, context: GatewayContext): void {
  const { clock, journeys, routes, view } = context;
  app.addHook('preHandler', requireVehicles(context));

  app.get('/v1/journeys', {
    schema: { tags, summary: 'Vehicles that are followed, the most recently heard first', querystring: ListQuery, response: { 200: Type.Object({ journeys: Type.Array(JourneyBody), total: Type.Integer({ description: 'How many fit, whatever the limit' }) }), ...failures } },
  }, async (request): Promise<{ readonly journeys: JourneyView[]; readonly total: number }> => {
    const { source, route, phase, limit = DEFAULT_LIMIT } = request.query;
    const fits = compileFilter(source === undefined ? {} : { source });
    const found = [...journeys.all()].flatMap((seen) => {
      const race = view.get(seen.race_id);
      return race !== undefined && fits(race.facts) && (route === undefined || seen.route_id === route) && (phase === undefined || seen.phase === phase) ? [{ seen, race }] : [];
    });
    found.sort((a, b) => b.seen.at - a.seen.at || (a.seen.race_id < b.seen.race_id ? -1 : 1));
    return { journeys: found.slice(0, limit).map(({ seen, race }) => journeyViewOf(seen, race, routes.find(seen.route_id))), total: found.length };
  });

  app.get('/v1/journeys/:id', {
    schema: { tags, summary: 'One vehicle with its course, and all waypoints and points of interest of its route', params: RaceIdParam, response: { 200: JourneyDetailsBody, ...failures } },
  }, async (request): Promise<JourneyDetails> => {
    const { id } = request.params;
    const [seen, race] = [journeys.get(id), view.get(id)];
    if (seen === undefined || race === undefined) throw failure('not_found', `No vehicle is followed under the id ${JSON.stringify(id.slice(0, 200))}`);
    return journeyDetailsOf(seen, race, routes.find(seen.route_id), clock.nowMs());
  });
}
