import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { rejectionCodes } from '../errors.ts';
import type { HistoryRecord } from '../forecast/history-record.ts';
import type { Basis, PartitionState, Reason } from '../race/state.ts';
import { jobStages } from '../rebuilds/job-stages.ts';
import { createAccuracyGauges } from './accuracy-gauges.ts';
import type { HistorianHooks } from './historian-partition.ts';
import type { PipelineHooks } from './hooks.ts';
import type { RebuilderHooks } from './rebuilder.ts';
import { createLiveGauges, type LiveSources } from './live-gauges.ts';
import type { GraphOutputs } from './partition-graph.ts';

// 25 ms, 200 ms and 500 ms are bounds because deploy/prometheus promises them: a service level is only as exact as its bucket.
const FAST_SEC = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30];
const RESTORE_SEC = [0.1, 0.5, 1, 2, 5, 10, 20, 60];
const RATIO = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5];

const outcomes = ['applied', 'late', 'duplicate', 'forgotten', 'rejected', 'rerouted', 'skipped'] as const;

export type Metrics = {
  readonly registry: Registry;
  readonly pipelineHooks: PipelineHooks;
  onInsert(table: string, rows: number, elapsedMs: number): void;
  readonly historianHooks: Required<HistorianHooks>;
  readonly rebuilderHooks: RebuilderHooks;
  readonly gatewayHooks: {
    onRequest(method: string, route: string, status: number, elapsedMs: number): void;
    onSocketOpen(): void;
    onSocketClose(): void;
    onSlowClose(): void;
  };
  /** Lets the gauges read live figures at scrape time; what an instance does not run stays without series. */
  observe(sources: LiveSources): void;
};

/**
 * Everything Prometheus sees. Every metric is registered from the start, fed or not. Only the gauges of vehicles carry
 * race ids, at most 200; a source, and a class of sources, gets a label of its own up to `maxSourceLabels`, first come, and is `other` beyond.
 */
export function createMetrics(maxSourceLabels: number): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'raceline_' });
  const registers = [registry];
  const inputs = new Counter({ name: 'raceline_inputs_total', help: 'Records read from race-updates, by what became of them', labelNames: ['outcome'] as const, registers });
  const rejections = new Counter({ name: 'raceline_rejections_total', help: 'Inputs refused, by code', labelNames: ['code'] as const, registers });
  const outputs = new Counter({ name: 'raceline_outputs_total', help: 'Records sent, by sink of the topology', labelNames: ['sink'] as const, registers });
  const revisions = new Counter({ name: 'raceline_revisions_total', help: 'ETA revisions published, by reason and basis', labelNames: ['reason', 'basis'] as const, registers });
  const revisionLatency = new Histogram({ name: 'raceline_revision_latency_seconds', help: 'From an update\'s append to its revision being logged', buckets: FAST_SEC, registers });
  const batchDuration = new Histogram({ name: 'raceline_batch_duration_seconds', help: 'Processing of a batch of race-updates, sends included', buckets: FAST_SEC, registers });
  const restore = new Histogram({ name: 'raceline_restore_duration_seconds', help: 'Restoring one partition from its changelog', buckets: RESTORE_SEC, registers });
  const forecastError = new Histogram({ name: 'raceline_forecast_error_ratio', help: 'Error of the first forecast over the true duration, races that passed or failed', labelNames: ['class', 'source'] as const, buckets: RATIO, registers });
  const forecasts = new Counter({ name: 'raceline_forecasts_judged_total', help: 'First forecasts held against the truth: within 20 %, and covered by p10..p90', labelNames: ['class', 'source', 'within20', 'covered'] as const, registers });
  const finished = new Counter({ name: 'raceline_races_finished_total', help: 'Races that ended, by outcome', labelNames: ['outcome'] as const, registers });
  const inserts = new Histogram({ name: 'raceline_clickhouse_insert_duration_seconds', help: 'Inserts into ClickHouse, one table each', labelNames: ['table'] as const, buckets: FAST_SEC, registers });
  const insertedRows = new Counter({ name: 'raceline_clickhouse_inserted_rows_total', help: 'Rows inserted into ClickHouse', labelNames: ['table'] as const, registers });
  const insertFailures = new Counter({ name: 'raceline_clickhouse_insert_failures_total', help: 'Inserts that failed and are tried again', registers });
  const flushes = new Histogram({ name: 'raceline_history_flush_duration_seconds', help: 'Storing one batch in ClickHouse: all its tables, deletes, commits and retries', buckets: FAST_SEC, registers });
  const repeats = new Counter({ name: 'raceline_history_repeats_total', help: 'Records of race-history that were stored before and skipped', registers });
  const undecodable = new Counter({ name: 'raceline_history_undecodable_total', help: 'Records the historian could not read and sent to dead-letters', registers });
  const sockets = new Gauge({ name: 'raceline_sockets', help: 'WebSocket and SSE clients', registers });
  const slowCloses = new Counter({ name: 'raceline_slow_clients_closed_total', help: 'Clients closed because they did not read fast enough', registers });
  const requests = new Histogram({ name: 'raceline_http_request_duration_seconds', help: 'HTTP requests', labelNames: ['method', 'route', 'status'] as const, buckets: FAST_SEC, registers });

  // From 0 on: the first of a kind would be no increase to Prometheus otherwise.
  for (const code of Object.keys(rejectionCodes)) rejections.inc({ code }, 0);
  for (const outcome of outcomes) inputs.inc({ outcome }, 0);

  const sourceLabel = limitedLabels(maxSourceLabels);
  const classLabel = limitedLabels(maxSourceLabels);
  const judgeLately = createAccuracyGauges(registry, sourceLabel);
  const judge = (record: HistoryRecord): void => {
    if (record.kind !== 'FinishedRace' || record.value.correction) return;
    const { outcome, source, checkpoints, duration_sec } = record.value;
    finished.inc({ outcome });
    judgeLately(record.value);
    const first = checkpoints.find(({ role }) => role === 'served');
    if (first === undefined || duration_sec <= 0 || outcome === 'canceled' || outcome === 'abandoned') return;
    const error = Math.abs(first.eta_sec - duration_sec) / duration_sec;
    const labels = { class: classLabel(classOf(source)), source: sourceLabel(source) };
    forecastError.observe(labels, error);
    forecasts.inc({ ...labels, within20: String(error <= 0.2), covered: String(first.p10_sec <= duration_sec && duration_sec <= first.p90_sec) });
  };
  // Totals are cumulative over all instances; counters are of this process.
  const lastTotals = new Map<number, PartitionState>();

  return {
    registry,
    pipelineHooks: {
      onBatch(_partition, _records, elapsedMs) {
        batchDuration.observe(elapsedMs / 1_000);
      },
      onSlice({ etas, history, deadLetters, reroutes }, position) {
        const nowMs = Date.now();
        for (const [reason, byBasis] of countRevisions(etas)) for (const [basis, count] of byBasis) revisions.inc({ reason, basis }, count);
        for (const { appendedAtMs } of etas) {
          if (appendedAtMs !== null) revisionLatency.observe(Math.max(0, nowMs - appendedAtMs) / 1_000);
        }
        outputs.inc({ sink: 'revisions' }, etas.length);
        outputs.inc({ sink: 'history' }, history.length);
        outputs.inc({ sink: 'refused' }, deadLetters.length);
        outputs.inc({ sink: 'reroutes' }, reroutes.length);
        for (const { rejection } of deadLetters) rejections.inc({ code: rejection.code });
        // Where the race ended, not where it is learned: every instance learns it.
        for (const record of history) judge(record);
        const before = lastTotals.get(position.partition);
        for (const outcome of outcomes) inputs.inc({ outcome }, Math.max(0, position[outcome] - (before?.[outcome] ?? 0)));
        lastTotals.set(position.partition, { ...position });
      },
      onRestored(position, _races, elapsedMs) {
        restore.observe(elapsedMs / 1_000);
        lastTotals.set(position.partition, { ...position });
      },
    },
    onInsert(table, rows, elapsedMs) {
      inserts.observe({ table }, elapsedMs / 1_000);
      insertedRows.inc({ table }, rows);
    },
    historianHooks: {
      onInsertFailure: () => insertFailures.inc(),
      onStored: (_partition, elapsedMs) => flushes.observe(elapsedMs / 1_000),
      onRepeated: () => repeats.inc(),
      onUndecodable: () => undecodable.inc(),
    },
    rebuilderHooks: createRebuildMetrics(registry),
    gatewayHooks: {
      onRequest: (method, route, status, elapsedMs) => requests.observe({ method, route, status: String(status) }, elapsedMs / 1_000),
      onSocketOpen: () => sockets.inc(),
      onSocketClose: () => sockets.dec(),
      onSlowClose: () => slowCloses.inc(),
    },
    observe: createLiveGauges(registry),
  };
}

