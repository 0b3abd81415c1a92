import type { EtaUpdate } from '../forecast/eta-update.ts';
import type { Codec } from '../ports/codec.ts';
import type { NewRecord } from '../ports/record-log.ts';
import type { RaceUpdate } from '../race/update.ts';
import type { HistoryRecord } from '../forecast/history-record.ts';
import type { BacktestClusters } from './backtest-clusters.ts';
import { createLearnedPartition, foldHistory, type LearnedPartition } from './learned-partition.ts';
import { PartitionGraph, type GraphOptions } from './partition-graph.ts';
import { giveUpRecord } from './give-up-record.ts';
import { GRACE_MS } from './pipeline.ts';
import { initialPosition, PartitionStore } from './race-store.ts';

const WAKE_UPS_AT_ONCE = 1_000;

export type BacktestOptions = {
  /** In the order of `at`. */
  readonly updates: Iterable<RaceUpdate>;
  readonly codec: Codec;
  readonly finishedTtlMs: number;
  /** What was learned before the first update; is taught on. Default: nothing. */
  readonly learned?: LearnedPartition;
  /** false = every forecast is published, and displayed as it is (default: true). */
  readonly hold?: boolean | undefined;
  /** Clusters that are rebuilt on the way (default: none). */
  readonly clusters?: BacktestClusters | undefined;
  /** Active routes, for updates of vehicles (default: none). */
  readonly routeOf?: GraphOptions['routeOf'];
  readonly onRevision: (eta: EtaUpdate) => void;
  /** Called now and then with the number of updates done; the run goes on when what it returns has resolved. */
  readonly onProgress?: (done: number) => Promise<unknown> | undefined;
};

export type BacktestTotals = { readonly updates: number; readonly revisions: number; readonly applied: number; readonly rejected: number };

/**
 * The whole graph in event time, single-threaded: one partition, its clock jumping from update to wake-up, the learner
 * reading each record of race-history the moment it is written. A forecast can rest only on what came before it.
 */
export async function runBacktest({ updates, codec, finishedTtlMs, learned = createLearnedPartition(), hold, clusters, routeOf, onRevision, onProgress }: BacktestOptions): Promise<BacktestTotals> {
  const store = new PartitionStore(initialPosition(0));
  let nowMs = 0;
  let done = 0;
  let offset = 0;
  let revisions = 0;
  const graph = new PartitionGraph({
    store, codec, partitionCount: 1, graceMs: GRACE_MS, finishedTtlMs, hold, routeOf,
    clock: { nowMs: () => nowMs },
    models: { modelOf: (source) => learned.models.get(source), versionOf: () => `0@${learned.offset}` },
  });
  function fold(record: HistoryRecord): void {
    foldHistory(learned, record, clusters?.find);
    learned.offset += 1;
  }
  function takeOutputs(): void {
    const { etas, history, giveUps } = graph.takeOutputs();
    for (const { eta } of etas) onRevision(eta);
    revisions += etas.length;
    for (const record of history) {
      fold(record);
      clusters?.add(record);
    }
    for (const swap of clusters?.due(nowMs, (source) => learned.models.get(source)) ?? []) fold(swap);
    store.takeChanges();
    for (const giveUp of giveUps) accept(giveUpRecord(codec, giveUp));
  }
  function accept({ key, value, headers = [] }: NewRecord): void {
    graph.accept({ topic: 'race-updates', partition: 0, offset: offset++, key, value, headers, appendedAtMs: nowMs });
    takeOutputs();
  }
  function runWakeUps(untilMs: number): void {
    for (;;) {
      const dueMs = store.nextDueMs();
      if (dueMs === null || dueMs >= untilMs) return;
      nowMs = Math.max(nowMs, dueMs);
      graph.wake(nowMs, WAKE_UPS_AT_ONCE);
      takeOutputs();
    }
  }
  for (const update of updates) {
    runWakeUps(update.at);
    nowMs = Math.max(nowMs, update.at);
    accept({ key: Buffer.from(update.race_id), value: codec.encode('race-updates', update) });
    done += 1;
    if (done % 1_000 === 0) await onProgress?.(done);
  }
  // The clock runs on until every race has ended or was abandoned: what is said after the last update is said, too.
  runWakeUps(Infinity);
  return { updates: done, revisions, applied: store.position.applied, rejected: store.position.rejected };
}
