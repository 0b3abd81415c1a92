import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import { createJourneyGauges, type MeasuredJourney } from '../../../src/runtime/journey-gauges.ts';
import { createMetrics, type Metrics } from '../../../src/runtime/metrics.ts';
import type { PartitionTask } from '../../../src/runtime/partition-task.ts';
import { PartitionStore } from '../../../src/runtime/race-store.ts';
import { checkpoint, finishedRace, partitionState } from '../../support/clickhouse/history-records.ts';

/** Values by their labels in alphabetical order. */
async function valuesOf(metrics: Pick<Metrics, 'registry'>, name: string): Promise<Record<string, number>> {
  const found = (await metrics.registry.getMetricsAsJSON()).find((metric) => metric.name === name);
  return Object.fromEntries((found?.values ?? []).map(({ labels, value }) => [
    Object.entries(labels).sort().map(([label, text]) => `${label}=${text}`).join(' '), value,
  ]));
}

function finish(metrics: Metrics, changes: Partial<FinishedRace>): void {
  metrics.pipelineHooks.onSlice({ etas: [], withdrawals: [], history: [{ kind: 'FinishedRace', value: finishedRace(1, changes) }], deadLetters: [], reroutes: [], giveUps: [] }, partitionState(0, 0));
}

test('a finished race is judged by its first served forecast, under its source and its class', async () => {
  const metrics = createMetrics(50);
  finish(metrics, { duration_sec: 100, checkpoints: [checkpoint({ role: 'shadow', eta_sec: 10 }), checkpoint({ eta_sec: 115, p10_sec: 101, p90_sec: 130 }), checkpoint({ eta_sec: 500 })] });
  expect(await valuesOf(metrics, 'raceline_forecasts_judged_total')).toEqual({ 'class=ci covered=false source=ci/acme within20=true': 1 });
  expect(await valuesOf(metrics, 'raceline_forecast_error_ratio')).toMatchObject({ 'class=ci le=0.1 source=ci/acme': 0, 'class=ci le=0.2 source=ci/acme': 1 });
});

test('gauges say how right the forecasts of a source have been lately, over their lives', async () => {
  const metrics = createMetrics(1);
  const first = checkpoint({ eta_sec: 110, p10_sec: 80, p90_sec: 105, confidence: 0.6 });
  // Right at submission, and of what is left until it says 150 s at half its life; then neither it nor its range are.
  finish(metrics, { duration_sec: 100, checkpoints: [first, checkpoint({ role: 'canary', eta_sec: 1 }), checkpoint({ elapsed_sec: 50, eta_sec: 150, p10_sec: 120, p90_sec: 180 })] });
  expect(await valuesOf(metrics, 'raceline_forecast_within20_ratio')).toEqual({ 'at=submission source=ci/acme': 1, 'at=life source=ci/acme': 0.5 });
  expect(await valuesOf(metrics, 'raceline_forecast_coverage_ratio')).toEqual({ 'band=p90 source=ci/acme': 1, 'band=p10_p90 source=ci/acme': 0.5 });
  expect(await valuesOf(metrics, 'raceline_forecast_promised_ratio')).toEqual({ 'source=ci/acme': 0.6 });
  expect(await valuesOf(metrics, 'raceline_forecast_bias_log_ratio')).toEqual({ 'source=ci/acme': Math.log(1.1) });
  // The second of two weighs as much as the first, the hundredth a fiftieth.
  finish(metrics, { duration_sec: 100, checkpoints: [checkpoint({ eta_sec: 200, confidence: 0.6 })] });
  expect(await valuesOf(metrics, 'raceline_forecast_within20_ratio')).toMatchObject({ 'at=submission source=ci/acme': 0.5 });
  for (let i = 0; i < 98; i++) finish(metrics, { duration_sec: 100, checkpoints: [first] });
  const { 'at=submission source=ci/acme': before = 0 } = await valuesOf(metrics, 'raceline_forecast_within20_ratio');
  finish(metrics, { duration_sec: 100, checkpoints: [checkpoint({ eta_sec: 200 })] });
  expect((await valuesOf(metrics, 'raceline_forecast_within20_ratio'))['at=submission source=ci/acme']).toBeCloseTo(0.98 * before, 9);
  finish(metrics, { source: 'else', duration_sec: 100, checkpoints: [checkpoint({ elapsed_sec: 60, eta_sec: 100 })] });
  expect(await valuesOf(metrics, 'raceline_forecast_within20_ratio')).toMatchObject({ 'at=submission source=other': 0, 'at=life source=other': 0.4 });
});