const REBUILD_SEC = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 300];

function createRebuildMetrics(registry: Registry): RebuilderHooks {
  const registers = [registry];
  const stages = new Histogram({ name: 'raceline_rebuild_stage_duration_seconds', help: 'Stages of rebuilds of clusters, from reading the races to validation', labelNames: ['stage'] as const, buckets: REBUILD_SEC, registers });
  const rebuilds = new Counter({ name: 'raceline_rebuilds_total', help: 'Rebuilds that ended, by what became of them and by what asked for them', labelNames: ['status', 'trigger'] as const, registers });
  const durations = new Histogram({ name: 'raceline_rebuild_duration_seconds', help: 'Rebuilds from request to report', buckets: REBUILD_SEC, registers });
  const swaps = new Counter({ name: 'raceline_model_swaps_total', help: 'Decisions of rollouts, by the stage they are about and their kind', labelNames: ['stage', 'kind'] as const, registers });
  for (const stage of jobStages) stages.zero({ stage });
  for (const status of ['accepted', 'refused', 'failed', 'skipped'] as const) rebuilds.inc({ status, trigger: 'manual' }, 0);
  return {
    onStage: (stage, elapsedMs) => stages.observe({ stage }, elapsedMs / 1_000),
    onRebuilt(status, trigger, elapsedMs) {
      rebuilds.inc({ status, trigger });
      durations.observe(elapsedMs / 1_000);
    },
    onSwap: (stage, kind) => swaps.inc({ stage, kind }),
  };
}

/** By reason, then basis: one look-up of a counter takes as long as counting twenty. */
function countRevisions(etas: GraphOutputs['etas']): Map<Reason, Map<Basis, number>> {
  const counts = new Map<Reason, Map<Basis, number>>();
  for (const { eta: { reason, basis } } of etas) {
    let byBasis = counts.get(reason);
    if (byBasis === undefined) counts.set(reason, (byBasis = new Map()));
    byBasis.set(basis, (byBasis.get(basis) ?? 0) + 1);
  }
  return counts;
}

/** `github-actions` of `github-actions/acme/api`: sources of one kind of system. A source without a slash is its own class. */
function classOf(source: string): string {
  const slash = source.indexOf('/');
  return slash > 0 ? source.slice(0, slash) : source;
}

function limitedLabels(limit: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= limit) return 'other';
    known.add(value);
    return value;
  };
}
