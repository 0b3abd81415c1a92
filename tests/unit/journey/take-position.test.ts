import { describe, expect, it } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { followedJourneyOf, journeyStateOf, type FollowedJourney, type JourneyIdentity, type JourneyState } from '../../../src/journey/journey-record.ts';
import type { FollowOutcome } from '../../../src/journey/follow.ts';
import { placeAt } from '../../../src/journey/route.ts';
import { takeTelemetry, type JourneyOfRace } from '../../../src/journey/take-position.ts';
import type { TelemetryPoint } from '../../../src/journey/telemetry.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';
import { drive, lineOfStops, readyRoute, truePassageMs } from '../../support/journeys.ts';

const T0 = Date.UTC(2026, 0, 31, 12);
const route = readyRoute(lineOfStops('r', 4, T0));
const identity: JourneyIdentity = { race_id: 'bus', source: 'city', first_offset: 3, attempt: 1, route_id: 'r', route_version: 0 };
const race: JourneyOfRace = { identity, byHand: { departedAtMs: null, arrivedAtMs: null } };
const track = drive('bus', route, T0);

type Run = { followed: FollowedJourney | undefined; readonly updates: RaceUpdate[]; readonly outcomes: FollowOutcome[] };

function run(points: readonly TelemetryPoint[], { of = race, between = (followed: FollowedJourney) => followed, from }: { of?: JourneyOfRace; between?: (followed: FollowedJourney) => FollowedJourney; from?: FollowedJourney | undefined } = {}): Run {
  const result: Run = { followed: from, updates: [], outcomes: [] };
  for (const [offset, point] of points.entries()) {
    const step = takeTelemetry(result.followed, of, route, point, { epoch: 0, offset });
    result.followed = between(step.followed);
    result.updates.push(...step.updates);
    result.outcomes.push(step.outcome);
  }
  return result;
}

const passagesOf = (updates: readonly RaceUpdate[]): [number, number][] => updates.flatMap(({ stage }) => (stage === null ? [] : [[stage.seq!, stage.completed_at!]]));

