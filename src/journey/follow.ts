import { distanceM, EARTH_RADIUS_M, projectOnArc, vectorOf, type Place, type Vector } from './geodesy.ts';
import { plannedAtMs, plannedSpeedMps, waypointsBy, type Route } from './route.ts';

// A position alone does not say where on a route a vehicle is: loops come back, streets cross, receivers err. So several
// hypotheses are kept, each a way along the route that only ever leads forward, and weighed as in Newson and Krumm, "Hidden
// Markov map matching through noise and sparseness" (2009): by how far off the position is, and by how much the way along
// the route differs from the way as the crow flies. A gap of minutes costs nothing if both ways agree.

/** A waypoint that was reached: when, and how near the straight line between two positions came to it. */
export type Passage = { readonly index: number; readonly atMs: number; readonly missM: number };

/** One way along the route that explains the positions so far. */
export type Hypothesis = {
  readonly alongM: number;
  /** Negative log likelihood above the best one's. */
  readonly cost: number;
  readonly offM: number;
  /** Waypoints behind it: the next one's index. */
  readonly next: number;
  /** Where it began to be on the route. */
  readonly joinedM: number;
  /** Passages that only this way has seen. */
  readonly passages: readonly Passage[];
};

/** Where a vehicle is on its route: bounded by the waypoints of the route. Immutable. */
export type Following = {
  readonly atMs: number;
  readonly place: Place;
  /** At most 6, the best first. */
  readonly hypotheses: readonly Hypothesis[];
  /** Passages all likely ways agree on, by index; never taken back. */
  readonly passages: readonly Passage[];
  /** Waypoints passed for certain: the next one's index. */
  readonly next: number;
  readonly isOffRoute: boolean;
  /** Positions in a row that were too far to have been reached; the newest of them. */
  readonly outliers: number;
  readonly strayAtMs: number;
  readonly stray: Place | null;
};

export type Fix = { readonly atMs: number; readonly lat: number; readonly lon: number; readonly accuracyM: number | null };

/** `late` = not newer than what is known, `outlier` = not to be reached from there: nothing changes by either. */
export type FollowOutcome = 'followed' | 'late' | 'outlier';

const MOST_HYPOTHESES = 6;
const MOST_COST = 14;
/** Ways less likely than exp(-6) do not hold a passage back. */
const CERTAIN_COST = 6;
/** A way that lies behind is believed unless the one ahead is this much likelier. */
const BEHIND_COST = 1.5;
/** Receivers in streets: metres, one standard deviation. */
const NOISE_M = 25;
/** Between waypoints that are given without the road between them, roads leave the straight line by this share of it. */
const SAG = 0.12;
const MOST_SAG_M = 3000;
const REACH = 8;
const LOST_COST = 7;
const BACK_COST = 2;
/** A vehicle first seen somewhere else may be on its way to the start. */
const APPROACH_COST = 3;
/** A route whose ends are as near to each other is a loop. */
const LOOP_M = 500;
/** Share of a loop from which on a vehicle that is first seen there comes to its start. Chosen, not tuned. */
const COMING_SHARE = 0.75;
/** A way that began in the midst of the route is believed once it has led so far. */
const PROVEN_M = 300;
/** A waypoint so few metres ahead is reached: receivers and stops are not placed better. */
const REACHED_M = 30;
/** The start is left so many metres behind it. */
const LEFT_M = 50;
/** Remaining metres at which a vehicle that stands has arrived. */
const ARRIVAL_M = 100;
const OUTLIERS_BELIEVED = 3;
const FASTEST_MPS = 70;
const FASTEST_UNPLANNED_MPS = 400;

function sagM(lengthM: number): number {
  return Math.min(MOST_SAG_M, SAG * lengthM);
}

type Candidate = { readonly alongM: number; readonly offM: number; readonly sigmaM: number };

