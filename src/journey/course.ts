import { bearingDeg, courseStatus, distanceM, KNOT_MPS, placeOf, between, projectOnArc, vectorOf, type CourseStatus, type Place } from './geodesy.ts';
import { placeAt, segmentAt, type Route } from './route.ts';
import { STANDS_BELOW_KN } from './speed.ts';

/** Two places nearer than this show no direction: receivers err by as much. */
const MOVED_M = 10;
/** The way ahead is where the route leads over so many metres. */
const AHEAD_M = 100;

export type HeadedFix = Place & { readonly headingDeg: number | null; readonly speedMps: number | null };

/**
 * The heading of a vehicle after a position, degrees 0..360, 0 = north: as its receiver says where it moves, else from where it came, however
 * long ago that was; `before` where it has not moved. null = not known yet.
 */
export function headingAfter(before: number | null, from: Place | null, fix: HeadedFix): number | null {
  const { headingDeg, speedMps } = fix;
  // Receivers that stand turn on the spot.
  const moves = speedMps === null || speedMps >= STANDS_BELOW_KN * KNOT_MPS;
  if (headingDeg !== null && headingDeg >= 0 && headingDeg <= 360 && moves) return headingDeg % 360;
  return from === null || distanceM(from, fix) < MOVED_M ? before : bearingDeg(from, fix);
}

/** Where a vehicle is to its route: `alongM` metres along it and `offM` beside it. */
export type OnRoute = { readonly place: Place; readonly headingDeg: number | null; readonly alongM: number; readonly offM: number; readonly isOffRoute: boolean };

/** How a vehicle keeps to its route. */
export type Course = {
  /** null = its heading is not known. */
  readonly status: CourseStatus | null;
  /** Where it should head: along the route, off it back to it. Degrees 0..360. */
  readonly bearingDeg: number;
  /** By how much it heads to the right of that, -180..180. */
  readonly offDeg: number | null;
  readonly offM: number;
  /** Off the route: where it comes back to it the shortest way, not behind what it has covered; null = it is on the route. */
  readonly rejoin: { readonly place: Place; readonly alongM: number; readonly distanceM: number } | null;
};

/** O(points of the route) off the route, else O(log points). */
export function courseOf(route: Route, { place, headingDeg, alongM, offM, isOffRoute }: OnRoute): Course {
  const rejoin = isOffRoute ? nearestAhead(route, place, alongM) : null;
  const toM = Math.min(route.totalM, Math.max(0, alongM) + AHEAD_M);
  const bearing = rejoin === null ? bearingDeg(placeAt(route, Math.max(0, toM - AHEAD_M)), placeAt(route, toM)) : bearingDeg(place, rejoin.place);
  return {
    status: headingDeg === null ? null : courseStatus(headingDeg, bearing), bearingDeg: bearing,
    offDeg: headingDeg === null ? null : ((headingDeg - bearing + 540) % 360) - 180, offM, rejoin,
  };
}

function nearestAhead(route: Route, place: Place, alongM: number): { readonly place: Place; readonly alongM: number; readonly distanceM: number } {
  const p = vectorOf(place);
  const first = segmentAt(route, alongM);
  let best = { place: placeAt(route, alongM), alongM, distanceM: distanceM(place, placeAt(route, alongM)) };
  for (let i = first; i + 1 < route.vectors.length; i++) {
    const { fraction, distanceM: offM } = projectOnArc(p, route.vectors[i]!, route.vectors[i + 1]!);
    const atM = route.alongM[i]! + fraction * (route.alongM[i + 1]! - route.alongM[i]!);
    if (offM < best.distanceM && atM >= alongM) best = { place: placeOf(between(route.vectors[i]!, route.vectors[i + 1]!, fraction)), alongM: atM, distanceM: offM };
  }
  return best;
}
