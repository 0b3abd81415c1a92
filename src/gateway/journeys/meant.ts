import type { RouteStore, StoredRoute } from '../../runtime/route-store.ts';
import type { GatewayContext } from '../context.ts';
import { failure } from '../failures.ts';
import { knownRoute } from './route-editor.ts';
import { summaryOf } from './route-views.ts';
import { vehicleOf, type Vehicle, type VehicleQuery } from './vehicle.ts';

/** The vehicle and the route that a request means. */
export type Meant = { readonly vehicle: Vehicle | null; readonly stored: StoredRoute | undefined };

/** The route is that of the vehicle, or the one named; without either the active one that changed last. Throws the answer for what is not there. */
export function meantBy(context: Pick<GatewayContext, 'view' | 'pending' | 'journeys' | 'routes'>, query: VehicleQuery): Meant {
  const named = query.route_id === undefined ? undefined : knownRoute(context.routes, query.route_id);
  const vehicle = vehicleOf(context, query);
  if (named === undefined) return { vehicle, stored: vehicle === null ? activeRoute(context.routes) : vehicle.stored };
  if (vehicle !== null && vehicle.facts.route_id !== named.routeId) throw failure('not_found', `The race ${JSON.stringify(vehicle.facts.race_id)} is not on that route`);
  return { vehicle, stored: named };
}

/** The active route that changed last. */
export function activeRoute(routes: RouteStore): StoredRoute | undefined {
  return [...routes.all()].reverse().find((stored) => summaryOf(stored).active);
}