/** Where the route comes near a place: each stretch's nearest point within reach; at least the nearest of all. O(points). */
function candidatesOf(route: Route, p: Vector, accuracyM: number | null): Candidate[] {
  const { vectors, alongM } = route;
  const found: Candidate[] = [];
  const noiseM = Math.max(NOISE_M, Math.min(accuracyM ?? 0, 1000));
  let nearest: Candidate | null = null;
  // A valley is a run of segments in reach; only the lowest point of each descent is a candidate.
  let lowest: Candidate | null = null;
  let isRising = false;
  let lastOffM = Infinity;
  const close = (): void => {
    if (lowest !== null) found.push(lowest);
    lowest = null;
    isRising = false;
    lastOffM = Infinity;
  };
  for (let i = 0; i + 1 < vectors.length; i++) {
    const lengthM = alongM[i + 1]! - alongM[i]!;
    if (lengthM === 0) continue;
    const a = vectors[i]!;
    const sigmaM = Math.sqrt(noiseM * noiseM + sagM(lengthM) ** 2);
    const reachM = REACH * sigmaM;
    // The chord to a segment's start, less its length, bounds its distance from below.
    const chordM = EARTH_RADIUS_M * Math.hypot(p[0] - a[0], p[1] - a[1], p[2] - a[2]);
    if (nearest !== null && chordM - lengthM > reachM && chordM - lengthM > nearest.offM) {
      close();
      continue;
    }
    const { fraction, distanceM: offM } = projectOnArc(p, a, vectors[i + 1]!);
    const candidate = { alongM: alongM[i]! + fraction * lengthM, offM, sigmaM };
    if (nearest === null || offM < nearest.offM) nearest = candidate;
    if (offM > reachM) {
      close();
      continue;
    }
    if (offM > lastOffM) isRising = true;
    else if (isRising && offM < lastOffM) close();
    if (lowest === null || offM < lowest.offM) lowest = candidate;
    lastOffM = offM;
  }
  close();
  if (nearest !== null && !found.includes(nearest)) found.push(nearest);
  // Beside or beyond the end, what is left to the end is what the place is away from it.
  return found.map((candidate) => (candidate.alongM < route.totalM ? candidate : { ...candidate, alongM: Math.max(0, route.totalM - candidate.offM) }));
}

function offCost({ offM, sigmaM }: Candidate): number {
  return Math.min(0.5 * (offM / sigmaM) ** 2, LOST_COST);
}

/** At the first position the start of the route is likelier than its end, and what the plan says likelier than what it does not. */
function priorCost(route: Route, { alongM }: Candidate, atMs: number): number {
  const planned = plannedAtMs(route, alongM);
  // Plans that are hours off are clocks in another zone: only the rest counts.
  const lateSec = planned === null ? 0 : Math.abs(((((atMs - planned) / 1000 + 1800) % 3600) + 3600) % 3600 - 1800);
  return (3 * alongM) / route.totalM + Math.min(3, lateSec / 600);
}

/** What moving along the route by `stepM` costs for a vehicle that moved `movedM` as the crow flies. */
function moveCost(stepM: number, movedM: number, sagAllowedM: number): number {
  const scaleM = 60 + 0.25 * movedM + 0.5 * sagAllowedM;
  return stepM >= 0 ? Math.abs(stepM - movedM) / scaleM : (movedM - stepM) / scaleM + BACK_COST;
}

/** Begins to follow a vehicle at its first position. O(points). */
export function startFollowing(route: Route, fix: Fix): Following {
  const place = { lat: fix.lat, lon: fix.lon };
  const begin = { alongM: 0, offM: distanceM(place, route.waypoints[0]!.place), sigmaM: NOISE_M };
  const candidates = candidatesOf(route, vectorOf(place), fix.accuracyM).filter((candidate) => !isComing(route, candidate, fix.atMs));
  const ways = [...candidates, begin].map((candidate): Hypothesis => {
    const off = candidate === begin ? Math.min(offCost(begin), APPROACH_COST + begin.offM / 1000) : offCost(candidate);
    return { alongM: candidate.alongM, offM: candidate.offM, cost: off + priorCost(route, candidate, fix.atMs), next: behindAtStart(route, candidate.alongM), joinedM: candidate.alongM, passages: [] };
  });
  const hypotheses = pruned(ways);
  return settled({
    atMs: fix.atMs, place, hypotheses, passages: [], next: 0, isOffRoute: isOff(route, hypotheses[0]!, false), outliers: 0, strayAtMs: 0, stray: null,
  });
}

/**
 * On a loop the way to the start is that to the end: a vehicle that waits at its start or drives the last quarter has its round before it,
 * unless the plan has it nearer there than at the start.
 */
