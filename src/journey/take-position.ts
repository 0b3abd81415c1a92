import { emptyUpdate, type PlannedStage, type RaceUpdate } from '../race/update.ts';
import { headingAfter } from './course.ts';
import { passedAtMs, positionOf, type FollowOutcome, type Passage } from './follow.ts';
import { advanceJourney, startJourney, type Journey, type JourneyFix } from './journey.ts';
import { isSameRace, type FollowedJourney, type JourneyIdentity } from './journey-record.ts';
import { phaseByHand, type ByHand } from './by-hand.ts';
import { arrive, beforeDeparture, depart, held, phaseAfter, type PhaseState } from './phases.ts';
import { journeyPosition } from './position.ts';
import { plannedLegSec, type Route } from './route.ts';
import { smoothedMps } from './speed.ts';
import type { TelemetryPoint } from './telemetry.ts';

/** Where a vehicle is, is told so often at most, ms of event time. */
const TELL_EVERY_MS = 10_000;
/** A vehicle that moved less has not moved. */
const MOVED_SHARE = 0.0005;

/** What the race says of its journey. */
export type JourneyOfRace = { readonly identity: JourneyIdentity; readonly byHand: ByHand };

/** Where a position lies in the log. */
export type TelemetryPlace = { readonly epoch: number; readonly offset: number };

export type PositionStep = {
  readonly followed: FollowedJourney;
  readonly outcome: FollowOutcome;
  /** What race-updates is to be told of it, as of the position that showed it. Depends on the positions alone: told again, it changes nothing. */
  readonly updates: readonly RaceUpdate[];
};

/**
 * A vehicle one position on: where it is, what it passed, in which phase it is. `before` = what was known of it; undefined, or of another
 * race, attempt or route, or another version of the route: it is followed anew, a phase that the race has reached stays.
 * O(points of the route).
 */
export function takeTelemetry(before: FollowedJourney | undefined, { identity, byHand }: JourneyOfRace, route: Route, point: TelemetryPoint, { epoch, offset }: TelemetryPlace): PositionStep {
  const fix: JourneyFix = { atMs: point.at, lat: point.lat, lon: point.lon, accuracyM: point.accuracy_m, speedMps: point.speed_mps };
  const isKnown = before !== undefined && isSameRace(before.identity, identity);
  const isSameRoute = isKnown && before.identity.route_id === identity.route_id && before.identity.route_version === identity.route_version;
  if (isKnown && !isSameRoute && point.at <= before.journey.following.atMs) return { followed: at(before, epoch, offset), outcome: 'late', updates: [] };
  const step = isSameRoute ? advanceJourney(route, before.journey, fix) : { journey: startJourney(route, fix), outcome: 'followed' as const, passages: [] };
  if (step.outcome !== 'followed') return { followed: at({ ...before!, journey: step.journey }, epoch, offset), outcome: step.outcome, updates: [] };

  const known = isKnown ? before.phase : beforeDeparture;
  const phase = phaseOf(phaseByHand(known, byHand), route, step.journey, step.passages);
  const told = tell(identity, route, step.journey, isSameRoute ? before : undefined, { before: known, after: phase }, step.passages);
  return {
    followed: {
      identity, journey: step.journey, phase,
      headingDeg: headingAfter(isKnown ? before.headingDeg : null, isKnown ? before.journey.following.place : null, { lat: point.lat, lon: point.lon, headingDeg: point.heading_deg, speedMps: point.speed_mps }),
      delaySec: delayAfter(isSameRoute ? before.delaySec : null, route, step.passages), sentAtMs: told.sentAtMs, epoch, appliedOffset: offset,
    },
    outcome: 'followed', updates: told.updates,
  };
}

function at(followed: FollowedJourney, epoch: number, appliedOffset: number): FollowedJourney {
  return { ...followed, epoch, appliedOffset };
}

