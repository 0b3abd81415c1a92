import { Type, type Static } from 'typebox';
import { KNOT_MPS, type Place } from '../../journey/geodesy.ts';
import { etaTypeOf } from '../../journey/phases.ts';
import { plannedSpeedsMps, type Route } from '../../journey/route.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import { instantOrNull, PhaseName, textOrNull, type EtaMode } from './flight-schemas.ts';
import { iso, isoOrNull } from '../iso.ts';
import { maybe, summaryOf } from '../journeys/route-views.ts';
import { phaseOf, type Vehicle } from '../journeys/vehicle.ts';

// Routes in the names of the API that dashboards of flights know. Lengths are metres and kilometres, speeds knots, instants ISO 8601.

const TimingProfileBody = Type.Object({
  departure_time: instantOrNull('By the plan'),
  arrival_time: instantOrNull('By the plan'),
  total_expected_duration_seconds: maybe('number', 'Between the two'),
  actual_departure_time: instantOrNull('null = the vehicle has not left'),
  actual_arrival_time: instantOrNull('null = the vehicle is not there'),
  flight_status: PhaseName,
  has_timing_data: Type.Boolean(),
  segment_count_with_timing: Type.Integer({ description: 'Segments of its line that the plan gives a speed for' }),
});
type TimingProfile = Static<typeof TimingProfileBody>;

const routeFields = {
  id: Type.String(),
  name: Type.String(),
  description: textOrNull('Always null: routes have none'),
  point_count: Type.Integer(),
  is_active: Type.Boolean({ description: 'Vehicles on it are followed. Any number of routes may be active' }),
  imported_at: Type.String({ format: 'date-time', description: 'When it was stored or changed last' }),
  has_timing_data: Type.Boolean(),
  timing_profile: Type.Unsafe<TimingProfile | null>({ anyOf: [{ type: 'null' }, TimingProfileBody], description: 'null = nothing of it is planned' }),
  flight_phase: Type.Unsafe<Static<typeof PhaseName> | null>({ type: ['string', 'null'], description: 'Of the vehicle on it; null = there is none' }),
  eta_mode: Type.Unsafe<Static<typeof EtaMode> | null>({ type: ['string', 'null'], description: 'Of the vehicle on it, while the route is active' }),
};

export const OriginRouteBody = Type.Object({
  ...routeFields,
  imported_poi_count: maybe('integer', 'On upload: waypoints and points of interest'),
  skipped_poi_count: maybe('integer', 'On upload: always 0, a bad file is refused as a whole'),
});
export type OriginRoute = Static<typeof OriginRouteBody>;

const BoundsBody = Type.Object({ min_lat: Type.Number(), max_lat: Type.Number(), min_lon: Type.Number({ description: 'Its western end: above max_lon where the route crosses 180°' }), max_lon: Type.Number() });

export const OriginRouteStatsBody = Type.Object({ distance_meters: Type.Number(), distance_km: Type.Number(), point_count: Type.Integer(), bounds: BoundsBody });

export const OriginRouteDetailBody = Type.Object({
  ...routeFields,
  file_path: Type.String({ description: 'What a download is called' }),
  points: Type.Array(Type.Object({
    latitude: Type.Number(), longitude: Type.Number(), altitude: maybe('number', 'Always null'), sequence: Type.Integer(), expected_arrival_time: instantOrNull('By the plan'),
    expected_segment_speed_knots: maybe('number', 'By the plan, on the segment that ends here'),
  })),
  statistics: Type.Object({ distance_meters: Type.Number(), distance_km: Type.Number(), bounds: BoundsBody }),
  poi_count: Type.Integer(),
  waypoints: Type.Array(Type.Object({
    name: Type.String(), description: textOrNull('Always null'), style_url: textOrNull('Always null'), latitude: Type.Number(), longitude: Type.Number(), altitude: maybe('number', 'Always null'),
    order: Type.Integer(), role: Type.Enum(['departure', 'waypoint', 'arrival']), expected_arrival_time: instantOrNull('By the plan'),
  })),
});
export type OriginRouteDetail = Static<typeof OriginRouteDetailBody>;

/** What the plan of a route says as a whole. */
type Timing = { readonly hasTiming: boolean; readonly departsAtMs: number | null; readonly arrivesAtMs: number | null; readonly segments: number };

const timings = new WeakMap<StoredRoute, Timing>();

/** O(1) but for the first time: then O(points). */
export function timingOf(stored: StoredRoute): Timing {
  let timing = timings.get(stored);
  if (timing === undefined) {
    timing = readTiming(stored.read().route);
    timings.set(stored, timing);
  }
  return timing;
}

function readTiming({ waypoints }: Route): Timing {
  const timed = waypoints.filter(({ plannedAtMs }) => plannedAtMs !== null);
  let segments = 0;
  for (const [i, to] of timed.entries()) {
    const from = timed[i - 1];
    if (from !== undefined && to.plannedAtMs! - from.plannedAtMs! > 1000 * from.dwellSec) segments += to.point - from.point;
  }
  return { hasTiming: timed.length > 0, departsAtMs: waypoints[0]?.plannedAtMs ?? null, arrivesAtMs: waypoints.at(-1)?.plannedAtMs ?? null, segments };
}

/** Seconds between the planned ends of a route; null = the plan lacks one. */
export function plannedDurationSec({ departsAtMs, arrivesAtMs }: Timing): number | null {
  return departsAtMs === null || arrivesAtMs === null ? null : (arrivesAtMs - departsAtMs) / 1000;
}

