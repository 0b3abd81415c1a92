import { reject, type Rejection, type RejectionCode } from '../errors.ts';
import { refusalOfId } from './identity.ts';
import { parseInstant } from './instant.ts';
import { readJourneyPosition } from './journey-position.ts';
import { hasControl, isLonger, oneLine, shown, utf8Length } from './text.ts';
import type {
  EtaKind, EventUpdate, JourneyPosition, PlannedStage, RaceUpdate, ReportedState, StageState, StageUpdate,
} from './update.ts';

/** How far `at`, a start or an end may lie after the append time of its record: clocks differ. */
const MAX_FUTURE_MS = 5 * 60_000;
const MAX_NAME = 200;
const MAX_TITLE = 1000;
/** Ten years. */
const MAX_SEC = 315_360_000;
export const MAX_METADATA_KEYS = 100;
const MAX_METADATA_KEY = 200;
const MAX_METADATA_VALUE = 2000;
const MAX_SEQ = 1_000_000;
const MAX_PLAN = 500;
const MAX_EVENT_DATA_BYTES = 16 * 1024;
const MAX_LINK = 2000;

export type Normalized = { readonly update: RaceUpdate } | { readonly rejection: Rejection };

/** Where the checks of one update leave the first thing that is wrong with it. */
type Findings = { rejection: Rejection | null; readonly latestMs: number };

/**
 * A decoded value as a RaceUpdate within all limits, or the reason why it is none. Takes what Avro decoded (types are
 * sure) and parsed JSON (nothing is); null and absent fields are unchanged, unknown fields are dropped.
 *
 * - Instants are epoch ms or ISO 8601 with an offset, in 1970..2100; an absent `at` is `saidAtMs`.
 * - `at`, `started_at`, `completed_at` and `queued_at` more than 5 min after `appendedAtMs` are refused (`at_in_future`).
 * - race_id, source and route_id are exact; titles and stage names lose control characters and outer blanks.
 * - Metadata numbers and booleans become text. `event.data` becomes JSON text; text that is JSON already stays.
 *
 * The first fault decides the code. Never throws. Under 1 µs for a usual update that Avro decoded.
 */
export function normalizeUpdate(raw: unknown, appendedAtMs: number, saidAtMs = appendedAtMs): Normalized {
  const findings: Findings = { rejection: null, latestMs: appendedAtMs + MAX_FUTURE_MS };
  if (!isRecord(raw)) {
    return { rejection: reject('type_invalid', `Cannot take the update: it must be an object, got ${shown(raw)}`) };
  }
  const update: RaceUpdate = {
    race_id: identity(findings, raw['race_id'], 'race_id', 'id_missing', 'id_invalid'),
    source: identity(findings, raw['source'], 'source', 'source_missing', 'source_invalid'),
    at: raw['at'] == null ? saidAtMs : (past(findings, raw['at'], 'at', 'at_invalid') ?? 0),
    title: titleOf(findings, raw['title']),
    state: stateOf(findings, raw['state']),
    progress: numberIn(findings, raw['progress'], 'progress', 100, 'progress_out_of_range'),
    eta_sec: numberIn(findings, raw['eta_sec'], 'eta_sec', MAX_SEC, 'eta_out_of_range'),
    eta_kind: etaKindOf(findings, raw['eta_kind']),
    queued_at: past(findings, raw['queued_at'], 'queued_at', 'instant_invalid'),
    started_at: past(findings, raw['started_at'], 'started_at', 'instant_invalid'),
    completed_at: past(findings, raw['completed_at'], 'completed_at', 'instant_invalid'),
    metadata: metadataOf(findings, raw['metadata']),
    stage: stageOf(findings, raw['stage']),
    plan: planOf(findings, raw['plan']),
    update_interval_hint_sec: numberIn(
      findings, raw['update_interval_hint_sec'], 'update_interval_hint_sec', MAX_SEC, 'duration_out_of_range',
    ),
    deeplink: linkOf(findings, raw['deeplink']),
    event: eventOf(findings, raw['event']),
    deadline_at: instant(findings, raw['deadline_at'], 'deadline_at', 'instant_invalid'),
    route_id: raw['route_id'] == null ? null : identity(findings, raw['route_id'], 'route_id', 'id_invalid', 'id_invalid'),
    position: positionOf(findings, raw['position']),
  };
  if (findings.rejection === null) inOrder(findings, update.started_at, update.completed_at, 'completed_at');
  return findings.rejection === null ? { update } : { rejection: findings.rejection };
}

