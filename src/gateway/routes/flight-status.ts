import { Type } from 'typebox';
import { ARRIVE, DEPART } from '../../journey/by-hand.ts';
import { arrive, depart, type Phase } from '../../journey/phases.ts';
import { parseInstant } from '../../race/instant.ts';
import { isFinished } from '../../race/state.ts';
import type { App } from '../app.ts';
import type { GatewayContext } from '../context.ts';
import { failure, fieldFailure, HttpFailure, rejectionFailure } from '../failures.ts';
import { PhaseName, VehicleParams } from '../origin/flight-schemas.ts';
import { meantBy, type Meant } from '../journeys/meant.ts';
import { flightStatusOf, FlightStatusBody } from '../origin/flight.ts';
import { failures } from '../schemas.ts';
import { submitUpdates } from '../submit.ts';
import { objectBody } from '../validation.ts';
import { phaseOf, type Vehicle, type VehicleQuery } from '../journeys/vehicle.ts';
import { requireVehicles } from './require-view.ts';

const tags = ['compatible'];
/** As far ahead an instant may lie: clocks differ. */
const AHEAD_MS = 300_000;
const LONGEST_REASON = 1_000;

const querystring = Type.Object(VehicleParams);
const response = { 200: FlightStatusBody, ...failures };
const reason = Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: LONGEST_REASON, description: 'Kept with the event' }));
const ByHandPost = Type.Object({
  timestamp: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'ISO 8601, UTC where it has no offset; default: now' })),
  reason,
});
const TransitionPost = Type.Object({ phase: PhaseName, reason });

/** Phase and countdowns of a vehicle, and its departure and arrival by hand: events of its race. */
export function flightStatusRoutes(app: App, context: GatewayContext): void {
  const { clock } = context;
  app.addHook('preHandler', requireVehicles(context));

  const answer = ({ vehicle, stored }: Meant) => flightStatusOf(vehicle, stored, clock.nowMs());

  app.get('/api/flight-status', { schema: { tags, summary: 'Phase, mode of ETAs, plan and countdowns of a vehicle', querystring, response } }, async (request) => answer(meantBy(context, request.query)));

  for (const [action, type] of [['depart', DEPART], ['arrive', ARRIVE]] as const) {
    app.post(`/api/flight-status/${action}`, {
      schema: { tags, summary: type === DEPART ? 'A vehicle has left: refused unless it has not yet' : 'A vehicle is there: refused unless it is under way', querystring, body: ByHandPost, response },
    }, async (request) => await move(request.query, type, readBody(request.body)));
  }

  app.post('/api/flight-status/transition', {
    schema: { tags, summary: 'Depart (in_flight) or arrive (post_arrival) by hand; nothing leads back', querystring, body: TransitionPost, response },
  }, async (request) => {
    const body = readBody(request.body);
    const phase = body['phase'];
    if (!isPhase(phase)) throw fieldFailure('phase', phase, 'pre_departure, in_flight or post_arrival');
    if (phase === 'pre_departure') throw refusedStep('No phase leads back to pre_departure: open another race for another journey');
    return await move(request.query, phase === 'in_flight' ? DEPART : ARRIVE, { reason: body['reason'] });
  });

  app.post('/api/flight-status', {
    schema: { tags, summary: 'Reset: only of a vehicle that has not left, which changes nothing', querystring, response },
  }, async (request) => {
    const meant = meantBy(context, request.query);
    if (meant.vehicle !== null && phaseOf(meant.vehicle).phase !== 'pre_departure') throw refusedStep('A journey that has left cannot be reset: open another race for another journey');
    return answer(meant);
  });

  async function move(query: VehicleQuery, type: typeof DEPART | typeof ARRIVE, body: Readonly<Record<string, unknown>>) {
    const { vehicle } = meantBy(context, query);
    if (vehicle === null) throw failure('not_found', 'No race names a route: there is nothing to depart or arrive');
    const nowMs = clock.nowMs();
    const atMs = instantOf(body['timestamp'], nowMs);
    refuseStep(vehicle, type, atMs);
    const { race_id: raceId, source } = vehicle.facts;
    const why = body['reason'] ?? null;
    if (why !== null && (typeof why !== 'string' || why.length > LONGEST_REASON)) throw fieldFailure('reason', why, `text of at most ${LONGEST_REASON} characters`);
    const facts = type === DEPART ? { state: 'running', started_at: atMs } : { state: 'passed', completed_at: atMs };
    const result = await submitUpdates(context, raceId, [{ race_id: raceId, source, at: nowMs, ...facts, event: { type, at: atMs, data: why } }]);
    if ('rejection' in result) throw rejectionFailure(result.rejection, body);
    return answer(meantBy(context, { ...query, race_id: raceId }));
  }
}

function refuseStep(vehicle: Vehicle, type: typeof DEPART | typeof ARRIVE, atMs: number): void {
  const state = phaseOf(vehicle);
  const after = type === DEPART ? depart(state, atMs) : arrive(state, atMs);
  if ('refused' in after) throw refusedStep(after.refused);
  const { state: race, started_at: startedAt } = vehicle.facts;
  if (isFinished(race)) throw refusedStep(`The race is over: ${race}`);
  if (type === ARRIVE && startedAt !== null && atMs < startedAt) throw refusedStep('Cannot arrive before the start of the race');
}

function refusedStep(message: string): HttpFailure {
  return new HttpFailure(400, { error: 'Invalid phase transition', code: 'conflict', message });
}

/** A body may be left out. */
function readBody(body: unknown): Record<string, unknown> {
  return body === undefined || body === null ? {} : objectBody(body);
}

function instantOf(value: unknown, nowMs: number): number {
  if (value === undefined || value === null) return nowMs;
  const atMs = typeof value === 'string' ? (parseInstant(value) ?? parseInstant(`${value}Z`)) : null;
  if (atMs === null || atMs > nowMs + AHEAD_MS) throw fieldFailure('timestamp', value, 'an instant between 1970 and 5 minutes from now');
  return atMs;
}

function isPhase(value: unknown): value is Phase {
  return value === 'pre_departure' || value === 'in_flight' || value === 'post_arrival';
}