function profileOf(timing: Timing, vehicle: Vehicle | undefined): TimingProfile {
  const state = vehicle === undefined ? null : phaseOf(vehicle);
  return {
    departure_time: isoOrNull(timing.departsAtMs), arrival_time: isoOrNull(timing.arrivesAtMs), total_expected_duration_seconds: plannedDurationSec(timing),
    actual_departure_time: isoOrNull(state?.departedAtMs ?? null), actual_arrival_time: isoOrNull(state?.arrivedAtMs ?? null), flight_status: state?.phase ?? 'pre_departure',
    has_timing_data: timing.hasTiming, segment_count_with_timing: timing.segments,
  };
}

/** `vehicle` = the one that requests for this route mean. O(1) but for a new route. */
export function originRouteOf(stored: StoredRoute, vehicle: Vehicle | undefined): OriginRoute {
  return { ...fieldsOf(stored, vehicle), imported_poi_count: null, skipped_poi_count: null };
}

function fieldsOf(stored: StoredRoute, vehicle: Vehicle | undefined): Omit<OriginRoute, 'imported_poi_count' | 'skipped_poi_count'> {
  const { route_id: id, name, points, active } = summaryOf(stored);
  const timing = timingOf(stored);
  const state = vehicle === undefined ? null : phaseOf(vehicle);
  return {
    id, name, description: null, point_count: points, is_active: active, imported_at: iso(stored.storedAtMs),
    has_timing_data: timing.hasTiming, timing_profile: timing.hasTiming ? profileOf(timing, vehicle) : null, flight_phase: state?.phase ?? null, eta_mode: state === null || !active ? null : etaTypeOf(state),
  };
}

/** O(points). */
export function originRouteDetailOf(stored: StoredRoute, vehicle: Vehicle | undefined): OriginRouteDetail {
  const { record, route } = stored.read();
  const { waypoints } = route;
  const speeds = plannedSpeedsMps(route);
  const { distance_meters, distance_km, bounds } = originRouteStatsOf(stored);
  return {
    ...fieldsOf(stored, vehicle),
    file_path: fileNameOf(stored),
    points: record.points.map(({ lat, lon, planned_at }, sequence) => {
      const mps = speeds[sequence - 1] ?? null;
      return { latitude: lat, longitude: lon, altitude: null, sequence, expected_arrival_time: isoOrNull(planned_at), expected_segment_speed_knots: mps === null ? null : mps / KNOT_MPS };
    }),
    statistics: { distance_meters, distance_km, bounds },
    poi_count: waypoints.length + record.pois.length,
    waypoints: waypoints.map(({ index, name, place, plannedAtMs }) => ({
      name, description: null, style_url: null, latitude: place.lat, longitude: place.lon, altitude: null, order: index, role: roleOf(index, waypoints.length), expected_arrival_time: isoOrNull(plannedAtMs),
    })),
  };
}

export function roleOf(index: number, count: number): 'departure' | 'waypoint' | 'arrival' {
  if (index === 0) return 'departure';
  return index === count - 1 ? 'arrival' : 'waypoint';
}

/** O(points). */
export function originRouteStatsOf(stored: StoredRoute): Static<typeof OriginRouteStatsBody> {
  const { record, route: { totalM } } = stored.read();
  return { distance_meters: totalM, distance_km: totalM / 1000, point_count: record.points.length, bounds: boundsOf(record.points) };
}

export function fileNameOf({ routeId }: StoredRoute): string {
  return `${routeId}.kml`;
}

/** The box around a line, each point counted on from the one before the short way round: no seam at 180°. */
function boundsOf(points: readonly Place[]): Static<typeof BoundsBody> {
  let [west, east] = [Infinity, -Infinity];
  let [south, north] = [90, -90];
  let lon = points[0]!.lon;
  for (const point of points) {
    lon += ((point.lon - lon + 540) % 360 + 360) % 360 - 180;
    [west, east, south, north] = [Math.min(west, lon), Math.max(east, lon), Math.min(south, point.lat), Math.max(north, point.lat)];
  }
  const whole = east - west >= 360;
  return { min_lat: south, max_lat: north, min_lon: whole ? -180 : within180(west), max_lon: whole ? 180 : within180(east) };
}

function within180(lon: number): number {
  return lon >= -180 && lon <= 180 ? lon : ((lon + 540) % 360 + 360) % 360 - 180;
}

export const OriginTimingBody = Type.Object({
  has_timing_data: Type.Boolean(),
  message: Type.Optional(Type.String({ description: 'Why there is none' })),
}, { additionalProperties: true, description: 'With a plan: the fields of a timing profile, and route_name, is_departed, is_in_flight, total_duration_readable' });

/** The plan of a route and what has become of it. */
export function activeTimingOf(stored: StoredRoute, vehicle: Vehicle | undefined): Static<typeof OriginTimingBody> & Record<string, unknown> {
  const timing = timingOf(stored);
  if (!timing.hasTiming) return { has_timing_data: false, message: 'Active route has no timing data' };
  const profile = profileOf(timing, vehicle);
  const total = profile.total_expected_duration_seconds;
  return {
    route_name: summaryOf(stored).name, ...profile, is_departed: profile.flight_status !== 'pre_departure', is_in_flight: profile.flight_status === 'in_flight',
    total_duration_readable: total === null ? null : readable(total),
  };
}

/** HH:MM:SS. */
function readable(sec: number): string {
  return [sec / 3600, (sec % 3600) / 60, sec % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':');
}
