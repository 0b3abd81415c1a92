import { describe, expect, it } from 'vitest';
import { finishAhead, routeMilestones, type AlongRoute } from '../../../src/forecast/along-route.ts';
import { quantile } from '../../../src/forecast/distribution.ts';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import { withScratch } from '../../../src/forecast/scratch.ts';
import type { WaypointEta } from '../../../src/journey/etas.ts';
import type { RaceState } from '../../../src/race/state.ts';
import type { JourneyPosition } from '../../../src/race/update.ts';
import { lineOfStops, readyRoute } from '../../support/journeys.ts';
import { raceOf } from './race-builder.ts';

const START = 1_000_000;
const at = (sec: number) => START + 1000 * sec;
const route = readyRoute(lineOfStops('line', 5, START));
const etaOf = (index: number, sec: number, type: WaypointEta['type'] = 'estimated'): WaypointEta => ({ index, etaMs: at(sec), p10Ms: at(sec - 20), p90Ms: at(sec + 60), distanceM: 100, type });
const along: AlongRoute = { route, etas: [2, 3, 4].map((index) => etaOf(index, 200 * index)) };
const position: JourneyPosition = { route_version: 0, along_m: 3000, off_m: 0, next: 2, own_mps: 10, last_mps: 10, usual_mps: 10, moves: true, moved_at: at(300), trail_at: null, trail_m: null, passed: 1, passed_at: at(190), delay_sec: 10 };
const vehicle = (fields: Partial<RaceState> = {}): RaceState => {
  const race = raceOf({ state: 'running', started_at: START, route_id: 'line', position, ...fields });
  return { ...race, field_at: { ...race.field_at, position: at(300) } };
};
const passed = (seq: number, sec: number) => ({ name: `stop ${seq}`, occurrence: 1, seq, state: 'passed' as const, started_at: null, completed_at: at(sec), planned_sec: 180, at: at(sec) });

describe('finishAhead()', () => {
  it('has its median at the ETA of the last waypoint, and its P10 and P90 at that one\'s', () => {
    withScratch(() => {
      const { sec, distribution } = finishAhead(along, vehicle(), at(300))!;
      expect(sec).toBe(800);
      for (const [share, expected] of [[0.1, 780], [0.5, 800], [0.9, 860]] as const) expect(Math.abs(quantile(distribution, share) - expected)).toBeLessThan(5);
    });
  });

  it('lasts longer than the race has, and is overdue where no position has come for long', () => {
    withScratch(() => {
      const late = finishAhead(along, vehicle(), at(1_500))!;
      expect(late.distribution.overdue).toBe(true);
      expect(late.sec).toBe(1_500);
      expect(quantile(late.distribution, 0.1)).toBeGreaterThan(1_500);
    });
  });

  it('counts from the first waypoint before the start, and is none when the end has no ETA', () => {
    const waiting: AlongRoute = { route, etas: [0, 1, 2, 3, 4].map((index) => etaOf(index, 60 + 100 * index, 'anticipated')) };
    withScratch(() => expect(finishAhead(waiting, vehicle({ state: 'queued', started_at: null }), at(0))!.sec).toBe(400));
    expect(finishAhead({ route, etas: along.etas.slice(0, 2) }, vehicle(), at(300))).toBeNull();
    expect(finishAhead({ route, etas: [] }, vehicle(), at(300))).toBeNull();
  });
});

describe('forecastRace() of a vehicle', () => {
  it('rests on telemetry, and on what other races rest on where the end has no ETA', () => {
    expect(forecastRace(undefined, vehicle(), at(300), along)).toMatchObject({ basis: 'telemetry', etaSec: 800, nextAtMs: at(400) });
    const plan = [{ name: 'stop 4', planned_sec: null, planned_at: at(720) }];
    const stuck = forecastRace(undefined, vehicle({ plan }), at(300), { route, etas: along.etas.slice(0, 1) });
    expect(stuck).toMatchObject({ basis: 'plan', nextAtMs: at(400) });
    expect(stuck.milestones().milestones.map(({ eta_at }) => eta_at)).toEqual([null, null, at(400), null, null]);
  });
});

describe('routeMilestones()', () => {
  it('says of each waypoint when it was passed, that nobody saw it, or when it will be reached: not before now', () => {
    const { milestones } = routeMilestones(along, vehicle({ stages: [passed(1, 190)] }), at(410));
    expect(milestones.map(({ name, kind, state, passed_at, eta_at }) => [name, kind, state, passed_at, eta_at])).toEqual([
      ['stop 0', 'waypoint', 'skipped', null, null], ['stop 1', 'waypoint', 'passed', at(190), null],
      ['stop 2', 'waypoint', 'pending', null, at(410)], ['stop 3', 'waypoint', 'pending', null, at(600)], ['stop 4', 'waypoint', 'pending', null, at(800)],
    ]);
    expect(milestones[3]).toMatchObject({ p10_at: at(580), p90_at: at(660), distance_m: 100, eta_type: 'estimated' });
  });

  it('are at most 150, and say how many more there are: what is passed gives way, then what is farthest', () => {
    const long = readyRoute(lineOfStops('long', 300, START));
    const etas = (from: number) => long.waypoints.slice(from).map(({ index }) => etaOf(index, index));
    const stages = Array.from({ length: 200 }, (_, seq) => passed(seq, seq));
    const shown = routeMilestones({ route: long, etas: etas(200) }, vehicle({ stages, position: { ...position, next: 200 } }), at(200));
    const names = ({ milestones }: typeof shown) => milestones.map(({ name }) => name);
    expect([names(shown), shown.dropped]).toEqual([long.waypoints.slice(150).map(({ name }) => name), 150]);
    const before = routeMilestones({ route: long, etas: etas(0) }, vehicle({ position: { ...position, next: 0 } }), at(0));
    expect([names(before), before.dropped]).toEqual([long.waypoints.slice(0, 150).map(({ name }) => name), 150]);
  });
});
