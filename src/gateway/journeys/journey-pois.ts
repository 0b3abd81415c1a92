import { Type, type Static } from 'typebox';
import { bearingDeg, courseStatus, KNOT_MPS } from '../../journey/geodesy.ts';
import { metresTo, poiEtaMs, poiStatus, projectPois, type PoiProjection } from '../../journey/pois.ts';
import { plannedSpeedMps, type Route } from '../../journey/route.ts';
import { STANDS_BELOW_KN } from '../../journey/speed.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import type { SeenJourney } from './journeys.ts';
import { maybe } from './route-views.ts';

const courseStatuses = ['on_course', 'slightly_off', 'off_track', 'behind'] as const;
export const CourseStatusOrNull = Type.Unsafe<(typeof courseStatuses)[number] | null>({
  type: ['string', 'null'], enum: [...courseStatuses, null], description: 'Its heading to the bearing: below 10° on_course, below 45° slightly_off, below 65° off_track, else behind; null = the heading is not known',
});

export const JourneyPoiBody = Type.Object({
  id: Type.String(), name: Type.String(), lat: Type.Number(), lon: Type.Number(),
  along_m: Type.Number({ description: 'Where the route comes nearest to it' }), off_m: Type.Number({ description: 'How far it lies beside the route there' }),
  status: Type.Enum(['ahead_on_route', 'already_passed', 'not_on_route', 'pre_departure'], { description: 'not_on_route: over 20 km beside it' }),
  distance_m: maybe('number', 'By way of the route, and across to it; null = it is behind or not on the route'),
  bearing_deg: Type.Number({ description: 'From the vehicle, 0 = north' }),
  course_status: CourseStatusOrNull,
  eta_at: maybe('integer', 'Between those of the waypoints around it, and the detour at its own speed; null = there is none'),
});
export type JourneyPoi = Static<typeof JourneyPoiBody>;

const projected = new WeakMap<StoredRoute, readonly PoiProjection[]>();

/** Made once a version of a route, O(points x points of interest). */
export function projectionsOf(stored: StoredRoute, route: Route): readonly PoiProjection[] {
  let projections = projected.get(stored);
  if (projections === undefined) {
    projections = projectPois(route);
    projected.set(stored, projections);
  }
  return projections;
}

/** Points of interest of the route that a vehicle is followed on. `etas` = of the waypoints ahead, in order. O(points of interest x log waypoints). */
export function poisOf(seen: SeenJourney, stored: StoredRoute, route: Route, etas: readonly { readonly index: number; readonly etaMs: number }[]): JourneyPoi[] {
  const hasLeft = seen.phase !== 'pre_departure';
  return projectionsOf(stored, route).map((projection) => {
    const { poi, alongM, offM, segment } = projection;
    const status = poiStatus(projection, seen.along_m, hasLeft);
    const mps = isUnderWay(seen) ? seen.speed_mps : plannedSpeedMps(route, segment);
    const bearing = bearingDeg(seen, poi);
    return {
      id: poi.id, name: poi.name, lat: poi.lat, lon: poi.lon, along_m: alongM, off_m: offM, status,
      distance_m: status === 'already_passed' || status === 'not_on_route' ? null : metresTo(projection, seen.along_m),
      bearing_deg: bearing, course_status: seen.heading_deg === null ? null : courseStatus(seen.heading_deg, bearing),
      eta_at: seen.phase === 'post_arrival' ? null : poiEtaMs(route, projection, { atMs: seen.at, alongM: seen.along_m, hasLeft, mps }, etas),
    };
  });
}

function isUnderWay({ moves, speed_mps: mps }: SeenJourney): boolean {
  return moves && mps !== null && mps >= STANDS_BELOW_KN * KNOT_MPS;
}
