import { describe, expect, it } from 'vitest';
import { bearingDeg, courseStatus, distanceM, KNOT_MPS } from '../../../src/journey/geodesy.ts';
import { ownSpeedSec } from '../../../src/journey/own-speed.ts';
import { beforeDeparture, departureOffset, phaseAfter, type PhaseState } from '../../../src/journey/phases.ts';
import { projectPois } from '../../../src/journey/pois.ts';
import { nearestOnRoute, placeAt, plannedSpeedMps, pointOfInterest } from '../../../src/journey/route.ts';
import { secondsAtSpeed, secondsBlended, smoothedMps, withSpeed, type SpeedSample } from '../../../src/journey/speed.ts';
import { timeOverWaypoint } from '../../../src/journey/time-over-waypoint.ts';
import { equator, MIN, routeThrough, T0 } from './routes.ts';

// Figures that an independent implementation gives for the same inputs.

describe('distances', () => {
  it.each([
    ['New York to Los Angeles', { lat: 40.7128, lon: -74.006 }, { lat: 34.0522, lon: -118.2437 }, 3_935_746.25],
    ['pole to pole', { lat: 90, lon: 0 }, { lat: -90, lon: 0 }, 20_015_086.8],
    ['a degree on the equator', { lat: 0, lon: 0 }, { lat: 0, lon: 1 }, 111_194.9266],
    ['a street', { lat: 40.7128, lon: -74 }, { lat: 40.714, lon: -74 }, 133.4339],
    ['two streets', { lat: 40.7128, lon: -74 }, { lat: 40.715, lon: -74 }, 244.6288],
    ['0.9 degrees north', { lat: 37, lon: -122 }, { lat: 37.9, lon: -122 }, 100_075.434],
  ])('%s', (_, from, to, metres) => {
    expect(Math.abs(distanceM(from, to) - metres)).toBeLessThan(Math.max(1e-3, metres * 2e-9));
  });

  it('bearings', () => {
    expect(bearingDeg({ lat: 0, lon: 0 }, { lat: 1, lon: 0 })).toBeCloseTo(0, 9);
    expect(bearingDeg({ lat: 0, lon: 0 }, { lat: 0, lon: 1 })).toBeCloseTo(90, 9);
    expect(bearingDeg({ lat: 40.7128, lon: -74.006 }, { lat: 34.0522, lon: -118.2437 })).toBeCloseTo(273.687, 3);
    expect(bearingDeg({ lat: 35, lon: 45 }, { lat: 35, lon: 135 })).toBeCloseTo(60.162, 3);
  });

  it.each([[9.99, 'on_course'], [10, 'slightly_off'], [44.99, 'slightly_off'], [45, 'off_track'], [64.99, 'off_track'], [65, 'behind']])('%f degrees off is %s', (off, status) => {
    expect(courseStatus(off, 0)).toBe(status);
    expect(courseStatus(0, off)).toBe(status);
  });

  it('350 against 5 degrees is 15 off', () => {
    expect(courseStatus(350, 5)).toBe('slightly_off');
    expect(courseStatus(355, 4.9)).toBe('on_course');
  });
});

describe('times at a speed', () => {
  it.each([[10_000, 100, 194.3844], [1, 100, 0.019438], [40_000_000, 150, 518_358.53]])('%f m at %f kn', (metres, knots, sec) => {
    expect(secondsAtSpeed(metres, knots)! / sec).toBeCloseTo(1, 4);
  });

  it('is none below half a knot', () => {
    expect(secondsAtSpeed(10_000, 0)).toBeNull();
    expect(secondsAtSpeed(10_000, -100)).toBeNull();
    expect(secondsAtSpeed(10_000, 0.499)).toBeNull();
    expect(secondsAtSpeed(10_000, 0.5)).not.toBeNull();
  });

  it('a degree at 160 kn, and at 150 kn where 180 are planned', () => {
    expect(secondsAtSpeed(111_194.9266, 160)).toBeCloseTo(1350.9103, 3);
    expect(secondsBlended(111_194.9266, 150, 180)).toBeCloseTo(1309.9736, 3);
  });

  it('the planned speeds of the three legs', () => {
    expect([0, 1, 2].map((segment) => plannedSpeedMps(equator, segment)! / KNOT_MPS).map((knots) => knots.toFixed(4))).toEqual(['120.0809', '360.2427', '120.0809']);
  });

  it('37 to 37.9 N in 720 s, and a slow one in 660 s', () => {
    const fast = routeThrough([{ lat: 37, lon: -122, at: T0 }, { lat: 37.9, lon: -122, at: T0 + 720_000 }]);
    expect(plannedSpeedMps(fast, 0)! / KNOT_MPS).toBeCloseTo(270.182, 3);
    const slow = routeThrough([{ lat: 37, lon: -122, at: T0 }, { lat: 37.01, lon: -121.98, at: T0 + 660_000 }]);
    expect(plannedSpeedMps(slow, 0)! / KNOT_MPS).toBeCloseTo(6.1713, 3);
  });

  it('no planned speed without two times that differ', () => {
    expect(plannedSpeedMps(routeThrough([{ lat: 37, lon: -122, at: T0 }, { lat: 37.9, lon: -122, at: T0 }]), 0)).toBeNull();
    expect(plannedSpeedMps(routeThrough([{ lat: 37, lon: -122, at: T0 }, { lat: 37.9, lon: -122 }]), 0)).toBeNull();
  });

  it('from 40.1 N to the end of a route of one degree at 200 kn', () => {
    const route = routeThrough([{ lat: 40, lon: -75 }, { lat: 40.5, lon: -75 }, { lat: 41, lon: -75 }]);
    expect(route.totalM).toBeCloseTo(111_194.93, 2);
    const { alongM } = nearestOnRoute(route, { lat: 40.1, lon: -75 });
    expect(route.totalM - alongM).toBeCloseTo(100_075.43, 1);
    expect(ownSpeedSec(route, alongM, route.totalM, 200)).toBeCloseTo(972.655, 2);
    expect((100 * nearestOnRoute(route, { lat: 40.55, lon: -75 }).alongM) / route.totalM).toBeCloseTo(55, 6);
    expect(nearestOnRoute(route, { lat: 40.5, lon: -75 }).offM).toBeLessThan(1);
  });

  it('smoothing is the mean of 120 s', () => {
    const take = (speeds: readonly number[], gapMs: number) => speeds.reduce<readonly SpeedSample[]>((samples, mps, i) => withSpeed(samples, { atMs: T0 + i * gapMs, mps }), []);
    expect(smoothedMps(take([100, 150, 200, 180, 170], 1000))).toBe(160);
    expect(smoothedMps(take([200], 1000))).toBe(200);
    expect(smoothedMps([])).toBeNull();
    // A fourth sample 180 s after the first: only the last two lie within 120 s.
    expect(smoothedMps(take([1000, 1000, 150, 150], 60_000))).toBe(150);
  });
});

