import { KNOT_MPS } from './geodesy.ts';
import { plannedSpeedMps, segmentAt, type Route } from './route.ts';
import { secondsBlended, STANDS_BELOW_KN } from './speed.ts';

/**
 * Seconds to a place on the route by the vehicle's own speed alone, the measure that forecasts are held against: what is left of its segment at the
 * mean of its own and the planned speed, the segments after that as planned, those without a plan at its own speed. null = the vehicle
 * stands (below 0.5 kn) or the place is behind it. O(points).
 */
export function ownSpeedSec(route: Route, alongM: number, toM: number, knots: number): number | null {
  if (!(knots >= STANDS_BELOW_KN) || toM < alongM) return null;
  const first = segmentAt(route, alongM);
  let sec = 0;
  for (let segment = first; segment + 1 < route.vectors.length && route.alongM[segment]! < toM; segment++) {
    const leftM = Math.min(toM, route.alongM[segment + 1]!) - Math.max(alongM, route.alongM[segment]!);
    const plannedMps = plannedSpeedMps(route, segment);
    sec += segment === first ? secondsBlended(leftM, knots, plannedMps === null ? null : plannedMps / KNOT_MPS)! : leftM / (plannedMps ?? knots * KNOT_MPS);
  }
  return sec;
}
