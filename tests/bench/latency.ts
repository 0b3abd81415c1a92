import kafkajs from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import type { EtaUpdate } from '../../src/forecast/eta-update.ts';
import { partitionOf } from '../../src/race/partition.ts';
import type { RaceUpdate } from '../../src/race/update.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { freshLog, quantileOf, RACE_PARTITIONS, rounded, type Figure, type Setting } from './bench.ts';
import { SERVICE_FLAGS, startChild } from './child.ts';
import { jsonRecord, UPDATES_PER_RACE } from './mix.ts';
import type { BareLoopOptions } from './processes/bare-loop.ts';
import type { PipelineProcessOptions } from './processes/pipeline.ts';
import { createTopic } from './throughput.ts';

const RATE_PER_SEC = 2_000;
const RACE_MS = 10_000;
/** At the full rate, after as long again for the first races to end. */
const MEASURED_MS = 8_000;

/**
 * From the send of an update to the receipt of the revision it caused, updates coming as they happen at 2,000/s. The bare
 * loop works on the same records at the same time, so both meet the same moments of the machine.
 */
export async function latency(setting: Setting): Promise<Figure[]> {
  const broker = await setting.broker();
  const { log, prefix } = await freshLog(broker);
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro', topicPrefix: prefix });
  await codec.register();
  await createTopic(broker, `${prefix}bare`, RACE_PARTITIONS);
  const never = { from: Number.MAX_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER };
  const bare = startChild('bare-loop.ts', { broker, input: `${prefix}race-updates`, output: `${prefix}bare`, group: `${prefix}bare`, ...never } satisfies BareLoopOptions);
  const ours = startChild('pipeline.ts', { broker, prefix, inEventTime: false, ...never } satisfies PipelineProcessOptions, SERVICE_FLAGS);
  const sentAtMs = new Map<string, number>();
  const measured = { ours: [] as number[], bare: [] as number[] };
  const note = (into: number[], raceId: string, at: number): void => {
    const sentMs = sentAtMs.get(`${raceId} ${at}`);
    if (sentMs !== undefined) into.push(performance.now() - sentMs);
  };
  const watcher = log.readPartitions({
    topic: 'eta-updates', partitions: Array.from({ length: RACE_PARTITIONS }, (_, partition) => partition), from: () => 'earliest',
    onRecords(records) {
      for (const { value } of records) {
        const result = value === null ? null : codec.decode('eta-updates', value);
        if (result !== null && 'decoded' in result) note(measured.ours, (result.decoded.value as EtaUpdate).race_id, (result.decoded.value as EtaUpdate).event_at);
      }
    },
  });
  const kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING });
  const bareWatcher = kafka.consumer({ groupId: `${prefix}watch`, maxWaitTimeInMs: 250 });
  try {
    await Promise.all([bare.next(), ours.next(), watcher.caughtUp, bareWatcher.connect()]);
    await bareWatcher.subscribe({ topics: [`${prefix}bare`] });
    await bareWatcher.run({
      autoCommit: false,
      async eachBatch({ batch }) {
        for (const { value } of batch.messages) {
          const { race_id: raceId, at } = JSON.parse(value?.toString() ?? '') as { race_id: string; at: number };
          note(measured.bare, raceId, at);
        }
      },
    });
    // Groups join.
    await sleep(3_000);
    const startMs = Date.now() + 100;
    const races = (RATE_PER_SEC / UPDATES_PER_RACE) * ((RACE_MS + MEASURED_MS) / 1_000);
    const updates = fleetUpdates({ seed: 3, races, startMs, spacingMs: (1_000 * UPDATES_PER_RACE) / RATE_PER_SEC, durationMs: RACE_MS });
    await sendInTime(updates.filter(({ at }) => at < startMs + RACE_MS + MEASURED_MS), (update) => {
      // An update may share its instant with another of its race: then nobody could tell which was answered.
      if (update.at >= startMs + RACE_MS) sentAtMs.set(`${update.race_id} ${update.at}`, performance.now());
      void log.append('race-updates', partitionOf(update.race_id, RACE_PARTITIONS), [jsonRecord(update)]);
    });
    await sleep(1_500);
  } finally {
    await Promise.all([bare.stop(), ours.stop(), watcher.close(), bareWatcher.disconnect()]);
    await log.close();
  }
  const [own, peer] = [measured.ours.toSorted((a, b) => a - b), measured.bare.toSorted((a, b) => a - b)];
  const figures = [0.5, 0.95, 0.99].flatMap((q): Figure[] => [
    { name: `latency_p${q * 100}_ms`, value: rounded(quantileOf(own, q)), says: `update to revision at ${RATE_PER_SEC}/s, ${own.length} revisions` },
    { name: `bare_latency_p${q * 100}_ms`, value: rounded(quantileOf(peer, q)), says: `update to output of the bare loop, ${peer.length} outputs` },
  ]);
  return [...figures, { name: 'latency_p99_ratio_to_bare', value: rounded(quantileOf(own, 0.99) / quantileOf(peer, 0.99)), says: 'p99 over that of the bare loop' }];
}

async function sendInTime(updates: readonly RaceUpdate[], send: (update: RaceUpdate) => void): Promise<void> {
  for (let sent = 0; sent < updates.length;) {
    for (const nowMs = Date.now(); sent < updates.length && updates[sent]!.at <= nowMs; sent++) send(updates[sent]!);
    await sleep(1);
  }
}
