import { Type, type Static } from 'typebox';
import { bearingDeg, courseStatus, distanceM } from '../journey/geodesy.ts';
import { etaTypeOf, type Phase, type PhaseState } from '../journey/phases.ts';
import { poiStatus } from '../journey/pois.ts';
import { placeAt, type Route } from '../journey/route.ts';
import type { StoredRoute } from '../runtime/route-store.ts';
import { EtaMode, phases } from './flight-schemas.ts';
import { CourseStatusOrNull, projectionsOf } from './journey-pois.ts';
import { roleOf } from './origin-routes.ts';
import { targetOf, type Outlook, type Target } from './outlook.ts';
import { maybe, summaryOf } from './route-views.ts';

/** What stands for an ETA or a distance that is not known, where their JSON takes no null. */
const UNKNOWN = -1;

const routeStatuses = ['ahead_on_route', 'already_passed', 'not_on_route', 'pre_departure'] as const;

/** Of a vehicle; without one nothing is known of a phase. */
export const modeFields = {
  eta_type: EtaMode,
  flight_phase: Type.Unsafe<Phase | null>({ type: ['string', 'null'], enum: [...phases, null], description: 'null = there is no vehicle' }),
};

export function modeOf(state: PhaseState | null): { readonly eta_type: 'anticipated' | 'estimated'; readonly flight_phase: Phase | null } {
  return { eta_type: state === null ? 'estimated' : etaTypeOf(state), flight_phase: state?.phase ?? null };
}

export const PoiWithEtaBody = Type.Object({
  poi_id: Type.String({ description: 'Of a waypoint: waypoint-<its number>' }),
  name: Type.String(),
  latitude: Type.Number(), longitude: Type.Number(),
  category: Type.Unsafe<'departure' | 'waypoint' | 'arrival' | null>({ type: ['string', 'null'], enum: ['departure', 'waypoint', 'arrival', null], description: 'null = no waypoint of the route' }),
  icon: Type.String(),
  active: Type.Boolean({ description: 'Its route is' }),
  eta_seconds: Type.Number({ description: 'From now; -1 = there is none: it is passed, the vehicle stands (below 0.5 kn), or nothing is known of it' }),
  ...modeFields,
  is_pre_departure: Type.Boolean(),
  distance_meters: Type.Number({ description: 'As the crow flies; -1 = no position is known' }),
  bearing_degrees: maybe('number', '0 = north; null = no position is known'),
  course_status: CourseStatusOrNull,
  is_on_active_route: Type.Boolean({ description: 'At most 20 km beside the active route' }),
  projected_latitude: Type.Number({ description: 'Where the route comes nearest to it' }), projected_longitude: Type.Number(),
  projected_waypoint_index: Type.Integer({ description: 'Point of the line nearest to that' }),
  projected_route_progress: Type.Number({ minimum: 0, maximum: 100 }),
  route_aware_status: Type.Enum([...routeStatuses]),
});
export type PoiWithEta = Static<typeof PoiWithEtaBody>;

type Listed = Target & { readonly category: PoiWithEta['category']; readonly icon: string };

const icons = { departure: 'airport', arrival: 'flag', waypoint: 'waypoint' } as const;

function targetsOf(stored: StoredRoute, route: Route): Listed[] {
  const { waypoints } = route;
  return [
    ...waypoints.map((waypoint): Listed => {
      const category = roleOf(waypoint.index, waypoints.length);
      return { ...targetOf(route, waypoint), category, icon: icons[category] };
    }),
    ...projectionsOf(stored, route).map((projection): Listed => ({ ...projection, category: null, icon: 'marker', index: null })),
  ];
}

/** Waypoints and points of interest of a route with their ETAs, the nearest first, those without an ETA last. O(points of interest x log waypoints). */
export function poisWithEtas(stored: StoredRoute, { route, state, hasLeft, standing, etaSec }: Outlook): PoiWithEta[] {
  const isActive = summaryOf(stored).active;
  const pois = targetsOf(stored, route).map((target): PoiWithEta => {
    const { poi, alongM, segment, category, icon } = target;
    const status = state?.phase === 'post_arrival' ? 'already_passed' : statusOf(target, standing, hasLeft);
    const projected = placeAt(route, alongM);
    const bearing = standing === null ? null : bearingDeg(standing.place, poi);
    const nearest = alongM - route.alongM[segment]! <= route.alongM[segment + 1]! - alongM ? segment : segment + 1;
    return {
      poi_id: poi.id, name: poi.name, latitude: poi.lat, longitude: poi.lon, category, icon, active: isActive,
      eta_seconds: status === 'already_passed' || status === 'not_on_route' ? UNKNOWN : (etaSec(target) ?? UNKNOWN),
      ...modeOf(state), is_pre_departure: state?.phase === 'pre_departure',
      distance_meters: standing === null ? UNKNOWN : distanceM(standing.place, poi), bearing_degrees: bearing,
      course_status: bearing === null || standing?.headingDeg == null ? null : courseStatus(standing.headingDeg, bearing),
      is_on_active_route: isActive && status !== 'not_on_route',
      projected_latitude: projected.lat, projected_longitude: projected.lon, projected_waypoint_index: nearest, projected_route_progress: Math.min(100, (100 * alongM) / route.totalM),
      route_aware_status: status,
    };
  });
  return pois.sort((a, b) => (a.eta_seconds < 0 ? Infinity : a.eta_seconds) - (b.eta_seconds < 0 ? Infinity : b.eta_seconds) || a.projected_route_progress - b.projected_route_progress);
}

/** A waypoint is passed when it is known to be, not when the vehicle is beyond it by a metre. */
function statusOf(target: Target, standing: Outlook['standing'], hasLeft: boolean): PoiWithEta['route_aware_status'] {
  if (target.index === null) return poiStatus(target, standing?.alongM ?? 0, hasLeft);
  if (!hasLeft) return 'pre_departure';
  return standing !== null && target.index < standing.next ? 'already_passed' : 'ahead_on_route';
}
