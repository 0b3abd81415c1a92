import type { JourneyFix } from '../journey/journey.ts';
import { isPlace, isRefused, routeOf, type Route } from '../journey/route.ts';
import { routesOfTimetable, type TimetableRow } from '../journey/timetable.ts';
import { readRows } from './recording.ts';

export type RecordedPosition = JourneyFix & { readonly raceId: string };

/** Journeys as they were recorded: their routes, and their positions in event time (ties: as in the file). */
export type RecordedJourneys = {
  /** By race id: the route, and the `seq` of each of its waypoints in the file. */
  readonly routes: ReadonlyMap<string, { readonly route: Route; readonly seqs: readonly number[] }>;
  readonly positions: readonly RecordedPosition[];
  readonly refused: {
    /** Routes that cannot be driven, each with why. */
    readonly routes: readonly string[];
    /** Rows whose instant, place or number cannot be. */
    readonly rows: number;
    /** Positions of journeys without a route. */
    readonly withoutRoute: number;
  };
};

/** Positions by what became of them, and passages. */
export type JourneyCounts = { followed: number; started: number; late: number; outlier: number; passages: number };

/**
 * Reads route.csv (track_id, seq, stop_id, lat, lon, sched_time) and track.csv (track_id, time, lat, lon; speed if there is one), gunzipped
 * when they end in .gz. Memory: about 150 bytes a row. Rejects with `not_found` and `invalid_request` (no CSV, a column missing).
 */
export async function readJourneys(files: { readonly route: string; readonly track: string }): Promise<RecordedJourneys> {
  let rows = 0;
  const stops: TimetableRow[] = [];
  await readRows(files.route, ['track_id', 'seq', 'stop_id', 'lat', 'lon'], (row) => {
    const planned = row['sched_time'] ?? '';
    const plannedAtMs = planned === '' ? null : Date.parse(planned);
    const [seq, lat, lon] = [numberOf(row['seq']), numberOf(row['lat']), numberOf(row['lon'])];
    if (row['track_id'] === '' || Number.isNaN(seq) || Number.isNaN(lat) || Number.isNaN(lon) || Number.isNaN(plannedAtMs)) rows++;
    else stops.push({ trip: row['track_id']!, seq, stop: row['stop_id']!, lat, lon, plannedAtMs });
  });
  const timetable = routesOfTimetable(stops);
  const routes = new Map<string, { route: Route; seqs: readonly number[] }>();
  const refused = [...timetable.refused.values()].map(({ message }) => message);
  for (const [trip, { record, seqs }] of timetable.routes) {
    const route = routeOf(record);
    if (isRefused(route)) refused.push(route.message);
    else routes.set(trip, { route, seqs });
  }
  const positions: RecordedPosition[] = [];
  let withoutRoute = 0;
  await readRows(files.track, ['track_id', 'time', 'lat', 'lon'], (row) => {
    const [atMs, lat, lon, speed] = [Date.parse(row['time']!), numberOf(row['lat']), numberOf(row['lon']), numberOf(row['speed'])];
    if (Number.isNaN(atMs) || !isPlace(lat, lon)) rows++;
    else if (!routes.has(row['track_id']!)) withoutRoute++;
    else positions.push({ raceId: row['track_id']!, atMs, lat, lon, accuracyM: null, speedMps: Number.isNaN(speed) ? null : speed });
  });
  positions.sort((a, b) => a.atMs - b.atMs);
  return { routes, positions, refused: { routes: refused, rows, withoutRoute } };
}

function numberOf(text: string | undefined): number {
  return text === undefined || text.trim() === '' ? Number.NaN : Number(text);
}
