import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { follow, positionOf, startFollowing, type Fix, type Following } from '../../../src/journey/follow.ts';
import { bearingDeg, between, distanceM, placeOf, projectOnArc, vectorOf, type Place } from '../../../src/journey/geodesy.ts';
import { placeAt, type Route } from '../../../src/journey/route.ts';
import { routeThrough, T0, type Stop } from './routes.ts';

const seed = (n: number) => {
  let state = (n * 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

type Drive = { readonly mps: number; readonly gapSec: number; readonly noiseM: number; readonly seed: number; readonly fromM?: number };

/** What a receiver says of a vehicle that drives a route at one speed, and where it truly was. */
function driven(route: Route, { mps, gapSec, noiseM, seed: n, fromM = 0 }: Drive): { fix: Fix; trueM: number }[] {
  const random = seed(n);
  const found: { fix: Fix; trueM: number }[] = [];
  for (let sec = 0; ; sec += gapSec) {
    const trueM = Math.min(route.totalM, fromM + mps * sec);
    const place = placeAt(route, trueM);
    const north = ((random() + random() + random() - 1.5) * noiseM * 2) / 111_195;
    const east = ((random() + random() + random() - 1.5) * noiseM * 2) / (111_195 * Math.cos((place.lat * Math.PI) / 180));
    found.push({ fix: { atMs: T0 + sec * 1000, lat: place.lat + north, lon: place.lon + east, accuracyM: null }, trueM });
    if (trueM >= route.totalM) return found;
  }
}

function followed(route: Route, fixes: readonly Fix[]): Following[] {
  let state = startFollowing(route, fixes[0]!);
  const states = [state];
  for (const fix of fixes.slice(1)) states.push((state = follow(route, state, fix).state));
  return states;
}

/** A line of stops 100 to 900 m apart that bends as it likes. */
const stops = fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 3, max: 25 }), fc.double({ min: -60, max: 60, noNaN: true }), fc.double({ min: -179, max: 179, noNaN: true })).map(([n, count, lat, lon]): Stop[] => {
  const random = seed(n);
  let [y, x, heading] = [lat, lon, random() * 6.28];
  return Array.from({ length: count }, (_, i) => {
    const stop = { lat: y, lon: ((x + 540) % 360) - 180, name: `s${i}`, at: T0 + i * 60_000 };
    heading += (random() - 0.5) * 1.6;
    const stepM = 100 + 800 * random();
    y += (stepM * Math.cos(heading)) / 111_195;
    x += (stepM * Math.sin(heading)) / (111_195 * Math.cos((y * Math.PI) / 180));
    return stop;
  });
});

