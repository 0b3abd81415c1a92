import { describe, expect, it } from 'vitest';
import { createFleet, takePosition, type Fleet } from '../../../src/journey/fleet.ts';
import { positionOf } from '../../../src/journey/follow.ts';
import { placeAt, type Route } from '../../../src/journey/route.ts';
import { normalizeTelemetry, type TelemetryPoint } from '../../../src/journey/telemetry.ts';
import { MIN, routeThrough, T0 } from './routes.ts';

const HOUR = 60 * MIN;
const names = Array.from({ length: 20 }, (_, i) => `stop ${i}`);
/** Twenty stops 500 m apart, one a minute. */
const street = (startMs: number): Route => routeThrough(names.map((name, i) => ({ lat: 30 + 0.0045 * i, lon: -97, name, at: startMs + i * MIN })));

type Run = { readonly startMs: number; readonly mps?: number; readonly plan?: Route; readonly until?: number };

/** Drives the street from a start and gives what was said at each position. */
function drive(fleet: Fleet, raceId: string, { startMs, mps = 500 / 60, plan = street(startMs), until = Infinity }: Run) {
  const said = [];
  for (let sec = 0; sec * mps < plan.totalM + 400 && sec <= until; sec += 40) {
    const place = placeAt(plan, Math.min(plan.totalM, sec * mps));
    const fix = { atMs: startMs + sec * 1000, ...place, accuracyM: null, speedMps: mps };
    const step = takePosition(fleet, raceId, plan, fix);
    said.push({ fix, ...step, next: positionOf(fleet.journeys.get(raceId)!.journey.following).next });
  }
  return said;
}

describe('takePosition()', () => {
  it('has an ETA, in order and inside its range, for every stop ahead and for none behind', () => {
    const fleet = createFleet();
    const route = street(T0);
    const passed = new Set<number>();
    for (const { fix, etas, passages, next } of drive(fleet, 'r', { startMs: T0 })) {
      for (const { index } of passages) passed.add(index);
      expect(etas.map(({ index }) => index)).toEqual(names.map((_, i) => i).slice(next));
      for (const [i, { etaMs, p10Ms, p90Ms, distanceM }] of etas.entries()) {
        expect(etaMs).toBeGreaterThanOrEqual(Math.max(fix.atMs, etas[i - 1]?.etaMs ?? 0));
        expect(p10Ms).toBeGreaterThanOrEqual(fix.atMs);
        expect(p10Ms).toBeLessThanOrEqual(etaMs);
        expect(p90Ms).toBeGreaterThanOrEqual(etaMs);
        expect(distanceM).toBeLessThanOrEqual(route.totalM);
      }
    }
    expect([...passed]).toEqual(names.map((_, i) => i));
  });

  it('is right of a bus that keeps to its plan, and of buses that always need twice as long once it saw a few', () => {
    const fleet = createFleet();
    const [punctual] = drive(fleet, 'punctual', { startMs: T0, until: 120 }).slice(-1);
    expect(Math.abs(punctual!.etas.at(-1)!.etaMs - (T0 + 19 * MIN))).toBeLessThan(MIN);
    for (let n = 0; n < 25; n++) drive(fleet, `slow ${n}`, { startMs: T0 + (n + 1) * HOUR, mps: 250 / 60 });
    const [slow] = drive(fleet, 'one more', { startMs: T0 + 30 * HOUR, mps: 250 / 60, until: 240 }).slice(-1);
    expect(Math.abs(slow!.etas.at(-1)!.etaMs - (T0 + 30 * HOUR + 38 * MIN)) / MIN).toBeLessThan(4);
  });

  it('carries a delay on to all that follows', () => {
    const fleet = createFleet();
    const route = street(T0);
    const [late] = drive(fleet, 'late', { startMs: T0 + 7 * MIN, plan: route, until: 200 }).slice(-1);
    for (const { index, etaMs } of late!.etas) expect((etaMs - route.waypoints[index]!.plannedAtMs!) / MIN).toBeGreaterThan(5.5);
  });

  it('learns that a timetable is an hour off, and says so before the next bus has left', () => {
    const fleet = createFleet();
    const shifted = (n: number) => street(T0 + n * 10 * MIN - HOUR);
    const first = drive(fleet, 'b0', { startMs: T0, plan: shifted(0) });
    expect(first.every(({ etas, fix }) => etas.every(({ etaMs }) => etaMs < fix.atMs + HOUR))).toBe(true);
    for (let n = 1; n < 6; n++) drive(fleet, `b${n}`, { startMs: T0 + n * 10 * MIN, plan: shifted(n) });
    const waiting = { atMs: T0 + 55 * MIN, lat: 30, lon: -97, accuracyM: null, speedMps: 0 };
    const { etas } = takePosition(fleet, 'b6', shifted(6), waiting);
    expect(etas[5]!.type).toBe('anticipated');
    expect(Math.abs(etas[5]!.etaMs - (T0 + 65 * MIN)) / MIN).toBeLessThan(1.5);
  });

  it('without a plan goes by distance at its own speed, and has no ETA while it stands', () => {
    const bare = routeThrough(names.map((name, i) => ({ lat: 30 + 0.0045 * i, lon: -97, name })));
    const fleet = createFleet();
    expect(takePosition(fleet, 'r', bare, { atMs: T0, lat: 30, lon: -97, accuracyM: null, speedMps: 0 }).etas.filter(({ index }) => index > 0)).toEqual([]);
    const place = placeAt(bare, 300);
    const { etas } = takePosition(fleet, 'r', bare, { atMs: T0 + MIN, ...place, accuracyM: null, speedMps: 10 });
    // The mean of 0 and 10 m/s over the last two minutes.
    expect((etas.at(-1)!.etaMs - T0 - MIN) / 1000).toBeCloseTo((bare.totalM - 300) / 5, -2);
  });

  it('is not made to jump by what is late, doubled, an hour behind or out of reach', () => {
    const clean = createFleet();
    const calm = drive(clean, 'r', { startMs: T0 });
    const fleet = createFleet();
    const route = street(T0);
    for (const { fix, etas } of calm) {
      expect(takePosition(fleet, 'r', route, fix).etas).toEqual(etas);
      for (const bad of [fix, { ...fix, atMs: fix.atMs - 30_000 }, { ...fix, atMs: fix.atMs - HOUR }, { ...fix, atMs: fix.atMs + 1000, lat: 48 }]) {
        const step = takePosition(fleet, 'r', route, bad);
        expect(['late', 'outlier']).toContain(step.outcome);
        expect(step.etas).toEqual([]);
        expect(step.passages).toEqual([]);
      }
    }
    expect(fleet.model).toEqual(clean.model);
  });

  it('keeps a bounded journey', () => {
    const long = routeThrough(Array.from({ length: 300 }, (_, i) => ({ lat: 30 + 0.004 * i, lon: -97, name: `s${i}`, at: T0 + i * MIN })));
    const fleet = createFleet();
    for (let sec = 0; sec < 3 * 3600; sec += 5) {
      const place = placeAt(long, sec * 6);
      takePosition(fleet, 'r', long, { atMs: T0 + sec * 1000, ...place, accuracyM: null, speedMps: 6 });
      const { open, journey: { speeds, trail, following } } = fleet.journeys.get('r')!;
      expect(open.forecasts.length).toBeLessThanOrEqual(128);
      expect(speeds.length).toBeLessThanOrEqual(130);
      expect(trail.length).toBeLessThanOrEqual(17);
      expect(following.hypotheses.length).toBeLessThanOrEqual(6);
    }
  });
});

