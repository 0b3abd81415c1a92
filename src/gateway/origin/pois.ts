import { Type, type Static } from 'typebox';
import { bearingDeg, courseStatus, distanceM } from '../../journey/geodesy.ts';
import { etaTypeOf, type Phase, type PhaseState } from '../../journey/phases.ts';
import { poiStatus } from '../../journey/pois.ts';
import { placeAt, type PointOfInterest, type Route } from '../../journey/route.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import { EtaMode, phases, textOrNull } from './flight-schemas.ts';
import { iso } from '../iso.ts';
import { CourseStatusOrNull, projectionsOf } from '../journeys/journey-pois.ts';
import { roleOf } from './routes.ts';
import { targetOf, type Outlook, type Target } from '../journeys/outlook.ts';
import { maybe, summaryOf } from '../journeys/route-views.ts';

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

/** What is said of each wherever it is shown. */
const placeFields = {
  name: Type.String(),
  latitude: Type.Number(), longitude: Type.Number(),
  category: textOrNull('Of a waypoint: departure, waypoint or arrival'),
  icon: Type.String({ description: 'marker where nobody has said another' }),
  active: Type.Boolean({ description: 'Its route is' }),
  projected_latitude: Type.Number({ description: 'Where the route comes nearest to it' }), projected_longitude: Type.Number(),
  projected_waypoint_index: Type.Integer({ description: 'Point of the line nearest to that' }),
  projected_route_progress: Type.Number({ minimum: 0, maximum: 100 }),
};
type PlaceFields = Static<Type.TObject<typeof placeFields>>;

const poiId = { description: 'Of a waypoint: waypoint-<its number>' };

export const PoiWithEtaBody = Type.Object({
  poi_id: Type.String(poiId),
  ...placeFields,
  eta_seconds: Type.Number({ description: 'From now; -1 = there is none: it is passed, the vehicle stands (below 0.5 kn), or nothing is known of it' }),
  ...modeFields,
  is_pre_departure: Type.Boolean(),
  distance_meters: Type.Number({ description: 'As the crow flies; -1 = no position is known' }),
  bearing_degrees: maybe('number', '0 = north; null = no position is known'),
  course_status: CourseStatusOrNull,
  is_on_active_route: Type.Boolean({ description: 'At most 20 km beside the active route' }),
  route_aware_status: Type.Enum([...routeStatuses]),
});
export type PoiWithEta = Static<typeof PoiWithEtaBody>;

export const PoiRecordBody = Type.Object({
  id: Type.String(poiId),
  ...placeFields,
  description: textOrNull('Any text'),
  route_id: Type.String(),
  mission_id: Type.Null({ description: 'There are no missions' }),
  created_at: Type.String({ format: 'date-time', description: 'When its route was stored or changed last' }), updated_at: Type.String({ format: 'date-time', description: 'The same' }),
});
export type PoiRecord = Static<typeof PoiRecordBody>;

type Listed = Target & Pick<PointOfInterest, 'category' | 'description'> & { readonly icon: string };

const icons = { departure: 'airport', arrival: 'flag', waypoint: 'waypoint' } as const;

/** The waypoints of a route, and its points of interest. */
function targetsOf(stored: StoredRoute, route: Route): Listed[] {
  const { waypoints, pois } = route;
  return [
    ...waypoints.map((waypoint): Listed => {
      const category = roleOf(waypoint.index, waypoints.length);
      return { ...targetOf(route, waypoint), category, icon: icons[category], description: null };
    }),
    ...projectionsOf(stored, route).map((projection, i): Listed => {
      const { category, icon, description } = pois[i]!;
      return { ...projection, category, icon: icon ?? 'marker', description, index: null };
    }),
  ];
}

function placeOfTarget({ poi, alongM, segment, category, icon }: Listed, route: Route, active: boolean): PlaceFields {
  const projected = placeAt(route, alongM);
  const nearest = alongM - route.alongM[segment]! <= route.alongM[segment + 1]! - alongM ? segment : segment + 1;
  return {
    name: poi.name, latitude: poi.lat, longitude: poi.lon, category, icon, active,
    projected_latitude: projected.lat, projected_longitude: projected.lon, projected_waypoint_index: nearest, projected_route_progress: Math.min(100, (100 * alongM) / route.totalM),
  };
}

/** Waypoints and points of interest of a route as they are stored. O(points of interest x log points) but for a new route. */
export function poiRecordsOf(stored: StoredRoute): PoiRecord[] {
  const { route } = stored.read();
  const [{ active }, storedAt] = [summaryOf(stored), iso(stored.storedAtMs)];
  return targetsOf(stored, route).map((target) => ({
    id: target.poi.id, ...placeOfTarget(target, route, active), description: target.description, route_id: stored.routeId, mission_id: null, created_at: storedAt, updated_at: storedAt,
  }));
}

/** Waypoints and points of interest of a route with their ETAs, the nearest first, those without an ETA last. O(points of interest x log waypoints). */
export function poisWithEtas(stored: StoredRoute, { route, state, hasLeft, standing, etaSec }: Outlook): PoiWithEta[] {
  const isActive = summaryOf(stored).active;
  const pois = targetsOf(stored, route).map((target): PoiWithEta => {
    const { poi } = target;
    const status = state?.phase === 'post_arrival' ? 'already_passed' : statusOf(target, standing, hasLeft);
    const bearing = standing === null ? null : bearingDeg(standing.place, poi);
    return {
      poi_id: poi.id, ...placeOfTarget(target, route, isActive),
      eta_seconds: status === 'already_passed' || status === 'not_on_route' ? UNKNOWN : (etaSec(target) ?? UNKNOWN),
      ...modeOf(state), is_pre_departure: state?.phase === 'pre_departure',
      distance_meters: standing === null ? UNKNOWN : distanceM(standing.place, poi), bearing_degrees: bearing,
      course_status: bearing === null || standing?.headingDeg == null ? null : courseStatus(standing.headingDeg, bearing),
      is_on_active_route: isActive && status !== 'not_on_route',
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
