import type { WaypointEta } from '../journey/etas.ts';
import { metresTo, poiEtaMs, poiStatus, projectPois, type PoiProjection } from '../journey/pois.ts';
import type { Route } from '../journey/route.ts';
import type { RaceState, Stage } from '../race/state.ts';
import { conditionOn, distributionFrom, type Distribution } from './distribution.ts';
import type { Milestone } from './eta-update.ts';

/** A vehicle's route and the ETAs of the waypoints ahead, as of its newest position (`field_at.position`). */
export type AlongRoute = { readonly route: Route; readonly etas: readonly WaypointEta[] };

/** Milestones of a route at most: waypoints, and points of interest beside them. */
const [MOST_WAYPOINTS, MOST_POIS] = [150, 50];
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
 * The waypoints of a route in order, those that were passed with when, those ahead with their ETAs; then its points of interest. At most 150
 * and 50: what is passed gives way. A waypoint that nobody saw the vehicle pass is `skipped`. O(waypoints + points of interest).
 */
export function routeMilestones({ route, etas }: AlongRoute, race: RaceState, asOfMs: number): Milestone[] {
  const passed = passedStages(route, race.stages);
  const etaOf = new Map(etas.map((eta) => [eta.index, eta]));
  const next = race.position?.next ?? 0;
  const waypoints = route.waypoints.map(({ index, name }): Milestone => {
    const stage = passed.get(index);
    const eta = etaOf.get(index);
    if (stage !== undefined) return { ...blank(name, 'waypoint'), state: stage.state, passed_at: stage.completed_at };
    if (eta === undefined) return { ...blank(name, 'waypoint'), state: index < next ? 'skipped' : 'pending' };
    const at = (ms: number) => Math.max(ms, asOfMs);
    return { ...blank(name, 'waypoint'), eta_at: at(eta.etaMs), p10_at: at(eta.p10Ms), p90_at: at(eta.p90Ms), distance_m: eta.distanceM, eta_type: eta.type };
  });
  return [...atMost(waypoints, MOST_WAYPOINTS), ...atMost(poiMilestones({ route, etas }, race, passed, asOfMs), MOST_POIS)];
}

function blank(name: string, kind: Milestone['kind']): Milestone {
  return { name, kind, state: 'pending', eta_at: null, p10_at: null, p90_at: null, passed_at: null, distance_m: null, eta_type: null };
}

function isAhead({ state }: Milestone): boolean {
  return state === 'pending';
}

function atMost(milestones: Milestone[], most: number): Milestone[] {
  if (milestones.length <= most) return milestones;
  const ahead = milestones.filter(isAhead).slice(0, most);
  const over = milestones.filter((milestone) => !isAhead(milestone));
  return [...over.slice(over.length - (most - ahead.length)), ...ahead];
}

/** By index of the waypoint. */
function passedStages({ waypoints }: Route, stages: readonly Stage[]): Map<number, Stage> {
  const found = new Map<number, Stage>();
  for (const stage of stages) {
    if (stage.seq !== null && stage.completed_at !== null && waypoints[stage.seq]?.name === stage.name) found.set(stage.seq, stage);
  }
  return found;
}

const projections = new WeakMap<Route, readonly PoiProjection[]>();

/** On the route, in its order. Made once a route. */
function poisOf(route: Route): readonly PoiProjection[] {
  let pois = projections.get(route);
  if (pois === undefined) {
    pois = projectPois(route).filter((poi) => poiStatus(poi, 0, true) !== 'not_on_route').sort((a, b) => a.alongM - b.alongM);
    projections.set(route, pois);
  }
  return pois;
}

function poiMilestones({ route, etas }: AlongRoute, race: RaceState, passed: ReadonlyMap<number, Stage>, asOfMs: number): Milestone[] {
  const { position } = race;
  const pois = poisOf(route);
  if (position === null || pois.length === 0) return [];
  const at = { atMs: race.field_at.position, alongM: position.along_m, hasLeft: position.next > 0, mps: position.own_mps };
  const [low, high] = [etas.map((eta) => ({ ...eta, etaMs: eta.p10Ms })), etas.map((eta) => ({ ...eta, etaMs: eta.p90Ms }))];
  return pois.map((poi): Milestone => {
    const milestone = blank(poi.poi.name, 'poi');
    if (poiStatus(poi, at.alongM, at.hasLeft) === 'already_passed') return { ...milestone, state: 'passed', passed_at: passedAtMs(route, poi, passed) };
    const ms = (by: readonly WaypointEta[]): number | null => {
      const etaMs = by.length === 0 ? null : poiEtaMs(route, poi, at, by);
      return etaMs === null ? null : Math.max(etaMs, asOfMs);
    };
    const etaMs = ms(etas);
    return { ...milestone, eta_at: etaMs, p10_at: ms(low), p90_at: ms(high), distance_m: metresTo(poi, at.alongM), eta_type: etaMs === null ? null : etas[0]!.type };
  });
}

/** When the route had it abeam, between the passages of the waypoints around it; null = one of them was not seen. */
function passedAtMs({ waypoints }: Route, { alongM }: PoiProjection, passed: ReadonlyMap<number, Stage>): number | null {
  const after = waypoints.findIndex((waypoint) => waypoint.alongM >= alongM);
  const [from, to] = [waypoints[Math.max(0, after - 1)]!, waypoints[after]!];
  const [fromMs, toMs] = [passed.get(from.index)?.completed_at ?? null, passed.get(to.index)?.completed_at ?? null];
  if (fromMs === null || toMs === null) return null;
  return to.alongM > from.alongM ? Math.round(fromMs + ((alongM - from.alongM) / (to.alongM - from.alongM)) * (toMs - fromMs)) : toMs;
}
