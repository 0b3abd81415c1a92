import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../ports/clock.ts';
import type { Historian } from './historian.ts';
import { createJourneyGauges, type MeasuredJourney } from './journey-gauges.ts';
import type { LogWatch } from './log-watch.ts';
import type { Pipeline } from './pipeline.ts';
import type { ReadinessReport } from './readiness.ts';

/** Vehicles with series of their own. */
const MOST_JOURNEYS = 200;

/** What the gauges read at scrape time, as far as this instance has it. */
export type LiveSources = {
  readonly clock?: Clock;
  readonly readiness?: () => ReadinessReport;
  readonly watch?: LogWatch;
  readonly pipeline?: Pipeline;
  readonly historian?: Historian;
  /** Vehicles that are followed. */
  readonly journeys?: () => readonly MeasuredJourney[];
};

/** Registers the gauges that are read and not counted; hand over sources as they come up. Cost of a scrape: one pass over the live races. */
export function createLiveGauges(registry: Registry): (sources: LiveSources) => void {
  let live: LiveSources = {};
  const registers = [registry];

  function gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[], read: (to: Gauge<Label>) => void): void {
    new Gauge<Label>({ name, help, labelNames: [...labelNames], registers, collect() {
      this.reset();
      read(this);
    } });
  }

  gauge('raceline_live_races', 'Races in the store, by state', ['state'], (to) => {
    for (const task of live.pipeline?.tasks.values() ?? []) for (const race of task.store.values()) to.inc({ state: race.state });
  });
  gauge('raceline_overdue_races', 'Running races shown as overdue or stuck', [], (to) => {
    for (const task of live.pipeline?.tasks.values() ?? []) {
      for (const race of task.store.values()) if (race.display.state === 'overdue' || race.display.state === 'stuck') to.inc();
    }
  });
  gauge('raceline_input_lag_records', 'Records of race-updates not yet applied, by partition held', ['partition'], (to) => {
    for (const [partition, task] of live.pipeline?.tasks ?? []) {
      to.set({ partition: String(partition) }, Math.max(task.lag, (live.watch?.endOf(partition) ?? 0) - task.store.position.applied_offset - 1));
    }
  });
  gauge('raceline_input_stalled_seconds', 'How long records of a held partition have been waiting without one being applied', [], (to) => {
    to.set(live.watch?.stalledSec() ?? 0);
  });
  gauge('raceline_partitions', 'Partitions of race-updates: held by this instance, and all there are', ['what'], (to) => {
    if (live.pipeline !== undefined) to.set({ what: 'held' }, live.pipeline.tasks.size);
    const all = live.watch?.partitions() ?? 0;
    if (all > 0) to.set({ what: 'all' }, all);
  });
  gauge('raceline_inputs_unaccounted', 'Records read from race-updates that ended in no class: always 0, else records were lost', [], (to) => {
    for (const task of live.pipeline?.tasks.values() ?? []) {
      const { read, applied, late, duplicate, forgotten, rejected, rerouted } = task.store.position;
      to.inc(Math.abs(read - applied - late - duplicate - forgotten - rejected - rerouted));
    }
  });
  gauge('raceline_log_silent_seconds', 'Since the record log last answered when asked for the ends of race-updates', [], (to) => {
    to.set(live.watch?.silentSec() ?? 0);
  });
  gauge('raceline_history_lag_records', 'Records of the log that are not in ClickHouse yet, by topic', ['topic'], (to) => {
    for (const { topic, records } of live.historian?.lag() ?? []) to.inc({ topic }, records);
  });
  gauge('raceline_history_lag_seconds', 'Age of the oldest record in the historian\'s hands that is not in ClickHouse yet, by topic', ['topic'], (to) => {
    const oldest = new Map<string, number>();
    for (const { topic, oldestAtMs } of live.historian?.lag() ?? []) oldest.set(topic, Math.min(oldest.get(topic) ?? Infinity, oldestAtMs ?? Infinity));
    const nowMs = live.clock?.nowMs() ?? 0;
    for (const [topic, atMs] of oldest) to.set({ topic }, Math.max(0, nowMs - Math.min(nowMs, atMs)) / 1_000);
  });
  gauge('raceline_role_running', 'Roles of this instance: 1 = running, 0 = starting, stopping or not possible here', ['role'], (to) => {
    for (const [role, state] of Object.entries(live.readiness?.().roles ?? {})) to.set({ role }, state === 'running' ? 1 : 0);
  });

  createJourneyGauges(registry, MOST_JOURNEYS, () => live.journeys?.() ?? []);

  return (sources) => {
    live = { ...live, ...sources };
  };
}
