import type { EtaUpdate } from '../forecast/eta-update.ts';
import type { FinishedRace } from '../forecast/history-record.ts';
import { isWithin20 } from '../forecast/within20.ts';
import type { TelemetryPoint } from '../journey/telemetry.ts';
import type { PartitionState } from '../race/state.ts';

// Pure: the same record gives the same rows, byte for byte, so that a batch sent again is known by its token.

/** Where a record lies in the log, and when the log took it (epoch ms): the row's ingested_at. */
export type RecordPosition = { readonly topic: string; readonly partition: number; readonly offset: number; readonly appendedAtMs: number };

type Placed = { readonly topic: string; readonly partition: number; readonly offset: number; readonly ingested_at: string };

/** Rows of schemas/clickhouse, as JSONEachRow; instants as `YYYY-MM-DD hh:mm:ss.mmm` in UTC. */
export type RaceRow = Placed & {
  race_id: string; attempt: number; first_offset: number; version: number; source: string; title: string; outcome: string;
  queued_at: string | null; started_at: string; completed_at: string; duration_sec: number; submitted_at: string;
  metadata: Record<string, string>; client_eta_sec: number | null; revisions: number; is_correction: boolean;
  origin_epoch: number; origin_partition: number; origin_offset: number; origin_index: number;
};
export type StageRow = Placed & {
  race_id: string; attempt: number; first_offset: number; version: number; source: string; name: string; occurrence: number; seq: number; state: string;
  started_at: string | null; completed_at: string | null; duration_sec: number | null; planned_sec: number | null;
};
export type ForecastErrorRow = Placed & {
  race_id: string; attempt: number; first_offset: number; checkpoint: number; version: number; source: string; outcome: string; completed_at: string;
  revision: number; issued_at: string; elapsed_sec: number; elapsed_share: number;
  eta_sec: number; p10_sec: number; p50_sec: number; p90_sec: number; confidence: number;
  truth_sec: number; error_sec: number; abs_log_ratio: number; is_within20: boolean; is_covered: boolean;
  basis: string; reason: string; model_version: string; role: string;
};
export type EtaRevisionRow = Placed & {
  race_id: string; attempt: number; first_offset: number; revision: number; version: number; source: string; issued_at: string; event_at: string; state: string;
  started_at: string | null; eta_sec: number | null; remaining_sec: number | null; finish_at: string | null;
  p10_sec: number | null; p50_sec: number | null; p90_sec: number | null; confidence: number;
  deadline_at: string | null; deadline_probability: number | null; basis: string; reason: string; model_version: string;
  cluster_id: string | null; previous_eta_sec: number | null; display_state: string; display_finish_at: string | null; progress: number | null;
};
export type AuditRow = Placed & {
  input_partition: number; epoch: number; minute: string; version: number; applied_offset: number;
  read: number; applied: number; late: number; duplicate: number; forgotten: number; rejected: number; rerouted: number; skipped: number; at: string;
};
export type TelemetryRow = Placed & {
  race_id: string; slot: string; version: number; at: string; lat: number; lon: number;
  speed_mps: number | null; heading_deg: number | null; altitude_m: number | null; accuracy_m: number | null; device: string | null;
};

export function raceRow(race: FinishedRace, position: RecordPosition): RaceRow {
  return {
    race_id: race.race_id, attempt: race.attempt, first_offset: race.first_offset, version: race.version, source: race.source, title: race.title, outcome: race.outcome,
    queued_at: instantOrNull(race.queued_at), started_at: instant(race.started_at), completed_at: instant(race.completed_at),
    duration_sec: race.duration_sec, submitted_at: instant(race.submitted_at), metadata: race.metadata, client_eta_sec: race.client_eta_sec,
    revisions: race.revisions, is_correction: race.correction, origin_epoch: race.origin.epoch, origin_partition: race.origin.partition,
    origin_offset: race.origin.offset, origin_index: race.origin.index, ...placed(position),
  };
}

/** One row per stage; its duration is null unless both its ends are known. */
export function stageRows(race: FinishedRace, position: RecordPosition): StageRow[] {
  return race.stages.map((stage) => ({
    race_id: race.race_id, attempt: race.attempt, first_offset: race.first_offset, version: race.version, source: race.source, name: stage.name, occurrence: stage.occurrence,
    seq: stage.seq, state: stage.state, started_at: instantOrNull(stage.started_at), completed_at: instantOrNull(stage.completed_at),
    duration_sec: stage.started_at === null || stage.completed_at === null ? null : Math.max(0, stage.completed_at - stage.started_at) / 1_000,
    planned_sec: stage.planned_sec, ...placed(position),
  }));
}

/** Below this, seconds, ratios of durations are those of rounding: both sides are raised to it. Chosen, not tuned. */
const SHORTEST_SEC = 0.001;

/**
 * Each forecast kept of the race against the truth, which is its duration. Empty for canceled and abandoned races:
 * they only say that the truth would have been longer.
 * error_sec > 0 = forecast too long; within 20 % means of the truth, as its confidence promises; p10 and p90 count as covered.
 */
