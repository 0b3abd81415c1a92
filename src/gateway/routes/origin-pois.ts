import { Type } from 'typebox';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { EtaMode, VehicleParams } from '../origin/flight-schemas.ts';
import { iso } from '../iso.ts';
import { meantBy, type Meant } from '../journeys/meant.ts';
import { modeFields, modeOf, PoiWithEtaBody, poisWithEtas, type PoiWithEta } from '../origin/pois.ts';
import { outlookOfNobody, outlookOfPosition, outlookOfVehicle, type AskedPosition, type Outlook } from '../journeys/outlook.ts';
import { summaryOf } from '../journeys/route-views.ts';
import { failures } from '../schemas.ts';
import { phaseOf } from '../journeys/vehicle.ts';
import { requireVehicles } from './require-view.ts';

const tags = ['compatible'];
const APPROACHING_SEC = 1_800;
const NONE = 'No POIs available';

const positionFields = {
  latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90, description: 'With longitude: where to count from while no vehicle is followed' })),
  longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
  speed_knots: Type.Optional(Type.Number({ minimum: 0, maximum: 10_000, description: 'Default: as the plan has it' })),
};
const StatsQuery = Type.Object({ ...VehicleParams, ...positionFields });
const list = (description: string) => Type.Optional(Type.String({ maxLength: 500, description }));
const EtasQuery = Type.Object({
  ...VehicleParams, ...positionFields,
  status_filter: list('Of on_course, slightly_off, off_track, behind, with commas. What lies on the route is listed while it is ahead, whatever its bearing'),
  category: list('Categories with commas: departure, arrival and waypoint, and those of points of interest. What has no category is always listed'),
  active_only: Type.Optional(Type.Boolean({ default: true, description: 'Nothing of a route that is not active' })),
});

const NextBody = Type.Object({ name: Type.String({ description: `${NONE}: nothing is ahead` }), eta_seconds: Type.Number({ description: '-1 = there is none' }), ...modeFields });

type Query = { readonly race_id?: string; readonly route_id?: string; readonly latitude?: number; readonly longitude?: number; readonly speed_knots?: number };

/** Waypoints and points of interest with ETAs, in the names of the API that dashboards of flights know. */
export function originPoiRoutes(app: App, context: GatewayContext): void {
  const { clock } = context;
  app.addHook('preHandler', requireVehicles(context));

  const listed = (query: Query): { readonly mode: ReturnType<typeof modeOf>; readonly pois: PoiWithEta[] } => {
    const meant = meantBy(context, query);
    const outlook = outlookOf(meant, askedPosition(query), clock.nowMs());
    return { mode: modeOf(meant.vehicle === null ? null : phaseOf(meant.vehicle)), pois: outlook === null ? [] : poisWithEtas(meant.stored!, outlook) };
  };

  app.get('/api/pois/etas', {
    schema: {
      tags, summary: 'Waypoints and points of interest of a route with their ETAs, the nearest first', querystring: EtasQuery,
      response: { 200: Type.Object({ pois: Type.Array(PoiWithEtaBody), total: Type.Integer(), timestamp: Type.String({ format: 'date-time' }), eta_mode: EtaMode, flight_phase: modeFields.flight_phase }), ...failures },
    },
  }, async (request) => {
    const { status_filter: statuses, category, active_only: activeOnly = true } = request.query;
    const { mode, pois } = listed(request.query);
    const [wantedStatuses, wantedCategories] = [namesIn(statuses), namesIn(category)];
    const fits = (poi: PoiWithEta): boolean =>
      (!activeOnly || poi.active) && (wantedStatuses === null || hasStatus(poi, wantedStatuses)) && (wantedCategories === null || poi.category === null || wantedCategories.has(poi.category));
    const found = pois.filter(fits);
    return { pois: found, total: found.length, timestamp: iso(clock.nowMs()), eta_mode: mode.eta_type, flight_phase: mode.flight_phase };
  });

  app.get('/api/pois/count/total', {
    schema: { tags, summary: 'How many there are on a route', querystring: Type.Object(VehicleParams), response: { 200: Type.Object({ count: Type.Integer(), route_id: Type.Unsafe<string | null>({ type: ['string', 'null'] }) }), ...failures } },
  }, async (request) => {
    const { stored } = meantBy(context, request.query);
    const summary = stored === undefined ? null : summaryOf(stored);
    return { count: summary === null ? 0 : summary.waypoint_count + summary.poi_count, route_id: summary?.route_id ?? null };
  });

  for (const [path, summary] of [['next-destination', 'What is reached next, and when'], ['next-eta', 'When the next one is reached']] as const) {
    app.get(`/api/pois/stats/${path}`, { schema: { tags, summary, querystring: StatsQuery, response: { 200: NextBody, ...failures } } }, async (request) => {
      const { mode, pois } = listed(request.query);
      const next = nextOf(pois);
      return { name: next?.name ?? NONE, ...mode, eta_seconds: next?.eta_seconds ?? -1 };
    });
  }

  app.get('/api/pois/stats/approaching', {
    schema: { tags, summary: 'How many are reached within 30 minutes', querystring: StatsQuery, response: { 200: Type.Object({ count: Type.Integer() }), ...failures } },
  }, async (request) => ({ count: listed(request.query).pois.filter(({ eta_seconds: sec }) => sec >= 0 && sec < APPROACHING_SEC).length }));
}

/** null = no route is meant. */
function outlookOf({ vehicle, stored }: Meant, asked: AskedPosition | null, nowMs: number): Outlook | null {
  if (stored === undefined) return null;
  if (vehicle !== null) return outlookOfVehicle(vehicle, stored, nowMs);
  return asked === null ? outlookOfNobody(stored) : outlookOfPosition(asked, stored, nowMs);
}

function askedPosition({ latitude: lat, longitude: lon, speed_knots: knots }: Query): AskedPosition | null {
  if (lat === undefined && lon === undefined) return null;
  if (lat === undefined || lon === undefined) throw failure('invalid_request', 'latitude and longitude go together');
  return { lat, lon, knots: knots ?? null };
}

/** With an ETA the one that is first; where all stand still, the first on the way. */
function nextOf(pois: readonly PoiWithEta[]): PoiWithEta | undefined {
  const ahead = pois.filter(({ route_aware_status: status }) => status === 'ahead_on_route' || status === 'pre_departure');
  return ahead.find(({ eta_seconds: sec }) => sec >= 0) ?? ahead[0];
}

function hasStatus({ is_on_active_route: isOnRoute, route_aware_status: route, course_status: course }: PoiWithEta, wanted: ReadonlySet<string>): boolean {
  return isOnRoute ? route !== 'already_passed' : course !== null && wanted.has(course);
}

/** null = whatever. */
function namesIn(text: string | undefined): ReadonlySet<string> | null {
  const names = (text ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
  return names.length === 0 ? null : new Set(names);
}