describe('normalizeTelemetry()', () => {
  const point: TelemetryPoint = { race_id: 'r', at: T0, lat: 30, lon: -97, speed_mps: null, heading_deg: null, altitude_m: null, accuracy_m: null, device: null };

  it.each([
    ['lat 91', { lat: 91 }, 'position_invalid'], ['lon 181', { lon: 181 }, 'position_invalid'], ['NaN', { lat: Number.NaN }, 'position_invalid'], ['Infinity', { lon: Infinity }, 'position_invalid'],
    ['0, 0', { lat: 0, lon: 0 }, 'position_invalid'], ['a clock an hour ahead', { at: T0 + HOUR }, 'at_in_future'], ['no instant', { at: Number.NaN }, 'at_invalid'], ['before 1970', { at: -1 }, 'at_invalid'], ['no race', { race_id: '' }, 'id_missing'],
    ['a control character in the id', { race_id: 'a\u0000' }, 'id_invalid'], ['text for a number', { lat: '30' }, 'position_invalid'], ['a bare local time', { at: '2026-01-31T12:00:00' }, 'at_invalid'], ['a device that is none', { device: {} }, 'type_invalid'],
  ])('refuses %s', (_, change, code) => {
    expect(normalizeTelemetry({ ...point, ...change }, T0)).toMatchObject({ rejection: { code } });
  });

  it.each([['the poles', { lat: -90 }], ['the antimeridian', { lon: -180 }], ['the equator', { lat: 0 }], ['five minutes ahead', { at: T0 + 5 * MIN }], ['what is old', { at: T0 - 24 * HOUR }]])('takes %s', (_, change) => {
    expect(normalizeTelemetry({ ...point, ...change }, T0)).toEqual({ point: { ...point, ...change } });
  });

  it('reads instants as text, leaves out measures that are none and fields that nobody knows', () => {
    expect(normalizeTelemetry({ race_id: 'r', at: new Date(T0).toISOString(), lat: 30, lon: -97, speed_mps: Number.NaN, accuracy_m: 'good', battery: 3 }, T0)).toEqual({ point });
  });

  it.each([null, 7, 'text', [1]])('refuses %j', (value) => {
    expect(normalizeTelemetry(value, T0)).toMatchObject({ rejection: { code: 'type_invalid' } });
  });
});
