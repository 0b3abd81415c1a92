import type { EtaView, RaceView } from '../../../src/bridge/frames.ts';

/** Noon, local time: clock texts do not depend on the zone of the machine. */
export const NOON = new Date(2026, 0, 15, 12, 0, 0).getTime();

export function raceView(fields: Partial<RaceView> = {}): RaceView {
  return {
    race_id: 'r1', source: 'ci/a', title: 'build', state: 'running', attempt: 1, queued_at: null, started_at: NOON, completed_at: null, duration_sec: null,
    progress: null, metadata: {}, deeplink: null, deadline_at: null, update_interval_hint_sec: 10, updated_at: NOON, eta: etaView(), ...fields,
  };
}

/** 100 s in all, 90..130 s with 80 % probability. */
export function etaView(fields: Partial<EtaView> = {}): EtaView {
  return {
    revision: 1, issued_at: NOON, event_at: NOON, eta_sec: 100, remaining_sec: 100, finish_at: NOON + 100_000, p10_sec: 90, p50_sec: 100, p90_sec: 130,
    confidence: 0.625, deadline_probability: null, basis: 'key', reason: 'started', model_version: 'm', cluster_id: null, previous_eta_sec: null,
    display: { finish_at: NOON + 100_000, state: 'stable' }, progress: null, milestones: [], milestones_dropped: 0, eta_revisions: [], update_interval_hint_sec: 10, ...fields,
  };
}
