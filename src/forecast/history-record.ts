import type { PassageFact } from '../journey/model.ts';
import type { Checkpoint, ProgressPoint } from '../race/state.ts';
import type { EtaKind, StageState } from '../race/update.ts';

/** The input that caused a history record. Ordered by (epoch, offset, index) within an input partition. */
export type Origin = { epoch: number; partition: number; offset: number; index: number };

export type FinishedStage = {
  name: string; occurrence: number; seq: number; state: StageState;
  started_at: number | null; completed_at: number | null; planned_sec: number | null;
};

export type Outcome = 'passed' | 'failed' | 'canceled' | 'abandoned';

/** A race that ended: taught once, stored once. */
export type FinishedRace = {
  origin: Origin;
  race_id: string;
  source: string;
  title: string;
  attempt: number;
  version: number;
  outcome: Outcome;
  queued_at: number | null;
  started_at: number;
  completed_at: number;
  duration_sec: number;
  submitted_at: number;
  /** Offset of the update that opened the race: with race_id and attempt it names a run, whoever had the id before. */
  first_offset: number;
  metadata: Record<string, string>;
  stages: FinishedStage[];
  progress_points: ProgressPoint[];
  /** The producer's own last estimate, as it was given: what it counts is client_eta_kind, if said. */
  client_eta_sec: number | null;
  client_eta_kind?: EtaKind | null;
  /** Age of the race when client_eta_sec was given, which a remaining time needs to be held against the truth. */
  client_eta_elapsed_sec?: number | null;
  /** Facts that came after the finish: replaces the row, teaches nothing. */
  correction: boolean;
  checkpoints: Checkpoint[];
  revisions: number;
};

/** One stage that ended in a race still running. */
export type StageFact = {
  race_id: string; title: string; stage: string; occurrence: number;
  /** `name#occurrence` of the stage before; empty at the start. */
  previous_stage: string;
  started_at: number; completed_at: number;
  /** Age of the race when the stage ended. */
  elapsed_sec: number;
  /** Age of the race when the stage before ended, and how long that was after the one before it. */
  previous_elapsed_sec: number;
  previous_leg_sec: number;
  planned_sec: number | null;
  /** Of a vehicle's passage of a waypoint; null or absent = no vehicle's. */
  passage?: PassageFact | null;
};

export type StageFacts = { origin: Origin; source: string; facts: StageFact[] };

/** A race under way whose published finish has passed; said at least once. */
export type OverdueRace = { source: string; title: string; race_id: string; started_at: number; at: number };

export type ModelSwap = {
  source: string; version: string; stage: 'shadow' | 'canary' | 'active'; share: number; previous: string | null; at: number;
};

export type Forget = { origin: Origin; source: string; race_id: string; at: number };

/** A record of the topic race-history, tagged as in its Avro union. */
export type HistoryRecord =
  | { kind: 'FinishedRace'; value: FinishedRace }
  | { kind: 'StageFacts'; value: StageFacts }
  | { kind: 'ModelSwap'; value: ModelSwap }
  | { kind: 'Forget'; value: Forget }
  | { kind: 'OverdueRace'; value: OverdueRace };

/** The source a record belongs to: the key of race-history. */
export function sourceOf(record: HistoryRecord): string {
  return record.value.source;
}

/** The origin of a record. Two have none: a ModelSwap, which comes from no race, and an OverdueRace, which comes from no input and teaches once however often it is said. */
export function originOf(record: HistoryRecord): Origin | null {
  return record.kind === 'ModelSwap' || record.kind === 'OverdueRace' ? null : record.value.origin;
}

/** < 0 when a comes before b. Compares (epoch, offset, index) of one input partition. */
export function compareOrigins(a: Origin, b: Origin): number {
  return a.epoch - b.epoch || a.offset - b.offset || a.index - b.index;
}
