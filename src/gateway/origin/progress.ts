import { Type, type Static } from 'typebox';
import { KNOT_MPS, type Place } from '../../journey/geodesy.ts';
import { nearestOnRoute, plannedSpeedMps, segmentAt, type Waypoint } from '../../journey/route.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import { instantOrNull } from './flight-schemas.ts';
import { isoOrNull } from '../iso.ts';
import { plannedDurationSec, timingOf } from './routes.ts';
import { targetOf, type Outlook } from '../journeys/outlook.ts';
import { maybe } from '../journeys/route-views.ts';

const etaFields = {
  estimated_time_remaining_seconds: maybe('number', 'null = it is behind, or neither a plan nor a speed is known'),
  estimated_speed_knots: maybe('number', 'Own, else as planned here; null = neither is known'),
};

export const WaypointEtaBody = Type.Object({
  waypoint_index: Type.Integer(), waypoint_name: Type.String(), waypoint_lat: Type.Number(), waypoint_lon: Type.Number(), expected_arrival_time: instantOrNull('By the plan'),
  distance_remaining_meters: Type.Number({ description: 'Along the route; 0 = it is behind' }), distance_remaining_km: Type.Number(), ...etaFields,
});

export const LocationEtaBody = Type.Object({
  target_lat: Type.Number(), target_lon: Type.Number(),
  distance_to_target_meters: Type.Number({ description: 'Along the route to where it comes nearest, and across from there' }), distance_to_target_km: Type.Number(), ...etaFields,
});

export const RouteProgressBody = Type.Object({
  current_waypoint_index: Type.Integer({ description: 'The nearest along the route' }), current_waypoint_name: Type.String(),
  progress_percent: Type.Number({ minimum: 0, maximum: 100 }),
  total_route_distance_meters: Type.Number(), distance_completed_meters: Type.Number(), distance_remaining_meters: Type.Number(),
  expected_total_duration_seconds: maybe('number', 'By the plan'), expected_duration_remaining_seconds: maybe('number', 'null = neither a plan nor a speed is known'),
  average_speed_knots: maybe('number', 'By the plan'),
});

/** An outlook with a position. */
export type Placed = Outlook & { readonly standing: NonNullable<Outlook['standing']> };

/** O(log points). */
export function waypointEtaOf(outlook: Placed, waypoint: Waypoint): Static<typeof WaypointEtaBody> {
  const { route, standing } = outlook;
  const metres = Math.max(0, waypoint.alongM - standing.alongM);
  return {
    waypoint_index: waypoint.index, waypoint_name: waypoint.name, waypoint_lat: waypoint.place.lat, waypoint_lon: waypoint.place.lon, expected_arrival_time: isoOrNull(waypoint.plannedAtMs),
    distance_remaining_meters: metres, distance_remaining_km: metres / 1000,
    estimated_time_remaining_seconds: waypoint.index < standing.next ? null : outlook.etaSec(targetOf(route, waypoint)), estimated_speed_knots: knotsOf(outlook),
  };
}

/** O(points). */
export function locationEtaOf(outlook: Placed, place: Place): Static<typeof LocationEtaBody> {
  const { alongM, offM, segment } = nearestOnRoute(outlook.route, place);
  const isBehind = alongM < outlook.standing.alongM;
  const metres = Math.abs(alongM - outlook.standing.alongM) + offM;
  const target = { poi: { id: 'target', name: 'target', ...place, radius_m: 0 }, alongM, offM, segment, index: null };
  return {
    target_lat: place.lat, target_lon: place.lon, distance_to_target_meters: metres, distance_to_target_km: metres / 1000,
    estimated_time_remaining_seconds: isBehind ? null : outlook.etaSec(target), estimated_speed_knots: knotsOf(outlook),
  };
}

/** O(waypoints). */
export function routeProgressOf(outlook: Placed, stored: StoredRoute): Static<typeof RouteProgressBody> {
  const { route: { waypoints, totalM }, standing: { alongM } } = outlook;
  const nearest = waypoints.reduce((best, waypoint) => (Math.abs(waypoint.alongM - alongM) < Math.abs(best.alongM - alongM) ? waypoint : best));
  const totalSec = plannedDurationSec(timingOf(stored));
  return {
    current_waypoint_index: nearest.index, current_waypoint_name: nearest.name, progress_percent: Math.min(100, (100 * alongM) / totalM),
    total_route_distance_meters: totalM, distance_completed_meters: alongM, distance_remaining_meters: Math.max(0, totalM - alongM),
    expected_total_duration_seconds: totalSec, expected_duration_remaining_seconds: outlook.etaSec(targetOf(outlook.route, waypoints.at(-1)!)),
    average_speed_knots: totalSec === null || totalSec <= 0 ? null : totalM / totalSec / KNOT_MPS,
  };
}

function knotsOf({ route, standing }: Placed): number | null {
  const mps = standing.mps ?? plannedSpeedMps(route, segmentAt(route, standing.alongM));
  return mps === null ? null : mps / KNOT_MPS;
}