describe('takeTelemetry()', () => {
  it('tells of the plan, the departure, each passage once when it was, and the arrival', () => {
    const { updates } = run(track);
    expect(updates[0]).toMatchObject({ race_id: 'bus', source: 'city', at: T0, plan: [{ name: 'stop 0', planned_at: T0 }, { name: 'stop 1', planned_sec: 180 }, {}, {}] });
    expect(updates.filter(({ state }) => state !== null).map(({ state }) => state)).toEqual(['running', 'passed']);
    const passages = passagesOf(updates);
    expect(passages.map(([seq]) => seq)).toEqual([0, 1, 2, 3]);
    for (const [seq, atMs] of passages) expect(Math.abs(atMs - truePassageMs(route, seq, T0))).toBeLessThanOrEqual(5_000);
    // Each as of the position that showed it, with where the vehicle was then.
    for (const update of updates) if (update.stage !== null) expect(update.at).toBeGreaterThanOrEqual(update.stage.completed_at!);
    expect(updates.filter(({ position, stage }) => position !== null && stage !== null).map(({ position }) => position!.passed)).toEqual([0, 1, 2]);
    expect(updates.find(({ state }) => state === 'passed')!.completed_at).toBe(passages[3]![1]);
  });

  it('tells where a vehicle is at most every ten seconds, and nothing once it has arrived', () => {
    const { updates } = run(track);
    const positions = updates.filter(({ progress }) => progress !== null);
    const between = positions.filter(({ stage }) => stage === null);
    expect(positions.length).toBeGreaterThan(25);
    for (const [i, { at }] of between.entries()) if (i > 0) expect(at - between[i - 1]!.at).toBeGreaterThanOrEqual(10_000);
    const progress = positions.map((update) => update.progress!);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(positions.at(-1)!.at).toBeLessThan(truePassageMs(route, 3, T0));
  });

  it('says the same of positions that come again, late, out of order or from a device whose clock is an hour behind', () => {
    const spoilt = track.flatMap((point, i) => [point, ...(i % 7 === 3 ? [point] : []), ...(i % 11 === 5 ? [track[i - 4]!] : []), ...(i % 5 === 0 ? [{ ...point, at: point.at - 3_600_000, device: 'b' }] : [])]);
    const { updates, outcomes } = run(spoilt);
    expect(updates).toEqual(run(track).updates);
    expect(outcomes.filter((outcome) => outcome === 'late')).toHaveLength(spoilt.length - track.length);
  });

  it('is not moved by a position out of reach', () => {
    const stray = { ...track[100]!, lat: -20, at: track[100]!.at + 500 };
    const { updates, outcomes } = run([...track.slice(0, 101), stray, ...track.slice(101)]);
    expect(outcomes[101]).toBe('outlier');
    expect(passagesOf(updates)).toEqual(passagesOf(run(track).updates));
  });

  it('goes on from its record as if it had never been written', async () => {
    const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
    await codec.register();
    const written = run(track, {
      between: (followed) => {
        const result = codec.decode('journey-states', codec.encode('journey-states', journeyStateOf(followed), 'JourneyState'));
        if ('error' in result) throw new Error(result.error.message);
        return followedJourneyOf(result.decoded.value as JourneyState);
      },
    });
    expect(written.updates).toEqual(run(track).updates);
    expect(journeyStateOf(written.followed!)).toMatchObject({ next: 4, phase: 'post_arrival', delay_sec: -245 });
  });

  it('follows a race that began anew from the start, and one on a changed route in the phase it had', () => {
    const half = run(track.slice(0, 200)).followed!;
    const anew = run(track.slice(200, 201), { from: half, of: { ...race, identity: { ...identity, attempt: 2 } } });
    expect(anew.followed!.phase.phase).toBe('pre_departure');
    const changed = run(track.slice(200, 201), { from: half, of: { ...race, identity: { ...identity, route_version: 9 } } });
    expect(changed.followed!.phase).toEqual(half.phase);
    expect(changed.updates).toMatchObject([{ plan: [{}, {}, {}, {}], progress: expect.closeTo(66.7, 1), position: { route_version: 9, next: 2 } }]);
  });

  describe.each([['planned', (i: number) => T0 + i * 600_000], ['without a plan', () => null]])('on a loop, %s', (_, plannedAt) => {
    // A square, a point every 100 m or so, whose end lies a few metres from its start; the stand is 90 m before it.
    const corners = [[50, 8], [50.02, 8], [50.02, 8.03], [50, 8.03], [50.00002, 8.00003]] as const;
    const points = corners.flatMap(([lat, lon], i) => {
      const [fromLat, fromLon] = corners[i - 1] ?? [lat, lon];
      const between = Array.from({ length: i === 0 ? 0 : 19 }, (_unused, n) => ({ lat: fromLat + ((n + 1) * (lat - fromLat)) / 20, lon: fromLon + ((n + 1) * (lon - fromLon)) / 20, name: null, planned_at: null, dwell_sec: null }));
      return [...between, { lat, lon, name: `corner ${i}`, planned_at: plannedAt(i), dwell_sec: null }];
    });
    const loop = readyRoute({ route_id: 'loop', name: 'loop', pois: [], active: true, points });
    const startAtMs = T0 + 60_000;
    const at = (atMs: number, alongM: number, mps: number): TelemetryPoint => ({ ...track[0]!, ...placeAt(loop, alongM), at: atMs, speed_mps: mps });
    const waits = Array.from({ length: 40 }, (_, i) => at(startAtMs - (40 - i) * 10_000, loop.totalM - 90, 0));
    const round = Array.from({ length: Math.floor(loop.totalM / 100) + 1 }, (_, i) => at(startAtMs + i * 10_000, 100 * i, 10));
    const endAtMs = round.at(-1)!.at;
    const stays = Array.from({ length: 12 }, (_, i) => at(endAtMs + (i + 1) * 10_000, loop.totalM, 0));
    /** The last 1,500 m of the loop, driven before its start. */
    const comes = Array.from({ length: 16 }, (_, i) => at(waits[0]!.at - (16 - i) * 10_000, loop.totalM - 1_500 + 100 * i, 10));
    const goneBy = (points: readonly TelemetryPoint[]) => {
      let followed: FollowedJourney | undefined;
      for (const [offset, point] of points.entries()) ({ followed } = takeTelemetry(followed, race, loop, point, { epoch: 0, offset }));
      return followed!;
    };

    it.each([['waits for its start', []], ['comes to its start by the end of the round', comes]])('who %s has neither left nor arrived, and does once it is around', (_name, before) => {
      expect(goneBy([...before, ...waits]).phase).toMatchObject({ phase: 'pre_departure', departedAtMs: null, arrivedAtMs: null });
      expect(goneBy([...before, ...waits]).journey.following.passages).toEqual([]);
      const { phase, journey } = goneBy([...before, ...waits, ...round, ...stays]);
      expect(journey.following.passages.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
      expect(phase.phase).toBe('post_arrival');
      expect(phase.departedAtMs).toBeGreaterThanOrEqual(startAtMs - 10_000);
      expect(phase.arrivedAtMs).toBeGreaterThan(endAtMs - 60_000);
    });

    it('who is first seen half around goes on from there', () => {
      const { phase, journey } = goneBy([...round.slice(30), ...stays]);
      expect(journey.following.passages.map(({ index }) => index)).toEqual([2, 3, 4]);
      expect(phase.phase).toBe('post_arrival');
    });
  });

  it('has left when a person says so', () => {
    const still = { ...track[0]!, speed_mps: 0 };
    const { updates, followed } = run([still, { ...still, at: T0 + 1_000 }], { of: { ...race, byHand: { departedAtMs: T0 - 5_000, arrivedAtMs: null } } });
    expect(updates).toMatchObject([{ plan: [{}, {}, {}, {}] }, { state: 'running', started_at: T0 - 5_000, progress: 0, position: { next: 0 } }]);
    expect(followed!.phase).toMatchObject({ phase: 'in_flight', departedAtMs: T0 - 5_000 });
  });
});
