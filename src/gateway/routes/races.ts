import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { reject } from '../../errors.ts';
import { compileFilter } from '../../bridge/frames.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import type { RaceFacts } from '../live/facts.ts';
import { failure, HttpFailure, raceNotFound, rejectionFailure } from '../failures.ts';
import { originRaceOf, type OriginRace } from '../origin/race.ts';
import { contradiction, readOriginEvent, readOriginUpdate } from '../origin/update.ts';
import { failures, OriginEventPost, OriginRaceBody, OriginRacePatch, OriginRacePost, RaceIdParam, RaceListQuery } from '../schemas.ts';
import { submitForget, submitUpdates } from '../submit.ts';
import { objectBody } from '../validation.ts';
import { requireView } from './require-view.ts';

const tags = ['compatible'];
const MAX_POST_EVENTS = 100;

/** The origin's API, as its clients use it: same names, same codes; what it lost or let pass is kept or refused here. */
export function raceRoutes(app: App, context: GatewayContext): void {
  app.addHook('preHandler', requireView(context));

  app.post('/race', {
    schema: { tags, summary: 'Submit a race; the same id merges', body: OriginRacePost, response: { 200: OriginRaceBody, ...failures } },
  }, async (request): Promise<OriginRace> => {
    const body = objectBody(request.body);
    const id = raceIdOf(body['id']);
    const known = context.pending.read(id);
    const source = body['source'] ?? known?.facts.source;
    if (known !== null && source !== known.facts.source) {
      throw rejectionFailure(reject('source_changed', `The race ${id} has the source ${JSON.stringify(known.facts.source)}, which stands`));
    }
    const raws = readUpdate(body, id, source, known?.facts ?? null, context.clock.nowMs());
    const first = raws ?? { race_id: id, source, at: context.clock.nowMs() };
    await submit(context, id, [first, ...readEvents(body['events'], id, source, context.clock.nowMs())], body);
    const isEnding = 'state' in first && isTerminal(first['state']);
    if (known?.eta == null && !isEnding) await context.firstEtas.wait(id);
    return answer(context, id);
  });

  app.patch('/race/:id', {
    schema: { tags, summary: 'Change a race; absent and null fields stay as they are', params: RaceIdParam, body: OriginRacePatch, response: { 200: OriginRaceBody, ...failures } },
  }, async (request): Promise<OriginRace> => {
    const { id } = request.params;
    const body = objectBody(request.body);
    const known = knownRace(context, id);
    const raw = readUpdate(body, id, known.source, known, context.clock.nowMs());
    if (raw !== null) await submit(context, id, [raw], body);
    return answer(context, id);
  });

  app.post('/race/:id/event', {
    schema: { tags, summary: 'Add an event to a race', params: RaceIdParam, body: OriginEventPost, response: { 200: OriginRaceBody, ...failures } },
  }, async (request): Promise<OriginRace> => {
    const { id } = request.params;
    const body = objectBody(request.body);
    const { source } = knownRace(context, id);
    await submit(context, id, [{ race_id: id, source, at: context.clock.nowMs(), event: readEvent(body) }], body);
    return answer(context, id);
  });

  app.get('/race/:id', {
    schema: { tags, summary: 'One race', params: RaceIdParam, response: { 200: OriginRaceBody, ...failures } },
  }, async (request): Promise<OriginRace> => answer(context, request.params.id));

  app.delete('/race/:id', {
    schema: { tags, summary: 'Forget a race', params: RaceIdParam, response: { 200: Type.Object({ id: Type.String(), message: Type.String() }), ...failures } },
  }, async (request) => {
    const { id } = request.params;
    knownRace(context, id);
    await submitForget(context, id);
    return { id, message: 'Race deleted successfully' };
  });

  app.get('/races', {
    schema: { tags, summary: 'Live and recently finished races', querystring: RaceListQuery, response: { 200: Type.Array(OriginRaceBody), ...failures } },
  }, async (request): Promise<OriginRace[]> => {
    const { source, state, limit = 10_000 } = request.query;
    const fits = compileFilter({
      ...(source === undefined ? {} : { source }),
      ...(state === undefined ? {} : { states: Array.isArray(state) ? state : [state] }),
    });
    const races: OriginRace[] = [];
    const add = (id: string): void => {
      const race = context.pending.read(id);
      if (race !== null && races.length < limit && fits(race.facts)) races.push(originRaceOf(race.facts, race.eta));
    };
    for (const race of context.view.races()) {
      if (races.length >= limit) break;
      add(race.facts.race_id);
    }
    for (const id of context.pending.newRaces()) add(id);
    return races;
  });
}

function raceIdOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return randomUUID();
  if (typeof value !== 'string') throw rejectionFailure(reject('type_invalid', `id must be a text of 1..200 characters, got ${typeof value}`));
  if (value.startsWith('adapter:')) {
    throw new HttpFailure(400, {
      error: 'invalid_operation',
      message: 'Adapter registration must use REST /adapter/register and /adapter/health endpoints, not /race',
      code: 'invalid_request',
    });
  }
  return value;
}

function knownRace(context: GatewayContext, id: string): RaceFacts {
  const race = context.pending.read(id);
  if (race === null) throw raceNotFound(id);
  return race.facts;
}

function answer(context: GatewayContext, id: string): OriginRace {
  const race = context.pending.read(id);
  if (race === null) throw raceNotFound(id);
  return originRaceOf(race.facts, race.eta);
}

function readUpdate(body: Readonly<Record<string, unknown>>, raceId: string, source: unknown, known: RaceFacts | null, nowMs: number): Record<string, unknown> | null {
  const read = readOriginUpdate(body, { raceId, source, known, nowMs });
  if ('rejection' in read) throw rejectionFailure(read.rejection, body);
  if (read.raw === null) return null;
  const complaint = contradiction(known, read.raw);
  if (complaint !== null) throw failure('conflict', complaint, { value: read.raw['state'], id: raceId });
  return read.raw;
}

function readEvent(body: unknown): object {
  const read = readOriginEvent(objectBody(body));
  if ('rejection' in read) throw rejectionFailure(read.rejection, { type: objectBody(body)['type'] });
  return read.event;
}

function readEvents(value: unknown, raceId: string, source: unknown, at: number): object[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_POST_EVENTS) {
    throw rejectionFailure(reject('event_too_large', `events must be a list of at most ${MAX_POST_EVENTS}, got ${Array.isArray(value) ? value.length : typeof value}`));
  }
  return value.map((event: unknown) => ({ race_id: raceId, source, at, event: readEvent(event) }));
}

async function submit(context: GatewayContext, id: string, raws: readonly unknown[], body: Readonly<Record<string, unknown>>): Promise<void> {
  const result = await submitUpdates(context, id, raws);
  if ('rejection' in result) throw rejectionFailure(result.rejection, { ...body, race_id: body['id'] ?? id });
}

function isTerminal(state: unknown): boolean {
  return state === 'passed' || state === 'failed' || state === 'canceled';
}
