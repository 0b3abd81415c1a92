import type { ProgressPrediction } from '../race/progress.ts';
import type { Basis, Display, Reason, ShownRevision } from '../race/state.ts';
import type { RaceStateName, StageState } from '../race/update.ts';

export type { ProgressPrediction };

/** Anything inside a race that has an ETA of its own. */
export type Milestone = {
  name: string;
  kind: 'stage' | 'waypoint' | 'poi';
  state: StageState;
  eta_at: number | null;
  p10_at: number | null;
  p90_at: number | null;
  passed_at: number | null;
  distance_m: number | null;
  eta_type: 'anticipated' | 'estimated' | null;
};

/** One published ETA (schemas/avro/eta-update.avsc). Durations are totals in seconds counted from started_at. */
export type EtaUpdate = {
  race_id: string;
  source: string;
  title: string;
  revision: number;
  issued_at: number;
  event_at: number;
  state: RaceStateName;
  attempt: number;
  /** Offset of the update that opened the race: another one means another race under an id that is used again. */
  first_offset: number;
  queued_at: number | null;
  started_at: number | null;
  completed_at: number | null;
  eta_sec: number | null;
  remaining_sec: number | null;
  finish_at: number | null;
  p10_sec: number | null;
  p50_sec: number | null;
  p90_sec: number | null;
  /** Probability that eta_sec is within 20 % of the true total. */
  confidence: number;
  deadline_at: number | null;
  deadline_probability: number | null;
  basis: Basis;
  reason: Reason;
  model_version: string;
  cluster_id: string | null;
  previous_eta_sec: number | null;
  display: Display;
  progress: ProgressPrediction | null;
  milestones: Milestone[];
  /** How many more there are that it has no room for. */
  milestones_dropped: number;
  eta_revisions: ShownRevision[];
  metadata: Record<string, string>;
  deeplink: string | null;
  update_interval_hint_sec: number | null;
};
