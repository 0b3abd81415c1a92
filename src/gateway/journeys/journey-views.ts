import { Type, type Static } from 'typebox';
import { courseOf } from '../../journey/course.ts';
import { etaTypeOf, sinceDepartureSec, untilDepartureSec } from '../../journey/phases.ts';
import type { Route } from '../../journey/route.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import type { SeenJourney } from './journeys.ts';
import { CourseStatusOrNull, JourneyPoiBody, poisOf } from './journey-pois.ts';
import { milestonesOfWaypoints } from '../live/milestones-by-stage.ts';
import { maybe, waypointsOf, type RouteWaypoint } from './route-views.ts';
import type { ViewedRace } from '../live/view.ts';

// What the API shows of a vehicle under way. Instants are epoch ms, lengths metres.

const fields = {
  race_id: Type.String(),
  source: Type.String(),
  title: Type.String(),
  route_id: Type.String(),
  phase: Type.Enum(['pre_departure', 'in_flight', 'post_arrival']),
  eta_type: Type.Enum(['anticipated', 'estimated'], { description: 'What its ETAs rest on: the plan until it has left, then where it is' }),
  at: Type.Integer({ description: 'Of the newest position' }),
  lat: Type.Number(), lon: Type.Number(),
  speed_mps: maybe('number', 'Mean of 120 s'),
  heading_deg: maybe('number', '0 = north; null = not known yet'),
  along_m: Type.Number({ description: 'From the start, along the route' }),
  remaining_m: maybe('number', 'To the end, along the route; null = the route is not known as it was followed'),
  off_m: Type.Number({ description: 'Beside the route' }),
  off_route: Type.Boolean({ description: 'Farther beside it than noise explains' }),
  leg: Type.Unsafe<{ index: number; from: string; to: string; fraction: number } | null>({
    description: 'From the waypoint behind it to the next one, number `index`; null before the start, at the end, and without the route',
    anyOf: [{ type: 'null' }, { type: 'object', properties: { index: { type: 'integer' }, from: { type: 'string' }, to: { type: 'string' }, fraction: { type: 'number', minimum: 0, maximum: 1 } }, required: ['index', 'from', 'to', 'fraction'] }],
  }),
  delay_sec: maybe('number', 'Behind its plan at the newest planned waypoint'),
  departed_at: maybe('integer', 'null = it has not left'),
  arrived_at: maybe('integer', 'null = it is not there'),
  eta_at: maybe('integer', 'When it will be at the end'),
  p10_at: maybe('integer', 'One in ten is there before'),
  p90_at: maybe('integer', 'Nine in ten are there by then'),
};

export const JourneyBody = Type.Object(fields);
export type JourneyView = Static<typeof JourneyBody>;

const CourseBody = Type.Object({
  status: CourseStatusOrNull,
  bearing_deg: Type.Number({ description: 'Where it should head: along the route, off it back to it' }),
  off_deg: maybe('number', 'By how much it heads to the right of that, -180..180'),
  off_m: Type.Number({ description: 'Beside the route' }),
  rejoin: Type.Unsafe<{ lat: number; lon: number; along_m: number; distance_m: number } | null>({
    description: 'Off the route: where it comes back to it the shortest way, not behind what it has covered; null = it is on the route',
    anyOf: [{ type: 'null' }, { type: 'object', properties: { lat: { type: 'number' }, lon: { type: 'number' }, along_m: { type: 'number' }, distance_m: { type: 'number' } }, required: ['lat', 'lon', 'along_m', 'distance_m'] }],
  }),
});
type CourseView = Static<typeof CourseBody>;

export const JourneyDetailsBody = Type.Object({
  ...fields,
  until_departure_sec: maybe('number', 'To its planned departure, below 0 once it is late, 0 once it has left; null = nobody planned it'),
  since_departure_sec: maybe('number', 'null = it has not left'),
  course: Type.Unsafe<CourseView | null>({ anyOf: [{ type: 'null' }, CourseBody], description: 'null where the route is not known as it was followed' }),
  waypoints: Type.Array(Type.Object({
    index: Type.Integer(), name: Type.String(), lat: Type.Number(), lon: Type.Number(), along_m: Type.Number(),
    distance_m: maybe('number', 'Still to go; null = it is passed'), planned_at: maybe('integer', 'By the plan'), passed_at: maybe('integer', 'null = it is ahead, or nobody saw it'),
    eta_at: maybe('integer', 'null = it is passed, or has no ETA'), p10_at: maybe('integer', 'One in ten is there before'), p90_at: maybe('integer', 'Nine in ten are there by then'),
  }), { description: 'Empty where the route is not known as it was followed' }),
  pois: Type.Array(JourneyPoiBody, { description: 'Points of interest of the route; empty where it is not known as it was followed' }),
});
export type JourneyDetails = Static<typeof JourneyDetailsBody>;

