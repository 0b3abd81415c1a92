import { reject, type Rejection } from '../errors.ts';
import { refusalOfId } from '../race/identity.ts';
import { parseInstant } from '../race/instant.ts';
import { shown } from '../race/text.ts';
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

const FUTURE_MS = 300_000;
const MAX_DEVICE = 200;

export type NormalizedTelemetry = { readonly point: TelemetryPoint } | { readonly rejection: Rejection };

/**
 * A decoded value as a position, or why it is none. Takes what Avro decoded (types are sure) and parsed JSON (nothing is); `at` is epoch ms
 * or ISO 8601 with an offset. Refused: `at_invalid`, `at_in_future` (more than 5 min after it was received: a clock that is ahead),
 * `position_invalid` (no such place, or the 0, 0 of a receiver without a fix), `id_missing`, `id_invalid`, `type_invalid`. A speed, heading,
 * altitude or accuracy that is no number is no reason: it is left out. Never throws. O(1).
 */
export function normalizeTelemetry(raw: unknown, receivedAtMs: number): NormalizedTelemetry {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return refuse(reject('type_invalid', `A position must be an object, got ${shown(raw)}`));
  const { race_id: raceId, at, lat, lon, speed_mps: speed, heading_deg: heading, altitude_m: altitude, accuracy_m: accuracy, device } = raw as Readonly<Record<string, unknown>>;
  const refusedId = refusalOfId(raceId, 'race_id', 'id_missing', 'id_invalid');
  if (refusedId !== null) return refuse(refusedId);
  const atMs = parseInstant(at);
  if (atMs === null) return refuse(reject('at_invalid', `at must be an instant between 1970 and 2100, got ${shown(at)}`));
  if (atMs > receivedAtMs + FUTURE_MS) return refuse(reject('at_in_future', `at is ${Math.round((atMs - receivedAtMs) / 1000)} s after the position was received; at most 300 are allowed`));
  if (typeof lat !== 'number' || typeof lon !== 'number' || !isPlace(lat, lon)) {
    return refuse(reject('position_invalid', `A position needs lat in -90..90, lon in -180..180, not both 0; got ${shown(lat)}, ${shown(lon)}`));
  }
  const name = device ?? null;
  if (name !== null && (typeof name !== 'string' || name.length > MAX_DEVICE)) return refuse(reject('type_invalid', `device must be text of at most ${MAX_DEVICE} characters, got ${shown(name)}`));
  return {
    point: {
      race_id: raceId as string, at: atMs, lat, lon, device: name,
      speed_mps: measured(speed), heading_deg: measured(heading), altitude_m: measured(altitude), accuracy_m: measured(accuracy),
    },
  };
}

function refuse(rejection: Rejection): NormalizedTelemetry {
  return { rejection };
}

function measured(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
