import { reject, type Rejection } from '../errors.ts';
import { between, distanceM, placeOf, projectOnArc, vectorOf, type Place, type Vector } from './geodesy.ts';

/** A point of a route as it stands on the wire (schemas/avro/route.avsc). A point with a name or a planned time is a waypoint. */
export type RoutePoint = {
  lat: number;
  lon: number;
  name: string | null;
  /** When the journey is to be there, epoch ms. */
  planned_at: number | null;
  /** How long it is to stay there, seconds. */
  dwell_sec: number | null;
};

export type PointOfInterest = {
  id: string;
  name: string;
  lat: number;
  lon: number;
  /** How near counts as there. */
  radius_m: number | null;
  /** What a map shows for it. */
  icon: string | null;
  category: string | null;
  description: string | null;
};

/** A point of interest of which no more is known than where it is. */
export function pointOfInterest(id: string, name: string, { lat, lon }: Place): PointOfInterest {
  return { id, name, lat, lon, radius_m: null, icon: null, category: null, description: null };
}

/** A route as it stands on the wire. */
export type RouteRecord = { route_id: string; name: string; points: RoutePoint[]; pois: PointOfInterest[]; active: boolean };

/** A point that has an ETA of its own. `index` counts waypoints from 0, `point` is its place in the points of the route. */
export type Waypoint = {
  readonly index: number;
  readonly point: number;
  readonly name: string;
  readonly place: Place;
  /** Metres from the start of the route. */
  readonly alongM: number;
  readonly plannedAtMs: number | null;
  readonly dwellSec: number;
};

/** A route made ready: vectors of its points, metres along it, waypoints. Immutable, shared by every journey on it. */
export type Route = {
  readonly routeId: string;
  readonly name: string;
  readonly vectors: readonly Vector[];
  /** Metres from the start to each point, never falling. */
  readonly alongM: Float64Array;
  readonly totalM: number;
  readonly waypoints: readonly Waypoint[];
  readonly pois: readonly PointOfInterest[];
};

export const MOST_POINTS = 10_000;
export const MOST_WAYPOINTS = 400;
export const MOST_POIS = 1_000;
export const LONGEST_NAME = 200;
export const LONGEST_DESCRIPTION = 1_000;

/** Whether these are coordinates of a place. 0, 0 is what receivers say that have no fix: it is none. */
export function isPlace(lat: number, lon: number): boolean {
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && !(lat === 0 && lon === 0);
}

/**
 * Makes a route ready. Its first and last points are always waypoints; points without a name that have a planned time are
 * called `waypoint <n>`. Refused with `route_invalid`: fewer than two places, more than 10,000 points, 400 waypoints or
 * 1,000 points of interest, names, icons and categories over 200 characters, descriptions over 1,000, coordinates out of range, planned times that run backwards. O(points).
 */
export function routeOf(record: RouteRecord): Route | Rejection {
  const refused = refusalOf(record);
  if (refused !== null) return reject('route_invalid', `Route ${record.route_id}: ${refused}`);
  const { points } = record;
  const alongM = new Float64Array(points.length);
  for (let i = 1; i < points.length; i++) alongM[i] = alongM[i - 1]! + distanceM(points[i - 1]!, points[i]!);
  const waypoints: Waypoint[] = [];
  for (const [i, { lat, lon, name, planned_at, dwell_sec }] of points.entries()) {
    if (name === null && planned_at === null && i > 0 && i < points.length - 1) continue;
    const index = waypoints.length;
    waypoints.push({ index, point: i, name: name ?? `waypoint ${index}`, place: { lat, lon }, alongM: alongM[i]!, plannedAtMs: planned_at, dwellSec: dwell_sec ?? 0 });
  }
  if (waypoints.length > MOST_WAYPOINTS) return reject('route_invalid', `Route ${record.route_id}: ${waypoints.length} waypoints, at most ${MOST_WAYPOINTS} are allowed`);
  return { routeId: record.route_id, name: record.name, vectors: points.map(vectorOf), alongM, totalM: alongM[points.length - 1]!, waypoints, pois: record.pois };
}

export function isRefused(route: Route | Rejection): route is Rejection {
  return 'code' in route;
}

function refusalOf({ points, pois }: RouteRecord): string | null {
  if (points.length < 2) return `a route has at least two points, got ${points.length}`;
  if (points.length > MOST_POINTS) return `${points.length} points, at most ${MOST_POINTS} are allowed`;
  if (pois.length > MOST_POIS) return `${pois.length} points of interest, at most ${MOST_POIS} are allowed`;
  if ([...points, ...pois].some(({ name }) => name !== null && name.length > LONGEST_NAME)) return `a name has over ${LONGEST_NAME} characters`;
  if (pois.some(({ icon, category }) => (icon ?? '').length > LONGEST_NAME || (category ?? '').length > LONGEST_NAME)) return `an icon or a category has over ${LONGEST_NAME} characters`;
  if (pois.some(({ description }) => (description ?? '').length > LONGEST_DESCRIPTION)) return `a description has over ${LONGEST_DESCRIPTION} characters`;
  let before = -Infinity;
  for (const [i, { lat, lon, planned_at, dwell_sec }] of points.entries()) {
    // 0, 0 is a place on the equator that a route may name; only receivers mean "nowhere" by it.
    if (!(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180)) return `point ${i} is at ${lat}, ${lon}: lat must be in -90..90 and lon in -180..180`;
    if (dwell_sec !== null && !(dwell_sec >= 0 && dwell_sec <= 864_000)) return `point ${i} has a dwell of ${dwell_sec} s: it must be in 0..864,000`;
    if (planned_at === null) continue;
    if (!Number.isFinite(planned_at)) return `point ${i} has no valid planned time`;
    if (planned_at < before) return `point ${i} is planned before the point in front of it`;
    before = planned_at;
  }
  const bad = pois.find(({ lat, lon }) => !(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180));
  if (bad !== undefined) return `point of interest ${bad.id} is at ${bad.lat}, ${bad.lon}: lat must be in -90..90 and lon in -180..180`;
  if (points.every(({ lat, lon }) => lat === points[0]!.lat && lon === points[0]!.lon)) return 'all its points are one place';
  return null;
}

