import { reject, type Rejection } from '../errors.ts';
import { isPlace } from './route.ts';

/** One position of a vehicle as it stands on the wire (schemas/avro/telemetry-point.avsc). */
export type TelemetryPoint = {
  race_id: string;
  /** Event time, epoch ms. */
  at: number;
  lat: number;
  lon: number;
  speed_mps: number | null;
  heading_deg: number | null;
  altitude_m: number | null;
  accuracy_m: number | null;
  device: string | null;
};

const LATEST_MS = Date.UTC(2100, 0, 1);
const FUTURE_MS = 300_000;

/**
 * Holds a position to what can be: null = it stands, else why it is refused: `at_invalid`, `at_in_future` (more than 5 min after
 * it was received: a clock that is ahead), `position_invalid` (no such place, or the 0, 0 of a receiver without a fix). A speed,
 * heading or accuracy out of range is no reason: it is left out where it is used.
 */
export function refusalOfTelemetry({ race_id, at, lat, lon }: TelemetryPoint, receivedAtMs: number): Rejection | null {
  if (race_id === '') return reject('id_missing', 'A position without race_id');
  if (!(at >= 0 && at < LATEST_MS)) return reject('at_invalid', `at must be an instant between 1970 and 2100, got ${at}`);
  if (at > receivedAtMs + FUTURE_MS) return reject('at_in_future', `at is ${Math.round((at - receivedAtMs) / 1000)} s after the position was received; at most 300 are allowed`);
  if (!isPlace(lat, lon)) return reject('position_invalid', `A position needs lat in -90..90, lon in -180..180, not both 0; got ${lat}, ${lon}`);
  return null;
}