export function forecastErrorRows(race: FinishedRace, position: RecordPosition): ForecastErrorRow[] {
  if (race.outcome !== 'passed' && race.outcome !== 'failed') return [];
  const truthSec = race.duration_sec;
  return race.checkpoints.map((checkpoint, index) => ({
    race_id: race.race_id, attempt: race.attempt, first_offset: race.first_offset, checkpoint: index, version: race.version, source: race.source, outcome: race.outcome,
    completed_at: instant(race.completed_at), revision: checkpoint.revision, issued_at: instant(checkpoint.issued_at),
    elapsed_sec: checkpoint.elapsed_sec, elapsed_share: Math.min(1, Math.max(0, checkpoint.elapsed_sec) / Math.max(SHORTEST_SEC, truthSec)),
    eta_sec: checkpoint.eta_sec, p10_sec: checkpoint.p10_sec, p50_sec: checkpoint.p50_sec, p90_sec: checkpoint.p90_sec,
    confidence: checkpoint.confidence, truth_sec: truthSec, error_sec: checkpoint.eta_sec - truthSec,
    abs_log_ratio: Math.abs(Math.log(Math.max(SHORTEST_SEC, checkpoint.eta_sec) / Math.max(SHORTEST_SEC, truthSec))),
    is_within20: isWithin20(checkpoint.eta_sec, truthSec),
    is_covered: checkpoint.p10_sec <= truthSec && truthSec <= checkpoint.p90_sec,
    basis: checkpoint.basis, reason: checkpoint.reason, model_version: checkpoint.model_version, role: checkpoint.role, ...placed(position),
  }));
}

export function etaRevisionRow(eta: EtaUpdate, position: RecordPosition): EtaRevisionRow {
  return {
    race_id: eta.race_id, attempt: eta.attempt, first_offset: eta.first_offset, revision: eta.revision, version: position.offset, source: eta.source,
    issued_at: instant(eta.issued_at), event_at: instant(eta.event_at), state: eta.state, started_at: instantOrNull(eta.started_at),
    eta_sec: eta.eta_sec, remaining_sec: eta.remaining_sec, finish_at: instantOrNull(eta.finish_at),
    p10_sec: eta.p10_sec, p50_sec: eta.p50_sec, p90_sec: eta.p90_sec, confidence: eta.confidence,
    deadline_at: instantOrNull(eta.deadline_at), deadline_probability: eta.deadline_probability, basis: eta.basis, reason: eta.reason,
    model_version: eta.model_version, cluster_id: eta.cluster_id, previous_eta_sec: eta.previous_eta_sec,
    display_state: eta.display.state, display_finish_at: instantOrNull(eta.display.finish_at), progress: eta.progress?.current ?? null,
    ...placed(position),
  };
}

export function auditRow(state: PartitionState, position: RecordPosition): AuditRow {
  return {
    input_partition: state.partition, epoch: state.epoch, minute: instant(position.appendedAtMs).slice(0, 16) + ':00', version: position.offset,
    applied_offset: state.applied_offset, read: state.read, applied: state.applied, late: state.late, duplicate: state.duplicate,
    forgotten: state.forgotten, rejected: state.rejected, rerouted: state.rerouted, skipped: state.skipped, at: instant(state.at),
    ...placed(position),
  };
}

/** Of the positions of a race within so long the last one stays, milliseconds: a bus a second would be 30 million rows a year. */
const SLOT_MS = 10_000;

export function telemetryRow(point: TelemetryPoint, position: RecordPosition): TelemetryRow {
  return {
    race_id: point.race_id, slot: instant(point.at - (point.at % SLOT_MS)).slice(0, 19), version: position.offset, at: instant(point.at), lat: point.lat, lon: point.lon,
    speed_mps: point.speed_mps, heading_deg: point.heading_deg, altitude_m: point.altitude_m, accuracy_m: point.accuracy_m, device: point.device, ...placed(position),
  };
}

function placed(position: RecordPosition): Placed {
  return { topic: position.topic, partition: position.partition, offset: position.offset, ingested_at: instant(position.appendedAtMs) };
}

const DAY_MS = 86_400_000;
const twoDigits = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'));
let lastDay = -1;
let lastDayText = '';

/** An instant as ClickHouse takes it. */
// As text: ClickHouse reads a number as seconds or as milliseconds depending on how many digits it has. By hand, with
// the day kept: six or more per row, toISOString was half of the historian's time.
export function instant(atMs: number): string {
  const ms = Math.round(atMs);
  const day = Math.floor(ms / DAY_MS);
  if (day !== lastDay) {
    lastDay = day;
    lastDayText = new Date(day * DAY_MS).toISOString().slice(0, 10);
  }
  const rest = ms - day * DAY_MS;
  const minutes = Math.floor(rest / 60_000);
  const thousandths = rest % 1_000;
  return `${lastDayText} ${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:${twoDigits[Math.floor(rest / 1_000) % 60]}.`
    + `${Math.floor(thousandths / 100)}${twoDigits[thousandths % 100]}`;
}

function instantOrNull(atMs: number | null): string | null {
  return atMs === null ? null : instant(atMs);
}
