import { between, chordM, distanceM, placeOf, projectOnArc, vectorOf, type Place } from './geodesy.ts';
import { MOST_POINTS, MOST_POIS, MOST_WAYPOINTS, pointOfInterest, type PointOfInterest, type RoutePoint } from './route.ts';

/** A named mark of a route file, to be found on its line. */
export type Mark = Place & { readonly name: string; readonly plannedAtMs: number | null };

/** Farther from the line a mark is a point of interest, not a waypoint. */
const WAYPOINT_WITHIN_M = 1000;
/** By what the square root of a difference of nearly equal numbers may be off. */
const CHORD_ERROR_M = 1;
/** A mark as near to a point of the line is that point. */
const SAME_POINT_M = 50;

/**
 * Puts marks on a line: each becomes a point of it where the line comes nearest, in the order of the marks, so that on a line that crosses
 * itself a mark lies after the mark before it. Those over 1 km away become points of interest. O(marks x points); more than a route may
 * have are not placed at all, since they are refused anyway.
 */
export function attachMarks(line: readonly Place[], marks: readonly Mark[]): { readonly points: RoutePoint[]; readonly pois: PointOfInterest[] } {
  if (line.length > MOST_POINTS || marks.length > MOST_WAYPOINTS + MOST_POIS) return { points: line.map((place) => pointOf(place, null)), pois: marks.map(poiOf) };
  const vectors = line.map(vectorOf);
  const lengthsM = line.map((place, i) => (i + 1 < line.length ? distanceM(place, line[i + 1]!) : 0));
  const pois: PointOfInterest[] = [];
  /** Where on the line, as segment and share of it. */
  const placed: { readonly at: number; readonly mark: Mark }[] = [];
  let afterAt = 0;
  for (const mark of marks) {
    const p = vectorOf(mark);
    let best = { at: -1, offM: Infinity };
    let behind = { at: -1, offM: Infinity };
    for (let i = 0; i + 1 < vectors.length; i++) {
      // Most of a line is nowhere near a mark.
      if (chordM(p, vectors[i]!) > lengthsM[i]! + WAYPOINT_WITHIN_M + CHORD_ERROR_M) continue;
      const { fraction, distanceM: offM } = projectOnArc(p, vectors[i]!, vectors[i + 1]!);
      const at = i + snapped(line, mark, i, fraction);
      if (at >= afterAt ? offM < best.offM - 1 : offM < behind.offM) {
        if (at >= afterAt) best = { at, offM };
        else behind = { at, offM };
      }
    }
    const found = best.offM <= WAYPOINT_WITHIN_M ? best : behind;
    if (found.offM > WAYPOINT_WITHIN_M) {
      pois.push(poiOf(mark));
      continue;
    }
    placed.push({ at: found.at, mark });
    afterAt = Math.max(afterAt, found.at);
  }
  placed.sort((a, b) => a.at - b.at);
  const points: RoutePoint[] = [];
  let next = 0;
  for (const [i, place] of line.entries()) {
    let own: Mark | null = null;
    for (; next < placed.length && placed[next]!.at <= i; next++) own = placed[next]!.mark;
    points.push(pointOf(place, own));
    for (; next < placed.length && placed[next]!.at < i + 1; next++) {
      const { at, mark } = placed[next]!;
      points.push(pointOf(placeOf(between(vectors[i]!, vectors[i + 1]!, at - i)), mark));
    }
  }
  return { points, pois };
}

function pointOf({ lat, lon }: Place, mark: Mark | null): RoutePoint {
  return { lat, lon, name: mark?.name ?? null, planned_at: mark?.plannedAtMs ?? null, dwell_sec: null };
}

function poiOf({ name, lat, lon }: Mark): PointOfInterest {
  return pointOfInterest(name, name, { lat, lon });
}

/** The share of a segment, at its ends where the mark is about there. */
function snapped(line: readonly Place[], mark: Mark, segment: number, fraction: number): number {
  if (fraction < 0.5) return distanceM(mark, line[segment]!) <= SAME_POINT_M ? 0 : fraction;
  return distanceM(mark, line[segment + 1]!) <= SAME_POINT_M ? 1 : fraction;
}
