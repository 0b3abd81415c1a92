import { passageFact, type PassageFact } from '../journey/model.ts';
import { noForecasts, withPassage, type OpenForecasts } from '../journey/open-forecasts.ts';
import type { Route } from '../journey/route.ts';
import type { RaceState, Stage } from '../race/state.ts';

/** A route that vehicles are followed on. */
export type KnownRoute = { readonly version: number; readonly route: Route };

/** What the forecasts of vehicles need beside their races. */
export type Vehicles = {
  /** undefined = no such route, or one that is not active. */
  readonly routeOf: (routeId: string) => KnownRoute | undefined;
  /** By race id. In memory alone: what a restart loses only teaches a little less. */
  readonly open: Map<string, OpenForecasts>;
};

/** The route that a race's vehicle is followed on, as it was followed; null = none, or not known here (any more). */
export function followedRoute({ routeOf }: Vehicles, { route_id: routeId, position }: RaceState): Route | null {
  const known = routeId === null || position === null ? undefined : routeOf(routeId);
  return known === undefined || known.version !== position!.route_version ? null : known.route;
}

/** The route of a race of which no position is known yet, if it has a planned departure; else null. */
export function plannedRoute({ routeOf }: Vehicles, { route_id: routeId }: RaceState): Route | null {
  const route = routeId === null ? undefined : routeOf(routeId)?.route;
  return route === undefined || route.waypoints[0]!.plannedAtMs === null ? null : route;
}

/** What a stage teaches that ended: if it is a waypoint of the route. Its forecasts are open no longer. O(stages). */
export function takePassage(vehicles: Vehicles, race: RaceState, { name, seq, state, started_at: beforeAtMs, completed_at: atMs }: Stage): PassageFact | null {
  const route = followedRoute(vehicles, race);
  if (route === null || seq === null || atMs === null || state !== 'passed' || route.waypoints[seq]?.name !== name) return null;
  const { ended, open } = withPassage(vehicles.open.get(race.race_id) ?? noForecasts, seq);
  vehicles.open.set(race.race_id, open);
  const passed = race.stages.flatMap((stage) => (stage.seq === null || stage.completed_at === null ? [] : [stage.seq]));
  return passageFact(route, seq, atMs, { beforeAtMs, passed, ended });
}
