import { chordM, distanceM, projectOnArc, vectorOf, type Place } from './geodesy.ts';
import type { WaypointEta } from './etas.ts';
import { waypointsBy, type PointOfInterest, type Route } from './route.ts';

/** Where a route comes nearest to a point of interest, and the way from there to it. `segment` leads from point `segment` of the route to the next. */
export type PoiProjection = { readonly poi: PointOfInterest; readonly alongM: number; readonly offM: number; readonly segment: number };

export type PoiStatus = 'ahead_on_route' | 'already_passed' | 'not_on_route' | 'pre_departure';

/** Off the route by more than that, a point of interest is not on it. */
const ON_ROUTE_M = 20_000;
/** A point of interest without a radius is passed within this distance. */
const PASSED_M = 100;

/**
 * Projects points of interest on a route: each on the first of the stretches that come nearest to it, to the metre. O(points x pois);
 * made once a route, not once a position.
 */
export function projectPois(route: Route): PoiProjection[] {
  return route.pois.map((poi) => {
    const p = vectorOf(poi);
    let best = { alongM: 0, offM: Infinity, segment: 0 };
    for (let i = 0; i + 1 < route.vectors.length; i++) {
      // Most of a line is nowhere near.
      if (chordM(p, route.vectors[i]!) - (route.alongM[i + 1]! - route.alongM[i]!) > best.offM) continue;
      const { fraction, distanceM: offM } = projectOnArc(p, route.vectors[i]!, route.vectors[i + 1]!);
      if (offM < best.offM - 1) best = { alongM: route.alongM[i]! + fraction * (route.alongM[i + 1]! - route.alongM[i]!), offM, segment: i };
    }
    return { poi, ...best };
  });
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
