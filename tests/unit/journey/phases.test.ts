import { describe, expect, it } from 'vitest';
import { arrive, beforeDeparture, depart, etaTypeOf, phaseAfter, sinceDepartureSec, untilDepartureSec, type PhaseState } from '../../../src/journey/phases.ts';
import { metresTo, poiStatus } from '../../../src/journey/pois.ts';
import { MIN, T0 } from './routes.ts';

const must = (state: ReturnType<typeof depart>): PhaseState => {
  if ('refused' in state) throw new Error(state.refused);
  return state;
};

describe('phases', () => {
  it('go on by hand, each once and in order', () => {
    expect(arrive(beforeDeparture, T0)).toEqual({ refused: 'Cannot arrive: the journey is pre_departure' });
    const flying = must(depart(beforeDeparture, T0));
    expect(flying).toMatchObject({ phase: 'in_flight', departedAtMs: T0 });
    expect(depart(flying, T0 + MIN)).toEqual({ refused: 'Cannot depart: the journey is in_flight' });
    const there = must(arrive(flying, T0 + MIN));
    expect(there).toMatchObject({ phase: 'post_arrival', departedAtMs: T0, arrivedAtMs: T0 + MIN });
    expect(depart(there, T0)).toEqual({ refused: 'Cannot depart: the journey is post_arrival' });
    expect(arrive(there, T0)).toEqual({ refused: 'Cannot arrive: the journey is post_arrival' });
    expect(phaseAfter(there, { atMs: T0 + 2 * MIN, mps: 300, alongM: 0, offM: 0, totalM: 1e6 })).toBe(there);
  });

  it('have anticipated ETAs until the departure, estimated ones from then on', () => {
    const flying = must(depart(beforeDeparture, T0));
    expect([beforeDeparture, flying, must(arrive(flying, T0))].map(etaTypeOf)).toEqual(['anticipated', 'estimated', 'estimated']);
  });

  it('count down to the departure, below 0 when it is late, and from it on', () => {
    const flying = must(depart(beforeDeparture, T0));
    expect(untilDepartureSec(beforeDeparture, T0 + MIN, T0)).toBe(60);
    expect(untilDepartureSec(beforeDeparture, T0 - MIN, T0)).toBe(-60);
    expect(untilDepartureSec(beforeDeparture, null, T0)).toBeNull();
    expect(untilDepartureSec(flying, T0 + MIN, T0)).toBe(0);
    expect(sinceDepartureSec(beforeDeparture, T0)).toBeNull();
    expect(sinceDepartureSec(flying, T0 + MIN)).toBe(60);
  });

  it('begin anew when what shows a departure breaks off, and depart a slow vehicle by its way', () => {
    const at = (sec: number, mps: number | null, alongM = 0) => ({ atMs: T0 + sec * 1000, mps, alongM, offM: 0, totalM: 1e6 });
    let state = phaseAfter(beforeDeparture, at(0, 40));
    state = phaseAfter(state, at(8, 0));
    state = phaseAfter(state, at(9, 40));
    expect(phaseAfter(state, at(12, 40)).phase).toBe('pre_departure');
    expect(phaseAfter(state, at(19, 40))).toMatchObject({ phase: 'in_flight', departedAtMs: T0 + 9000 });
    const bus = phaseAfter(phaseAfter(beforeDeparture, at(0, 8, 510)), at(20, null, 700));
    expect(bus).toMatchObject({ phase: 'in_flight', departedAtMs: T0 });
  });
});

describe('points of interest', () => {
  const projection = { poi: { id: 'p', name: 'p', lat: 0, lon: 0, radius_m: null }, alongM: 5000, offM: 300 };

  it('are ahead, passed, or not on the route', () => {
    expect(poiStatus(projection, 4999, true)).toBe('ahead_on_route');
    expect(poiStatus(projection, 5001, true)).toBe('already_passed');
    expect(poiStatus(projection, 0, false)).toBe('pre_departure');
    expect(poiStatus({ ...projection, offM: 20_001 }, 0, true)).toBe('not_on_route');
    expect(metresTo(projection, 1000)).toBe(4300);
    expect(metresTo(projection, 6000)).toBe(300);
  });
});
