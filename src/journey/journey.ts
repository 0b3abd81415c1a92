import { waypointEtas, type WaypointEta } from './etas.ts';
import { follow, positionOf, startFollowing, type Fix, type Following, type FollowOutcome, type Passage } from './follow.ts';
import { distanceM } from './geodesy.ts';
import type { JourneyFact, JourneyModel, OpenForecast } from './model.ts';
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
  /** Forecasts to be held against the truth: at most 256. They are evidence only: losing them loses nothing but what they teach. */
  readonly open: readonly OpenForecast[];
  readonly keptAtMs: number;
  readonly turn: number;
  readonly hasBegun: boolean;
};

export type JourneyFix = Fix & { readonly speedMps: number | null };

/** What became of a position: the journey after it, what it newly passed, what others can learn of it, and the ETAs as of it. */
export type JourneyStep = {
  readonly journey: Journey;
  readonly outcome: FollowOutcome;
  readonly passages: readonly Passage[];
  readonly facts: readonly JourneyFact[];
};

const MOVED_M = 40;
const TRAIL_MS = 720_000;
const TRAIL_GAP_MS = 45_000;
const KEEP_EVERY_MS = 50_000;
const MOST_OPEN = 256;
const USUAL_SHARE = 0.2;
const MOVES_MPS = 0.5;

/** Begins a journey at its first position. */
export function startJourney(route: Route, fix: JourneyFix): Journey {
  const following = startFollowing(route, fix);
  const mps = reportedMps(fix);
  return {
    following, speeds: mps === null ? [] : [{ atMs: fix.atMs, mps }], lastMps: mps, usualMps: null, moves: isMoving(mps, false), trail: [],
    anchorM: positionOf(following).alongM, movedAtMs: fix.atMs, open: [], keptAtMs: -Infinity, turn: 0, hasBegun: false,
  };
}

/**
 * A journey one position on. Late, doubled and impossible positions change nothing of it. The facts are to be learned before the next
 * forecast is made. O(points of the route).
 */
export function advanceJourney(route: Route, before: Journey, fix: JourneyFix): JourneyStep {
  const { state: following, outcome } = follow(route, before.following, fix);
  if (outcome !== 'followed') return { journey: { ...before, following }, outcome, passages: [], facts: [] };
  const passages = following.passages.slice(before.following.passages.length);
  const { alongM, next } = positionOf(following);
  const facts: JourneyFact[] = [];
  let open = before.open;
  let { hasBegun } = before;
  for (const [i, passage] of passages.entries()) {
    const last = following.passages[before.following.passages.length + i - 1];
    if (last !== undefined && last.index === passage.index - 1) facts.push({ kind: 'leg', route, index: passage.index, sec: (passage.atMs - last.atMs) / 1000, atMs: passage.atMs });
    for (const forecast of open) if (forecast.index === passage.index) facts.push({ kind: 'outcome', forecast, actualSec: (passage.atMs - forecast.madeAtMs) / 1000 });
    open = open.filter(({ index }) => index > passage.index);
    const planned = route.waypoints[passage.index]!.plannedAtMs;
    if (!hasBegun && planned !== null) {
      facts.push({ kind: 'start', delayMs: passage.atMs - planned });
      hasBegun = true;
    }
  }
  const mps = reportedMps(fix) ?? (1000 * distanceM(before.following.place, following.place)) / (fix.atMs - before.following.atMs);
  const speeds = withSpeed(before.speeds, { atMs: fix.atMs, mps });
  const hasMoved = Math.abs(alongM - before.anchorM) > MOVED_M;
  return {
    journey: {
      ...before, following, speeds, lastMps: mps, usualMps: usual(before.usualMps, mps), moves: isMoving(smoothedMps(speeds), before.moves),
      trail: next === 0 ? [] : withPoint(before.trail, { atMs: fix.atMs, alongM }), anchorM: hasMoved ? alongM : before.anchorM, movedAtMs: hasMoved ? fix.atMs : before.movedAtMs,
      open, hasBegun,
    },
    outcome, passages, facts,
  };
}

/** ETAs of the waypoints ahead, and the journey that remembers some of them to learn from, at most once in 50 s. O(waypoints). */
export function forecastJourney(model: JourneyModel, route: Route, journey: Journey): { readonly journey: Journey; readonly etas: readonly WaypointEta[] } {
  const { atMs } = journey.following;
  if (atMs - journey.keptAtMs < KEEP_EVERY_MS) return { journey, etas: waypointEtas(model, route, journey).etas };
  const turn = journey.turn + 1;
  // Ever wider apart: what is near is forecast often anyway.
  let [next, gap] = [turn % 2, 1];
  const { etas, forecasts } = waypointEtas(model, route, journey, (place) => {
    if (place !== next) return false;
    next += gap;
    gap = Math.ceil(gap * 1.5);
    return true;
  });
  return { journey: { ...journey, open: [...journey.open, ...forecasts].slice(-MOST_OPEN), keptAtMs: atMs, turn }, etas };
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