/** The segment (from point i to i + 1) that holds a distance along the route; the later one at a joint. O(log points). */
export function segmentAt({ alongM }: Route, atM: number): number {
  let [low, high] = [0, alongM.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (alongM[middle]! <= atM) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The place at a distance along the route, held to its ends. */
export function placeAt(route: Route, atM: number): Place {
  const i = segmentAt(route, atM);
  const lengthM = route.alongM[i + 1]! - route.alongM[i]!;
  const fraction = lengthM === 0 ? 0 : Math.min(1, Math.max(0, (atM - route.alongM[i]!) / lengthM));
  return placeOf(between(route.vectors[i]!, route.vectors[i + 1]!, fraction));
}

/** How many waypoints lie at or before a distance along the route. O(log waypoints). */
export function waypointsBy({ waypoints }: Pick<Route, 'waypoints'>, atM: number): number {
  let [low, high] = [0, waypoints.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (waypoints[middle]!.alongM <= atM) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** When the plan has the journey at a distance along the route, between its timed waypoints; null = outside them. O(waypoints). */
export function plannedAtMs({ waypoints }: Route, atM: number): number | null {
  let before: Waypoint | null = null;
  for (const waypoint of waypoints) {
    if (waypoint.plannedAtMs === null) continue;
    if (waypoint.alongM >= atM) {
      if (before === null) return waypoint.alongM === atM ? waypoint.plannedAtMs : null;
      const lengthM = waypoint.alongM - before.alongM;
      const leftAtMs = before.plannedAtMs! + 1000 * before.dwellSec;
      return lengthM === 0 ? waypoint.plannedAtMs : leftAtMs + ((atM - before.alongM) / lengthM) * (waypoint.plannedAtMs - leftAtMs);
    }
    before = waypoint;
  }
  return null;
}

/** Planned seconds from waypoint `index - 1` to waypoint `index`; null where either has no planned time or `index` is 0. */
export function plannedLegSec({ waypoints }: Route, index: number): number | null {
  const [from, to] = [waypoints[index - 1]?.plannedAtMs ?? null, waypoints[index]?.plannedAtMs ?? null];
  return from === null || to === null ? null : (to - from) / 1000;
}

/** Metres per second that the plan asks for on the way from point `segment` to the next one; null = the plan does not say. */
export function plannedSpeedMps(route: Route, segment: number): number | null {
  const { waypoints } = route;
  const ahead = waypoints.findIndex(({ point, plannedAtMs: at }) => at !== null && point > segment);
  if (ahead <= 0) return null;
  let behind = ahead - 1;
  while (behind >= 0 && waypoints[behind]!.plannedAtMs === null) behind--;
  if (behind < 0) return null;
  const [from, to] = [waypoints[behind]!, waypoints[ahead]!];
  const sec = (to.plannedAtMs! - from.plannedAtMs!) / 1000 - from.dwellSec;
  return sec > 0 ? (to.alongM - from.alongM) / sec : null;
}

/** `plannedSpeedMps` of every segment. O(points). */
export function plannedSpeedsMps({ vectors, waypoints }: Route): (number | null)[] {
  const speeds = Array.from<number | null>({ length: vectors.length - 1 }).fill(null);
  let from: Waypoint | null = null;
  for (const to of waypoints) {
    if (to.plannedAtMs === null) continue;
    const sec = from === null ? 0 : (to.plannedAtMs - from.plannedAtMs!) / 1000 - from.dwellSec;
    if (from !== null && sec > 0) speeds.fill((to.alongM - from.alongM) / sec, from.point, to.point);
    from = to;
  }
  return speeds;
}

/** The point of a route that is nearest to a place; the first of equals. O(points). */
export function nearestOnRoute(route: Route, place: Place): { readonly alongM: number; readonly offM: number; readonly segment: number } {
  const p = vectorOf(place);
  let best = { alongM: 0, offM: Infinity, segment: 0 };
  for (let i = 0; i + 1 < route.vectors.length; i++) {
    const { fraction, distanceM: offM } = projectOnArc(p, route.vectors[i]!, route.vectors[i + 1]!);
    if (offM < best.offM) best = { alongM: route.alongM[i]! + fraction * (route.alongM[i + 1]! - route.alongM[i]!), offM, segment: i };
  }
  return best;
}
