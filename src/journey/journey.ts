import { follow, positionOf, startFollowing, type Fix, type Following, type FollowOutcome, type Passage } from './follow.ts';
import { distanceM } from './geodesy.ts';
import type { Route } from './route.ts';
import { isMoving, smoothedMps, withSpeed, type SpeedSample } from './speed.ts';

export type TrailPoint = { readonly atMs: number; readonly alongM: number };

/** One vehicle on one route: a value, bounded by the waypoints of the route (about 25 KB for 90). */
export type Journey = {
  readonly following: Following;
  /** Speeds of the last 120 s; null in `lastMps` and `usualMps` = never heard. */
  readonly speeds: readonly SpeedSample[];
  readonly lastMps: number | null;
  readonly usualMps: number | null;
  readonly moves: boolean;
  /** Where it was in the last twelve minutes since it left, the oldest first. */
  readonly trail: readonly TrailPoint[];
  /** It has not moved since from `anchorM` along the route. */
  readonly anchorM: number;
  readonly movedAtMs: number;
};

export type JourneyFix = Fix & { readonly speedMps: number | null };

/** What became of a position: the journey after it, and what it newly passed. */
export type JourneyStep = { readonly journey: Journey; readonly outcome: FollowOutcome; readonly passages: readonly Passage[] };

const MOVED_M = 40;
const TRAIL_MS = 720_000;
const TRAIL_GAP_MS = 45_000;
const USUAL_SHARE = 0.2;
const MOVES_MPS = 0.5;

/** Begins a journey at its first position. */
export function startJourney(route: Route, fix: JourneyFix): Journey {
  const following = startFollowing(route, fix);
  const mps = reportedMps(fix);
  return {
    following, speeds: mps === null ? [] : [{ atMs: fix.atMs, mps }], lastMps: mps, usualMps: null, moves: isMoving(mps, false), trail: [],
    anchorM: positionOf(following).alongM, movedAtMs: fix.atMs,
  };
}

/** A journey one position on. Late, doubled and impossible positions change nothing of it. O(points of the route). */
export function advanceJourney(route: Route, before: Journey, fix: JourneyFix): JourneyStep {
  const { state: following, outcome } = follow(route, before.following, fix);
  if (outcome !== 'followed') return { journey: { ...before, following }, outcome, passages: [] };
  const { alongM, next } = positionOf(following);
  const mps = reportedMps(fix) ?? (1000 * distanceM(before.following.place, following.place)) / (fix.atMs - before.following.atMs);
  const speeds = withSpeed(before.speeds, { atMs: fix.atMs, mps });
  const hasMoved = Math.abs(alongM - before.anchorM) > MOVED_M;
  return {
    journey: {
      following, speeds, lastMps: mps, usualMps: usual(before.usualMps, mps), moves: isMoving(smoothedMps(speeds), before.moves),
      trail: next === 0 ? [] : withPoint(before.trail, { atMs: fix.atMs, alongM }), anchorM: hasMoved ? alongM : before.anchorM, movedAtMs: hasMoved ? fix.atMs : before.movedAtMs,
    },
    outcome, passages: following.passages.slice(before.following.passages.length),
  };
}

function reportedMps({ speedMps }: JourneyFix): number | null {
  return speedMps !== null && speedMps >= 0 && Number.isFinite(speedMps) ? speedMps : null;
}

function usual(before: number | null, mps: number): number | null {
  if (mps < MOVES_MPS) return before;
  return before === null ? mps : before + USUAL_SHARE * (mps - before);
}

function withPoint(trail: readonly TrailPoint[], point: TrailPoint): readonly TrailPoint[] {
  const kept = trail.filter(({ atMs }) => atMs >= point.atMs - TRAIL_MS);
  return kept.length > 0 && point.atMs - kept.at(-1)!.atMs < TRAIL_GAP_MS ? kept : [...kept, point];
}
