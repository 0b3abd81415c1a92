import { MAX_FORECAST_SEC } from '../forecast/forecast.ts';

// What ClickHouse would refuse, or worse store as 0, is found here: such a record goes to dead-letters.

type Check = (value: unknown) => boolean;
/** By field; as entries, since every record goes through them. */
type Checks = readonly (readonly [field: string, check: Check])[];

const MAX_AT_MS = 4_102_444_800_000; // 2100-01-01, the end of what updates may say
const MAX_FINISH_MS = MAX_AT_MS + MAX_FORECAST_SEC * 1_000; // Of a start that is said; the columns end in 2299

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const number: Check = Number.isFinite;
const whole: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const count: Check = (value) => whole(value) && (value as number) <= 0xffff_ffff;
const integer: Check = Number.isSafeInteger;
const at: Check = (value) => Number.isFinite(value) && (value as number) >= 0 && (value as number) <= MAX_AT_MS;
const finish: Check = (value) => Number.isFinite(value) && (value as number) >= 0 && (value as number) <= MAX_FINISH_MS;
const orNull = (check: Check): Check => (value) => value === null || check(value);
const record = (fields: Readonly<Record<string, Check>>): Check => {
  const checks = Object.entries(fields);
  return (value) => misfit(value, checks) === null;
};
const each = (fields: Readonly<Record<string, Check>>): Check => {
  const item = record(fields);
  return (value) => Array.isArray(value) && value.every(item);
};
const texts: Check = (value) => isObject(value) && Object.values(value).every(text);

const origin = record({ epoch: count, partition: count, offset: integer, index: count });

export const finishedRaceChecks: Checks = Object.entries({
  race_id: text, source: text, title: text, attempt: count, first_offset: whole, version: count, outcome: text, queued_at: orNull(at), started_at: at,
  completed_at: at, duration_sec: number, submitted_at: at, metadata: texts, client_eta_sec: orNull(number), correction: flag, revisions: count,
  origin,
  stages: each({
    name: text, occurrence: count, seq: integer, state: text, started_at: orNull(at), completed_at: orNull(at), planned_sec: orNull(number),
  }),
  checkpoints: each({
    revision: count, issued_at: at, elapsed_sec: number, eta_sec: number, p10_sec: number, p50_sec: number, p90_sec: number,
    confidence: number, basis: text, reason: text, model_version: text, role: text,
  }),
} satisfies Record<string, Check>);

export const forgetChecks: Checks = Object.entries({ origin, race_id: text, at } satisfies Record<string, Check>);

export const etaUpdateChecks: Checks = Object.entries({
  race_id: text, source: text, revision: count, issued_at: at, event_at: at, state: text, attempt: count, first_offset: whole, started_at: orNull(at),
  eta_sec: orNull(number), remaining_sec: orNull(number), finish_at: orNull(finish), p10_sec: orNull(number), p50_sec: orNull(number),
  p90_sec: orNull(number), confidence: number, deadline_at: orNull(at), deadline_probability: orNull(number), basis: text, reason: text,
  model_version: text, cluster_id: orNull(text), previous_eta_sec: orNull(number), display: record({ state: text, finish_at: orNull(finish) }),
  progress: orNull(record({ current: number })),
} satisfies Record<string, Check>);

export const partitionStateChecks: Checks = Object.entries({
  partition: count, epoch: count, applied_offset: integer, read: whole, applied: whole, late: whole, duplicate: whole, forgotten: whole,
  rejected: whole, rerouted: whole, skipped: whole, at,
} satisfies Record<string, Check>);

/** The first field that does not fit its column, as a sentence; null = all do. */
export function misfit(value: unknown, checks: Checks): string | null {
  if (!isObject(value)) return 'The value is not an object';
  for (const [field, check] of checks) {
    if (!check(value[field])) return `${field} does not fit its column: ${shown(value[field])}`;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  // JSON has no NaN: it would show as null.
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value)).slice(0, 100);
}
