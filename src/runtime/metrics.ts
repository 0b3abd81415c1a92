import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HistoryRecord } from '../forecast/history-record.ts';
import type { PartitionState } from '../race/state.ts';
import type { PipelineHooks } from './hooks.ts';
import type { Pipeline } from './pipeline.ts';

const FAST_SEC = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RATIO = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5];

const outcomes = ['applied', 'late', 'duplicate', 'forgotten', 'rejected', 'rerouted', 'skipped'] as const;

export type Metrics = {
  readonly registry: Registry;
  readonly pipelineHooks: PipelineHooks;
  onHistory(record: HistoryRecord): void;
  onInsert(table: string, rows: number, elapsedMs: number): void;
  readonly historianHooks: { onInsertFailure(): void; onRepeated(): void; onUndecodable(): void };
  readonly gatewayHooks: {
    onRequest(method: string, route: string, status: number, elapsedMs: number): void;
    onSocketOpen(): void;
    onSocketClose(): void;
    onSlowClose(): void;
  };
  /** Lets the gauges read live figures at scrape time. */
  observePipeline(pipeline: Pipeline): void;
  observeGauge(name: string, help: string, read: () => number): void;
};

/**
 * Everything Prometheus sees. No label ever carries a race id; a source gets a label of its own up to
 * `maxSourceLabels`, first come, and is `other` beyond.
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
  const restore = new Histogram({ name: 'raceline_restore_duration_seconds', help: 'Restoring one partition from its changelog', buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 60], registers });
  const forecastError = new Histogram({ name: 'raceline_forecast_error_ratio', help: 'Error of the forecast at submission over the true duration, finished races', labelNames: ['source'] as const, buckets: RATIO, registers });
  const forecasts = new Counter({ name: 'raceline_forecasts_judged_total', help: 'Forecasts at submission held against the truth: within 20 %, and covered by p10..p90', labelNames: ['source', 'within20', 'covered'] as const, registers });
  const finished = new Counter({ name: 'raceline_races_finished_total', help: 'Races that ended, by outcome', labelNames: ['outcome'] as const, registers });
  const inserts = new Histogram({ name: 'raceline_clickhouse_insert_duration_seconds', help: 'Inserts into ClickHouse', labelNames: ['table'] as const, buckets: FAST_SEC, registers });
  const insertedRows = new Counter({ name: 'raceline_clickhouse_inserted_rows_total', help: 'Rows inserted into ClickHouse', labelNames: ['table'] as const, registers });
  const insertFailures = new Counter({ name: 'raceline_clickhouse_insert_failures_total', help: 'Inserts that failed and are tried again', registers });
  const repeats = new Counter({ name: 'raceline_history_repeats_total', help: 'Records of race-history that were stored before and skipped', registers });
  const undecodable = new Counter({ name: 'raceline_history_undecodable_total', help: 'Records the historian could not read and sent to dead-letters', registers });
  const sockets = new Gauge({ name: 'raceline_sockets', help: 'WebSocket and SSE clients', registers });
  const slowCloses = new Counter({ name: 'raceline_slow_clients_closed_total', help: 'Clients closed because they did not read fast enough', registers });
  const requests = new Histogram({ name: 'raceline_http_request_duration_seconds', help: 'HTTP requests', labelNames: ['method', 'route', 'status'] as const, buckets: FAST_SEC, registers });

  const sources = new Set<string>();
  const sourceLabel = (source: string): string => {
    if (sources.has(source)) return source;
    if (sources.size >= maxSourceLabels) return 'other';
    sources.add(source);
    return source;
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
        for (const { eta, appendedAtMs } of etas) {
          revisions.inc({ reason: eta.reason, basis: eta.basis });
          if (appendedAtMs !== null) revisionLatency.observe(Math.max(0, nowMs - appendedAtMs) / 1_000);
        }
        outputs.inc({ sink: 'revisions' }, etas.length);
        outputs.inc({ sink: 'history' }, history.length);
        outputs.inc({ sink: 'refused' }, deadLetters.length);
        outputs.inc({ sink: 'reroutes' }, reroutes.length);
        for (const { rejection } of deadLetters) rejections.inc({ code: rejection.code });
        const before = lastTotals.get(position.partition);
        for (const outcome of outcomes) inputs.inc({ outcome }, Math.max(0, position[outcome] - (before?.[outcome] ?? 0)));
        lastTotals.set(position.partition, { ...position });
      },
      onRestored(position, _races, elapsedMs) {
        restore.observe(elapsedMs / 1_000);
        lastTotals.set(position.partition, { ...position });
      },
    },
    onHistory(record) {
      if (record.kind !== 'FinishedRace' || record.value.correction) return;
      const { outcome, source, checkpoints, duration_sec } = record.value;
      finished.inc({ outcome });
      const first = checkpoints[0];
      if (first === undefined || duration_sec <= 0 || outcome === 'canceled' || outcome === 'abandoned') return;
      const error = Math.abs(first.eta_sec - duration_sec) / duration_sec;
      const label = sourceLabel(source);
      forecastError.observe({ source: label }, error);
      forecasts.inc({ source: label, within20: String(error <= 0.2), covered: String(first.p10_sec <= duration_sec && duration_sec <= first.p90_sec) });
    },
    onInsert(table, rows, elapsedMs) {
      inserts.observe({ table }, elapsedMs / 1_000);
      insertedRows.inc({ table }, rows);
    },
    historianHooks: {
      onInsertFailure: () => insertFailures.inc(),
      onRepeated: () => repeats.inc(),
      onUndecodable: () => undecodable.inc(),
    },
    gatewayHooks: {
      onRequest: (method, route, status, elapsedMs) => requests.observe({ method, route, status: String(status) }, elapsedMs / 1_000),
      onSocketOpen: () => sockets.inc(),
      onSocketClose: () => sockets.dec(),
      onSlowClose: () => slowCloses.inc(),
    },
    observePipeline(pipeline) {
      new Gauge({ name: 'raceline_live_races', help: 'Races in the store, by state', labelNames: ['state'] as const, registers, collect() {
        this.reset();
        for (const task of pipeline.tasks.values()) for (const race of task.store.values()) this.inc({ state: race.state });
      } });
      new Gauge({ name: 'raceline_overdue_races', help: 'Running races shown as overdue or stuck', registers, collect() {
        let overdue = 0;
        for (const task of pipeline.tasks.values()) {
          for (const race of task.store.values()) if (race.display.state === 'overdue' || race.display.state === 'stuck') overdue += 1;
        }
        this.set(overdue);
      } });
      new Gauge({ name: 'raceline_input_lag_records', help: 'Records of race-updates not yet applied, by partition', labelNames: ['partition'] as const, registers, collect() {
        this.reset();
        for (const [partition, task] of pipeline.tasks) this.set({ partition: String(partition) }, task.lag);
      } });
    },
    observeGauge(name, help, read) {
      new Gauge({ name, help, registers, collect() {
        this.set(read());
      } });
    },
  };
}
