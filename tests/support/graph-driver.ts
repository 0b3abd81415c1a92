import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import type { Codec } from '../../src/ports/codec.ts';
import type { LogRecord } from '../../src/ports/record-log.ts';
import type { RaceUpdate } from '../../src/race/update.ts';
import { giveUpRecord } from '../../src/runtime/give-up-record.ts';
import { createLearnedPartition, foldHistory } from '../../src/runtime/learned-partition.ts';
import { PartitionGraph, type GraphOutputs } from '../../src/runtime/partition-graph.ts';
import { initialPosition, PartitionStore } from '../../src/runtime/race-store.ts';

export const HOUR_MS = 3_600_000;

export async function embeddedCodec(): Promise<Codec> {
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  return codec;
}

export type GraphDriver = {
  readonly store: PartitionStore;
  readonly codec: Codec;
  nowMs: number;
  /** Pipes one update through the graph, appended now. */
  send(update: RaceUpdate): GraphOutputs;
  sendRaw(record: Partial<LogRecord>): GraphOutputs;
  /** Moves the clock, waking what falls due on the way. */
  advanceTo(nowMs: number): GraphOutputs;
};

/**
 * One partition of the declared graph on a clock that the test moves, its learner reading each history record at once.
 * Does not simulate: the log, batches, sends that fail, several partitions.
 */
export async function graphDriver(options: { readonly nowMs: number; readonly partitionCount?: number; readonly codec?: Codec }): Promise<GraphDriver> {
  const codec = options.codec ?? await embeddedCodec();
  const store = new PartitionStore(initialPosition(0));
  const learned = createLearnedPartition();
  let offset = 0;
  const graph = new PartitionGraph({
    store, codec, partitionCount: options.partitionCount ?? 1, graceMs: HOUR_MS, finishedTtlMs: 24 * HOUR_MS,
    clock: { nowMs: () => driver.nowMs },
    models: { modelOf: (source) => learned.models.get(source), versionOf: () => `0@${learned.offset}` },
  });
  function take(): GraphOutputs {
    const outputs = graph.takeOutputs();
    for (const record of outputs.history) {
      foldHistory(learned, record);
      learned.offset += 1;
    }
    return outputs;
  }
  const driver: GraphDriver = {
    store, codec,
    nowMs: options.nowMs,
    send: (update) => driver.sendRaw({ key: Buffer.from(update.race_id), value: codec.encode('race-updates', update) }),
    sendRaw(record) {
      graph.accept({ topic: 'race-updates', partition: 0, offset: offset++, key: null, value: null, headers: [], appendedAtMs: driver.nowMs, ...record });
      return take();
    },
    advanceTo(nowMs) {
      const all: GraphOutputs = { etas: [], withdrawals: [], history: [], deadLetters: [], reroutes: [], giveUps: [] };
      for (;;) {
        const dueMs = store.nextDueMs();
        if (dueMs === null || dueMs > nowMs) break;
        driver.nowMs = Math.max(driver.nowMs, dueMs);
        graph.wake(driver.nowMs, 1_000);
        const woken = take();
        // Read back at once.
        for (const outputs of [woken, ...woken.giveUps.map((giveUp) => driver.sendRaw(giveUpRecord(codec, giveUp)))]) {
          all.etas.push(...outputs.etas);
          all.history.push(...outputs.history);
          all.giveUps.push(...outputs.giveUps);
        }
      }
      driver.nowMs = nowMs;
      return all;
    },
  };
  return driver;
}
