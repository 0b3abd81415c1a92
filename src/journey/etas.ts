import type { JourneyPosition } from '../race/update.ts';
import { shiftMs } from './clock-shift.ts';
import { correctionSec } from './corrections.ts';
import { inputsBefore, inputsUnderWay, type Standing } from './inputs.ts';
import { expectedSec, hourExcessSec, recentExcessSec } from './legs.ts';
import { legKeys, nominalSec, type JourneyModel, type OpenForecast, type Situation } from './model.ts';
import { rangeSec } from './ranges.ts';
import { waypointsBy, type Route } from './route.ts';

/** When a journey will be at a waypoint. p10 <= eta <= p90, none before the instant it was made. */
export type WaypointEta = {
  readonly index: number;
  readonly etaMs: number;
  readonly p10Ms: number;
  readonly p90Ms: number;
  /** Metres along the route. */
  readonly distanceM: number;
  /** `anticipated` until the vehicle has left. */
  readonly type: 'anticipated' | 'estimated';
};

/** Vehicles leave so many seconds after they should (first 40 % of recorded bus journeys); no sooner than that from now. */
const [LEAVES_AFTER_SEC, LEAVES_SOONEST_SEC] = [20, 5];
/** As near to its start a vehicle is there. */
const AT_START_M = 80;
/** Forecasts go so far, seconds. */
const FURTHEST_SEC = 7 * 86_400;
const PACE_PRIOR_SEC = 180;
const STANDS_SEC = 60;
const OFF_M = 150;
/** A correction leaves at least this share of the sum it corrects. */
const LEAST_SHARE = 0.3;

/**
 * ETAs of all waypoints ahead as of a vehicle's position at `atMs`: the rest of this leg and the legs ahead by plan and learned times, corrected for
 * what lateness, pace, standing and traffic do to such sums. Ends at the first leg that neither has a plan nor was ever driven, of a
 * vehicle that stands. `forecasts` are those of them that `isKept` asks for by their place in the list, with what they were made of. O(waypoints).
 */
export function waypointEtas(
  model: JourneyModel, route: Route, position: JourneyPosition, atMs: number, isKept: (place: number) => boolean = () => false,
): { readonly etas: WaypointEta[]; readonly forecasts: OpenForecast[] } {
  const { along_m: alongM, off_m: offM, next, own_mps: ownMps } = position;
  const { waypoints } = route;
  const etas: WaypointEta[] = [];
  const forecasts: OpenForecast[] = [];
  if (next >= waypoints.length) return { etas, forecasts };
  const keys = legKeys(route);
  const isBefore = next === 0;
  /** Of the legs ahead, this one, and those behind that the pace goes by; null = nobody knows. */
  const legSec: (number | null)[] = [];
  for (let index = Math.max(1, Math.min(next, waypointsBy(route, position.trail_m ?? alongM))); index < waypoints.length; index++) {
    const nominal = nominalSec(model.legs, route, index, position.moves ? ownMps : null);
    legSec[index] = nominal === null ? null : expectedSec(model.legs, keys[index]!, nominal);
  }
  const shift = shiftMs(model.votes, position.delay_sec === null ? null : 1000 * position.delay_sec);
  const leg = Math.max(1, next);
  const done = shareDone(route, leg, alongM);
  const late = lateSec(route, leg, isBefore ? 0 : done, atMs - shift);
  const firstLegSec = legSec[leg] ?? null;
  const standing: Standing = {
    lateSec: late, pace: paceOf(route, legSec, position, atMs), stoodSec: isBefore ? 0 : (atMs - position.moved_at) / 1000,
    isStopped: position.last_mps !== null && position.last_mps < 0.5, speedRatio: speedRatio(position), offM,
    legExcessSec: legExcess(position, atMs, done, firstLegSec),
  };
  const situation: Situation = isBefore ? 'before' : standing.stoodSec >= STANDS_SEC || offM > OFF_M ? 'unsettled' : 'underWay';
  let baseSec = isBefore ? Math.max(LEAVES_SOONEST_SEC, waypoints[0]!.plannedAtMs === null ? 0 : (waypoints[0]!.plannedAtMs + shift - atMs) / 1000 + LEAVES_AFTER_SEC) : 0;
  const corrections = model.corrections[isBefore ? 'before' : 'underWay'];
  const inputs = new Float64Array(corrections.size);
  let [trafficSec, hourSec, legs, leastMs] = [0, 0, 0, atMs];
  for (let index = next; index < waypoints.length; index++) {
    if (index > 0) {
      const expected = legSec[index] ?? null;
      if (expected === null) break;
      if (index === next) baseSec = expected * (1 - done);
      else {
        baseSec += expected;
        trafficSec += recentExcessSec(model.legs, keys[index]!, expected, atMs);
        hourSec += hourExcessSec(model.legs, keys[index]!, expected, atMs);
        legs++;
      }
    }
    if (baseSec > FURTHEST_SEC) break;
    const plannedAt = waypoints[index]!.plannedAtMs;
    const ahead = { baseSec, plannedSec: plannedAt === null ? 0 : (plannedAt + shift - atMs) / 1000, trafficSec, hourSec, legs };
    if (isBefore) inputsBefore(standing, ahead, inputs);
    else inputsUnderWay(standing, ahead, inputs);
    const correction = correctionSec(corrections, baseSec, inputs);
    const isThere = index === 0 && alongM < AT_START_M && offM < AT_START_M;
    const toldMs = isThere ? atMs : Math.round(Math.max(atMs + 1000 * Math.max(LEAST_SHARE * baseSec, baseSec + correction), atMs + 1000, leastMs));
    if (!isThere) leastMs = toldMs;
    const toldSec = (toldMs - atMs) / 1000;
    const [low, high] = rangeSec(model.ranges[situation], toldSec);
    if (isKept(etas.length)) forecasts.push({ index, madeAtMs: atMs, situation, baseSec, toldSec, inputs: Float32Array.from(inputs) });
    etas.push({
      index, etaMs: toldMs, p10Ms: Math.round(Math.max(atMs, toldMs + 1000 * low)), p90Ms: Math.round(toldMs + 1000 * high),
      distanceM: Math.max(0, waypoints[index]!.alongM - alongM), type: isBefore ? 'anticipated' : 'estimated',
    });
  }
  return { etas, forecasts };
}