function refuse(findings: Findings, code: RejectionCode, message: string): null {
  findings.rejection ??= reject(code, `Cannot take the update: ${message}`);
  return null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function identity(findings: Findings, value: unknown, field: string, missing: RejectionCode, invalid: RejectionCode): string {
  const refusal = refusalOfId(value, field, missing, invalid);
  if (refusal !== null) refuse(findings, refusal.code, refusal.message);
  return typeof value === 'string' ? value : '';
}

function titleOf(findings: Findings, value: unknown): string | null {
  if (value == null) return null;
  if (typeof value !== 'string') return refuse(findings, 'type_invalid', `title must be text, got ${shown(value)}`);
  // Before it is cleaned: nobody's megabyte is walked twice.
  const title = value.length > 4 * MAX_TITLE ? value : oneLine(value);
  if (title === '' || isLonger(title, MAX_TITLE)) {
    return refuse(findings, 'title_invalid', `title must have 1..${MAX_TITLE} characters, got ${shown(value)}`);
  }
  return title;
}

function stateOf(findings: Findings, value: unknown): ReportedState | null {
  if (value == null) return null;
  if (value === 'queued' || value === 'running' || value === 'passed' || value === 'failed' || value === 'canceled') return value;
  return refuse(findings, 'state_invalid', `state must be queued, running, passed, failed or canceled, got ${shown(value)}`);
}

function etaKindOf(findings: Findings, value: unknown): EtaKind | null {
  if (value == null) return null;
  if (value === 'total' || value === 'remaining') return value;
  return refuse(findings, 'enum_invalid', `eta_kind must be total or remaining, got ${shown(value)}`);
}

function numberIn(findings: Findings, value: unknown, field: string, max: number, code: RejectionCode): number | null {
  if (value == null) return null;
  // NaN fails both comparisons. -0 becomes 0, as it does where it is stored.
  if (typeof value === 'number' && value >= 0 && value <= max) return value + 0;
  return refuse(findings, code, `${field} must be a number in 0..${max}, got ${shown(value)}`);
}

function instant(findings: Findings, value: unknown, field: string, code: RejectionCode): number | null {
  if (value == null) return null;
  return parseInstant(value)
    ?? refuse(findings, code, `${field} must be epoch milliseconds or ISO 8601 with an offset, in 1970..2100, got ${shown(value)}`);
}

/** An instant of something that has happened. */
function past(findings: Findings, value: unknown, field: string, code: RejectionCode): number | null {
  const ms = instant(findings, value, field, code);
  if (ms !== null && ms > findings.latestMs) {
    return refuse(
      findings, 'at_in_future', `${field} must be at most ${MAX_FUTURE_MS / 60_000} min after the record was appended, got ${shown(value)}`,
    );
  }
  return ms;
}

function inOrder(findings: Findings, startedAt: number | null, completedAt: number | null, field: string): void {
  if (startedAt !== null && completedAt !== null && completedAt < startedAt) {
    refuse(findings, 'finish_before_start', `${field} must not be before the start at ${startedAt}, got ${completedAt}`);
  }
}

function metadataOf(findings: Findings, value: unknown): Record<string, string | null> | null {
  if (value == null) return null;
  if (!isRecord(value)) return refuse(findings, 'type_invalid', `metadata must be an object, got ${shown(value)}`);
  let keys = 0;
  let plain = true;
  for (const key in value) {
    keys += 1;
    if (keys > MAX_METADATA_KEYS) {
      return refuse(findings, 'metadata_too_large', `metadata must have at most ${MAX_METADATA_KEYS} keys, got ${Object.keys(value).length}`);
    }
    if (isLonger(key, MAX_METADATA_KEY)) {
      return refuse(findings, 'metadata_too_large', `a metadata key must have at most ${MAX_METADATA_KEY} characters, got ${shown(key)}`);
    }
    const entry = value[key];
    if (typeof entry === 'string') {
      if (isLonger(entry, MAX_METADATA_VALUE)) {
        return refuse(
          findings, 'metadata_too_large', `metadata ${shown(key)} must have at most ${MAX_METADATA_VALUE} characters, got ${shown(entry)}`,
        );
      }
      if (!entry.isWellFormed() || !key.isWellFormed()) plain = false;
    } else if (entry !== null) {
      plain = false;
      if (entry !== undefined && typeof entry !== 'boolean' && !(typeof entry === 'number' && Number.isFinite(entry))) {
        return refuse(findings, 'type_invalid', `metadata ${shown(key)} must be text, a number, true, false or null, got ${shown(entry)}`);
      }
    } else if (!key.isWellFormed()) {
      plain = false;
    }
  }
  return plain ? (value as Record<string, string | null>) : asText(value);
}

function asText(value: Record<string, unknown>): Record<string, string | null> {
  // fromEntries defines properties: a key `__proto__` stays a key.
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => [key.toWellFormed(), entry === null ? null : String(entry).toWellFormed()]),
  );
}

function stageName(findings: Findings, value: unknown, field: string): string {
  const name = typeof value === 'string' && value.length <= 4 * MAX_NAME ? oneLine(value) : '';
  if (name === '' || isLonger(name, MAX_NAME)) {
    refuse(findings, 'stage_invalid', `${field} must have 1..${MAX_NAME} characters, got ${shown(value)}`);
  }
  return name;
}

function stageStateOf(findings: Findings, value: unknown): StageState {
  if (value === 'pending' || value === 'running' || value === 'passed' || value === 'failed' || value === 'skipped') return value;
  refuse(findings, 'enum_invalid', `stage.state must be pending, running, passed, failed or skipped, got ${shown(value)}`);
  return 'pending';
}

