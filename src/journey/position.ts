import type { JourneyPosition } from '../race/update.ts';
import { positionOf } from './follow.ts';
import type { Journey } from './journey.ts';
import type { Route } from './route.ts';
import { smoothedMps } from './speed.ts';

/** Of a journey what its ETAs are made of, as of its newest position. O(passages). */
export function journeyPosition(route: Route, routeVersion: number, journey: Journey): JourneyPosition {
  const { following, speeds, lastMps, usualMps, moves, trail, movedAtMs } = journey;
  const { alongM, offM, next } = positionOf(following);
  const passage = following.passages.at(-1);
  const planned = following.passages.findLast(({ index }) => route.waypoints[index]!.plannedAtMs !== null);
  return {
    route_version: routeVersion, along_m: alongM, off_m: offM, next, own_mps: smoothedMps(speeds), last_mps: lastMps, usual_mps: usualMps, moves, moved_at: movedAtMs,
    trail_at: trail[0]?.atMs ?? null, trail_m: trail[0]?.alongM ?? null, passed: passage?.index ?? null, passed_at: passage?.atMs ?? null,
    delay_sec: planned === undefined ? null : (planned.atMs - route.waypoints[planned.index]!.plannedAtMs!) / 1000,
  };
}

/** Of a vehicle that nobody has heard of: it stands somewhere before its start. */
export const notSeenYet: JourneyPosition = {
  route_version: 0, along_m: 0, off_m: 1_000, next: 0, own_mps: null, last_mps: 0, usual_mps: null, moves: false, moved_at: 0,
  trail_at: null, trail_m: null, passed: null, passed_at: null, delay_sec: null,
};