function isComing(route: Route, { alongM }: Candidate, atMs: number): boolean {
  if (!isAtLoopEnd(route, alongM)) return false;
  const [startAtMs, thereAtMs] = [route.waypoints[0]!.plannedAtMs, plannedAtMs(route, alongM)];
  return startAtMs === null || thereAtMs === null || Math.abs(atMs - startAtMs) <= Math.abs(atMs - thereAtMs);
}

function isAtLoopEnd({ totalM, waypoints }: Route, alongM: number): boolean {
  return alongM >= COMING_SHARE * totalM && distanceM(waypoints[0]!.place, waypoints.at(-1)!.place) <= LOOP_M;
}

/** A vehicle that is first seen on its way has passed what lies behind it, nobody knows when. */
function behindAtStart(route: Route, alongM: number): number {
  return alongM <= LEFT_M ? 0 : waypointsBy(route, alongM - REACHED_M);
}

/** The greatest speed, m/s, at which a vehicle of this route is believed. */
function fastestMps(route: Route): number {
  let fastest = 0;
  for (let i = 0; i + 1 < route.vectors.length && i < 200; i++) fastest = Math.max(fastest, plannedSpeedMps(route, i) ?? 0);
  return fastest === 0 ? FASTEST_UNPLANNED_MPS : Math.max(FASTEST_MPS, 3 * fastest);
}

const fastest = new WeakMap<Route, number>();

function speedLimitMps(route: Route): number {
  let mps = fastest.get(route);
  if (mps === undefined) fastest.set(route, (mps = fastestMps(route)));
  return mps;
}

/**
 * Follows a vehicle by one position. What is not newer than the last one is `late`. A position too far away to have been reached is an
 * `outlier`, until three in a row agree with each other. O(points of the route).
 */
export function follow(route: Route, state: Following, fix: Fix): { readonly state: Following; readonly outcome: FollowOutcome } {
  if (fix.atMs <= state.atMs) return { state, outcome: 'late' };
  const place = { lat: fix.lat, lon: fix.lon };
  const movedM = distanceM(state.place, place);
  const limitMps = speedLimitMps(route);
  if (movedM > 200 + (limitMps * (fix.atMs - state.atMs)) / 1000) {
    const agrees = state.stray !== null && distanceM(state.stray, place) <= 200 + (limitMps * Math.max(0, fix.atMs - state.strayAtMs)) / 1000;
    const outliers = agrees ? state.outliers + 1 : 1;
    if (outliers < OUTLIERS_BELIEVED) return { state: { ...state, outliers, stray: place, strayAtMs: fix.atMs }, outcome: 'outlier' };
  }
  const from = vectorOf(state.place);
  const to = vectorOf(place);
  const candidates = candidatesOf(route, to, fix.accuracyM);
  const ways: Moved[] = [];
  for (const way of state.hypotheses) {
    for (const candidate of candidates) {
      const stepM = candidate.alongM - way.alongM;
      // Who comes to the start of a loop is not around it at once.
      if (way.next === 0 && 1000 * stepM > FASTEST_MPS * (fix.atMs - state.atMs) && isAtLoopEnd(route, candidate.alongM)) continue;
      const cost = way.cost + offCost(candidate) + moveCost(stepM, movedM, Math.max(candidate.offM, way.offM));
      ways.push({ ...way, alongM: Math.max(way.alongM, candidate.alongM), offM: candidate.offM, cost, origin: way });
    }
    // Not where the route is: a detour, or noise.
    ways.push({ ...way, cost: way.cost + LOST_COST + movedM / 2000, offM: Math.max(way.offM, candidates[0]?.offM ?? way.offM), origin: null });
  }
  const hypotheses = pruned(ways).map(({ origin, ...way }) => (origin === null ? way : { ...way, ...crossed(route, origin, way.alongM, movedM, state, fix, from, to) }));
  return {
    state: settled({ ...state, atMs: fix.atMs, place, hypotheses, isOffRoute: isOff(route, hypotheses[0]!, state.isOffRoute), outliers: 0, stray: null }),
    outcome: 'followed',
  };
}

