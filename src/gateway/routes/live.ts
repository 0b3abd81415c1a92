import { Type } from 'typebox';
import { compileFilter, type RaceView } from '../../bridge/frames.ts';
import { messageOf } from '../../errors.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { raceDetailsOf, raceViewOf, type RaceDetails } from '../live/facts.ts';
import { raceNotFound } from '../failures.ts';
import { failures, RaceIdParam, RaceListQuery, RaceViewBody } from '../schemas.ts';
import { requireView } from './require-view.ts';

const tags = ['v1'];
const DEFAULT_LIMIT = 1_000;

/** Races in our own names: state and last revision together. */
export function liveRoutes(app: App, context: GatewayContext): void {
  app.addHook('preHandler', requireView(context));

  app.get('/v1/races', {
    schema: { tags, summary: 'Live and recently finished races, the most recently changed first', querystring: RaceListQuery, response: { 200: Type.Object({ races: Type.Array(RaceViewBody), total: Type.Integer({ description: 'How many fit, whatever the limit' }) }), ...failures } },
  }, async (request): Promise<{ races: RaceView[]; total: number }> => {
    const { source, state, limit = DEFAULT_LIMIT } = request.query;
    const fits = compileFilter({
      ...(source === undefined ? {} : { source }),
      ...(state === undefined ? {} : { states: Array.isArray(state) ? state : [state] }),
    });
    const found = [...context.view.races()].filter((race) => fits(race.facts));
    found.sort((a, b) => b.facts.last_at - a.facts.last_at || (a.facts.race_id < b.facts.race_id ? -1 : 1));
    return { races: found.slice(0, limit).map((race) => raceViewOf(race.facts, race.eta)), total: found.length };
  });

  app.get('/v1/races/:id', {
    schema: { tags, summary: 'One race with stages, plan and events', params: RaceIdParam, response: { 200: RaceViewBody, ...failures } },
  }, async (request): Promise<RaceDetails> => {
    const race = context.pending.read(request.params.id);
    if (race === null) throw raceNotFound(request.params.id);
    return raceDetailsOf(race.facts, race.eta);
  });

  app.get('/v1/races/:id/revisions', {
    schema: {
      tags,
      summary: 'Every published ETA of a race, in order; without ClickHouse the last five',
      params: RaceIdParam,
      response: { 200: Type.Object({ race_id: Type.String(), origin: Type.Enum(['history', 'live']), revisions: Type.Array(Type.Unsafe({ type: 'object', additionalProperties: true })) }), ...failures },
    },
  }, async (request) => {
    const { id } = request.params;
    const stored = await storedRevisions(context, id);
    if (stored.length > 0) return { race_id: id, origin: 'history' as const, revisions: stored };
    const race = context.pending.read(id);
    if (race === null) throw raceNotFound(id);
    return { race_id: id, origin: 'live' as const, revisions: race.eta?.eta_revisions ?? [] };
  });
}

/** At most 10,000, oldest first; empty when there are none or ClickHouse does not answer: the live ones are better than nothing. */
async function storedRevisions(context: GatewayContext, raceId: string): Promise<object[]> {
  if (context.history === null) return [];
  try {
    const rows = await context.history.query<Record<string, unknown>>(
      `SELECT attempt, revision, toUnixTimestamp64Milli(issued_at) AS issued_at_ms, toUnixTimestamp64Milli(event_at) AS event_at_ms, state, eta_sec, remaining_sec,
        toUnixTimestamp64Milli(finish_at) AS finish_at_ms, p10_sec, p50_sec, p90_sec, confidence, deadline_probability, basis, reason, model_version, cluster_id, previous_eta_sec, display_state
      FROM eta_revisions FINAL WHERE race_id = {raceId:String} ORDER BY attempt, revision LIMIT 10000`,
      { raceId },
    );
    return rows.map(({ issued_at_ms, event_at_ms, finish_at_ms, ...row }) => ({
      ...row, issued_at: Number(issued_at_ms), event_at: Number(event_at_ms), finish_at: finish_at_ms === null ? null : Number(finish_at_ms),
    }));
  } catch (error) {
    context.logger.warn({ raceId, error: messageOf(error) }, 'Revisions come from the live view: ClickHouse does not answer');
    return [];
  }
}
