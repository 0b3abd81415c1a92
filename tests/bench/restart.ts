import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import type { Codec } from '../../src/ports/codec.ts';
import type { NewRecord } from '../../src/ports/record-log.ts';
import { partitionOf } from '../../src/race/partition.ts';
import type { RaceState } from '../../src/race/state.ts';
import { emptyUpdate } from '../../src/race/update.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { graphDriver } from '../support/graph-driver.ts';
import { freshLog, RACE_PARTITIONS, rounded, type Figure, type Setting } from './bench.ts';
import { startChild } from './child.ts';
import { appendAll, UPDATES_PER_RACE } from './mix.ts';
import type { ServiceMessage, ServiceProcessOptions } from './processes/service.ts';

const ACTIVE_RACES = 100_000;
const DISTINCT_RACES = 1_000;

/**
 * From the start of a pipeline process that finds 100,000 active races in its changelog, each half-way through the mix,
 * to the first revision it publishes. Beside it: how long reading the same changelog takes by itself.
 */
export async function restart(setting: Setting): Promise<Figure[]> {
  const broker = await setting.broker();
  const { log, prefix } = await freshLog(broker);
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro', topicPrefix: prefix });
  await codec.register();
  const startMs = Date.now() - 200_000;
  const states = await activeStates(startMs);
  for (let copy = 0; copy < ACTIVE_RACES / DISTINCT_RACES; copy += 10) {
    const batches = Array.from({ length: RACE_PARTITIONS }, (): NewRecord[] => []);
    for (let i = copy; i < copy + 10; i++) {
      for (const state of states) {
        const id = `${state.race_id}-${i}`;
        batches[partitionOf(id, RACE_PARTITIONS)]?.push(stateRecord(codec, { ...state, race_id: id, applied_offset: -1 }));
      }
    }
    await Promise.all(batches.map((records, partition) => log.append('race-states', partition, records)));
  }
  await appendAll(log, [{ ...emptyUpdate('first', 'fleet/repo-0', Date.now()), title: 'lint', state: 'running' }]);

  const bareStartMs = performance.now();
  let bytes = 0;
  const reader = log.readPartitions({
    topic: 'race-states', partitions: Array.from({ length: RACE_PARTITIONS }, (_, partition) => partition), from: () => 'earliest',
    onRecords(records) {
      for (const { value } of records) bytes += value?.length ?? 0;
    },
  });
  await reader.caughtUp;
  const bareMs = performance.now() - bareStartMs;
  await reader.close();

  const revised = Promise.withResolvers<number>();
  const watcher = log.readPartitions({
    topic: 'eta-updates', partitions: Array.from({ length: RACE_PARTITIONS }, (_, partition) => partition), from: () => 'earliest',
    onRecords: (records) => {
      if (records.length > 0) revised.resolve(performance.now());
    },
  });
  await watcher.caughtUp;
  const startedAtMs = performance.now();
  const child = startChild<ServiceMessage>('service.ts', {
    env: { KAFKA_BROKERS: broker, RACELINE_TOPIC_PREFIX: prefix, RACELINE_ROLES: 'pipeline', RACELINE_LOG_LEVEL: 'error' },
  } satisfies ServiceProcessOptions, ['--expose-gc']);
  try {
    const restartMs = (await revised.promise) - startedAtMs;
    await child.next();
    child.send({ look: true });
    const found = await child.next();
    return [
      { name: 'restart_sec', value: rounded(restartMs / 1_000), says: `process start to first revision, ${ACTIVE_RACES.toLocaleString('en-US')} active races in the changelog` },
      { name: 'bare_read_sec', value: rounded(bareMs / 1_000), says: `the same ${Math.round(bytes / 1e6)} MB read and dropped` },
      { name: 'restored_heap_bytes_per_race', value: 'heapBytes' in found ? Math.round(found.heapBytes / ACTIVE_RACES) : Number.NaN, says: 'whole heap of that process, by race' },
    ];
  } finally {
    await child.stop();
    await watcher.close();
    await log.close();
  }
}

function stateRecord(codec: Codec, state: RaceState): NewRecord {
  return { key: Buffer.from(state.race_id), value: codec.encode('race-states', state, 'RaceState') };
}

/** Races half-way through the mix, as the graph leaves them. */
async function activeStates(startMs: number): Promise<RaceState[]> {
  const driver = await graphDriver({ nowMs: startMs });
  const seen = new Map<string, number>();
  for (const update of fleetUpdates({ seed: 6, races: DISTINCT_RACES, startMs, spacingMs: 10, durationMs: 300_000 })) {
    const count = (seen.get(update.race_id) ?? 0) + 1;
    seen.set(update.race_id, count);
    if (count > UPDATES_PER_RACE / 2) continue;
    driver.nowMs = update.at;
    driver.send(update);
  }
  return [...driver.store.values()];
}
