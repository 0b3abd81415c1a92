import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../src/adapters/local-log/memory-storage.ts';
import type { NewRecord } from '../../src/ports/record-log.ts';
import { partitionOf } from '../../src/race/partition.ts';
import { emptyUpdate } from '../../src/race/update.ts';
import { noHooks } from '../../src/runtime/hooks.ts';
import { runJourneys } from '../../src/runtime/journeys.ts';
import { runLearner } from '../../src/runtime/learner.ts';
import { runPipeline } from '../../src/runtime/pipeline.ts';
import { readRoutes } from '../../src/runtime/route-store.ts';
import { partitionCounts } from '../../topology/topics.ts';
import { drive, lineOfStops, readyRoute } from '../support/journeys.ts';
import { everyTopic } from '../support/topics.ts';
import { waitUntil } from '../support/wait-until.ts';
import { rounded, type Figure } from './bench.ts';

const VEHICLES = 1_000;
const SECONDS = 240;
/** Before they count: the compiler is cold, and every journey begins. */
const WARM_SECONDS = 60;
const STOPS = 30;
const LONG_MS = 300_000;

/** What vehicles cost that send their position every second: followed and forecast, on the embedded log in memory. */
export async function journeys(): Promise<Figure[]> {
  const clock = { nowMs: () => Date.now() };
  const logger = { debug() {}, info() {}, warn() {}, error: console.error };
  const startAtMs = Date.now() - 1_000 * (SECONDS + 60);
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  const log = openLocalLog({ storage: memoryStorage(), clock });
  await log.ensureTopics(everyTopic());
  const record = lineOfStops('line', STOPS, startAtMs);
  await log.append('routes', 0, [{ key: Buffer.from('line'), value: codec.encode('routes', record) }]);
  const learner = await runLearner({ log, codec, clock, logger });
  const routes = readRoutes({ log, codec, logger });
  const pipeline = await runPipeline({ log, codec, learner, routes, clock, logger, hooks: noHooks, finishedTtlMs: 86_400_000, writerId: 'p' });

  const ids = Array.from({ length: VEHICLES }, (_, i) => `vehicle-${i}`);
  const partitions = partitionCounts.embedded.races;
  const byPartition = (values: readonly { readonly race_id: string }[], topic: 'race-updates' | 'telemetry'): NewRecord[][] => {
    const records = Array.from({ length: partitions }, (): NewRecord[] => []);
    for (const value of values) records[partitionOf(value.race_id, partitions)]!.push({ key: Buffer.from(value.race_id), value: codec.encode(topic, value) });
    return records;
  };
  const append = async (topic: 'race-updates' | 'telemetry', records: readonly NewRecord[][]): Promise<void> => {
    await Promise.all(records.map((some, partition) => some.length === 0 ? 0 : log.append(topic, partition, some)));
  };
  await append('race-updates', byPartition(ids.map((id) => ({ ...emptyUpdate(id, 'city', startAtMs), title: 'line', state: 'queued' as const, route_id: 'line' })), 'race-updates'));
  await waitUntil('the races are known', () => [...pipeline.tasks.values()].reduce((sum, { store }) => sum + store.size, 0) === VEHICLES, LONG_MS);
  const following = await runJourneys({ log, codec, routes, clock, logger, writerId: 'j' });
  const followed = (): number => [...following.tasks.values()].reduce((sum, { store }) => sum + store.position.applied, 0);
  const isIdle = (): boolean => [...pipeline.tasks.values()].every(({ lag }) => lag === 0);

  // Encoded before the clock runs: producers do that.
  const tracks = ids.map((id, i) => drive(id, readyRoute(record), startAtMs, 8 + (i % 13)));
  const seconds = Array.from({ length: SECONDS }, (_, second) => byPartition(tracks.map((track) => track[second]!), 'telemetry'));
  let begun = { cpu: process.cpuUsage(), atMs: performance.now() };
  let busiestMs = 0;
  for (const [second, records] of seconds.entries()) {
    if (second === WARM_SECONDS) begun = { cpu: process.cpuUsage(), atMs: performance.now() };
    const fromMs = performance.now();
    await append('telemetry', records);
    await waitUntil('a second is followed', () => followed() === (second + 1) * VEHICLES && isIdle(), LONG_MS);
    // The seconds go by faster than on a road: logged as often as there.
    if (second % 5 === 0) await Promise.all([...following.tasks.values()].map((task) => task.drain()));
    if (second >= WARM_SECONDS) busiestMs = Math.max(busiestMs, performance.now() - fromMs);
  }
  const { user, system } = process.cpuUsage(begun.cpu);
  const cpuMs = (user + system) / 1_000;
  const states = [...following.tasks.values()].reduce((sum, { store }) => sum + store.size, 0);
  await following.close();
  await pipeline.close();
  await learner.close();
  await routes.close();
  await log.close();
  const measured = SECONDS - WARM_SECONDS;
  return [
    { name: 'core_share', value: rounded(cpuMs / 1_000 / measured), says: `of one core, ${VEHICLES} vehicles at 1 Hz on ${STOPS} stops, followed and forecast` },
    { name: 'position_us', value: rounded((1_000 * cpuMs) / measured / VEHICLES), says: 'CPU a position, changelog and forecasts included' },
    { name: 'second_ms_max', value: rounded(busiestMs), says: `from ${VEHICLES} positions appended to all of them followed and logged, the longest of ${measured}` },
    { name: 'journeys', value: states, says: 'followed at the end' },
  ];
}