describe('"Time Over Waypoint"', () => {
  it.each([
    ['PHNL\n Time Over Waypoint: 2025-10-27 16:51:13Z', '2025-10-27T16:51:13Z'], ['Time Over Waypoint: \t  2025-10-27 \t 16:51:13Z', '2025-10-27T16:51:13Z'],
    ['Time Over Waypoint: 2025-10-27 16:51:13Z Time Over Waypoint: 2026-10-27 16:51:13Z', '2025-10-27T16:51:13Z'], ['Time Over Waypoint: 2024-02-29 12:30:45Z', '2024-02-29T12:30:45Z'],
  ])('reads %j', (text, instant) => {
    expect(timeOverWaypoint(text)).toBe(Date.parse(instant));
  });

  it.each(['time over waypoint: 2025-10-27 16:51:13Z', 'Time Over Waypoint: 2025-10-27 16:51:13', 'Time Over Waypoint: 2025-10-27', 'Time Over Waypoint: 10/27/2025 16:51:13Z', 'Time Over Waypoint: 2025-13-32 25:61:61Z', 'Time Over Waypoint: 2025-02-29 12:00:00Z', ''])('finds none in %j', (text) => {
    expect(timeOverWaypoint(text)).toBeNull();
  });
});

describe('projection', () => {
  it('a point of interest beside the second leg', () => {
    const route = routeThrough([{ lat: 0, lon: 0 }, { lat: 0, lon: 1 }, { lat: 0, lon: 2 }, { lat: 0, lon: 3 }], [pointOfInterest('p', 'p', { lat: 0.05, lon: 1.5 })]);
    const [projection] = projectPois(route);
    expect(projection!.offM).toBeCloseTo(5559.746, 2);
    expect((100 * projection!.alongM) / route.totalM).toBeCloseTo(50, 9);
    expect(placeAt(route, projection!.alongM)).toEqual({ lat: expect.closeTo(0, 9), lon: expect.closeTo(1.5, 9) });
    expect(nearestOnRoute(route, { lat: 0.05, lon: 1.5 }).segment).toBe(1);
  });

  it('a point on the antimeridian of a route that crosses it', () => {
    const route = routeThrough([{ lat: 0, lon: 179 }, { lat: 0, lon: -179 }]);
    expect(nearestOnRoute(route, { lat: 0, lon: 180 }).offM).toBeLessThan(1e-3);
    expect(nearestOnRoute(route, { lat: 0, lon: -180 }).alongM).toBeCloseTo(111_194.9266, 2);
    expect(route.totalM).toBeCloseTo(2 * 111_194.9266, 2);
  });
});

describe('phases', () => {
  const drive = (state: PhaseState, knots: number, sec: number, alongM: number) => {
    let now = state;
    for (let s = 0; s <= sec; s++) now = phaseAfter(now, { atMs: T0 + s * 1000, mps: knots * KNOT_MPS, alongM, offM: 0, totalM: 100_000 });
    return now;
  };

  it('51 kn held for 11 s depart, 40 kn never', () => {
    expect(drive(beforeDeparture, 51, 11, 0)).toMatchObject({ phase: 'in_flight', departedAtMs: T0 });
    expect(drive(beforeDeparture, 51, 9, 0).phase).toBe('pre_departure');
    expect(drive(beforeDeparture, 40, 3600, 0).phase).toBe('pre_departure');
  });

  it('61 s within 100 m arrive, 59 s do not', () => {
    const flying: PhaseState = { ...beforeDeparture, phase: 'in_flight', departedAtMs: T0 - MIN };
    expect(drive(flying, 5, 61, 99_950)).toMatchObject({ phase: 'post_arrival', arrivedAtMs: T0 });
    expect(drive(flying, 5, 59, 99_950).phase).toBe('in_flight');
    expect(drive(flying, 5, 600, 99_850).phase).toBe('in_flight');
  });

  it('the offset of a departure', () => {
    const planned = Date.UTC(2025, 9, 27, 16, 45);
    expect(departureOffset(planned, planned + 40 * MIN)).toEqual({ sec: 2400, isUnusual: false });
    expect(departureOffset(planned, planned - 40 * MIN)).toEqual({ sec: -2400, isUnusual: false });
    expect(departureOffset(planned, planned + 540 * MIN)).toEqual({ sec: 32_400, isUnusual: true });
    expect(departureOffset(planned, planned + 480 * MIN).isUnusual).toBe(false);
  });
});
