import type { FinishedRace, FinishedStage } from '../../../src/forecast/history-record.ts';
import type { RaceState, Stage } from '../../../src/race/state.ts';

/** A race as it is right after its submission; everything can be overridden. */
export function raceOf(overrides: Partial<RaceState> = {}): RaceState {
  return {
    race_id: 'r1', source: 'ci/acme', title: 'build', attempt: 1, version: 0, state: 'running',
    queued_at: null, started_at: 1_000_000, completed_at: null, started_derived: false, completed_derived: false,
    progress: null, eta_sec: null, eta_kind: null, metadata: [], stages: [], stages_dropped: 0, plan: [],
    update_interval_hint_sec: null, deeplink: null, deadline_at: null, route_id: null, position: null, events: [], events_dropped: 0,
    field_at: { title: 0, state: 0, progress: 0, eta: 0, queued: 0, started: 0, completed: 0, plan: 0, hint: 0, deeplink: 0, deadline: 0, route: 0, position: 0 },
    first_at: 1_000_000, last_at: 1_000_000, appended_at: 1_000_000, first_offset: 0, progress_points: [], gap_count: 0, gap_mean_sec: 0,
    epoch: 0, applied_offset: 0, revision: 0, published: null, previous_eta_sec: null, display: { finish_at: null, state: 'cold' },
    eta_revisions: [], checkpoints: [], shown_progress: 0, history_index: 0, wake_at: null,
    ...overrides,
  };
}

export function stageOf(name: string, startedAt: number | null, completedAt: number | null, occurrence = 1): Stage {
  return {
    name, occurrence, seq: null, state: completedAt === null ? (startedAt === null ? 'pending' : 'running') : 'passed',
    started_at: startedAt, completed_at: completedAt, planned_sec: null, at: completedAt ?? startedAt ?? 0,
  };
}

export function finishedOf(durationSec: number, overrides: Partial<FinishedRace> = {}): FinishedRace {
  const startedAt = overrides.started_at ?? 1_000_000;
  return {
    origin: { epoch: 0, partition: 0, offset: 0, index: 0 }, race_id: 'r0', source: 'ci/acme', title: 'build', attempt: 1, version: 1,
    outcome: 'passed', queued_at: null, started_at: startedAt, completed_at: startedAt + durationSec * 1000, duration_sec: durationSec,
    submitted_at: startedAt, first_offset: 0, metadata: {}, stages: [], progress_points: [], client_eta_sec: null, correction: false, checkpoints: [], revisions: 0,
    ...overrides,
  };
}

export function finishedStageOf(name: string, startedAt: number, completedAt: number, occurrence = 1): FinishedStage {
  return { name, occurrence, seq: 0, state: 'passed', started_at: startedAt, completed_at: completedAt, planned_sec: null };
}