/** Passing the start is a departure and passing the end an arrival, at that instant; else what the rules say. */
function phaseOf(before: PhaseState, route: Route, journey: Journey, passages: readonly Passage[]): PhaseState {
  let phase = before;
  for (const { index, atMs } of passages) {
    if (phase.phase === 'pre_departure') phase = held(depart(phase, atMs), phase);
    if (index === route.waypoints.length - 1 && mayArrive(route, journey)) phase = held(arrive(phase, atMs), phase);
  }
  const { alongM, offM } = positionOf(journey.following);
  const after = phaseAfter(phase, { atMs: journey.following.atMs, mps: smoothedMps(journey.speeds), alongM, offM, totalM: route.totalM });
  return after.phase === 'post_arrival' && phase.phase !== 'post_arrival' && !mayArrive(route, journey) ? phase : after;
}

/**
 * A vehicle may stand at the end of a route before it drives to the start: one that was seen nowhere on the first half has not arrived before
 * half of its planned time is over.
 */
function mayArrive({ waypoints }: Route, { following: { atMs, passages } }: Journey): boolean {
  const [from, to] = [waypoints[0]!.plannedAtMs, waypoints.at(-1)!.plannedAtMs];
  return from === null || to === null || passages.some(({ index }) => index < waypoints.length / 2) || atMs >= (from + to) / 2;
}

function delayAfter(before: number | null, { waypoints }: Route, passages: readonly Passage[]): number | null {
  const last = passages.findLast(({ index }) => waypoints[index]!.plannedAtMs !== null);
  return last === undefined ? before : (last.atMs - waypoints[last.index]!.plannedAtMs!) / 1000;
}

function tell(
  { race_id: raceId, source, route_version: routeVersion }: JourneyIdentity, route: Route, journey: Journey, before: FollowedJourney | undefined,
  phase: { readonly before: PhaseState; readonly after: PhaseState }, passages: readonly Passage[],
): { readonly updates: readonly RaceUpdate[]; readonly sentAtMs: number } {
  const updates: RaceUpdate[] = [];
  const { atMs } = journey.following;
  const say = (news: Partial<RaceUpdate>): void => {
    updates.push({ ...emptyUpdate(raceId, source, atMs), ...news });
  };
  const { alongM } = positionOf(journey.following);
  if (before === undefined) say({ plan: planOf(route) });
  const { departedAtMs, arrivedAtMs } = phase.after;
  if (phase.before.departedAtMs === null && departedAtMs !== null) say({ state: 'running', started_at: departedAtMs });
  for (const { index, atMs: completedAtMs } of passages) {
    say({ stage: { name: route.waypoints[index]!.name, seq: index, state: 'passed', started_at: passedAtMs(journey.following, index - 1), completed_at: completedAtMs, planned_sec: plannedLegSec(route, index) } });
  }
  if (phase.before.arrivedAtMs === null && arrivedAtMs !== null) {
    say({ state: 'passed', completed_at: arrivedAtMs });
    return { updates, sentAtMs: atMs };
  }
  const sentAtMs = before?.sentAtMs ?? 0;
  const movedM = before === undefined ? Infinity : Math.abs(alongM - positionOf(before.journey.following).alongM);
  const isDue = updates.length > 0 || (atMs - sentAtMs >= TELL_EVERY_MS && (movedM > MOVED_SHARE * route.totalM || atMs - sentAtMs >= 6 * TELL_EVERY_MS));
  if (!isDue || phase.after.phase === 'post_arrival') return { updates, sentAtMs };
  const position = journeyPosition(route, routeVersion, journey);
  const progress = phase.after.phase === 'in_flight' ? Math.min(100, (100 * alongM) / route.totalM) : null;
  // A passage, a departure or the plan, and where the vehicle is then, are one piece of news.
  if (updates.length > 0) updates.push({ ...updates.pop()!, position, progress });
  else say({ position, progress });
  return { updates, sentAtMs: atMs };
}

const plans = new WeakMap<Route, PlannedStage[]>();

/** The waypoints as stages to come. Made once a route. */
function planOf(route: Route): PlannedStage[] {
  let plan = plans.get(route);
  if (plan === undefined) {
    plan = route.waypoints.map(({ name, index, plannedAtMs }) => ({ name, planned_sec: plannedLegSec(route, index), planned_at: plannedAtMs }));
    plans.set(route, plan);
  }
  return plan;
}
