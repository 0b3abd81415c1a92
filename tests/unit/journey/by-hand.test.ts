import { describe, expect, it } from 'vitest';
import { byHandOf, phaseByHand, toldByHand } from '../../../src/journey/by-hand.ts';
import { beforeDeparture } from '../../../src/journey/phases.ts';
import { newRace } from '../../../src/race/attempt.ts';
import type { RaceEvent, RaceState } from '../../../src/race/state.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { MIN, T0 } from './routes.ts';

const event = (type: string, minute: number): RaceEvent => ({ type, at: T0 + minute * MIN, data: null });
const race = (news: Partial<RaceState>): RaceState => ({ ...newRace(emptyUpdate('bus', 'city', T0), T0, 0), ...news });

describe('a departure and an arrival by hand', () => {
  it('are the last events of their type', () => {
    expect(byHandOf([event('depart', 1), event('note', 2), event('depart', 3), event('arrive', 9)])).toEqual({ departedAtMs: T0 + 3 * MIN, arrivedAtMs: T0 + 9 * MIN });
    expect(byHandOf([event('note', 1)])).toEqual({ departedAtMs: null, arrivedAtMs: null });
  });

  it('change the phase in their order only', () => {
    const both = phaseByHand(beforeDeparture, { departedAtMs: T0, arrivedAtMs: T0 + MIN });
    expect(both).toMatchObject({ phase: 'post_arrival', departedAtMs: T0, arrivedAtMs: T0 + MIN });
    expect(phaseByHand(both, { departedAtMs: T0 + 5 * MIN, arrivedAtMs: T0 + 6 * MIN })).toBe(both);
    expect(phaseByHand(beforeDeparture, { departedAtMs: null, arrivedAtMs: T0 })).toBe(beforeDeparture);
    expect(phaseByHand(beforeDeparture, { departedAtMs: T0, arrivedAtMs: T0 - MIN })).toMatchObject({ phase: 'in_flight', arrivedAtMs: null });
  });

  it('are told to the race until it shows them', () => {
    const queued = race({ state: 'queued', events: [event('depart', 1)] });
    expect(toldByHand(queued)).toMatchObject([{ race_id: 'bus', source: 'city', at: T0 + MIN, state: 'running', started_at: T0 + MIN }]);
    expect(toldByHand({ ...queued, state: 'running', started_at: T0 + MIN })).toEqual([]);
    expect(toldByHand(race({ state: 'running', started_at: T0, events: [event('arrive', 9)] }))).toMatchObject([{ state: 'passed', completed_at: T0 + 9 * MIN }]);
    expect(toldByHand(race({ state: 'queued', events: [event('depart', 1), event('arrive', 9)] })).map(({ state }) => state)).toEqual(['running', 'passed']);
    for (const over of ['passed', 'failed', 'canceled'] as const) expect(toldByHand(race({ state: over, started_at: T0, events: [event('depart', 1), event('arrive', 9)] }))).toEqual([]);
    expect(toldByHand(race({ state: 'queued', events: [event('arrive', 9)] })), 'nothing arrives that has not left').toEqual([]);
    expect(toldByHand(race({ state: 'running', started_at: T0, events: [event('arrive', -1)] })), 'nor before it left').toEqual([]);
  });

  it('win over a state that was said after them', () => {
    const later = race({ state: 'queued', events: [event('depart', 1)] });
    expect(toldByHand({ ...later, field_at: { ...later.field_at, state: T0 + 5 * MIN } })).toMatchObject([{ at: T0 + 5 * MIN, started_at: T0 + MIN }]);
  });
});
