import { reject, type Rejection } from '../errors.ts';
import type { RouteRecord } from './route.ts';

/** One stop of one trip, as GTFS's stop_times joined with stops: `seq` orders the stops of a trip. */
export type TimetableRow = {
  readonly trip: string;
  readonly seq: number;
  readonly stop: string;
  readonly lat: number;
  readonly lon: number;
  /** When the trip is to be there, epoch ms; null = the timetable does not say. */
  readonly plannedAtMs: number | null;
};

/** One route a trip, its stops the waypoints in order of `seq`. */
export type TimetableRoute = {
  readonly record: RouteRecord;
  /** The `seq` of each point. */
  readonly seqs: readonly number[];
};

/**
 * Makes routes of timetable rows in any order. A trip whose rows repeat a `seq` or have one that is no whole number in
 * 0..1,000,000 is refused with `route_invalid` under its id; the others stand. O(rows log rows).
 */
export function routesOfTimetable(rows: readonly TimetableRow[]): { readonly routes: Map<string, TimetableRoute>; readonly refused: Map<string, Rejection> } {
  const trips = new Map<string, TimetableRow[]>();
  for (const row of rows) {
    const trip = trips.get(row.trip);
    if (trip === undefined) trips.set(row.trip, [row]);
    else trip.push(row);
  }
  const routes = new Map<string, TimetableRoute>();
  const refused = new Map<string, Rejection>();
  for (const [trip, stops] of trips) {
    stops.sort((a, b) => a.seq - b.seq);
    const bad = stops.find(({ seq }, i) => !Number.isInteger(seq) || seq < 0 || seq > 1_000_000 || seq === stops[i - 1]?.seq);
    if (bad !== undefined) {
      refused.set(trip, reject('route_invalid', `Trip ${trip}: seq ${bad.seq} is repeated or no whole number in 0..1,000,000`));
      continue;
    }
    const points = stops.map(({ lat, lon, stop, plannedAtMs }) => ({ lat, lon, name: stop, planned_at: plannedAtMs, dwell_sec: null }));
    routes.set(trip, { record: { route_id: trip, name: trip, points, pois: [], active: true }, seqs: stops.map(({ seq }) => seq) });
  }
  return { routes, refused };
}
