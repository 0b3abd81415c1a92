import { isRefused, placeAt, routeOf, type Route, type RouteRecord } from '../../src/journey/route.ts';
import type { TelemetryPoint } from '../../src/journey/telemetry.ts';

/** A line of so many stops, two kilometres apart on a meridian, planned three minutes apart from `startAtMs`. */
export function lineOfStops(routeId: string, stops: number, startAtMs: number): RouteRecord {
  const points = Array.from({ length: stops }, (_, i) => ({ lat: 50 + (2 * i) / 111.195, lon: 8, name: `stop ${i}`, planned_at: startAtMs + i * 180_000, dwell_sec: null }));
  return { route_id: routeId, name: `Line ${routeId}`, points, pois: [], active: true };
}

export function readyRoute(record: RouteRecord): Route {
  const route = routeOf(record);
  if (isRefused(route)) throw new Error(route.message);
  return route;
}

/** Where a vehicle is every second that leaves at `startAtMs` at 20 m/s, up to a minute after its arrival. */
export function drive(raceId: string, route: Route, startAtMs: number, mps = 20): TelemetryPoint[] {
  const seconds = Math.ceil(route.totalM / mps) + 60;
  return Array.from({ length: seconds + 1 }, (_, second) => ({
    race_id: raceId, at: startAtMs + second * 1_000, ...placeAt(route, Math.min(route.totalM, second * mps)), speed_mps: second * mps < route.totalM ? mps : 0,
    heading_deg: 0, altitude_m: null, accuracy_m: 5, device: null,
  }));
}

/** When a vehicle of `drive` is at a stop, to the second. */
export function truePassageMs(route: Route, index: number, startAtMs: number, mps = 20): number {
  return startAtMs + (1_000 * route.waypoints[index]!.alongM) / mps;
}

