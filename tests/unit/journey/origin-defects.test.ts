import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { routeOfKml } from '../../../src/adapters/route-files/kml.ts';
import { waypointEtas, type WaypointEta } from '../../../src/journey/etas.ts';
import { createFleet, takePosition, type Fleet } from '../../../src/journey/fleet.ts';
import { positionOf, startFollowing, follow } from '../../../src/journey/follow.ts';
import { KNOT_MPS, projectOnArc, vectorOf } from '../../../src/journey/geodesy.ts';
import { startJourney, type Journey } from '../../../src/journey/journey.ts';
import { createJourneyModel, type JourneyModel } from '../../../src/journey/model.ts';
import { ownSpeedSec } from '../../../src/journey/own-speed.ts';
import { anticipatedSec, beforeDeparture, phaseAfter, type PhaseState } from '../../../src/journey/phases.ts';
import { passedBetween, poiEtaMs, projectPois } from '../../../src/journey/pois.ts';
import { journeyPosition } from '../../../src/journey/position.ts';
import { isRefused, nearestOnRoute, plannedAtMs, pointOfInterest, routeOf, type Route } from '../../../src/journey/route.ts';
import { equator, MIN, routeThrough, T0 } from './routes.ts';

// Each of these was wrong in a system that this one replaces.

const DEGREE_M = 111_194.9266;
const at = (lon: number, minutes: number, lat = 0) => ({ atMs: T0 + minutes * MIN, lat, lon, accuracyM: null, speedMps: null });

const etasOf = (model: JourneyModel, route: Route, journey: Journey) => waypointEtas(model, route, journeyPosition(route, 0, journey), journey.following.atMs);

/** Flies a route of the equator: `lonOf(minute)` at every minute. */
function fly(fleet: Fleet, raceId: string, route: Route, minutes: number, lonOf: (minute: number) => number): readonly WaypointEta[] {
  let etas: readonly WaypointEta[] = [];
  for (let minute = 0; minute <= minutes; minute++) etas = takePosition(fleet, raceId, route, at(lonOf(minute), minute)).etas;
  return etas;
}

const secTo = (etas: readonly WaypointEta[], index: number, atMs: number): number | undefined => {
  const eta = etas.find((each) => each.index === index);
  return eta === undefined ? undefined : (eta.etaMs - atMs) / 1000;
};

