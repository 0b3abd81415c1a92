import type { HistoryRecord } from '../../../src/forecast/history-record.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { LogRecord } from '../../../src/ports/record-log.ts';
import type { PartitionState, RaceState } from '../../../src/race/state.ts';
import { PartitionGraph, type GraphOutputs } from '../../../src/runtime/partition-graph.ts';
import { initialPosition, PartitionStore } from '../../../src/runtime/race-store.ts';

export type Replayed = {
  readonly races: ReadonlyMap<string, RaceState>;
  readonly position: PartitionState;
  readonly history: readonly HistoryRecord[];
  readonly deadLetters: GraphOutputs['deadLetters'];
  readonly reroutes: GraphOutputs['reroutes'];
};

/**
 * What one partition must come to: its records through the graph in order, once, without a crash, a clock or a model.
 * Every record counts as history, so that no forecast is made: what is known of a race does not depend on them.
 */
export function replayPartition(codec: Codec, partition: number, partitionCount: number, generations: readonly (readonly LogRecord[])[]): Replayed {
  const store = new PartitionStore(initialPosition(partition));
  const graph = new PartitionGraph({
    store, codec, partitionCount, graceMs: -Infinity, finishedTtlMs: Infinity,
    clock: { nowMs: () => 0 },
    models: { modelOf: () => undefined, versionOf: () => '' },
  });
  for (const records of generations) {
    const last = records.at(-1);
    // As after a topic was made anew below what had been applied.
    if (store.position.applied_offset >= 0 && last !== undefined) Object.assign(store.position, { epoch: store.position.epoch + 1, applied_offset: -1, history_index: 0 });
    for (const record of records) graph.accept(record);
  }
  const { history, deadLetters, reroutes } = graph.takeOutputs();
  return { races: new Map([...store.values()].map((race) => [race.race_id, race])), position: store.position, history, deadLetters, reroutes };
}
