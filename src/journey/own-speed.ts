import { KNOT_MPS } from './geodesy.ts';
import { plannedSpeedsMps, segmentAt, type Route } from './route.ts';
import { secondsBlended, STANDS_BELOW_KN } from './speed.ts';

/**
 * Seconds to places on the route by the vehicle's own speed alone, the measure that forecasts are held against: what is left of its segment at the
 * mean of its own and the planned speed, the segments after that as planned, those without a plan at its own speed. null = the vehicle
 * stands (below 0.5 kn) or the place is behind it. O(points), then O(log points) a place.
 */
export function ownSpeedTimes(route: Route, alongM: number, knots: number): (toM: number) => number | null {
  if (!(knots >= STANDS_BELOW_KN)) return () => null;
  const speeds = plannedSpeedsMps(route);
  const first = segmentAt(route, alongM);
  const secOn = (segment: number, metres: number): number => {
    const plannedMps = speeds[segment] ?? null;
    return segment === first ? secondsBlended(metres, knots, plannedMps === null ? null : plannedMps / KNOT_MPS)! : metres / (plannedMps ?? knots * KNOT_MPS);
  };
  /** Seconds to the start of each segment from the vehicle's on. */
  const secTo = new Float64Array(speeds.length);
  for (let segment = first + 1; segment < speeds.length; segment++) {
    secTo[segment] = secTo[segment - 1]! + secOn(segment - 1, route.alongM[segment]! - Math.max(alongM, route.alongM[segment - 1]!));
  }
  return (toM) => {
    if (toM < alongM) return null;
    const segment = segmentAt(route, toM);
    return secTo[segment]! + secOn(segment, toM - Math.max(alongM, route.alongM[segment]!));
  };
}

/** The same for one place. O(points). */
export function ownSpeedSec(route: Route, alongM: number, toM: number, knots: number): number | null {
  return ownSpeedTimes(route, alongM, knots)(toM);
}