describe('positionOf()', () => {
  it('never goes back, passes waypoints once and in order, and not before they are near', () => {
    fc.assert(fc.property(stops, fc.integer({ min: 4, max: 20 }), fc.constantFrom(1, 5, 30, 90), fc.constantFrom(0, 10, 25), fc.integer(), (line, mps, gapSec, noiseM, n) => {
      const route = routeThrough(line);
      const drive = driven(route, { mps, gapSec, noiseM, seed: n });
      const states = followed(route, drive.map(({ fix }) => fix));
      let known = 0;
      for (const [i, state] of states.entries()) {
        // What is certain only grows.
        expect(state.passages.slice(0, known)).toEqual(states[i - 1]?.passages.slice(0, known) ?? []);
        known = state.passages.length;
        expect(state.passages.every(({ index, atMs }, p) => p === 0 || (index > state.passages[p - 1]!.index && atMs >= state.passages[p - 1]!.atMs))).toBe(true);
        for (const { index } of state.passages) expect(route.waypoints[index]!.alongM - drive[i]!.trueM).toBeLessThan(150 + 6 * noiseM);
        expect(state.hypotheses.length).toBeLessThanOrEqual(6);
      }
      expect(positionOf(states.at(-1)!).alongM).toBeGreaterThan(route.totalM - 150 - 6 * noiseM);
    }), { numRuns: 60 });
  });

  it('is within the noise of where a vehicle is', () => {
    const route = routeThrough(Array.from({ length: 30 }, (_, i) => ({ lat: 30 + 0.003 * i, lon: -97 + 0.001 * Math.sin(i), name: `s${i}` })));
    const drive = driven(route, { mps: 9, gapSec: 10, noiseM: 15, seed: 7 });
    const states = followed(route, drive.map(({ fix }) => fix));
    const off = states.map((state, i) => Math.abs(positionOf(state).alongM - drive[i]!.trueM)).sort((a, b) => a - b);
    expect(off[Math.floor(off.length / 2)]!).toBeLessThan(20);
    expect(off.at(-1)!).toBeLessThan(80);
  });

  it('does not take the end of a loop for its start, nor the start for its end', () => {
    const loop = routeThrough(Array.from({ length: 41 }, (_, i) => ({ lat: 30 + 0.02 * Math.sin((i / 40) * 2 * Math.PI), lon: -97 + 0.02 * Math.cos((i / 40) * 2 * Math.PI), name: `s${i}` })));
    const drive = driven(loop, { mps: 8, gapSec: 60, noiseM: 10, seed: 3 });
    const states = followed(loop, drive.map(({ fix }) => fix));
    for (const [i, state] of states.entries()) expect(Math.abs(positionOf(state).alongM - drive[i]!.trueM)).toBeLessThan(200);
    expect(states[3]!.passages.length).toBeLessThan(8);
    expect(states.at(-1)!.passages).toHaveLength(41);
  });

  it('keeps to its strand where a route crosses itself', () => {
    // A figure of eight: through the middle north-east first, south-east an hour later.
    const eight = routeThrough(Array.from({ length: 61 }, (_, i) => {
      const t = (i / 60) * 2 * Math.PI - Math.PI / 2;
      return { lat: 30 + 0.02 * Math.sin(2 * t), lon: -97 + 0.03 * Math.cos(t), name: `s${i}` };
    }));
    for (const gapSec of [5, 60, 120]) {
      const drive = driven(eight, { mps: 10, gapSec, noiseM: 15, seed: 11 });
      const states = followed(eight, drive.map(({ fix }) => fix));
      for (const [i, state] of states.entries()) expect(Math.abs(positionOf(state).alongM - drive[i]!.trueM), `${gapSec} s, position ${i}`).toBeLessThan(300);
    }
  });

  it('goes on after a gap of minutes, however the route turned meanwhile', () => {
    const route = routeThrough(Array.from({ length: 40 }, (_, i) => ({ lat: 30 + 0.003 * i, lon: -97 + 0.004 * Math.sin(i / 3), name: `s${i}` })));
    const drive = driven(route, { mps: 10, gapSec: 20, noiseM: 10, seed: 5 }).filter((_, i) => i < 10 || i > 35);
    const states = followed(route, drive.map(({ fix }) => fix));
    for (const [i, state] of states.entries()) expect(Math.abs(positionOf(state).alongM - drive[i]!.trueM)).toBeLessThan(120);
  });

  it('sees a vehicle leave the route and come back', () => {
    const route = routeThrough(Array.from({ length: 41 }, (_, i) => ({ lat: 30, lon: -97 + 0.002 * i, name: `s${i}` })));
    const fixes = driven(route, { mps: 10, gapSec: 30, noiseM: 5, seed: 1 }).map(({ fix }) => fix);
    const detour = fixes.map((fix, i) => (i >= 8 && i <= 14 ? { ...fix, lat: fix.lat + 0.006 } : fix));
    const states = followed(route, detour);
    expect(states.map(({ isOffRoute }) => isOffRoute).lastIndexOf(true)).toBe(14);
    expect(states.slice(0, 8).some(({ isOffRoute }) => isOffRoute)).toBe(false);
    expect(states.slice(9, 15).every(({ isOffRoute }) => isOffRoute)).toBe(true);
    expect(states.at(-1)!.passages).toHaveLength(41);
  });

  it('joins a route in its midst, and does not say when it passed what lies behind', () => {
    const route = routeThrough(Array.from({ length: 41 }, (_, i) => ({ lat: 30, lon: -97 + 0.004 * i, name: `s${i}` })));
    const drive = driven(route, { mps: 10, gapSec: 60, noiseM: 5, seed: 1, fromM: route.totalM / 2 });
    const states = followed(route, drive.map(({ fix }) => fix));
    expect(states.at(-1)!.passages[0]!.index).toBeGreaterThanOrEqual(20);
    expect(states.at(-1)!.passages.at(-1)!.index).toBe(40);
  });

  it('is the same wherever on the globe the route lies: over the antimeridian as well', () => {
    const shape = Array.from({ length: 20 }, (_, i) => ({ lat: 10 + 0.002 * i, lon: 0.003 * i, name: `s${i}` }));
    const along = (shift: number) => {
      const route = routeThrough(shape.map((stop) => ({ ...stop, lon: ((stop.lon + shift + 540) % 360) - 180 })));
      return followed(route, driven(route, { mps: 10, gapSec: 20, noiseM: 0, seed: 1 }).map(({ fix }) => fix)).map((state) => Math.round(positionOf(state).alongM));
    };
    expect(along(179.97)).toEqual(along(0));
  });

  it('flies over the poles', () => {
    const polar = routeThrough([{ lat: 80, lon: 0, name: 'A' }, { lat: 80, lon: 180, name: 'B' }]);
    expect(polar.totalM).toBeCloseTo(20 * 111_194.9266, 0);
    const drive = driven(polar, { mps: 250, gapSec: 60, noiseM: 0, seed: 1 });
    const states = followed(polar, drive.map(({ fix }) => fix));
    for (const [i, state] of states.entries()) expect(Math.abs(positionOf(state).alongM - drive[i]!.trueM)).toBeLessThan(100);
    const southern = routeThrough([{ lat: -90, lon: 17, name: 'pole' }, { lat: -89, lon: 50, name: 'B' }]);
    expect(southern.totalM).toBeCloseTo(111_194.9266, 0);
  });
});

