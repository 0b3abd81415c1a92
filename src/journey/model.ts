import { withVote, type ClockVotes } from './clock-shift.ts';
import { createCorrections, learnCorrection, type Corrections } from './corrections.ts';
import { BEFORE_PRIOR, UNDER_WAY_PRIOR } from './inputs.ts';
import { createLegTimes, learnLeg, legKey, meanSpeedMps, type LegTimes } from './legs.ts';
import { createRanges, learnRange, type Ranges } from './ranges.ts';
import { plannedLegSec, type Route } from './route.ts';

/**
 * Before it leaves, under way, or standing or off its route: each errs in its own way. `unsettled` shares its corrections with
 * `underWay` and has ranges of its own.
 */
export type Situation = 'before' | 'underWay' | 'unsettled';

/**
 * What is learned of the journeys of one source: at most 3.4 MB of leg times and about 300 KB beside. A deterministic fold: equal facts in
 * equal order give equal models.
 */
export type JourneyModel = {
  readonly legs: LegTimes;
  readonly corrections: Readonly<Record<'before' | 'underWay', Corrections>>;
  readonly ranges: Readonly<Record<Situation, Ranges>>;
  votes: ClockVotes;
};

export function createJourneyModel(): JourneyModel {
  return {
    legs: createLegTimes(),
    corrections: { before: createCorrections(BEFORE_PRIOR), underWay: createCorrections(UNDER_WAY_PRIOR) },
    ranges: { before: createRanges(), underWay: createRanges(), unsettled: createRanges() },
    votes: [],
  };
}

/** A forecast that was made and is held against the truth when its waypoint is passed. Times in seconds from when it was made. */
export type OpenForecast = {
  readonly index: number;
  readonly madeAtMs: number;
  readonly situation: Situation;
  /** The sum of leg times, and what was told. */
  readonly baseSec: number;
  readonly toldSec: number;
  readonly inputs: Float32Array;
};

/** A leg of a route: its ends by name, what the plan has for it, its length, how long to stay at its start. */
type Leg = { from: string; to: string; planned_sec: number | null; length_m: number; dwell_sec: number };

/** What the passage of a waypoint teaches all later journeys of the source; a part of the StageFact that tells of it (schemas/avro/history-record.avsc). */
export type PassageFact = {
  /** The leg that ended there; null = the waypoint before was not seen to be passed. */
  leg: (Leg & { sec: number }) | null;
  /** The delay against its plan with which the journey began: at the first of its planned waypoints. */
  start_delay_sec: number | null;
  /** What forecasts of the passage had said, and what came. */
  outcomes: { situation: Situation; base_sec: number; told_sec: number; actual_sec: number; inputs: number[] }[];
};

/** Forecasts further ahead than that are not learned from, seconds. */
const FURTHEST_SEC = 5400;

/**
 * What a passage at `atMs` teaches.
 * @param beforeAtMs when the waypoint before was passed; null = nobody saw it. @param passed all waypoints that were passed. @param ended forecasts of it.
 */
export function passageFact(
  route: Route, index: number, atMs: number, { beforeAtMs, passed, ended }: { readonly beforeAtMs: number | null; readonly passed: readonly number[]; readonly ended: readonly OpenForecast[] },
): PassageFact {
  const plannedAt = (waypoint: number) => route.waypoints[waypoint]?.plannedAtMs ?? null;
  const planned = plannedAt(index);
  const isFirst = !passed.some((earlier) => earlier < index && plannedAt(earlier) !== null);
  return {
    leg: index === 0 || beforeAtMs === null ? null : { ...legOf(route, index), sec: (atMs - beforeAtMs) / 1000 },
    start_delay_sec: isFirst && planned !== null ? (atMs - planned) / 1000 : null,
    outcomes: ended.map(({ situation, madeAtMs, baseSec, toldSec, inputs }) => ({ situation, base_sec: baseSec, told_sec: toldSec, actual_sec: (atMs - madeAtMs) / 1000, inputs: [...inputs] })),
  };
}

/** Learns what a passage at `atMs` showed. O(forecasts x inputs²), every 25th forecast O(inputs³). */
export function learnPassage(model: JourneyModel, { leg, start_delay_sec: startDelaySec, outcomes }: PassageFact, atMs: number): void {
  if (leg !== null && leg.sec >= 0 && Number.isFinite(leg.sec)) {
    learnLeg(model.legs, legKey(leg.from, leg.to), nominalOf(model.legs, leg, null) ?? leg.sec, leg.sec, leg.length_m, atMs);
  }
  for (const { situation, base_sec: baseSec, told_sec: toldSec, actual_sec: actualSec, inputs } of outcomes) {
    const corrections = model.corrections[situation === 'before' ? 'before' : 'underWay'];
    if (!(actualSec > 0 && actualSec <= FURTHEST_SEC) || inputs.length !== corrections.size) continue;
    learnCorrection(corrections, baseSec, inputs, actualSec - baseSec);
    learnRange(model.ranges[situation], toldSec, actualSec - toldSec);
  }
  if (startDelaySec !== null) model.votes = withVote(model.votes, 1000 * startDelaySec);
}

const keysOfRoutes = new WeakMap<Route, readonly string[]>();

/** Keys of the legs that end at each waypoint; that of the first is empty. Made once a route. */
export function legKeys(route: Route): readonly string[] {
  let keys = keysOfRoutes.get(route);
  if (keys === undefined) {
    keys = route.waypoints.map(({ name }, index) => (index === 0 ? '' : legKey(route.waypoints[index - 1]!.name, name)));
    keysOfRoutes.set(route, keys);
  }
  return keys;
}

function legOf(route: Route, index: number): Leg {
  const [from, to] = [route.waypoints[index - 1]!, route.waypoints[index]!];
  return { from: from.name, to: to.name, planned_sec: plannedLegSec(route, index), length_m: to.alongM - from.alongM, dwell_sec: from.dwellSec };
}

/** Seconds for the leg to a waypoint by the plan, else by its length at the source's mean speed or the vehicle's own; null = nobody knows. */
export function nominalSec(legs: LegTimes, route: Route, index: number, ownMps: number | null): number | null {
  return plannedLegSec(route, index) ?? nominalOf(legs, legOf(route, index), ownMps);
}

function nominalOf(legs: LegTimes, { planned_sec: plannedSec, length_m: lengthM, dwell_sec: dwellSec }: Leg, ownMps: number | null): number | null {
  if (plannedSec !== null) return plannedSec;
  const mps = meanSpeedMps(legs) ?? ownMps;
  return mps === null || mps <= 0 ? null : lengthM / mps + dwellSec;
}
