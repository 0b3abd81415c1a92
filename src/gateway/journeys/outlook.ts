import { KNOT_MPS, type Place } from '../../journey/geodesy.ts';
import { ownSpeedTimes } from '../../journey/own-speed.ts';
import { anticipatedSec, type PhaseState } from '../../journey/phases.ts';
import { poiEtaMs, type PoiProjection } from '../../journey/pois.ts';
import { nearestOnRoute, plannedAtMs, plannedSpeedMps, waypointsBy, type Route, type Waypoint } from '../../journey/route.ts';
import { secondsAtSpeed } from '../../journey/speed.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import { milestonesOfWaypoints } from '../live/milestones-by-stage.ts';
import { waypointId } from './route-pois.ts';
import type { RouteWaypoint } from './route-views.ts';
import { phaseOf, type Vehicle } from './vehicle.ts';

/** Where whoever asks says that it is; `knots` null = it does not say how fast. */
export type AskedPosition = Place & { readonly knots: number | null };

/** A place on or beside a route; `index` = of a waypoint, null = it is none. */
export type Target = PoiProjection & { readonly index: number | null };

/** Where somebody is on a route: `next` = the waypoint ahead, `mps` null = it stands or nobody knows. */
type Standing = { readonly place: Place; readonly alongM: number; readonly next: number; readonly headingDeg: number | null; readonly mps: number | null; readonly atMs: number };

/** What can be said of the way along a route. */
export type Outlook = {
  readonly route: Route;
  /** null = of no vehicle. */
  readonly state: PhaseState | null;
  readonly hasLeft: boolean;
  /** null = nobody knows. */
  readonly standing: Standing | null;
  /** Seconds from now to a place ahead; null = nothing is known of it. */
  readonly etaSec: (target: Target) => number | null;
};

/**
 * The outlook of a vehicle: ETAs are what the pipeline published, between waypoints interpolated; before its departure its plan and what it
 * is late already; none while it stands on its way. Nothing here makes a forecast. O(points of the route).
 */
export function outlookOfVehicle(vehicle: Vehicle, stored: StoredRoute, nowMs: number): Outlook {
  const { route } = stored.read();
  const state = phaseOf(vehicle);
  const hasLeft = state.phase !== 'pre_departure';
  const standing = standingOf(vehicle, stored, route);
  return { route, state, hasLeft, standing, etaSec: etaOfVehicle(route, vehicle, hasLeft, standing, nowMs) };
}

/** The outlook from a position that somebody asks for: by the speed it says, else as the plan has it, else none. O(points of the route). */
export function outlookOfPosition(asked: AskedPosition, stored: StoredRoute, nowMs: number): Outlook {
  const { route } = stored.read();
  const { alongM } = nearestOnRoute(route, asked);
  const mps = asked.knots === null ? null : asked.knots * KNOT_MPS;
  return {
    route, state: null, hasLeft: true, etaSec: asked.knots === null ? etaByPlan(route, alongM) : etaBySpeed(route, alongM, asked.knots),
    standing: { place: asked, alongM, next: waypointsBy(route, alongM), headingDeg: null, mps, atMs: nowMs },
  };
}

/** The outlook of a route that nobody is on. */
export function outlookOfNobody(stored: StoredRoute): Outlook {
  return { route: stored.read().route, state: null, hasLeft: false, standing: null, etaSec: () => null };
}

/** A waypoint as a place to be at. */
export function targetOf({ vectors }: Route, { index, name, place, alongM, point }: Waypoint): Target {
  return { poi: { id: waypointId(index), name, ...place, radius_m: null }, alongM, offM: 0, segment: Math.min(point, vectors.length - 2), index };
}

function standingOf({ seen }: Vehicle, stored: StoredRoute, route: Route): Standing | null {
  if (seen === undefined) return null;
  const isFollowed = seen.route_version === stored.version;
  const alongM = isFollowed ? seen.along_m : nearestOnRoute(route, seen).alongM;
  return { place: { lat: seen.lat, lon: seen.lon }, alongM, next: isFollowed ? seen.next : waypointsBy(route, alongM), headingDeg: seen.heading_deg, mps: seen.moves ? seen.speed_mps : null, atMs: seen.at };
}

