import { isRefused, routeOf, type PointOfInterest, type Route } from '../../../src/journey/route.ts';

export type Stop = { lat: number; lon: number; name?: string; at?: number; dwell?: number };

/** A route of stops; every stop with a name or a time is a waypoint. */
export function routeThrough(stops: readonly Stop[], pois: PointOfInterest[] = []): Route {
  const points = stops.map(({ lat, lon, name, at, dwell }) => ({ lat, lon, name: name ?? null, planned_at: at ?? null, dwell_sec: dwell ?? null }));
  const route = routeOf({ route_id: 'test', name: 'test', points, pois, active: true });
  if (isRefused(route)) throw new Error(route.message);
  return route;
}

export const T0 = Date.UTC(2025, 9, 27, 16, 0, 0);
export const MIN = 60_000;

/** 0, 1, 2, 3 degrees east on the equator, legs planned for 30, 10 and 30 minutes. */
export const equator = routeThrough([
  { lat: 0, lon: 0, name: 'A', at: T0 }, { lat: 0, lon: 1, name: 'B', at: T0 + 30 * MIN }, { lat: 0, lon: 2, name: 'C', at: T0 + 40 * MIN }, { lat: 0, lon: 3, name: 'D', at: T0 + 70 * MIN },
]);
