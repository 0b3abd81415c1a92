import { chordM, distanceM, EARTH_RADIUS_M, projectOnArc, vectorOf, type Place, type Vector } from './geodesy.ts';
import type { WaypointEta } from './etas.ts';
import { waypointsBy, type PointOfInterest, type Route } from './route.ts';

/** Where a route comes nearest to a point of interest, and the way from there to it. `segment` leads from point `segment` of the route to the next. */
export type PoiProjection = { readonly poi: Pick<PointOfInterest, 'id' | 'name' | 'lat' | 'lon' | 'radius_m'>; readonly alongM: number; readonly offM: number; readonly segment: number };

export type PoiStatus = 'ahead_on_route' | 'already_passed' | 'not_on_route' | 'pre_departure';

/** Off the route by more than that, a point of interest is not on it. */
const ON_ROUTE_M = 20_000;
/** A point of interest without a radius is passed within this distance. */
const PASSED_M = 100;

/** As near to each other two distances are one. */
const SAME_M = 1;
/** Segments in a stretch. Chosen, not tuned. */
const STRETCH = 64;

/** Some segments of a route, and how far from their middle they reach at most, metres. */
type Stretch = { readonly first: number; readonly end: number; readonly middle: Vector; readonly reachM: number };

function stretchesOf({ vectors, alongM }: Route): Stretch[] {
  const stretches: Stretch[] = [];
  for (let first = 0; first + 1 < vectors.length; first += STRETCH) {
    const end = Math.min(first + STRETCH, vectors.length - 1);
    const middle = vectors[(first + end) >> 1]!;
    let reachM = 0;
    for (let i = first; i < end; i++) reachM = Math.max(reachM, chordM(middle, vectors[i]!) + alongM[i + 1]! - alongM[i]!);
    stretches.push({ first, end, middle, reachM });
  }
  return stretches;
}

/**
 * Projects points of interest on a route: each on the first of the segments that come nearest to it, to the metre. O(points x pois) at
 * worst, mostly O(stretches x pois): nearly all of a line is nowhere near. Made once a route, not once a position.
 */
export function projectPois(route: Route): PoiProjection[] {
  const { vectors, alongM } = route;
  const stretches = stretchesOf(route);
  return route.pois.map((poi) => {
    const p = vectorOf(poi);
    // Some segment is as near as this: what is farther need not be looked at.
    let withinM = Infinity;
    for (const { middle } of stretches) withinM = Math.min(withinM, EARTH_RADIUS_M * angleOf(chordM(p, middle)));
    let best = { alongM: 0, offM: Infinity, segment: 0 };
    for (const { first, end, middle, reachM } of stretches) {
      if (chordM(p, middle) - reachM > withinM) continue;
      for (let i = first; i < end; i++) {
        const lengthM = alongM[i + 1]! - alongM[i]!;
        if (chordM(p, vectors[i]!) - lengthM > withinM) continue;
        const { fraction, distanceM: offM } = projectOnArc(p, vectors[i]!, vectors[i + 1]!);
        withinM = Math.min(withinM, offM + SAME_M);
        if (offM < best.offM - SAME_M) best = { alongM: alongM[i]! + fraction * lengthM, offM, segment: i };
      }
    }
    return { poi, ...best };
  });
}

/** The angle that a chord of the earth spans. */
function angleOf(chord: number): number {
  return 2 * Math.asin(Math.min(1, chord / (2 * EARTH_RADIUS_M)));
}

/** Where a point of interest stands to a vehicle at `alongM` of the route. */
export function poiStatus({ alongM: poiM, offM }: Pick<PoiProjection, 'alongM' | 'offM'>, alongM: number, hasLeft: boolean): PoiStatus {
  if (offM > ON_ROUTE_M) return 'not_on_route';
  if (!hasLeft) return 'pre_departure';
  return poiM >= alongM ? 'ahead_on_route' : 'already_passed';
}

/**
 * When a vehicle will be at a point of interest ahead: when the route has it abeam, between the ETAs of the waypoints around, and the detour from
 * there at its own speed. null = it is behind, not on the route, beyond the last waypoint with an ETA, or off the route and the vehicle
 * stands. `etas` in order, as `waypointEtas` gives them. O(log waypoints).
 */
export function poiEtaMs(route: Pick<Route, 'waypoints'>, projection: PoiProjection, at: { readonly atMs: number; readonly alongM: number; readonly hasLeft: boolean; readonly mps: number | null }, etas: readonly Pick<WaypointEta, 'index' | 'etaMs'>[]): number | null {
  const status = poiStatus(projection, at.alongM, at.hasLeft);
  if (status === 'already_passed' || status === 'not_on_route') return null;
  const detourM = projection.offM > (projection.poi.radius_m ?? PASSED_M) ? projection.offM : 0;
  if (detourM > 0 && (at.mps === null || at.mps <= 0)) return null;
  const after = waypointsBy(route, projection.alongM - 1e-6);
  const next = etas.find(({ index }) => index >= after);
  if (next === undefined || next.index !== Math.max(after, etas[0]!.index)) return null;
  const before = etas.find(({ index }) => index === next.index - 1);
  const from = before === undefined ? { ms: at.atMs, m: at.alongM } : { ms: before.etaMs, m: route.waypoints[before.index]!.alongM };
  const toM = route.waypoints[next.index]!.alongM;
  const share = toM > from.m ? Math.min(1, Math.max(0, (projection.alongM - from.m) / (toM - from.m))) : 1;
  return Math.round(from.ms + share * (next.etaMs - from.ms) + (detourM === 0 ? 0 : (1000 * detourM) / at.mps!));
}

export type TimedPlace = Place & { readonly atMs: number };

/**
 * Whether a place was passed on the straight way between two positions, within a radius: when, and how near; null = it was not, or
 * the vehicle is still coming nearer. Found between the positions, so that no speed flies over it unseen. O(1).
 */
export function passedBetween(place: Place, radiusM: number, from: TimedPlace, to: TimedPlace): { readonly atMs: number; readonly missM: number } | null {
  const { fraction, distanceM: missM } = projectOnArc(vectorOf(place), vectorOf(from), vectorOf(to));
  if (missM > radiusM || (fraction >= 1 && distanceM(from, to) > 0)) return null;
  return { atMs: Math.round(from.atMs + fraction * (to.atMs - from.atMs)), missM };
}

/** Metres left to a place by way of the route: along it to where the place is abeam, and from there across. */
export function metresTo({ alongM: poiM, offM }: Pick<PoiProjection, 'alongM' | 'offM'>, alongM: number): number {
  return Math.max(0, poiM - alongM) + offM;
}
