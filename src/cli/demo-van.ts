import { isRefused, placeAt, pointOfInterest, routeOf, type RouteRecord } from '../journey/route.ts';
import type { TelemetryPoint } from '../journey/telemetry.ts';
import { emptyUpdate, type RaceUpdate } from '../race/update.ts';
import { seededRandom } from './seeded-random.ts';

export type DemoVanOptions = {
  /** The same seed gives the same rounds. */
  readonly seed: number;
  readonly idPrefix: string;
  /** Epoch ms at which it stands ready for its first round. */
  readonly startMs: number;
};

/** What the van and its office say, in the order of `atMs`. */
export type VanMessage = { readonly atMs: number } & (
  | { readonly route: RouteRecord }
  /** A route that is not needed any more. */
  | { readonly oldRouteId: string }
  | { readonly update: RaceUpdate }
  | { readonly point: TelemetryPoint }
);

const STOPS = ['Depot', 'Market', 'Harbour', 'Museum', 'Hospital', 'Station', 'School', 'Park', 'Depot gate'];
const POINTS_A_LEG = 6;
/** Of the ring that the stops are on, degrees: some 10 km around. */
const CENTRE = { lat: 53.551, lon: 9.994 };
const RADIUS_LAT = 0.013;
const PLANNED_MPS = 9;
const PLANNED_DWELL_SEC = 30;
/** Before each round it waits so long at the depot; after it the position is still sent for a while. */
const WAIT_SEC = 20;
const REST_SEC = 100;
const EVERY_SEC = 2;
/** Metres that a receiver is beside the truth, one standard deviation. */
const NOISE_M = 4;

/** A made-up van that goes its round of eight stops again and again, each a journey of a quarter of an hour with a plan of its own. Never ends. */
export function* demoVan({ seed, idPrefix, startMs }: DemoVanOptions): Generator<VanMessage> {
  const random = seededRandom(seed);
  let nowMs = startMs;
  for (let round = 1; ; round++) {
    const id = `${idPrefix}-van-${round}`;
    const departMs = nowMs + 1_000 * WAIT_SEC;
    const record = roundFrom(id, departMs);
    const route = routeOf(record);
    if (isRefused(route)) throw new Error(route.message);
    yield { atMs: nowMs, route: record };
    if (round > 2) yield { atMs: nowMs, oldRouteId: `${idPrefix}-van-${round - 2}` };
    yield { atMs: nowMs, update: { ...emptyUpdate(id, 'demo/vans', nowMs), title: 'van 1, round', state: 'queued', queued_at: nowMs, route_id: id } };
    const pointAt = (alongM: number): VanMessage => {
      const { lat, lon } = placeAt(route, alongM);
      const off = (): number => ((random() + random() + random() - 1.5) * 2 * NOISE_M) / 111_195;
      return { atMs: nowMs, point: { race_id: id, at: nowMs, lat: lat + off(), lon: lon + off(), speed_mps: null, heading_deg: null, altitude_m: null, accuracy_m: NOISE_M, device: 'demo' } };
    };
    for (; nowMs < departMs; nowMs += 1_000 * EVERY_SEC) yield pointAt(0);
    let alongM = 0;
    for (const [index, stop] of route.waypoints.entries()) {
      const mps = PLANNED_MPS * Math.exp(0.5 * (random() - 0.55));
      for (; alongM < stop.alongM; nowMs += 1_000 * EVERY_SEC, alongM += mps * EVERY_SEC) yield pointAt(alongM);
      alongM = stop.alongM;
      const isLast = index === route.waypoints.length - 1;
      const stayMs = 1_000 * (isLast ? REST_SEC : index === 0 ? 0 : PLANNED_DWELL_SEC * (0.5 + 1.5 * random()));
      for (const untilMs = nowMs + stayMs; nowMs < untilMs; nowMs += 1_000 * EVERY_SEC) yield pointAt(alongM);
    }
  }
}

/** The stops on a bent ring, planned from its departure. */
function roundFrom(routeId: string, departMs: number): RouteRecord {
  const legs = STOPS.length - 1;
  const points = Array.from({ length: legs * POINTS_A_LEG + 1 }, (_, index) => {
    // Not quite around: the gate is beside the depot.
    const angle = (index / (legs * POINTS_A_LEG)) * 2 * Math.PI * 0.98;
    const radius = RADIUS_LAT * (1 + 0.28 * Math.cos(3 * angle) + 0.08 * Math.sin(7 * angle));
    return { lat: CENTRE.lat + radius * Math.sin(angle), lon: CENTRE.lon + (radius * Math.cos(angle)) / Math.cos((CENTRE.lat * Math.PI) / 180), name: index % POINTS_A_LEG === 0 ? STOPS[index / POINTS_A_LEG]! : null, planned_at: null as number | null, dwell_sec: null as number | null };
  });
  const record: RouteRecord = { route_id: routeId, name: 'Round of van 1', points, pois: [pointOfInterest('tower', 'Tower', CENTRE)], active: true };
  const bare = routeOf(record);
  if (isRefused(bare)) throw new Error(bare.message);
  for (const { index, point, alongM } of bare.waypoints) {
    points[point]!.planned_at = Math.round(departMs + (1_000 * alongM) / PLANNED_MPS + 1_000 * PLANNED_DWELL_SEC * Math.max(0, index - 1));
    if (index > 0 && index < legs) points[point]!.dwell_sec = PLANNED_DWELL_SEC;
  }
  return record;
}