function seqOf(findings: Findings, value: unknown): number | null {
  if (value == null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_SEQ) return value + 0;
  return refuse(findings, 'stage_invalid', `stage.seq must be a whole number in 0..${MAX_SEQ}, got ${shown(value)}`);
}

function stageOf(findings: Findings, value: unknown): StageUpdate | null {
  if (value == null) return null;
  if (!isRecord(value)) return refuse(findings, 'type_invalid', `stage must be an object, got ${shown(value)}`);
  const stage: StageUpdate = {
    name: stageName(findings, value['name'], 'stage.name'),
    state: stageStateOf(findings, value['state']),
    seq: seqOf(findings, value['seq']),
    started_at: past(findings, value['started_at'], 'stage.started_at', 'instant_invalid'),
    completed_at: past(findings, value['completed_at'], 'stage.completed_at', 'instant_invalid'),
    planned_sec: numberIn(findings, value['planned_sec'], 'stage.planned_sec', MAX_SEC, 'duration_out_of_range'),
  };
  inOrder(findings, stage.started_at, stage.completed_at, 'stage.completed_at');
  return stage;
}

function planOf(findings: Findings, value: unknown): PlannedStage[] | null {
  if (value == null) return null;
  if (!Array.isArray(value)) return refuse(findings, 'type_invalid', `plan must be an array, got ${shown(value)}`);
  if (value.length > MAX_PLAN) {
    return refuse(findings, 'plan_too_large', `plan must have at most ${MAX_PLAN} stages, got ${value.length}`);
  }
  return value.map((entry: unknown) => plannedOf(findings, entry));
}

function plannedOf(findings: Findings, value: unknown): PlannedStage {
  if (typeof value === 'string') return { name: stageName(findings, value, 'plan.name'), planned_sec: null, planned_at: null };
  if (!isRecord(value)) {
    refuse(findings, 'type_invalid', `a stage of plan must be an object or its name, got ${shown(value)}`);
    return { name: '', planned_sec: null, planned_at: null };
  }
  return {
    name: stageName(findings, value['name'], 'plan.name'),
    planned_sec: numberIn(findings, value['planned_sec'], 'plan.planned_sec', MAX_SEC, 'duration_out_of_range'),
    planned_at: instant(findings, value['planned_at'], 'plan.planned_at', 'instant_invalid'),
  };
}

function positionOf(findings: Findings, value: unknown): JourneyPosition | null {
  if (value == null) return null;
  const read = readJourneyPosition(value);
  return 'fault' in read ? refuse(findings, 'position_invalid', read.fault) : read.position;
}

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/./i;
/** Schemes that run script, or show what is not on the web, when a board's link is clicked. */
const UNSAFE_SCHEMES: ReadonlySet<string> = new Set(['javascript', 'data', 'vbscript', 'blob', 'file', 'about', 'view-source']);

function linkOf(findings: Findings, value: unknown): string | null {
  if (value == null) return null;
  if (typeof value !== 'string') return refuse(findings, 'type_invalid', `deeplink must be text, got ${shown(value)}`);
  const scheme = value.length > MAX_LINK ? undefined : SCHEME.exec(value)?.[1];
  if (scheme === undefined || UNSAFE_SCHEMES.has(scheme.toLowerCase()) || hasControl(value) || !value.isWellFormed()) {
    return refuse(
      findings, 'link_invalid', `deeplink must be an http(s) or app link (scheme://...) of at most ${MAX_LINK} characters, got ${shown(value)}`,
    );
  }
  return value;
}

function eventOf(findings: Findings, value: unknown): EventUpdate | null {
  if (value == null) return null;
  if (!isRecord(value)) return refuse(findings, 'type_invalid', `event must be an object, got ${shown(value)}`);
  const type = value['type'];
  if (typeof type === 'string' && isLonger(type, MAX_NAME)) {
    return refuse(findings, 'event_too_large', `event.type must have at most ${MAX_NAME} characters, got ${shown(type)}`);
  }
  const line = typeof type === 'string' ? oneLine(type) : '';
  if (line === '') return refuse(findings, 'type_invalid', `event.type must be text of 1..${MAX_NAME} characters, got ${shown(type)}`);
  return { type: line, at: instant(findings, value['at'], 'event.at', 'instant_invalid'), data: eventData(findings, value['data']) };
}

/** An event's data as JSON text. Avro brings it as text already; JSON may bring any value, plain text among them. */
function eventData(findings: Findings, value: unknown): string | null {
  if (value == null) return null;
  const data = typeof value === 'string' && (value.length > MAX_EVENT_DATA_BYTES || isJson(value)) ? value.toWellFormed() : jsonText(value);
  if (data === null) return refuse(findings, 'event_too_large', 'event.data must be shallow enough to be written as JSON');
  const bytes = utf8Length(data);
  if (bytes <= MAX_EVENT_DATA_BYTES) return data;
  return refuse(findings, 'event_too_large', `event.data must have at most ${MAX_EVENT_DATA_BYTES} bytes, got ${bytes}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** null for what is nested deeper than the stack: it can be parsed but not written. */
function jsonText(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}