/** Adds the waypoints between two positions of a way: when each was nearest, in order. */
function crossed(route: Route, way: Hypothesis, alongM: number, movedM: number, state: Following, fix: Fix, from: Vector, to: Vector): Pick<Hypothesis, 'next' | 'passages'> {
  const found: Passage[] = [];
  const stepM = alongM - way.alongM;
  let afterMs = state.atMs;
  let next = way.next;
  for (; next < route.waypoints.length; next++) {
    const waypoint = route.waypoints[next]!;
    const isLast = next === route.waypoints.length - 1;
    const aheadM = waypoint.alongM - alongM;
    const isPassed = next === 0 ? aheadM < -LEFT_M : aheadM <= REACHED_M || (isLast && (aheadM <= LEFT_M || (aheadM <= ARRIVAL_M && movedM < LEFT_M)));
    if (!isPassed) break;
    const share = stepM <= 0 ? 1 : Math.min(1, Math.max(0, (waypoint.alongM - way.alongM) / stepM));
    const { distanceM: missM } = projectOnArc(vectorOf(waypoint.place), from, to);
    const atMs = Math.max(afterMs, Math.round(state.atMs + share * (fix.atMs - state.atMs)));
    found.push({ index: next, atMs, missM });
    afterMs = atMs;
  }
  return { next, passages: found.length === 0 ? way.passages : [...way.passages, ...found] };
}

/** A way with the one it goes on from; null = it stayed where it was. */
type Moved = Hypothesis & { readonly origin: Hypothesis | null };

/** The likeliest ways, at most six, one for each place; costs above the best. */
function pruned<T extends Hypothesis>(ways: T[]): T[] {
  ways.sort((a, b) => a.cost - b.cost);
  const kept: T[] = [];
  const least = ways[0]!.cost;
  for (const way of ways) {
    if (way.cost - least > MOST_COST || kept.length === MOST_HYPOTHESES) break;
    if (kept.some(({ alongM }) => Math.abs(alongM - way.alongM) < 5)) continue;
    kept.push({ ...way, cost: way.cost - least });
  }
  return kept;
}

/** Takes the passages that all likely ways have seen as facts. */
function settled(state: Following): Following {
  let next = Infinity;
  for (const way of state.hypotheses) {
    const isProven = way.joinedM <= LEFT_M || way.alongM - way.joinedM >= PROVEN_M;
    if (way.cost <= CERTAIN_COST) next = Math.min(next, isProven ? way.next : state.next);
  }
  if (next <= state.next) return state;
  // Ways differ in when they saw the waypoint before: none is passed before the one in front of it.
  const earliestMs = state.passages.at(-1)?.atMs ?? -Infinity;
  const sure = behindOf(state.hypotheses).passages.filter(({ index }) => index < next).map((passage) => (passage.atMs < earliestMs ? { ...passage, atMs: earliestMs } : passage));
  const hypotheses = state.hypotheses
    // What lies before a fact is refuted.
    .filter((way) => way.next >= next)
    .map((way) => ({ ...way, passages: way.passages.filter(({ index }) => index >= next) }));
  return { ...state, hypotheses, passages: sure.length === 0 ? state.passages : [...state.passages, ...sure], next };
}

/** Of the ways about as likely as the best, the one that is least far. */
function behindOf(hypotheses: readonly Hypothesis[]): Hypothesis {
  let behind = hypotheses[0]!;
  for (const way of hypotheses) if (way.cost <= BEHIND_COST && way.alongM < behind.alongM) behind = way;
  return behind;
}

/** Where a vehicle most likely is; `next` = index of the next waypoint, `passages` the certain ones first. */
export type Position = { readonly alongM: number; readonly offM: number; readonly next: number; readonly passages: readonly Passage[] };

export function positionOf({ hypotheses, passages }: Following): Position {
  const way = behindOf(hypotheses);
  return { alongM: way.alongM, offM: way.offM, next: way.next, passages: way.passages.length === 0 ? passages : [...passages, ...way.passages] };
}

/** When a waypoint was passed for certain; null = nobody saw it. O(passages). */
export function passedAtMs({ passages }: Following, index: number): number | null {
  return passages.find((passage) => passage.index === index)?.atMs ?? null;
}

/** Off the route beyond what noise and roads explain; on it again at half of that, so that it does not flicker. */
function isOff(route: Route, { alongM, offM }: Hypothesis, wasOff: boolean): boolean {
  const next = Math.min(route.waypoints.length - 1, Math.max(1, waypointsBy(route, alongM)));
  const lengthM = route.waypoints[next]!.point - route.waypoints[next - 1]!.point === 1 ? route.waypoints[next]!.alongM - route.waypoints[next - 1]!.alongM : 0;
  const limitM = Math.max(200, 3 * sagM(lengthM));
  return offM > (wasOff ? limitM / 2 : limitM);
}