describe('a journey', () => {
  it('1: takes the speed of a leg from that leg, not from the one before', () => {
    expect(ownSpeedSec(equator, 0, 2 * DEGREE_M, 200)).toBeCloseTo(1950.6, 1);
    const etas = etasOf(createJourneyModel(), equator, startJourney(equator, at(0, 0))).etas;
    // As planned: 30 min to B, and 10 more to C. Vehicles leave a little late.
    expect(secTo(etas, 1, T0)! - 1800).toBeLessThan(30);
    expect(secTo(etas, 2, T0)! - secTo(etas, 1, T0)!).toBeCloseTo(600, 0);
    expect(secTo(etas, 3, T0)! - secTo(etas, 2, T0)!).toBeCloseTo(1800, 0);
  });

  it('2: is nearer with every metre, not with every vertex', () => {
    let before = Infinity;
    for (let lon = 0; lon < 1; lon += 0.01) {
      const sec = ownSpeedSec(equator, lon * DEGREE_M, 2 * DEGREE_M, 200)!;
      expect(before - sec).toBeGreaterThan(5);
      before = sec;
    }
    const fleet = createFleet();
    let last = Infinity;
    for (let minute = 0; minute < 30; minute++) {
      const { etas } = takePosition(fleet, 'r', equator, at(minute / 30, minute));
      const sec = secTo(etas, 2, T0 + minute * MIN)!;
      if (minute > 2) expect(last - sec).toBeGreaterThan(30);
      last = sec;
    }
  });

  it('3: has no ETA for what lies behind it', () => {
    const fleet = createFleet();
    const etas = fly(fleet, 'r', equator, 69, (minute) => Math.min(2.3, minute / 30));
    expect(etas.map(({ index }) => index)).toEqual([3]);
    expect(ownSpeedSec(equator, 2.3 * DEGREE_M, DEGREE_M, 200)).toBeNull();
    expect(positionOf(fleet.journeys.get('r')!.journey.following).passages.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it('4: is as far from a segment as it is', () => {
    const [a, b] = [vectorOf({ lat: 0, lon: 0 }), vectorOf({ lat: 0, lon: 1 })];
    expect(projectOnArc(vectorOf({ lat: 0, lon: 0.5 }), a, b).distanceM).toBeLessThan(0.01);
    expect(projectOnArc(vectorOf({ lat: 0.5, lon: 0.5 }), a, b).distanceM).toBeCloseTo(DEGREE_M / 2, 1);
    expect(projectOnArc(vectorOf({ lat: 0, lon: 1.5 }), a, b)).toEqual({ fraction: 1, distanceM: expect.closeTo(DEGREE_M / 2, 1) });
  });

  it('5: is anticipated by the plan of its KML, in UTC', () => {
    const kml = `<kml><Document><name>PHNL-KADW</name>${['PHNL|0,10|16:51:13', 'KADW|1,10|17:51:13'].map((each) => {
      const [name, place, time] = each.split('|');
      return `<Placemark><name>${name}</name><description>Time Over Waypoint: 2025-10-27 ${time}Z</description><Point><coordinates>${place},0</coordinates></Point></Placemark>`;
    }).join('')}</Document></kml>`;
    const file = routeOfKml('r', kml);
    const route = 'route' in file ? routeOf(file.route) : null;
    if (route === null || isRefused(route)) throw new Error('refused');
    const leavesAtMs = Date.UTC(2025, 9, 27, 16, 51, 13);
    expect(route.waypoints[0]!.plannedAtMs).toBe(leavesAtMs);
    const journey = startJourney(route, { atMs: leavesAtMs - 60 * MIN, lat: 10, lon: 0, accuracyM: null, speedMps: 0 });
    const last = etasOf(createJourneyModel(), route, journey).etas.at(-1)!;
    expect(last.type).toBe('anticipated');
    expect(Math.abs(last.etaMs - route.waypoints[1]!.plannedAtMs!)).toBeLessThan(MIN);
    expect(anticipatedSec(route.waypoints[1]!.plannedAtMs, 0, leavesAtMs)).toBe(3600);
    expect(anticipatedSec(route.waypoints[1]!.plannedAtMs, 300, leavesAtMs)).toBe(3900);
    expect(anticipatedSec(route.waypoints[1]!.plannedAtMs, 0, leavesAtMs + 3_601_000)).toBeNull();
  });

  it('6: has not arrived while 44 km remain', () => {
    let state: PhaseState = { ...beforeDeparture, phase: 'in_flight', departedAtMs: T0 };
    const { alongM } = nearestOnRoute(equator, { lat: 0, lon: 2.6 });
    expect(equator.totalM - alongM).toBeCloseTo(44_478, 0);
    for (let sec = 0; sec <= 600; sec += 10) state = phaseAfter(state, { atMs: T0 + sec * 1000, mps: 100, alongM, offM: 0, totalM: equator.totalM });
    expect(state.phase).toBe('in_flight');
    // Nor is it beside the end: far off the route, all of it may lie behind.
    for (let sec = 600; sec <= 1200; sec += 10) state = phaseAfter(state, { atMs: T0 + sec * 1000, mps: 100, alongM: equator.totalM, offM: 5000, totalM: equator.totalM });
    expect(state.phase).toBe('in_flight');
  });

  it('7: says the same however often it is asked, each waypoint once and of one type', () => {
    const fleet = createFleet();
    fly(fleet, 'r', equator, 20, (minute) => minute / 30);
    const member = fleet.journeys.get('r')!;
    const { journey } = member;
    const first = etasOf(fleet.model, equator, journey).etas;
    for (let i = 0; i < 5; i++) expect(etasOf(fleet.model, equator, journey).etas).toEqual(first);
    expect(fleet.journeys.get('r')).toBe(member);
    expect(new Set(first.map(({ index }) => index)).size).toBe(first.length);
    expect(first.every(({ type, etaMs }) => type === 'estimated' && etaMs > journey.following.atMs)).toBe(true);
  });

  it('8: learns its legs, has ranges, and carries a late departure on', () => {
    const fleet = createFleet();
    const before = secTo(fly(fleet, 'first', equator, 0, () => 0), 3, T0)!;
    // Thirty flights need 45 min for each leg instead of 30, 10 and 30.
    for (let n = 0; n < 30; n++) fly(fleet, `r${n}`, equator, 136, (minute) => Math.min(3, minute / 45));
    const etas = fly(fleet, 'next', equator, 1, (minute) => minute / 45);
    const after = secTo(etas, 3, T0 + MIN)! + 60;
    expect(before).toBeLessThan(71 * 60);
    expect(after).toBeGreaterThan(115 * 60);
    for (const { etaMs, p10Ms, p90Ms } of etas) {
      expect(p10Ms).toBeLessThanOrEqual(etaMs);
      expect(p90Ms).toBeGreaterThan(etaMs);
    }
    const punctual = etasOf(createJourneyModel(), equator, startJourney(equator, at(0, 0))).etas;
    const late = etasOf(createJourneyModel(), equator, startJourney(equator, at(0, 25))).etas;
    for (const [i, eta] of late.entries()) if (i > 0) expect((eta.etaMs - punctual[i]!.etaMs) / MIN).toBeCloseTo(25, 0);
  });

  it('9: with 1,200 points and 1,000 points of interest takes a position in milliseconds', () => {
    const stops = Array.from({ length: 1200 }, (_, i) => ({ lat: 10 + i * 0.01, lon: 20 + Math.sin(i / 40), ...(i % 100 === 0 ? { name: `w${i}`, at: T0 + i * 10_000 } : {}) }));
    const pois = Array.from({ length: 1000 }, (_, i) => pointOfInterest(`p${i}`, `p${i}`, { lat: 10 + i * 0.012, lon: 20.1 }));
    const route = routeThrough(stops, pois);
    const projections = projectPois(route);
    const fleet = createFleet();
    const before = process.cpuUsage();
    let answered = 0;
    for (let i = 0; i < 100; i++) {
      const { etas } = takePosition(fleet, 'r', route, { atMs: T0 + i * 10_000, lat: stops[i]!.lat, lon: stops[i]!.lon, accuracyM: null, speedMps: 80 });
      const { alongM, next } = positionOf(fleet.journeys.get('r')!.journey.following);
      for (const projection of projections) if (poiEtaMs(route, projection, { atMs: T0 + i * 10_000, alongM, hasLeft: next > 0, mps: 80 }, etas) !== null) answered++;
    }
    // 20 ms of CPU a position with all its points of interest; the origin's limit was 50 ms for one of them.
    expect(process.cpuUsage(before).user / 1000 / 100).toBeLessThan(20);
    expect(answered).toBeGreaterThan(20_000);
  });

  it('10: crosses the antimeridian, keeps to its own strand of a crossing and says how far off it is', () => {
    const pacific = routeThrough([{ lat: 0, lon: 178, name: 'A' }, { lat: 0, lon: -178, name: 'B' }]);
    let state = startFollowing(pacific, at(178, 0));
    for (const [i, lon] of [178.5, 179, 179.5, 179.99, -179.99, -179.5, -179].entries()) state = follow(pacific, state, at(lon, 10 * (i + 1))).state;
    expect(positionOf(state).alongM / DEGREE_M).toBeCloseTo(3, 6);
    expect(positionOf(follow(pacific, state, at(-178.5, 90, 0.1)).state).offM).toBeCloseTo(0.1 * DEGREE_M, 0);
  });

  it('11: knows no clock and hides no defect: a replay gives the same', () => {
    const folder = new URL('../../../src/journey/', import.meta.url);
    for (const name of readdirSync(folder)) {
      const text = readFileSync(new URL(name, folder), 'utf8');
      expect(text, name).not.toMatch(/Date\.now|new Date\(\)|performance\.|Math\.random|setTimeout/);
      // The one exception reads what a user sent.
      if (name !== 'route-json.ts') expect(text, name).not.toMatch(/\bcatch\b/);
    }
    const [one, two] = [createFleet(), createFleet()];
    expect(fly(one, 'r', equator, 40, (minute) => minute / 31)).toEqual(fly(two, 'r', equator, 40, (minute) => minute / 31));
  });

  it('passes a point of interest between two positions, however fast', () => {
    const from = { ...at(0, 0), lat: 0.0005 };
    const to = { ...at(0.01, 0), lat: 0.0005, atMs: T0 + 4000 };
    const passed = passedBetween({ lat: 0, lon: 0.004 }, 100, from, to)!;
    expect(passed.missM).toBeCloseTo(55.6, 0);
    expect(passed.atMs - T0).toBeCloseTo(1600, -1);
    expect(passedBetween({ lat: 0.01, lon: 0.004 }, 100, from, to)).toBeNull();
    // Still coming nearer: not yet.
    expect(passedBetween({ lat: 0.0005, lon: 0.0101 }, 100, from, to)).toBeNull();
  });

  it('adds the detour to a point of interest off the route, at its own speed', () => {
    const route = routeThrough([{ lat: 0, lon: 0, name: 'A', at: T0 }, { lat: 0, lon: 1, name: 'B', at: T0 + 60 * MIN }], [
      pointOfInterest('on', 'on', { lat: 0, lon: 0.5 }), pointOfInterest('off', 'off', { lat: 0.05, lon: 0.5 }), pointOfInterest('far', 'far', { lat: 5, lon: 0.5 }),
    ]);
    const fleet = createFleet();
    const etas = fly(fleet, 'r', route, 6, (minute) => minute / 60);
    const [on, off, far] = projectPois(route);
    const now = { atMs: T0 + 6 * MIN, alongM: 0.1 * DEGREE_M, hasLeft: true, mps: 100 * KNOT_MPS };
    const [onMs, offMs] = [poiEtaMs(route, on!, now, etas)!, poiEtaMs(route, off!, now, etas)!];
    expect((onMs - T0) / MIN).toBeCloseTo(30, -1);
    expect((offMs - onMs) / 1000).toBeCloseTo(5559.746 / (100 * KNOT_MPS), 0);
    expect(poiEtaMs(route, far!, now, etas)).toBeNull();
    expect(poiEtaMs(route, on!, { ...now, alongM: 0.6 * DEGREE_M }, etas)).toBeNull();
    expect(poiEtaMs(route, off!, { ...now, mps: null }, etas)).toBeNull();
    expect(plannedAtMs(route, on!.alongM)).toBeCloseTo(T0 + 30 * MIN, -1);
  });
});