/** `stored` = the route now: one of another version is none. O(1) but for a new route. */
export function journeyViewOf(seen: SeenJourney, race: ViewedRace, stored: StoredRoute | undefined): JourneyView {
  const waypoints = followedWaypoints(seen, stored);
  const { race_id, source, route_id, phase, at, lat, lon, speed_mps, heading_deg, along_m, off_m, off_route, delay_sec, departed_at, arrived_at } = seen;
  const { eta } = race;
  const startedAt = race.facts.started_at;
  const instant = (totalSec: number | null | undefined): number | null => (totalSec == null || startedAt === null ? null : Math.round(startedAt + 1000 * totalSec));
  return {
    race_id, source, title: race.facts.title, route_id, phase, eta_type: etaTypeOf(seen), at, lat, lon, speed_mps, heading_deg, along_m,
    remaining_m: waypoints.length === 0 ? null : Math.max(0, waypoints.at(-1)!.along_m - along_m), off_m, off_route, leg: legOf(seen, waypoints), delay_sec, departed_at, arrived_at,
    eta_at: eta?.finish_at ?? null, p10_at: instant(eta?.p10_sec), p90_at: instant(eta?.p90_sec),
  };
}

/** O(points of the route and points of interest); `nowMs` is what its countdowns count from. */
export function journeyDetailsOf(seen: SeenJourney, race: ViewedRace, stored: StoredRoute | undefined, nowMs: number): JourneyDetails {
  const waypoints = waypointDetailsOf(seen, race, stored);
  const state = { phase: seen.phase, departedAtMs: seen.departed_at };
  const plannedAtMs = waypoints[0]?.planned_at ?? null;
  const details = { until_departure_sec: untilDepartureSec(state, plannedAtMs, nowMs), since_departure_sec: sinceDepartureSec(state, nowMs), course: null, waypoints, pois: [] };
  if (stored === undefined || waypoints.length === 0) return { ...journeyViewOf(seen, race, stored), ...details };
  const { route } = stored.read();
  const etas = waypoints.flatMap(({ index, eta_at: etaMs }) => (etaMs === null ? [] : [{ index, etaMs }]));
  return { ...journeyViewOf(seen, race, stored), ...details, course: courseViewOf(seen, route), pois: poisOf(seen, stored, route, etas) };
}

/** The waypoints of the route as it was followed, with what the last revision says of those ahead. O(waypoints). */
function waypointDetailsOf(seen: SeenJourney, race: ViewedRace, stored: StoredRoute | undefined): JourneyDetails['waypoints'] {
  const passedAt = new Map(seen.passages.map(({ index, at }) => [index, at]));
  const waypoints = followedWaypoints(seen, stored);
  const milestones = milestonesOfWaypoints(waypoints, race.eta?.milestones ?? []);
  return waypoints.map(({ index, name, lat, lon, along_m, planned_at }, i) => {
    const isAhead = index >= seen.next;
    const milestone = isAhead ? milestones[i] : undefined;
    return {
      index, name, lat, lon, along_m, distance_m: isAhead ? Math.max(0, along_m - seen.along_m) : null, planned_at, passed_at: passedAt.get(index) ?? null,
      eta_at: milestone?.eta_at ?? null, p10_at: milestone?.p10_at ?? null, p90_at: milestone?.p90_at ?? null,
    };
  });
}

function courseViewOf({ lat, lon, heading_deg: headingDeg, along_m: alongM, off_m: offM, off_route: isOffRoute }: SeenJourney, route: Route): CourseView {
  const { status, bearingDeg, offDeg, rejoin } = courseOf(route, { place: { lat, lon }, headingDeg, alongM, offM, isOffRoute });
  return { status, bearing_deg: bearingDeg, off_deg: offDeg, off_m: offM, rejoin: rejoin === null ? null : { ...rejoin.place, along_m: rejoin.alongM, distance_m: rejoin.distanceM } };
}

function followedWaypoints({ route_version }: SeenJourney, stored: StoredRoute | undefined): readonly RouteWaypoint[] {
  return stored === undefined || stored.version !== route_version ? [] : waypointsOf(stored);
}

function legOf({ next, along_m }: SeenJourney, waypoints: readonly RouteWaypoint[]): JourneyView['leg'] {
  const [from, to] = [waypoints[next - 1], waypoints[next]];
  if (from === undefined || to === undefined) return null;
  const lengthM = to.along_m - from.along_m;
  return { index: next, from: from.name, to: to.name, fraction: lengthM > 0 ? Math.min(1, Math.max(0, (along_m - from.along_m) / lengthM)) : 1 };
}