function shareDone({ waypoints }: Route, leg: number, alongM: number): number {
  const [from, to] = [waypoints[leg - 1]!.alongM, waypoints[leg]!.alongM];
  return to > from ? Math.min(1, Math.max(0, (alongM - from) / (to - from))) : 0;
}

/** Behind the plan at a place on a leg; 0 where the plan is silent. */
function lateSec({ waypoints }: Route, leg: number, done: number, atMs: number): number {
  const [from, to] = [waypoints[leg - 1]!.plannedAtMs, waypoints[leg]!.plannedAtMs];
  return from === null || to === null ? 0 : (atMs - from - done * (to - from)) / 1000;
}

/** How much longer than expected the way of the last minutes took, as a share of it. */
function paceOf(route: Route, legSec: readonly (number | null)[], { along_m: alongM, trail_at: fromMs, trail_m: fromM }: JourneyPosition, atMs: number): number {
  if (fromMs === null || fromM === null || alongM <= fromM) return 0;
  const tookSec = (atMs - fromMs) / 1000;
  let expectedOfWay = 0;
  for (let leg = Math.max(1, waypointsBy(route, fromM)); leg < route.waypoints.length; leg++) {
    if (route.waypoints[leg - 1]!.alongM >= alongM) break;
    expectedOfWay += (legSec[leg] ?? 0) * (shareDone(route, leg, alongM) - shareDone(route, leg, fromM));
  }
  return expectedOfWay <= 0 ? 0 : Math.min(3, (tookSec - expectedOfWay) / (expectedOfWay + PACE_PRIOR_SEC));
}

function legExcess({ next, passed, passed_at: passedAtMs }: JourneyPosition, atMs: number, done: number, expected: number | null): number {
  return passedAtMs === null || passed !== next - 1 || expected === null ? 0 : (atMs - passedAtMs) / 1000 - done * expected;
}

function speedRatio({ last_mps: lastMps, usual_mps: usualMps }: JourneyPosition): number {
  return lastMps === null || usualMps === null ? 0 : Math.log((lastMps + 0.5) / (usualMps + 0.5));
}