function etaBySpeed(route: Route, alongM: number, knots: number): Outlook['etaSec'] {
  const secTo = ownSpeedTimes(route, alongM, knots);
  return (target) => {
    const [along, across] = [secTo(target.alongM), secondsAtSpeed(target.offM, knots)];
    return along === null || across === null ? null : along + across;
  };
}

function etaByPlan(route: Route, alongM: number): Outlook['etaSec'] {
  const fromMs = plannedAtMs(route, alongM);
  return ({ alongM: toM, offM, segment }) => {
    const toMs = plannedAtMs(route, toM);
    const mps = plannedSpeedMps(route, segment);
    if (fromMs === null || toMs === null || toM < alongM || (offM > 0 && mps === null)) return null;
    return (toMs - fromMs) / 1000 + (offM > 0 ? offM / mps! : 0);
  };
}

function etaOfVehicle(route: Route, vehicle: Vehicle, hasLeft: boolean, standing: Standing | null, nowMs: number): Outlook['etaSec'] {
  if (hasLeft && isStanding(vehicle)) return () => null;
  const etas = waypointEtas(route, vehicle, hasLeft ? (standing?.next ?? 0) : 0, hasLeft ? null : nowMs);
  const at = { atMs: standing?.atMs ?? nowMs, alongM: hasLeft ? (standing?.alongM ?? 0) : 0, hasLeft };
  return (target) => {
    const mps = (hasLeft ? standing?.mps : null) ?? plannedSpeedMps(route, target.segment);
    const etaMs = target.index === null ? poiEtaMs(route, target, { ...at, mps }, etas) : (etas.find(({ index }) => index === target.index)?.etaMs ?? null);
    return etaMs === null ? null : fromNowSec(etaMs, nowMs);
  };
}

/** Seconds from now to the end of a vehicle's route, as its outlook has it; `waypoints` = of its route. null = nothing is known of it. O(milestones). */
export function endEtaSec(vehicle: Vehicle, waypoints: readonly RouteWaypoint[], nowMs: number): number | null {
  const hasLeft = phaseOf(vehicle).phase !== 'pre_departure';
  const last = waypoints.at(-1);
  if (last === undefined || (hasLeft && isStanding(vehicle))) return null;
  const published = vehicle.eta?.milestones.findLast(({ name }) => name === last.name)?.eta_at ?? vehicle.eta?.finish_at ?? null;
  if (published !== null) return fromNowSec(published, nowMs);
  return hasLeft ? null : plannedSec(last.planned_at, waypoints[0]!.planned_at, vehicle, nowMs);
}

/** Below 0.5 kn, with hysteresis. */
function isStanding({ seen }: Vehicle): boolean {
  return seen !== undefined && !(seen.moves && seen.speed_mps !== null);
}

/** What should have been by now is due now. */
function fromNowSec(etaMs: number, nowMs: number): number {
  return Math.max(0, (etaMs - nowMs) / 1000);
}

/** Seconds to a waypoint of a vehicle that has not left: by its plan, and what the departure is late already. */
function plannedSec(plannedAt: number | null, departsAtMs: number | null, { seen }: Vehicle, nowMs: number): number | null {
  const lateSec = departsAtMs === null ? 0 : (nowMs - departsAtMs) / 1000;
  return anticipatedSec(plannedAt, Math.max(lateSec, seen?.delay_sec ?? 0), nowMs);
}

/** ETAs of the waypoints from `next` on, as they were published; where they were not, before the departure (`plannedFromMs` = now), by the plan. */
function waypointEtas({ waypoints }: Route, vehicle: Vehicle, next: number, plannedFromMs: number | null): { readonly index: number; readonly etaMs: number }[] {
  const { eta } = vehicle;
  const milestones = milestonesOfWaypoints(waypoints, eta?.milestones ?? []);
  return waypoints.flatMap(({ index, plannedAtMs: planned }, i) => {
    if (index < next) return [];
    // Of a long route not every waypoint is published; its end is.
    const published = milestones[i]?.eta_at ?? (index === waypoints.length - 1 ? (eta?.finish_at ?? null) : null);
    if (published !== null) return [{ index, etaMs: published }];
    const sec = plannedFromMs === null ? null : plannedSec(planned, waypoints[0]!.plannedAtMs, vehicle, plannedFromMs);
    return sec === null ? [] : [{ index, etaMs: plannedFromMs! + 1000 * sec }];
  });
}
