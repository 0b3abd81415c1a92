import { Type, type Static } from 'typebox';
import type { Route, RouteRecord } from '../../journey/route.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import { textOrNull } from '../origin/flight-schemas.ts';

// What the API shows of a route. Instants are epoch ms, lengths metres.

export const maybe = (of: 'string' | 'number' | 'integer', description: string) => Type.Unsafe<number | null>({ type: [of, 'null'], description });

const summaryFields = {
  route_id: Type.String(),
  name: Type.String(),
  version: Type.Integer({ description: 'Grows with each change' }),
  active: Type.Boolean({ description: 'Vehicles on it are followed' }),
  points: Type.Integer({ description: 'Points of its line' }),
  waypoint_count: Type.Integer(),
  poi_count: Type.Integer(),
  length_m: Type.Number(),
  planned_departure_at: maybe('integer', 'When the plan leaves the first waypoint, epoch ms'),
  planned_arrival_at: maybe('integer', 'When the plan reaches the last one'),
};

export const RouteSummaryBody = Type.Object(summaryFields);
export type RouteSummary = Static<typeof RouteSummaryBody>;

export const PoiBody = Type.Object({
  id: Type.String(), name: Type.String(), lat: Type.Number(), lon: Type.Number(), radius_m: maybe('number', 'How near counts as there'),
  icon: textOrNull('What a map shows for it'), category: textOrNull('Any word'), description: textOrNull('Any text'),
});

export const RouteViewBody = Type.Object({
  ...summaryFields,
  line: Type.Array(Type.Array(Type.Number()), { description: '[lon, lat] of every point, as in GeoJSON' }),
  waypoints: Type.Array(Type.Object({
    index: Type.Integer(), name: Type.String(), lat: Type.Number(), lon: Type.Number(), along_m: Type.Number({ description: 'Metres from the start' }),
    planned_at: maybe('integer', 'Epoch ms'), dwell_sec: Type.Number(),
  })),
  pois: Type.Array(PoiBody),
});
export type RouteView = Static<typeof RouteViewBody>;
export type RouteWaypoint = RouteView['waypoints'][number];

/** Summaries of all routes are asked for again and again; each is made once. */
const summaries = new WeakMap<StoredRoute, RouteSummary>();

/** O(1) but for the first time: then O(points). */
export function summaryOf(stored: StoredRoute): RouteSummary {
  let summary = summaries.get(stored);
  if (summary === undefined) {
    const { record, route } = stored.read();
    summary = summarise(stored, record, route);
    summaries.set(stored, summary);
  }
  return summary;
}

const waypointsOfRoutes = new WeakMap<StoredRoute, RouteWaypoint[]>();

/** O(1) but for the first time: then O(points). */
export function waypointsOf(stored: StoredRoute): readonly RouteWaypoint[] {
  let waypoints = waypointsOfRoutes.get(stored);
  if (waypoints === undefined) {
    waypoints = waypointViews(stored.read().route);
    waypointsOfRoutes.set(stored, waypoints);
  }
  return waypoints;
}

/** O(points). */
export function routeViewOf(stored: StoredRoute): RouteView {
  const { record, route } = stored.read();
  return {
    ...summarise(stored, record, route),
    line: record.points.map(({ lon, lat }) => [lon, lat]),
    waypoints: waypointViews(route),
    pois: record.pois,
  };
}

function waypointViews({ waypoints }: Route): RouteWaypoint[] {
  return waypoints.map(({ index, name, place, alongM, plannedAtMs, dwellSec }) => ({ index, name, ...place, along_m: alongM, planned_at: plannedAtMs, dwell_sec: dwellSec }));
}

function summarise({ version }: StoredRoute, { route_id: routeId, name, active, points, pois }: RouteRecord, { waypoints, totalM }: Route): RouteSummary {
  return {
    route_id: routeId, name, version, active, points: points.length, waypoint_count: waypoints.length, poi_count: pois.length, length_m: totalM,
    planned_departure_at: waypoints[0]?.plannedAtMs ?? null, planned_arrival_at: waypoints.at(-1)?.plannedAtMs ?? null,
  };
}
