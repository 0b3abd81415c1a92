import type { EtaView } from '../../bridge/frames.ts';
import { byHandOf, phaseByHand } from '../../journey/by-hand.ts';
import { beforeDeparture, type PhaseState } from '../../journey/phases.ts';
import { isFinished } from '../../race/state.ts';
import type { StoredRoute } from '../../runtime/route-store.ts';
import type { GatewayContext } from '../context.ts';
import type { RaceFacts } from '../live/facts.ts';
import { failure, raceNotFound } from '../failures.ts';
import type { SeenJourney } from './journeys.ts';

/** A race that names a route, as this gateway knows it: with its journey once a position has come, with its route where that is stored. */
export type Vehicle = {
  readonly facts: RaceFacts;
  readonly eta: EtaView | null;
  readonly seen: SeenJourney | undefined;
  readonly stored: StoredRoute | undefined;
};

/** Which vehicle a request means. */
export type VehicleQuery = { readonly race_id?: string; readonly route_id?: string };

type Known = Pick<GatewayContext, 'view' | 'pending' | 'journeys' | 'routes'>;

/**
 * The vehicle that a request means: the race that it names; else of all on its route, or of all, the one under way that was heard last, then one
 * that is yet to leave, then one that has arrived. null = there is none. Throws the answer for a race that is not there or names no
 * route. O(live races) without a race.
 */
export function vehicleOf(context: Known, { race_id: raceId, route_id: routeId }: VehicleQuery): Vehicle | null {
  if (raceId !== undefined) {
    const vehicle = vehicleById(context, raceId);
    if (vehicle === null) throw context.pending.read(raceId) === null ? raceNotFound(raceId) : failure('not_found', `The race ${JSON.stringify(raceId.slice(0, 200))} names no route`);
    return vehicle;
  }
  let chosen: Vehicle | null = null;
  for (const vehicle of liveVehicles(context, routeId)) if (chosen === null || isBefore(vehicle, chosen)) chosen = vehicle;
  return chosen;
}

/** The vehicle that each route's requests mean. O(live races). */
export function vehiclesByRoute(context: Known): Map<string, Vehicle> {
  const byRoute = new Map<string, Vehicle>();
  for (const vehicle of liveVehicles(context)) {
    const routeId = vehicle.facts.route_id!;
    const known = byRoute.get(routeId);
    if (known === undefined || isBefore(vehicle, known)) byRoute.set(routeId, vehicle);
  }
  return byRoute;
}

function* liveVehicles(context: Known, routeId?: string): Iterable<Vehicle> {
  for (const { facts } of context.view.races()) {
    if (facts.route_id === null || (routeId !== undefined && facts.route_id !== routeId)) continue;
    const vehicle = vehicleById(context, facts.race_id);
    if (vehicle !== null) yield vehicle;
  }
}

/** Under way before those yet to leave, these before those that are over. */
function rankOf({ state }: RaceFacts): number {
  return isFinished(state) ? 0 : state === 'queued' ? 1 : 2;
}

function isBefore(a: Vehicle, b: Vehicle): boolean {
  const byRank = rankOf(a.facts) - rankOf(b.facts);
  return byRank > 0 || (byRank === 0 && (a.seen?.at ?? a.facts.last_at) > (b.seen?.at ?? b.facts.last_at));
}

/** null = there is no such race, or it names no route. */
export function vehicleById({ pending, journeys, routes }: Known, raceId: string): Vehicle | null {
  const race = pending.read(raceId);
  if (race === null || race.facts.route_id === null) return null;
  const seen = journeys.get(raceId);
  return {
    ...race, stored: routes.find(race.facts.route_id),
    seen: seen?.attempt === race.facts.attempt && seen.route_id === race.facts.route_id ? seen : undefined,
  };
}

/** In which phase a vehicle is, as its positions show it, as somebody said by hand, or, where no position has come, as its race says. */
export function phaseOf({ facts, seen }: Vehicle): PhaseState {
  const followed = seen === undefined ? beforeDeparture : { phase: seen.phase, departedAtMs: seen.departed_at, arrivedAtMs: seen.arrived_at, sinceMs: null };
  const state = phaseByHand(followed, byHandOf(facts.events));
  const { state: race, started_at: startedAt, completed_at: completedAt } = facts;
  if (race === 'passed' && state.phase !== 'post_arrival') return { ...state, phase: 'post_arrival', departedAtMs: state.departedAtMs ?? startedAt, arrivedAtMs: completedAt };
  if (race === 'running' && seen === undefined && state.phase === 'pre_departure') return { ...state, phase: 'in_flight', departedAtMs: startedAt };
  return state;
}