test('inputs and rejections are there from 0 on, so that the first of a kind is an increase', async () => {
  const metrics = createMetrics(50);
  expect(await valuesOf(metrics, 'raceline_inputs_total')).toMatchObject({ 'outcome=applied': 0, 'outcome=rejected': 0 });
  expect(await valuesOf(metrics, 'raceline_rejections_total')).toMatchObject({ 'code=processing_failed': 0, 'code=undecodable': 0 });
});

test('what has no truth or no forecast is not judged', async () => {
  const metrics = createMetrics(50);
  finish(metrics, { outcome: 'canceled' });
  finish(metrics, { outcome: 'abandoned' });
  finish(metrics, { checkpoints: [] });
  finish(metrics, { duration_sec: 0 });
  finish(metrics, { correction: true });
  expect(await valuesOf(metrics, 'raceline_forecasts_judged_total')).toEqual({});
  expect(await valuesOf(metrics, 'raceline_forecast_within20_ratio')).toEqual({});
  expect(await valuesOf(metrics, 'raceline_races_finished_total')).toEqual({ 'outcome=canceled': 1, 'outcome=abandoned': 1, 'outcome=passed': 2 });
});

test('sources and classes beyond the limit are counted as other', async () => {
  const metrics = createMetrics(1);
  for (const source of ['ci/a', 'ci/b', 'cmd', '/odd']) finish(metrics, { source });
  expect(Object.keys(await valuesOf(metrics, 'raceline_forecasts_judged_total'))).toEqual([
    'class=ci covered=true source=ci/a within20=false', 'class=ci covered=true source=other within20=false', 'class=other covered=true source=other within20=false',
  ]);
});

test('inputs that ended in no class are seen, and those of a partition given up are not', async () => {
  const metrics = createMetrics(50);
  const tasks = new Map([[3, { store: new PartitionStore(partitionState(3, 10, { applied: 6, late: 2 })), lag: 4 } as PartitionTask]]);
  metrics.observe({ pipeline: { tasks, close: async () => {} } });
  expect(await valuesOf(metrics, 'raceline_inputs_unaccounted')).toEqual({ '': 2 });
  expect(await valuesOf(metrics, 'raceline_input_lag_records')).toEqual({ 'partition=3': 4 });
  tasks.clear();
  expect(await valuesOf(metrics, 'raceline_inputs_unaccounted')).toEqual({ '': 0 });
  expect(await valuesOf(metrics, 'raceline_input_lag_records')).toEqual({});
});

test('the lag is that of the log\'s own ends where they are further than what was fetched', async () => {
  const metrics = createMetrics(50);
  const tasks = new Map([[0, { store: new PartitionStore(partitionState(0, 10)), lag: 0 } as PartitionTask]]);
  metrics.observe({
    pipeline: { tasks, close: async () => {} },
    watch: { partitions: () => 24, endOf: () => 510, silentSec: () => 7, stalledSec: () => 30, watch() {}, look: async () => {}, close() {} },
  });
  expect(await valuesOf(metrics, 'raceline_input_lag_records')).toEqual({ 'partition=0': 500 });
  expect(await valuesOf(metrics, 'raceline_partitions')).toEqual({ 'what=held': 1, 'what=all': 24 });
  expect(await valuesOf(metrics, 'raceline_log_silent_seconds')).toEqual({ '': 7 });
  expect(await valuesOf(metrics, 'raceline_input_stalled_seconds')).toEqual({ '': 30 });
});

