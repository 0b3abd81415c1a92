import { describe, expect, it } from 'vitest';
import { courseOf, headingAfter } from '../../../src/journey/course.ts';
import { nearestOnRoute } from '../../../src/journey/route.ts';
import { equator, routeThrough } from './routes.ts';

const still = { headingDeg: null, speedMps: 0 };

describe('headingAfter()', () => {
  it('is what the receiver says of a vehicle that moves', () => {
    expect(headingAfter(10, { lat: 0, lon: 0 }, { lat: 0, lon: 0.01, headingDeg: 200, speedMps: 5 })).toBe(200);
    expect(headingAfter(10, null, { lat: 0, lon: 0, headingDeg: 360, speedMps: null })).toBe(0);
  });

  it('is where the vehicle came from when the receiver is silent, says nonsense or stands', () => {
    for (const fix of [{ headingDeg: null, speedMps: 5 }, { headingDeg: -1, speedMps: 5 }, { headingDeg: 400, speedMps: 5 }, { headingDeg: 200, speedMps: 0.1 }]) {
      expect(headingAfter(10, { lat: 0, lon: 0 }, { lat: 0, lon: 0.01, ...fix })).toBeCloseTo(90, 6);
    }
  });

  it('stays as it was within the noise of a receiver, and is not known at first', () => {
    expect(headingAfter(10, { lat: 0, lon: 0 }, { lat: 0, lon: 0.00005, ...still })).toBe(10);
    expect(headingAfter(null, null, { lat: 0, lon: 0, ...still })).toBeNull();
  });

  it('crosses 180° the short way', () => {
    expect(headingAfter(null, { lat: 0, lon: 179.99 }, { lat: 0, lon: -179.99, ...still })).toBeCloseTo(90, 6);
  });
});

describe('courseOf()', () => {
  const on = (lat: number, lon: number, headingDeg: number | null, isOffRoute = false) => ({ place: { lat, lon }, headingDeg, ...nearestOnRoute(equator, { lat, lon }), isOffRoute });

  it.each([[90, 'on_course', 0], [99.9, 'on_course', 9.9], [60, 'slightly_off', -30], [140, 'off_track', 50], [270, 'behind', 180]])('heading %d on a route to the east is %s, by %d degrees', (heading, status, off) => {
    const course = courseOf(equator, on(0, 0.5, heading));
    expect(course).toMatchObject({ status, bearingDeg: expect.closeTo(90, 6), rejoin: null });
    expect(Math.abs(course.offDeg!)).toBeCloseTo(Math.abs(off), 6);
    if (Math.abs(off) < 180) expect(course.offDeg).toBeCloseTo(off, 6);
  });

  it('has no status without a heading, and a direction also at the end of the route', () => {
    expect(courseOf(equator, on(0, 0.5, null))).toMatchObject({ status: null, offDeg: null });
    expect(courseOf(equator, on(0, 3, 90))).toMatchObject({ status: 'on_course', bearingDeg: expect.closeTo(90, 4) });
    expect(courseOf(equator, on(0, 0, 90)).bearingDeg).toBeCloseTo(90, 4);
  });

  it('off the route leads back to it, never to what is behind', () => {
    const off = courseOf(equator, on(0.1, 1.5, 180, true));
    expect(off).toMatchObject({ status: 'on_course', bearingDeg: expect.closeTo(180, 6), offM: expect.closeTo(11_119.5, 0) });
    expect(off.rejoin).toMatchObject({ place: { lat: expect.closeTo(0, 6), lon: expect.closeTo(1.5, 6) }, distanceM: expect.closeTo(11_119.5, 0), alongM: expect.closeTo(1.5 * 111_194.9266, 0) });
    // A hairpin: the way out is nearer than the way back, and behind.
    const hairpin = routeThrough([{ lat: 0, lon: 0, name: 'A' }, { lat: 0, lon: 1, name: 'B' }, { lat: 0.02, lon: 1, name: 'C' }, { lat: 0.02, lon: 0, name: 'D' }]);
    const back = courseOf(hairpin, { place: { lat: 0.009, lon: 0.5 }, headingDeg: null, alongM: 120_000, offM: 1_223, isOffRoute: true });
    expect(back.rejoin!.place.lat).toBeCloseTo(0.02, 4);
  });
});
