import type { WaypointEta } from '../journey/etas.ts';
import type { Route } from '../journey/route.ts';
import type { RaceState, Stage } from '../race/state.ts';
import { conditionOn, distributionFrom, type Distribution } from './distribution.ts';
import type { Milestone } from './eta-update.ts';
import { fitted, type ShownMilestones } from './milestones.ts';

/** A vehicle's route and the ETAs of the waypoints ahead, as of its newest position (`field_at.position`). */
export type AlongRoute = { readonly route: Route; readonly etas: readonly WaypointEta[] };

/** A bus route has a hundred stops. */
const MOST_MILESTONES = 150;
/** P90 of a two-sided exponential distribution lies so many of its scales from the middle. */
const SCALES = Math.log(5);
/** Beyond so many scales there is nothing of it. */
const REACH = 9;

/** When the end of the route will be reached, as a total in seconds: what was told, and a distribution with its median there. */
export type FinishAhead = { readonly sec: number; readonly distribution: Distribution };

/**
 * The finish by the ETA of the last waypoint, as of `asOfMs`: what lies between its P10 and P90 is two-sided exponential. Before
 * the start it counts from the ETA of the first. null = the end has no ETA. O(bins).
 */
export function finishAhead({ route, etas }: AlongRoute, race: RaceState, asOfMs: number): FinishAhead | null {
  const last = etas.at(-1);
  if (last === undefined || last.index !== route.waypoints.length - 1) return null;
  const startMs = race.started_at ?? etas[0]!.etaMs;
  const atSec = race.started_at === null ? 0 : Math.max(0, (race.field_at.position - startMs) / 1000);
  const leftSec = (ms: number) => Math.max(1, (ms - startMs) / 1000 - atSec);
  const [low, middle, high] = [leftSec(last.p10Ms), leftSec(last.etaMs), leftSec(last.p90Ms)];
  const [below, above] = [Math.max(0.01 * middle, (middle - low) / SCALES), Math.max(0.01 * middle, (high - middle) / SCALES)];
  const share = (sec: number) => (sec < middle ? 0.5 * Math.exp((sec - middle) / below) : 1 - 0.5 * Math.exp((middle - sec) / above));
  const distribution = distributionFrom(atSec, share, Math.max(0.02 * middle, middle - REACH * below), middle + REACH * above);
  const elapsedSec = race.started_at === null ? 0 : Math.max(0, (asOfMs - startMs) / 1000);
  return { sec: Math.max(elapsedSec, atSec + middle), distribution: conditionOn(distribution, elapsedSec) };
}

/**
 * The waypoints of a route in order, those that were passed with when, those ahead with their ETAs; at most 150.
 * One that nobody saw the vehicle pass is `skipped`. Points of interest are none: their ETAs follow from those of the
 * waypoints around them, and are made where somebody asks (journey/pois.ts). O(waypoints).
 */
export function routeMilestones({ route, etas }: AlongRoute, race: RaceState, asOfMs: number): ShownMilestones {
  const passed = passedStages(route, race.stages);
  const etaOf = new Map(etas.map((eta) => [eta.index, eta]));
  const next = race.position?.next ?? 0;
  const milestones = route.waypoints.map(({ index, name }): Milestone => {
    const milestone: Milestone = { name, kind: 'waypoint', state: 'pending', eta_at: null, p10_at: null, p90_at: null, passed_at: null, distance_m: null, eta_type: null };
    const stage = passed.get(index);
    const eta = etaOf.get(index);
    if (stage !== undefined) return { ...milestone, state: stage.state, passed_at: stage.completed_at };
    if (eta === undefined) return index < next ? { ...milestone, state: 'skipped' } : milestone;
    const at = (ms: number) => Math.max(ms, asOfMs);
    return { ...milestone, eta_at: at(eta.etaMs), p10_at: at(eta.p10Ms), p90_at: at(eta.p90Ms), distance_m: eta.distanceM, eta_type: eta.type };
  });
  return fitted(milestones, MOST_MILESTONES);
}

/** By index of the waypoint. */
function passedStages({ waypoints }: Route, stages: readonly Stage[]): Map<number, Stage> {
  const found = new Map<number, Stage>();
  for (const stage of stages) {
    if (stage.seq !== null && stage.completed_at !== null && waypoints[stage.seq]?.name === stage.name) found.set(stage.seq, stage);
  }
  return found;
}
