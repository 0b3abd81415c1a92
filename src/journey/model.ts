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
  readonly inputs: Float64Array;
};

/** What a journey has shown and all later ones may learn from. */
export type JourneyFact =
  /** A leg was driven, to waypoint `index`. */
  | { readonly kind: 'leg'; readonly route: Route; readonly index: number; readonly sec: number; readonly atMs: number }
  /** A waypoint was passed `actualSec` after a forecast of it. */
  | { readonly kind: 'outcome'; readonly forecast: OpenForecast; readonly actualSec: number }
  /** The delay against its plan with which a journey began. */
  | { readonly kind: 'start'; readonly delayMs: number };

/** Forecasts further ahead than that are not learned from, seconds. */
const FURTHEST_SEC = 5400;

/** Learns one fact. Order matters little: each is O(1) to O(inputs³). */
export function learnJourneyFact(model: JourneyModel, fact: JourneyFact): void {
  if (fact.kind === 'start') {
    model.votes = withVote(model.votes, fact.delayMs);
    return;
  }
  if (fact.kind === 'leg') {
    const { route, index, sec, atMs } = fact;
    if (!(sec >= 0) || !Number.isFinite(sec)) return;
    const lengthM = route.waypoints[index]!.alongM - route.waypoints[index - 1]!.alongM;
    learnLeg(model.legs, legKeys(route)[index]!, nominalSec(model.legs, route, index, null) ?? sec, sec, lengthM, atMs);
    return;
  }
  const { forecast: { situation, baseSec, toldSec, inputs }, actualSec } = fact;
  if (!(actualSec > 0 && actualSec <= FURTHEST_SEC)) return;
  learnCorrection(model.corrections[situation === 'before' ? 'before' : 'underWay'], baseSec, inputs, actualSec - baseSec);
  learnRange(model.ranges[situation], toldSec, actualSec - toldSec);
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

/** Seconds for the leg to a waypoint by the plan, else by its length at the source's mean speed or the vehicle's own; null = nobody knows. */
export function nominalSec(legs: LegTimes, route: Route, index: number, ownMps: number | null): number | null {
  const planned = plannedLegSec(route, index);
  if (planned !== null) return planned;
  const mps = meanSpeedMps(legs) ?? ownMps;
  const [from, to] = [route.waypoints[index - 1]!, route.waypoints[index]!];
  return mps === null || mps <= 0 ? null : (to.alongM - from.alongM) / mps + from.dwellSec;
}
