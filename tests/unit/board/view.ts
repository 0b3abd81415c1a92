import type { EtaView, RaceView } from '../../../src/bridge/frames.ts';

export const NOW_MS = 1_800_000_000_000;

export function etaView(part: Partial<EtaView> = {}): EtaView {
  return {
    revision: 1, issued_at: NOW_MS - 60_000, event_at: NOW_MS - 60_000, eta_sec: 120, remaining_sec: 60, finish_at: NOW_MS + 60_000, p10_sec: 100, p50_sec: 120, p90_sec: 150, confidence: 0.8,
    deadline_probability: null, basis: 'key', reason: 'started', model_version: '1', cluster_id: null, previous_eta_sec: null, display: { finish_at: NOW_MS + 60_000, state: 'stable' },
    progress: null, milestones: [], milestones_dropped: 0, eta_revisions: [], update_interval_hint_sec: 10, ...part,
  };
}

/** A race that has run for a minute of two. */
export function raceView(part: Partial<RaceView> = {}): RaceView {
  return {
    race_id: 'r1', source: 'ci/web', title: 'build', state: 'running', attempt: 1, queued_at: null, started_at: NOW_MS - 60_000, completed_at: null, duration_sec: null, progress: null,
    metadata: {}, deeplink: null, deadline_at: null, update_interval_hint_sec: 10, updated_at: NOW_MS - 60_000, eta: etaView(), ...part,
  };
}
