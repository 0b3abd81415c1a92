import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { drive, lineOfStops, readyRoute, truePassageMs } from '../../support/journeys.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const STOPS = 4;
const VEHICLES = 24;

/** Two instances follow vehicles on one broker; one is killed while they are under way. */
describe.skipIf(whyNoEngines() !== null)('journeys on Kafka', { timeout: 60_000 }, () => {
  const startAtMs = Math.floor(Date.now() / 1_000) * 1_000 - 420_000;
  const route = lineOfStops('line', STOPS, startAtMs);
  const ids = Array.from({ length: VEHICLES }, (_, i) => `vehicle-${i}`);
  const tracks = ids.map((id) => drive(id, readyRoute(route), startAtMs));
  const seconds = tracks[0]!.length;
  const directories = Array.from({ length: 3 }, temporaryDirectory);
  const running: RunningService[] = [];
  let kafka: KafkaSetting;
  let gateway: RunningService;
  let passedAtKill = 0;
  let laterEtas = 0;

  const start = async (roles: string): Promise<RunningService> => {
    const service = await startService({ ...kafka.env, RACELINE_ROLES: roles, RACELINE_DATA_DIR: directories[running.length]?.path ?? '' });
    running.push(service);
    return service;
  };
  const post = async (path: string, body: string, type: string): Promise<void> => {
    const response = await fetch(gateway.url + path, { method: 'POST', headers: { 'content-type': type }, body });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
  const lines = (path: string, values: readonly object[]): Promise<void> => post(path, values.map((value) => JSON.stringify(value)).join('\n'), 'application/x-ndjson');
  const send = (from: number, to: number): Promise<void> => lines('/v1/telemetry', tracks.flatMap((track) => track.slice(from, to)));
  type Milestone = { name: string; state: string; eta_at: string | number | null };
  const milestonesOf = async (id: string): Promise<Milestone[]> => {
    const race = await (await fetch(`${gateway.url}/v1/races/${id}`)).json() as { eta?: { milestones?: Milestone[] } };
    return race.eta?.milestones ?? [];
  };
  const haveReached = (stop: number): Promise<unknown> => waitUntil(`every vehicle has passed stop ${stop}`, async () => {
    const all = await Promise.all(ids.map(milestonesOf));
    return all.every((milestones) => milestones.some(({ name, state }) => name === `stop ${stop}` && state === 'passed'));
  }, 45_000);
  const membersWhen = (count: number): Promise<string[]> => waitUntil(`${count} members share telemetry`, async () => {
    const members = await kafka.journeyMembers();
    return members.size === count && [...members.values()].flat().length === kafka.partitions ? [...members.keys()] : null;
  }, 30_000);

  beforeAll(async () => {
    kafka = await kafkaSetting();
    gateway = await start('gateway,historian');
    const first = await start('pipeline,journeys');
    const journeyIds = await membersWhen(1);
    const pipelineIds = [...(await kafka.pipelineMembers()).keys()];
    await start('pipeline,journeys');
    await membersWhen(2);
    await waitUntil('the pipeline is shared', async () => (await kafka.pipelineMembers()).size === 2, 30_000);
    await post('/v1/routes', JSON.stringify(route), 'application/json');
    await lines('/v1/updates', ids.map((id) => ({ race_id: id, source: 'city', title: 'line', at: startAtMs - 60_000, state: 'queued', route_id: 'line' })));
    await waitUntil('the races are live', async () => (await (await fetch(`${gateway.url}/v1/races?source=city`)).json() as { total?: number; races: unknown[] }).races.length === VEHICLES, 30_000);
    // Whoever follows reads of the races in race-states, as the gateway does: until one is followed it may know less.
    await waitUntil('the vehicles are followed', async () => {
      await send(0, 1);
      return (await Promise.all(ids.map(milestonesOf))).every((milestones) => milestones.length === STOPS);
    }, 30_000);
    await send(1, 130);
    await haveReached(1);
    passedAtKill = (await milestonesOf(ids[0]!)).filter(({ state }) => state === 'passed').length;
    await send(130, 190);
    await first.kill();
    await send(190, 230);
    await kafka.buryMembers([...journeyIds, ...pipelineIds]);
    await membersWhen(1);
    await haveReached(2);
    laterEtas = (await milestonesOf(ids[0]!)).filter(({ name, eta_at: etaAt }) => name === 'stop 3' && etaAt !== null).length;
    await send(230, seconds);
    await waitUntil('every journey is in ClickHouse', async () => {
      const [row] = await query<{ n: string }>(gateway.url, "SELECT uniqExact(race_id) AS n FROM races WHERE source = 'city'");
      return Number(row?.n) === VEHICLES;
    }, 60_000);
  }, 240_000);

  afterAll(async () => {
    await Promise.all(running.map((service) => service.kill()));
    for (const directory of directories) directory.remove();
  });

  test('milestones went on after the kill', () => {
    expect(passedAtKill).toBe(2);
    expect(laterEtas).toBe(1);
  });

  test('no passage is lost, none is there twice, each when it was', async () => {
    const rows = await query<{ race_id: string; seq: number; at: string; copies: string }>(
      gateway.url, 'SELECT race_id, seq, toUnixTimestamp64Milli(any(completed_at)) AS at, count() AS copies FROM v_stages GROUP BY race_id, seq ORDER BY race_id, seq',
    );
    expect(rows.map(({ race_id: id, seq, copies }) => `${id} ${seq} ${copies}`)).toEqual([...ids].sort().flatMap((id) => Array.from({ length: STOPS }, (_, seq) => `${id} ${seq} 1`)));
    for (const { seq, at } of rows) expect(Math.abs(Number(at) - truePassageMs(readyRoute(route), seq, startAtMs))).toBeLessThanOrEqual(5_000);
  });

  test('each journey ended once, and nothing was refused', async () => {
    const [row] = await query<{ n: string; corrections: string }>(gateway.url, "SELECT count() AS n, countIf(is_correction) AS corrections FROM races WHERE source = 'city'");
    expect([Number(row?.n), Number(row?.corrections)]).toEqual([VEHICLES, 0]);
    const log = await kafka.openLog();
    expect(await log.endOffsets('dead-letters')).toEqual([0]);
    await log.close();
  });

  test('positions are in ClickHouse, one for each ten seconds of each vehicle', async () => {
    const slots = new Set(tracks[0]!.map(({ at }) => Math.floor(at / 10_000))).size;
    await waitUntil('every slot is there', async () => {
      const [row] = await query<{ n: string }>(gateway.url, 'SELECT count() AS n FROM v_telemetry');
      return Number(row?.n) === VEHICLES * slots;
    });
  });
});