test('history is as old as the oldest record in hand, by topic', async () => {
  const metrics = createMetrics(50);
  const lag = { partition: 0, bufferedRows: 0, failures: 0 };
  metrics.observe({
    clock: { nowMs: () => 100_000 },
    historian: {
      lag: () => [
        { ...lag, topic: 'eta-updates', records: 5, oldestAtMs: 40_000 }, { ...lag, topic: 'eta-updates', partition: 1, records: 2, oldestAtMs: 90_000 },
        { ...lag, topic: 'race-history', records: 0, oldestAtMs: null },
      ],
      close: async () => {},
    },
  });
  expect(await valuesOf(metrics, 'raceline_history_lag_seconds')).toEqual({ 'topic=eta-updates': 60, 'topic=race-history': 0 });
  expect(await valuesOf(metrics, 'raceline_history_lag_records')).toEqual({ 'topic=eta-updates': 7, 'topic=race-history': 0 });
});

test('a role counts as running only when it runs', async () => {
  const metrics = createMetrics(50);
  metrics.observe({ readiness: () => ({ ready: true, roles: { pipeline: 'running', historian: 'unavailable: no chdb' } }) });
  expect(await valuesOf(metrics, 'raceline_role_running')).toEqual({ 'role=pipeline': 1, 'role=historian': 0 });
});

test('vehicles have series of their own up to a limit, the rest are added up, and nothing of one that is gone stays', async () => {
  const registry = new Registry();
  let fleet: MeasuredJourney[] = [];
  createJourneyGauges(registry, 2, () => fleet);
  const bus = (raceId: string, changes: Partial<MeasuredJourney> = {}): MeasuredJourney => ({
    raceId, routeId: 'line', phase: 'in_flight', etaType: 'estimated', etaSec: 60, distanceM: 500, progressPercent: 50, untilDepartureSec: 0, ...changes,
  });
  fleet = [bus('a', { phase: 'pre_departure', etaType: 'anticipated', untilDepartureSec: -30 }), bus('b', { etaSec: null }), bus('c'), bus('d')];
  const values = (name: string) => valuesOf({ registry }, name);
  expect(await values('raceline_journeys')).toEqual({ 'phase=pre_departure': 1, 'phase=in_flight': 3 });
  expect(await values('raceline_journey_eta_seconds')).toEqual({ 'eta_type=anticipated race_id=a route_id=line': 60, 'eta_type=estimated race_id=other route_id=other': 120 });
  expect(await values('raceline_journey_distance_meters')).toEqual({ 'race_id=a route_id=line': 500, 'race_id=b route_id=line': 500, 'race_id=other route_id=other': 1_000 });
  expect(await values('raceline_journey_phase')).toEqual({ 'race_id=a route_id=line': 0, 'race_id=b route_id=line': 1 });
  expect(await values('raceline_journey_until_departure_seconds')).toEqual({ 'race_id=a route_id=line': -30, 'race_id=b route_id=line': 0 });
  // It leaves: its anticipated series must not stay beside the estimated one. A newcomer in front takes nobody's place.
  fleet = [bus('e'), bus('b'), bus('a')];
  expect(await values('raceline_journey_eta_seconds')).toEqual({ 'eta_type=estimated race_id=other route_id=other': 60, 'eta_type=estimated race_id=b route_id=line': 60, 'eta_type=estimated race_id=a route_id=line': 60 });
  fleet = [bus('e'), bus('b')];
  expect(await values('raceline_journey_progress_percent')).toEqual({ 'race_id=e route_id=line': 50, 'race_id=b route_id=line': 50 });
  fleet = [];
  expect(await values('raceline_journeys')).toEqual({});
});
