import { Type } from 'typebox';
import { parseInstant } from '../../race/instant.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure, fieldFailure } from '../failures.ts';
import { failures } from '../schemas.ts';

const MAX_LIMIT = 10_000;

const HistoricQuery = Type.Object({
  source: Type.Optional(Type.String({ maxLength: 200 })),
  from: Type.Optional(Type.String({ description: 'Started at or after: ISO 8601 or epoch ms' })),
  to: Type.Optional(Type.String({ description: 'Started before: ISO 8601 or epoch ms' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Default 100; more than 10,000 gives 10,000' })),
  include_events: Type.Optional(Type.Boolean({ description: 'Events of races that are still live' })),
  cursor: Type.Optional(Type.String({ maxLength: 1_000, description: 'next_cursor of the page before' })),
});

const HistoricBody = Type.Object({
  items: Type.Array(Type.Unsafe({ type: 'object', additionalProperties: true })),
  next_cursor: Type.Unsafe({ type: ['string', 'null'] }),
  races: Type.Array(Type.Unsafe({ type: 'object', additionalProperties: true }), { description: 'The same as items' }),
  total: Type.Integer({ description: 'How many items this page has' }),
});

type Cursor = { readonly startedAtMs: number; readonly id: string; readonly attempt: number };
type Row = {
  race_id: string; attempt: number | string; source: string; title: string; outcome: string; started_at_ms: number | string;
  completed_at_ms: number | string; duration_sec: number; metadata: Record<string, string>;
};

/** GET /historic/races: finished races from ClickHouse, in order of start, in pages that neither repeat nor skip. */
export function historicRoutes(app: App, context: GatewayContext): void {
  app.get('/historic/races', {
    schema: { tags: ['compatible'], summary: 'Finished races, in order of their start', querystring: HistoricQuery, response: { 200: HistoricBody, ...failures } },
  }, async (request) => {
    const { source, include_events: withEvents = false } = request.query;
    const limit = Math.min(request.query.limit ?? 100, MAX_LIMIT);
    const fromMs = instantOf('from', request.query.from);
    const toMs = instantOf('to', request.query.to);
    const cursor = request.query.cursor === undefined ? null : readCursor(request.query.cursor);
    if (context.history === null) throw failure('history_unavailable', 'This gateway runs without ClickHouse');
    const conditions = [
      source === undefined ? null : 'source = {source:String}',
      fromMs === null ? null : 'started_at >= fromUnixTimestamp64Milli({fromMs:Int64})',
      toMs === null ? null : 'started_at < fromUnixTimestamp64Milli({toMs:Int64})',
      cursor === null ? null : '(started_at, race_id, attempt) > (fromUnixTimestamp64Milli({afterMs:Int64}), {afterId:String}, {afterAttempt:UInt32})',
    ].filter((condition) => condition !== null);
    const rows = await context.history.query<Row>(
      `SELECT race_id, attempt, source, title, outcome, toUnixTimestamp64Milli(started_at) AS started_at_ms,
        toUnixTimestamp64Milli(completed_at) AS completed_at_ms, duration_sec, metadata
      FROM races FINAL ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
      ORDER BY started_at, race_id, attempt LIMIT {limit:UInt32}`,
      {
        limit,
        ...(source === undefined ? {} : { source }),
        ...(fromMs === null ? {} : { fromMs }),
        ...(toMs === null ? {} : { toMs }),
        ...(cursor === null ? {} : { afterMs: cursor.startedAtMs, afterId: cursor.id, afterAttempt: cursor.attempt }),
      },
    );
    const items = rows.map((row) => historicRace(row, withEvents ? eventsOf(context, row.race_id) : null));
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return { items, next_cursor: last === undefined ? null : writeCursor(last), races: items, total: items.length };
  });
}

function historicRace(row: Row, events: readonly object[] | null): object {
  return {
    id: row.race_id,
    source: row.source,
    title: row.title,
    state: row.outcome === 'abandoned' ? 'canceled' : row.outcome,
    started_at: new Date(Number(row.started_at_ms)).toISOString(),
    completed_at: new Date(Number(row.completed_at_ms)).toISOString(),
    duration_sec: Math.floor(row.duration_sec),
    eta_sec: null,
    progress: row.outcome === 'passed' ? 100 : null,
    deeplink: null,
    metadata: row.metadata,
    attempt: Number(row.attempt),
    ...(events === null ? {} : { events }),
  };
}

function eventsOf(context: GatewayContext, raceId: string): object[] {
  return (context.view.get(raceId)?.facts.events ?? []).map((event) => ({ type: event.type, data: event.data, timestamp: new Date(event.at).toISOString() }));
}

function instantOf(name: string, value: string | undefined): number | null {
  if (value === undefined || value === '') return null;
  const atMs = parseInstant(/^\d+$/.test(value) ? Number(value) : value);
  if (atMs === null) throw fieldFailure(name, value, 'ISO 8601 with an offset, or epoch ms, in 1970..2100');
  return atMs;
}

/** The origin's own form: seconds and nanoseconds of the start, and the id; the attempt is ours. */
function writeCursor(row: Row): string {
  const startedAtMs = Number(row.started_at_ms);
  const sec = Math.floor(startedAtMs / 1_000);
  return Buffer.from(JSON.stringify({ id: row.race_id, nanos: (startedAtMs - sec * 1_000) * 1_000_000, sec, attempt: Number(row.attempt) })).toString('base64url');
}

function readCursor(text: string): Cursor {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64').toString()) as Record<string, unknown>;
    const { id, sec, nanos, attempt = 1 } = value;
    if (typeof id === 'string' && isWhole(sec) && isWhole(nanos) && isWhole(attempt)) {
      return { id, startedAtMs: sec * 1_000 + Math.floor(nanos / 1_000_000), attempt };
    }
  } catch {
    // Falls through: not JSON is no cursor either.
  }
  throw fieldFailure('cursor', text, 'the next_cursor of an earlier page');
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