describe('follow()', () => {
  const route = routeThrough(Array.from({ length: 30 }, (_, i) => ({ lat: 30 + 0.004 * i, lon: -97, name: `s${i}`, at: T0 + i * 45_000 })));
  const fixes = driven(route, { mps: 10, gapSec: 30, noiseM: 10, seed: 2 }).map(({ fix }) => fix);

  it('is changed by nothing that is late or doubled', () => {
    fc.assert(fc.property(fc.array(fc.nat({ max: fixes.length - 1 }), { maxLength: 40 }), (repeats) => {
      let state = startFollowing(route, fixes[0]!);
      for (const [i, fix] of fixes.entries()) {
        if (i > 0) state = follow(route, state, fix).state;
        for (const old of repeats) if (old <= i) {
          const again = follow(route, state, fixes[old]!);
          expect(again.outcome).toBe('late');
          expect(again.state).toBe(state);
        }
      }
      expect(state).toEqual(followed(route, fixes).at(-1));
    }), { numRuns: 20 });
  });

  it('holds out against positions that cannot be reached, and believes them when three agree', () => {
    let state = followed(route, fixes.slice(0, 8)).at(-1)!;
    const before = positionOf(state);
    const far = (i: number): Fix => ({ ...fixes[7 + i]!, lat: 48 + 0.001 * i, lon: 11 });
    for (const i of [1, 2]) {
      const step = follow(route, state, far(i));
      expect(step.outcome).toBe('outlier');
      expect(positionOf(step.state)).toEqual(before);
      state = step.state;
    }
    expect(follow(route, state, far(3)).outcome).toBe('followed');
    const back = follow(route, state, fixes[10]!);
    expect(back.outcome).toBe('followed');
    expect(positionOf(back.state).alongM).toBeGreaterThan(before.alongM);
    expect(back.state.outliers).toBe(0);
  });

  it('takes two devices of one vehicle for one vehicle, also when the clock of one is an hour behind', () => {
    const alone = positionOf(followed(route, fixes).at(-1)!);
    const both = fixes.flatMap((fix, i) => [fix, { ...fix, atMs: fix.atMs + 7000, lat: fix.lat + 0.0006 + (i % 3) * 1e-5 }]);
    expect(Math.abs(positionOf(followed(route, both).at(-1)!).alongM - alone.alongM)).toBeLessThan(80);
    const slow = fixes.flatMap((fix) => [fix, { ...fix, atMs: fix.atMs - 3_600_000, lat: 31 }]);
    expect(followed(route, slow).at(-1)).toEqual(followed(route, fixes).at(-1));
  });
});

describe('projectOnArc()', () => {
  const place = fc.record({ lat: fc.double({ min: -89.9, max: 89.9, noNaN: true }), lon: fc.double({ min: -180, max: 180, noNaN: true }) });

  it('finds no nearer point than the nearest of a thousand', () => {
    fc.assert(fc.property(place, place, fc.double({ min: 0.01, max: 20, noNaN: true }), fc.double({ min: 0, max: 360, noNaN: true }), (p, a, degrees, turn) => {
      const b: Place = { lat: Math.max(-89.9, Math.min(89.9, a.lat + degrees * Math.cos(turn))), lon: ((a.lon + degrees * Math.sin(turn) + 540) % 360) - 180 };
      const [va, vb] = [vectorOf(a), vectorOf(b)];
      const { distanceM: found, fraction } = projectOnArc(vectorOf(p), va, vb);
      let least = Infinity;
      for (let i = 0; i <= 1000; i++) least = Math.min(least, distanceM(p, placeOf(between(va, vb, i / 1000))));
      const stepM = distanceM(a, b) / 1000;
      expect(found).toBeLessThan(least + 0.01);
      expect(found).toBeGreaterThan(least - stepM - 0.01);
      expect(distanceM(p, placeOf(between(va, vb, fraction)))).toBeCloseTo(found, 0);
    }), { numRuns: 60 });
  });

  it('and a bearing turns with the way back', () => {
    expect(bearingDeg({ lat: 10, lon: 179.9 }, { lat: 10, lon: -179.9 })).toBeCloseTo(90, 0);
    expect(bearingDeg({ lat: 10, lon: -179.9 }, { lat: 10, lon: 179.9 })).toBeCloseTo(270, 0);
  });
});
