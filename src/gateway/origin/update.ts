import { reject, type Rejection } from '../../errors.ts';
import { parseInstant } from '../../race/instant.ts';
import { isFinished } from '../../race/state.ts';
import type { RaceFacts } from '../live/facts.ts';

/** What a body of the compatible API says, in the words of RaceUpdate; values are still unchecked (normalizeUpdate does). */
export type RawUpdate = Record<string, unknown> & { race_id: string; at: number };

export type OriginContext = {
  readonly raceId: string;
  readonly source: unknown;
  /** The race as known now, own writes included; null = a new one. */
  readonly known: RaceFacts | null;
  readonly nowMs: number;
};

const terminal: ReadonlySet<unknown> = new Set(['passed', 'failed', 'canceled']);
/** Sources of the origin's own clients whose estimates count down. */
const countingDown: ReadonlySet<unknown> = new Set(['cmd', 'google-calendar']);
const MAX_DURATION_SEC = 315_360_000;
/** An own write is put at most so far behind one that claims to be newer. */
const MAX_AHEAD_MS = 1_000;

/**
 * Reads the body of POST /race or PATCH /race/:id. null = nothing in it.
 *
 * - A race that is queued has not started: `started_at` of its POST is when it was queued.
 * - `eta_sec` counts what is left for the sources `cmd` and `google-calendar`; what others mean by it is learned. With a terminal state it says nothing.
 * - `duration_sec` with a terminal state gives `completed_at`.
 * - `eta_source`, `eta_confidence`, `eta_history` and the `last_...` stamps are ours to say: ignored.
 */
export function readOriginUpdate(body: Readonly<Record<string, unknown>>, context: OriginContext): { readonly raw: RawUpdate | null } | { readonly rejection: Rejection } {
  const { known, nowMs } = context;
  const raw: RawUpdate = { race_id: context.raceId, source: context.source, at: nowMs };
  const said = Object.keys(raw).length;
  const copy = (from: string, to: string): void => {
    if (body[from] !== undefined && body[from] !== null) raw[to] = body[from];
  };
  copy('title', 'title');
  copy('state', 'state');
  copy('progress', 'progress');
  copy('deeplink', 'deeplink');
  copy('metadata', 'metadata');
  copy('update_interval_hint', 'update_interval_hint_sec');
  copy('completed_at', 'completed_at');
  copy('deadline_at', 'deadline_at');

  const state = raw['state'] ?? known?.state ?? 'queued';
  const ends = terminal.has(raw['state']);
  if (!terminal.has(state)) {
    copy('eta_sec', 'eta_sec');
    if (raw['eta_sec'] !== undefined && countingDown.has(context.source)) raw['eta_kind'] = 'remaining';
  } else if (isBadNumber(body['eta_sec'])) {
    return { rejection: reject('eta_out_of_range', `eta_sec must be in 0..${MAX_DURATION_SEC}, got ${shown(body['eta_sec'])}`) };
  }

  const restarts = known !== null && isFinished(known.state);
  copy('started_at', state === 'queued' && !restarts ? 'queued_at' : 'started_at');
  // Attempts follow one another: a window that reaches back before the end of the one before begins there.
  if (restarts && !terminal.has(state)) {
    const { started_at: startedAt, completed_at: endedAt, last_at: lastAt } = known;
    const againAtMs = parseInstant(raw['started_at']);
    if (againAtMs !== null && endedAt !== null && againAtMs !== startedAt && againAtMs < endedAt) raw['started_at'] = endedAt;
    // Told within the same millisecond as the end, it would not be newer.
    raw.at = Math.max(nowMs, Math.min(lastAt + 1, nowMs + MAX_AHEAD_MS));
  }

  const duration = body['duration_sec'];
  if (duration !== undefined && duration !== null) {
    if (typeof duration !== 'number' || !(duration >= 0 && duration <= MAX_DURATION_SEC)) {
      return { rejection: reject('duration_out_of_range', `duration_sec must be in 0..${MAX_DURATION_SEC}, got ${shown(duration)}`) };
    }
    const startedAtMs = parseInstant(raw['started_at']) ?? known?.started_at ?? null;
    if (ends && raw['completed_at'] === undefined && startedAtMs !== null) raw['completed_at'] = startedAtMs + Math.round(duration * 1_000);
  }

  const startedAtMs = parseInstant(raw['started_at']) ?? (restarts && raw['started_at'] === undefined ? null : known?.started_at ?? null);
  // A client's clock that is a little ahead must not make its own finish come before its start.
  if (ends && raw['completed_at'] === undefined && startedAtMs !== null && startedAtMs > nowMs) raw['completed_at'] = startedAtMs;
  return { raw: Object.keys(raw).length === said ? null : raw };
}

/**
 * Whether a change of state contradicts a finished race: its end is final unless a new `started_at` opens another
 * attempt. Returns the sentence to answer with, or null.
 */
export function contradiction(known: RaceFacts | null, raw: Readonly<Record<string, unknown>>): string | null {
  if (known === null || !isFinished(known.state) || known.state === 'abandoned') return null;
  const state = raw['state'];
  if (state === undefined || state === known.state) return null;
  const startedAtMs = parseInstant(raw['started_at']);
  if (startedAtMs !== null && startedAtMs !== known.started_at) return null;
  return `The race is ${known.state}, which is final: ${shown(state)} needs a new started_at, which opens another attempt`;
}

/** Reads the body of POST /race/:id/event; `event_type` is what the origin's own clients send. */
export function readOriginEvent(body: Readonly<Record<string, unknown>>): { readonly event: { type: unknown; at: unknown; data: string | null } } | { readonly rejection: Rejection } {
  const type = body['type'] ?? body['event_type'];
  if (typeof type !== 'string' || type === '') return { rejection: reject('type_invalid', `type must be a text of 1..200 characters, got ${shown(type)}`) };
  const data = eventText(body['data']);
  if (data === undefined) return { rejection: reject('event_too_large', 'data is nested too deeply') };
  return { event: { type, at: body['timestamp'] ?? body['at'] ?? null, data } };
}

/** undefined = cannot be written as JSON (nested beyond the stack). */
function eventText(data: unknown): string | null | undefined {
  if (data === undefined || data === null) return null;
  try {
    return JSON.stringify(data);
  } catch {
    return undefined;
  }
}

function isBadNumber(value: unknown): boolean {
  return value !== undefined && value !== null && (typeof value !== 'number' || value < 0 || value > MAX_DURATION_SEC);
}

function shown(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? 'nothing').slice(0, 100);
  } catch {
    return typeof value;
  }
}
