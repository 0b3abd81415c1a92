import type { EtaUpdate } from '../../../src/forecast/eta-update.ts';
import type { FinishedRace, Forget } from '../../../src/forecast/history-record.ts';
import type { Checkpoint, PartitionState } from '../../../src/race/state.ts';

export const START_AT_MS = Date.UTC(2026, 10, 20, 12);

/** A race that took `durationSec` (default 100 s), as the n-th of its input partition. */
export function finishedRace(n: number, changes: Partial<FinishedRace> = {}): FinishedRace {
  const startedAt = START_AT_MS + n * 1_000;
  const durationSec = changes.duration_sec ?? 100;
  return {
    origin: { epoch: 0, partition: 0, offset: n, index: 0 }, race_id: `race-${n}`, source: 'ci/acme', title: `build "${n}" ünï\n`, attempt: 1, version: 1,
    outcome: 'passed', queued_at: startedAt - 500, started_at: startedAt, completed_at: startedAt + durationSec * 1_000, duration_sec: durationSec,
    submitted_at: startedAt - 500, first_offset: n, metadata: { branch: 'main', "it's": 'a\\b\t' }, progress_points: [], client_eta_sec: null, correction: false,
    revisions: 2, checkpoints: [checkpoint(), checkpoint({ revision: 2, elapsed_sec: 50, eta_sec: 115, reason: 'progress' })],
    stages: [
      { name: 'compile', occurrence: 1, seq: 0, state: 'passed', started_at: startedAt, completed_at: startedAt + 40_000, planned_sec: null },
      { name: 'test', occurrence: 1, seq: 1, state: 'passed', started_at: startedAt + 40_000, completed_at: null, planned_sec: 60 },
    ],
    ...changes,
  };
}

export function checkpoint(changes: Partial<Checkpoint> = {}): Checkpoint {
  return {
    revision: 1, issued_at: START_AT_MS, elapsed_sec: 0, eta_sec: 130, p10_sec: 90, p50_sec: 120, p90_sec: 200, confidence: 0.5,
    basis: 'source', reason: 'submitted', model_version: '0@1', role: 'served', ...changes,
  };
}

export function etaUpdate(raceId: string, revision: number, changes: Partial<EtaUpdate> = {}): EtaUpdate {
  return {
    race_id: raceId, source: 'ci/acme', title: 'build', revision, issued_at: START_AT_MS + revision, event_at: START_AT_MS, state: 'running', attempt: 1, first_offset: 0,
    queued_at: null, started_at: START_AT_MS, completed_at: null, eta_sec: 100, remaining_sec: 50, finish_at: START_AT_MS + 100_000,
    p10_sec: 80, p50_sec: 100, p90_sec: 130, confidence: 0.6, deadline_at: null, deadline_probability: null, basis: 'source', reason: 'progress',
    model_version: '0@1', cluster_id: null, previous_eta_sec: null, display: { finish_at: START_AT_MS + 100_000, state: 'stable' },
    progress: { current: 50, confidence: 0.5, predicted_next: null, next_update_at: null, source: 'reported' }, milestones: [], milestones_dropped: 0, eta_revisions: [],
    metadata: {}, deeplink: null, update_interval_hint_sec: null, ...changes,
  };
}

export function partitionState(partition: number, read: number, changes: Partial<PartitionState> = {}): PartitionState {
  return {
    partition, epoch: 0, applied_offset: read - 1, history_index: 0, read, applied: read, late: 0, duplicate: 0, forgotten: 0, rejected: 0,
    rerouted: 0, skipped: 0, at: START_AT_MS, ...changes,
  };
}

export function forget(n: number, raceId: string, at: number): Forget {
  return { origin: { epoch: 0, partition: 0, offset: n, index: 0 }, source: 'ci/acme', race_id: raceId, at };
}
