import { between, placeOf, projectOnArc, vectorOf, type Place } from './geodesy.ts';
import type { PointOfInterest, RoutePoint } from './route.ts';
import { distanceM } from './geodesy.ts';

/** A named mark of a route file, to be found on its line. */
export type Mark = Place & { readonly name: string; readonly plannedAtMs: number | null };

/** Farther from the line a mark is a point of interest, not a waypoint. */
const WAYPOINT_WITHIN_M = 1000;
/** A mark as near to a point of the line is that point. */
const SAME_POINT_M = 50;

/**
 * Puts marks on a line: each becomes a point of it where the line comes nearest, in the order of the marks, so that on a line that crosses
 * itself a mark lies after the mark before it. Those over 1 km away become points of interest. O(marks x points).
 */
export function attachMarks(line: readonly Place[], marks: readonly Mark[]): { readonly points: RoutePoint[]; readonly pois: PointOfInterest[] } {
  const vectors = line.map(vectorOf);
  const pois: PointOfInterest[] = [];
  /** Where on the line, as segment and share of it. */
  const placed: { readonly at: number; readonly mark: Mark }[] = [];
  let afterAt = 0;
  for (const mark of marks) {
    const p = vectorOf(mark);
    let best = { at: -1, offM: Infinity };
    let behind = { at: -1, offM: Infinity };
    for (let i = 0; i + 1 < vectors.length; i++) {
      const { fraction, distanceM: offM } = projectOnArc(p, vectors[i]!, vectors[i + 1]!);
      const at = i + snapped(line, mark, i, fraction);
      if (at >= afterAt ? offM < best.offM - 1 : offM < behind.offM) {
        if (at >= afterAt) best = { at, offM };
        else behind = { at, offM };
      }
    }
    const found = best.offM <= WAYPOINT_WITHIN_M ? best : behind;
    if (found.offM > WAYPOINT_WITHIN_M) {
      pois.push({ id: mark.name, name: mark.name, lat: mark.lat, lon: mark.lon, radius_m: null });
      continue;
    }
    placed.push({ at: found.at, mark });
    afterAt = Math.max(afterAt, found.at);
  }
  placed.sort((a, b) => a.at - b.at);
  const points: RoutePoint[] = [];
  let next = 0;
  for (const [i, { lat, lon }] of line.entries()) {
    let own: Mark | null = null;
    for (; next < placed.length && placed[next]!.at <= i; next++) own = placed[next]!.mark;
    points.push({ lat, lon, name: own?.name ?? null, planned_at: own?.plannedAtMs ?? null, dwell_sec: null });
    for (; next < placed.length && placed[next]!.at < i + 1; next++) {
      const { at, mark } = placed[next]!;
      const place = placeOf(between(vectors[i]!, vectors[i + 1]!, at - i));
      points.push({ ...place, name: mark.name, planned_at: mark.plannedAtMs, dwell_sec: null });
    }
  }
  return { points, pois };
}

/** The share of a segment, at its ends where the mark is about there. */
function snapped(line: readonly Place[], mark: Mark, segment: number, fraction: number): number {
  if (fraction < 0.5) return distanceM(mark, line[segment]!) <= SAME_POINT_M ? 0 : fraction;
  return distanceM(mark, line[segment + 1]!) <= SAME_POINT_M ? 1 : fraction;
}
