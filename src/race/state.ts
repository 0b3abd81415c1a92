import type { EtaKind, JourneyPosition, PlannedStage, RaceStateName, StageState } from './update.ts';

export type Basis =
  | 'exact' | 'telemetry' | 'stage' | 'progress' | 'cluster' | 'key' | 'source' | 'client' | 'plan' | 'bootstrap' | 'none';
export type Reason =
  | 'submitted' | 'started' | 'restarted' | 'progress' | 'stage_started' | 'stage_done' | 'passage' | 'client_eta'
  | 'rate_change' | 'overdue' | 'stuck' | 'level_shift' | 'model_swap' | 'route_change' | 'correction' | 'finished'
  | 'abandoned' | 'other';
export type DisplayState = 'cold' | 'stable' | 'correcting' | 'overdue' | 'stuck' | 'finished' | 'unknown';

/** A null value is a removed key, kept so that an older update cannot bring it back. */
export type MetadataEntry = { key: string; value: string | null; at: number };

export type Stage = {
  name: string;
  /** 1 for the first stage of that name in the attempt, 2 for its repeat... */
  occurrence: number;
  seq: number | null;
  state: StageState;
  started_at: number | null;
  completed_at: number | null;
  planned_sec: number | null;
  /** Event time of the update that last changed it. */
  at: number;
};

export type RaceEvent = { type: string; at: number; data: string | null };
export type ProgressPoint = { at: number; progress: number };

/** Event time of the update that last set each field, epoch ms; 0 = never. */
export type FieldTimes = {
  title: number; state: number; progress: number; eta: number; queued: number; started: number; completed: number;
  plan: number; hint: number; deeplink: number; deadline: number; route: number;
  position: number;
};

/** The forecast in force: what the last revision said. Totals in seconds, from started_at. */
export type Published = {
  issued_at: number;
  event_at: number;
  eta_sec: number;
  p10_sec: number;
  p50_sec: number;
  p90_sec: number;
  confidence: number;
  basis: Basis;
  reason: Reason;
  model_version: string;
  cluster_id: string | null;
  /** When a vehicle was to be at the waypoint ahead, epoch ms; null = no vehicle, or no ETA. */
  next_at: number | null;
};

export type Display = { finish_at: number | null; state: DisplayState };

export type ShownRevision = {
  revision: number; eta_sec: number; issued_at: number; confidence: number; basis: Basis; reason: Reason;
};

/** A forecast kept to be held against the truth. `elapsed_sec` = age of the race at issue (0 before its start). */
export type Checkpoint = {
  revision: number;
  issued_at: number;
  elapsed_sec: number;
  eta_sec: number;
  p10_sec: number;
  p50_sec: number;
  p90_sec: number;
  confidence: number;
  basis: Basis;
  reason: Reason;
  model_version: string;
  role: 'served' | 'shadow' | 'canary';
};

/** All that is known of one race: a row of the store `races` and of its changelog (schemas/avro/race-state.avsc). */
export type RaceState = {
  race_id: string;
  source: string;
  title: string;
  /** 1, 2, 3...: a re-run under the same id. */
  attempt: number;
  /** Of the facts of this attempt after its finish; 1 at the finish, a correction raises it; 0 before. */
  version: number;
  state: RaceStateName;
  queued_at: number | null;
  started_at: number | null;
  completed_at: number | null;
  /** started_at is the `at` of an update, not said by the producer. */
  started_derived: boolean;
  completed_derived: boolean;
  progress: number | null;
  eta_sec: number | null;
  eta_kind: EtaKind | null;
  metadata: MetadataEntry[];
  stages: Stage[];
  stages_dropped: number;
  plan: PlannedStage[];
  update_interval_hint_sec: number | null;
  deeplink: string | null;
  deadline_at: number | null;
  route_id: string | null;
  /** Of the vehicle that it is, on its route; null = none is followed. As of `field_at.position`. */
  position: JourneyPosition | null;
  events: RaceEvent[];
  events_dropped: number;
  field_at: FieldTimes;
  /** Event time of the first and of the newest update; append time of the newest. */
  first_at: number;
  last_at: number;
  appended_at: number;
  /** Offset of the update that opened the race: tells it from one that had its id before and is gone from the store. */
  first_offset: number;
  progress_points: ProgressPoint[];
  /** Gaps between updates of this race: how many, and their mean in seconds. */
  gap_count: number;
  gap_mean_sec: number;
  epoch: number;
  applied_offset: number;
  /** Number of the last published revision; 0 = none yet. Goes on across attempts. */
  revision: number;
  published: Published | null;
  previous_eta_sec: number | null;
  display: Display;
  eta_revisions: ShownRevision[];
  checkpoints: Checkpoint[];
  /** The highest optimistic progress shown in this attempt, 0..100. */
  shown_progress: number;
  /** Records sent to race-history for this attempt. */
  history_index: number;
  /** When the race wants to be looked at without an update, epoch ms. */
  wake_at: number | null;
};

/** Cumulative totals of one partition of race-updates: read = the sum of the six classes. */
export type PartitionState = {
  partition: number;
  epoch: number;
  applied_offset: number;
  /** race-history records sent since applied_offset was applied. */
  history_index: number;
  read: number;
  applied: number;
  late: number;
  duplicate: number;
  forgotten: number;
  rejected: number;
  rerouted: number;
  /** Read again after a crash; in none of the classes. */
  skipped: number;
  at: number;
};

export const MAX_STAGES = 500;
export const MAX_EVENTS = 100;
export const MAX_STATE_BYTES = 256 * 1024;
export const MAX_CHECKPOINTS = 32;
export const SHOWN_REVISIONS = 5;

export function isFinished(state: RaceStateName): boolean {
  return state === 'passed' || state === 'failed' || state === 'canceled' || state === 'abandoned';
}
