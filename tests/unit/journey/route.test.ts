import { describe, expect, it } from 'vitest';
import { attachMarks } from '../../../src/journey/attach.ts';
import { isRefused, MOST_POINTS, MOST_WAYPOINTS, placeAt, plannedAtMs, plannedLegSec, routeOf, segmentAt, waypointsBy, type RoutePoint } from '../../../src/journey/route.ts';
import { routesOfTimetable } from '../../../src/journey/timetable.ts';
import { equator, MIN, routeThrough, T0 } from './routes.ts';

const point = (lat: number, lon: number, more: Partial<RoutePoint> = {}): RoutePoint => ({ lat, lon, name: null, planned_at: null, dwell_sec: null, ...more });
const refusal = (points: RoutePoint[]) => {
  const route = routeOf({ route_id: 'r', name: 'r', points, pois: [], active: true });
  return isRefused(route) ? route : null;
};

describe('routeOf()', () => {
  it.each([
    ['one point', [point(1, 1)]], ['one place', [point(1, 1), point(1, 1)]], ['lat 91', [point(91, 0), point(1, 1)]], ['NaN', [point(1, 1), point(Number.NaN, 1)]],
    ['a plan that runs backwards', [point(1, 1, { planned_at: 2 }), point(1, 2, { planned_at: 1 })]], ['a dwell below 0', [point(1, 1, { dwell_sec: -1 }), point(1, 2)]],
    ['too many points', Array.from({ length: MOST_POINTS + 1 }, (_, i) => point(1, i / 1e4))], ['too many waypoints', Array.from({ length: MOST_WAYPOINTS + 1 }, (_, i) => point(1, i / 1e4, { name: `w${i}` }))],
  ])('refuses %s', (_, points) => {
    expect(refusal(points)?.code).toBe('route_invalid');
  });

  it('has waypoints at its ends and where a name or a time is', () => {
    const route = routeThrough([{ lat: 0, lon: 0 }, { lat: 0, lon: 1 }, { lat: 0, lon: 2, name: 'C' }, { lat: 0, lon: 3, at: T0 }, { lat: 0, lon: 4 }]);
    expect(route.waypoints.map(({ name, point: at }) => [name, at])).toEqual([['waypoint 0', 0], ['C', 2], ['waypoint 2', 3], ['waypoint 3', 4]]);
    expect(route.waypoints.map(({ alongM }) => Math.round(alongM / 111_194.9266))).toEqual([0, 2, 3, 4]);
  });

  it('knows segments, places and plans along itself', () => {
    expect([-1, 0, 1, 111_194, 111_196, 1e9].map((m) => segmentAt(equator, m))).toEqual([0, 0, 0, 0, 1, 2]);
    expect(waypointsBy(equator, 0)).toBe(1);
    expect(waypointsBy(equator, -0.1)).toBe(0);
    expect(waypointsBy(equator, 1e9)).toBe(4);
    expect(placeAt(equator, equator.totalM / 2).lon).toBeCloseTo(1.5, 9);
    expect(placeAt(equator, 1e9)).toEqual({ lat: 0, lon: expect.closeTo(3, 9) });
    expect(plannedAtMs(equator, 0.5 * 111_194.9266)).toBeCloseTo(T0 + 15 * MIN, 0);
    expect(plannedAtMs(equator, 1e9)).toBeNull();
    expect([0, 1, 2, 3].map((index) => plannedLegSec(equator, index))).toEqual([null, 1800, 600, 1800]);
  });

  it('takes a dwell for time in which no way is made', () => {
    const route = routeThrough([{ lat: 0, lon: 0, at: T0, dwell: 600 }, { lat: 0, lon: 1, at: T0 + 30 * MIN }]);
    expect(plannedAtMs(route, route.totalM / 2)).toBeCloseTo(T0 + 20 * MIN, 0);
  });
});

describe('attachMarks()', () => {
  const line = [0, 1, 2, 3].map((lon) => ({ lat: 0, lon }));

  it('puts a mark where the line comes nearest, on a point of it where there is one', () => {
    const { points, pois } = attachMarks(line, [{ lat: 0, lon: 0, name: 'A', plannedAtMs: 1 }, { lat: 0.001, lon: 1.5, name: 'B', plannedAtMs: 2 }, { lat: 0.0001, lon: 3, name: 'C', plannedAtMs: 3 }, { lat: 0.02, lon: 2, name: 'far', plannedAtMs: 4 }]);
    expect(points.map(({ name, planned_at }) => [name, planned_at])).toEqual([['A', 1], [null, null], ['B', 2], [null, null], ['C', 3]]);
    expect(points[2]).toMatchObject({ lat: expect.closeTo(0, 9), lon: expect.closeTo(1.5, 9) });
    expect(pois.map(({ name }) => name)).toEqual(['far']);
  });

  it('keeps the order of the marks where the line passes a place twice', () => {
    const there = [0, 1, 2, 1, 0].map((lon) => ({ lat: 0, lon }));
    const { points } = attachMarks(there, [{ lat: 0, lon: 0.5, name: 'out', plannedAtMs: null }, { lat: 0, lon: 2, name: 'turn', plannedAtMs: null }, { lat: 0, lon: 0.5, name: 'back', plannedAtMs: null }]);
    expect(points.map(({ name }) => name)).toEqual([null, 'out', null, 'turn', null, 'back', null]);
  });
});

describe('routesOfTimetable()', () => {
  it('orders the rows of each trip, and refuses a trip that repeats a seq without the others', () => {
    const row = (trip: string, seq: number) => ({ trip, seq, stop: `s${seq}`, lat: 30 + seq / 100, lon: -97, plannedAtMs: T0 + seq * MIN });
    const { routes, refused } = routesOfTimetable([row('a', 7), row('b', 1), row('a', 2), row('b', 1), row('c', 1.5), row('a', 5)]);
    expect(routes.get('a')?.seqs).toEqual([2, 5, 7]);
    expect(routes.get('a')?.record.points.map(({ name }) => name)).toEqual(['s2', 's5', 's7']);
    expect([...routes.keys()]).toEqual(['a']);
    expect([...refused].map(([trip, { code }]) => [trip, code])).toEqual([['b', 'route_invalid'], ['c', 'route_invalid']]);
  });
});
