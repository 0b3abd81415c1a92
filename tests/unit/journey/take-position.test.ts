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

  it('has not arrived while it waits for its start on a loop, however near the end that is', () => {
    // A square whose end lies a few metres from its start: positions are nearer to the end.
    const corners = [[50, 8], [50.02, 8], [50.02, 8.03], [50, 8.03], [50.00002, 8.00003]] as const;
    const loop = readyRoute({ route_id: 'loop', name: 'loop', pois: [], active: true, points: corners.map(([lat, lon], i) => ({ lat, lon, name: `corner ${i}`, planned_at: T0 + i * 600_000, dwell_sec: null })) });
    const waits = Array.from({ length: 40 }, (_, i) => ({ ...track[0]!, at: T0 - 300_000 + i * 10_000, lat: 50.00002, lon: 8.00003, speed_mps: 0 }));
    let followed: FollowedJourney | undefined;
    for (const [offset, point] of waits.entries()) ({ followed } = takeTelemetry(followed, race, loop, point, { epoch: 0, offset }));
    expect(followed!.phase.arrivedAtMs).toBeNull();
    let atMs = waits.at(-1)!.at;
    for (let m = 0; m <= loop.totalM; m += 100) {
      atMs += 10_000;
      ({ followed } = takeTelemetry(followed, race, loop, { ...track[0]!, ...placeAt(loop, m), at: atMs, speed_mps: 10 }, { epoch: 0, offset: 100 + m }));
    }
    for (let i = 1; i <= 12; i++) ({ followed } = takeTelemetry(followed, race, loop, { ...track[0]!, ...placeAt(loop, loop.totalM), at: atMs + i * 10_000, speed_mps: 0 }, { epoch: 0, offset: 100_000 + i }));
    expect(followed!.phase.phase).toBe('post_arrival');
    expect(followed!.phase.arrivedAtMs).toBeGreaterThan(atMs - 60_000);
  });

  it('has left when a person says so', () => {
    const still = { ...track[0]!, speed_mps: 0 };
    const { updates, followed } = run([still, { ...still, at: T0 + 1_000 }], { of: { ...race, byHand: { departedAtMs: T0 - 5_000, arrivedAtMs: null } } });
    expect(updates).toMatchObject([{ plan: [{}, {}, {}, {}] }, { state: 'running', started_at: T0 - 5_000, progress: 0, position: { next: 0 } }]);
    expect(followed!.phase).toMatchObject({ phase: 'in_flight', departedAtMs: T0 - 5_000 });
  });
});
