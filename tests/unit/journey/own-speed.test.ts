import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KNOT_MPS } from '../../../src/journey/geodesy.ts';
import { ownSpeedTimes } from '../../../src/journey/own-speed.ts';
import { projectPois } from '../../../src/journey/pois.ts';
import { nearestOnRoute, plannedSpeedMps, plannedSpeedsMps, pointOfInterest, segmentAt } from '../../../src/journey/route.ts';
import { secondsBlended } from '../../../src/journey/speed.ts';
import { equator, MIN, routeThrough, T0, type Stop } from './routes.ts';

/** Routes of up to twelve points, some of them planned, in order. */
const routes = fc.array(fc.record({ lat: fc.double({ min: -5, max: 5, noNaN: true }), lon: fc.double({ min: 170, max: 190, noNaN: true }), minutes: fc.option(fc.integer({ min: 0, max: 30 })), dwell: fc.integer({ min: 0, max: 600 }) }), { minLength: 2, maxLength: 12 })
  .map((points) => {
    let minutes = 0;
    return points.map((point, i): Stop => {
      minutes += point.minutes ?? 0;
      return { lat: point.lat + i, lon: point.lon > 180 ? point.lon - 360 : point.lon, dwell: point.dwell, ...(point.minutes === null ? {} : { at: T0 + minutes * MIN }) };
    });
  }).map((stops) => routeThrough(stops));

describe('plannedSpeedsMps()', () => {
  it('is what plannedSpeedMps() says of each segment', () => {
    fc.assert(fc.property(routes, (route) => {
      expect(plannedSpeedsMps(route)).toEqual(Array.from({ length: route.vectors.length - 1 }, (_, segment) => plannedSpeedMps(route, segment)));
    }));
  });
});

describe('ownSpeedTimes()', () => {
  it('is the sum over the segments', () => {
    fc.assert(fc.property(routes, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (route, from, to) => {
      const [alongM, toM] = [Math.min(from, to) * route.totalM, Math.max(from, to) * route.totalM];
      let sec = 0;
      for (let segment = segmentAt(route, alongM); segment + 1 < route.vectors.length && route.alongM[segment]! < toM; segment++) {
        const leftM = Math.min(toM, route.alongM[segment + 1]!) - Math.max(alongM, route.alongM[segment]!);
        const plannedMps = plannedSpeedMps(route, segment);
        sec += segment === segmentAt(route, alongM) ? secondsBlended(leftM, 100, plannedMps === null ? null : plannedMps / KNOT_MPS)! : leftM / (plannedMps ?? 100 * KNOT_MPS);
      }
      expect(ownSpeedTimes(route, alongM, 100)(toM)).toBeCloseTo(sec, 3);
    }));
  });

  it('is nothing for who stands and for what lies behind', () => {
    expect(ownSpeedTimes(equator, 0, 0.49)(1_000)).toBeNull();
    expect(ownSpeedTimes(equator, 0, Number.NaN)(1_000)).toBeNull();
    expect(ownSpeedTimes(equator, 2_000, 100)(1_999)).toBeNull();
    expect(ownSpeedTimes(equator, 2_000, 100)(2_000)).toBe(0);
  });
});

describe('projectPois()', () => {
  it('leaves out no segment that is nearest', () => {
    fc.assert(fc.property(routes, fc.double({ min: -10, max: 20, noNaN: true }), fc.double({ min: -180, max: 180, noNaN: true }), (route, lat, lon) => {
      const poi = pointOfInterest('p', 'p', { lat, lon });
      const [projection] = projectPois({ ...route, pois: [poi] });
      expect(Math.abs(projection!.offM - nearestOnRoute(route, poi).offM)).toBeLessThanOrEqual(1);
    }));
  });
});
