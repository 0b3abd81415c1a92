// Records keep the names they have on the wire, in Avro, JSON and ClickHouse: one name everywhere.
// Instants (`..._at`, `at`) are epoch milliseconds, durations `..._sec` are seconds.

export type ReportedState = 'queued' | 'running' | 'passed' | 'failed' | 'canceled';
/** `abandoned` is never reported: it is concluded from silence. */
export type RaceStateName = ReportedState | 'abandoned';
export type StageState = 'pending' | 'running' | 'passed' | 'failed' | 'skipped';
/** What a producer's `eta_sec` counts: the whole race, or what is left of it. */
export type EtaKind = 'total' | 'remaining';

export type StageUpdate = {
  name: string;
  state: StageState;
  seq: number | null;
  started_at: number | null;
  completed_at: number | null;
  planned_sec: number | null;
};

export type PlannedStage = { name: string; planned_sec: number | null; planned_at: number | null };

export type EventUpdate = { type: string; at: number | null; data: string | null };

/**
 * Where a vehicle is on its route, as the role journeys tells it: what its ETAs are made of. Lengths are metres along the route unless they say
 * otherwise, speeds m/s; null = never heard, or there is none.
 */
export type JourneyPosition = {
  /** Offset of the route's record: another version of a route, or another route, has another one. */
  route_version: number;
  along_m: number;
  /** Beside the route. */
  off_m: number;
  /** Index of the waypoint ahead; the number of waypoints at the end. */
  next: number;
  /** Mean of 120 s; of the newest position; usual while it moves. */
  own_mps: number | null;
  last_mps: number | null;
  usual_mps: number | null;
  moves: boolean;
  /** Since when it has not moved. */
  moved_at: number;
  /** Where it was up to twelve minutes earlier, since it left. */
  trail_at: number | null;
  trail_m: number | null;
  /** The newest waypoint that it was seen to pass, and when. */
  passed: number | null;
  passed_at: number | null;
  /** Behind its plan at the newest waypoint that the plan knows; below 0 = ahead of it. */
  delay_sec: number | null;
};

/** What a producer says of a race: partial, in any order. null = unchanged (schemas/avro/race-update.avsc). */
export type RaceUpdate = {
  /** 1..200 characters. */
  race_id: string;
  /** 1..200 characters; the first source of a race stands. */
  source: string;
  /** Event time, epoch ms. */
  at: number;
  title: string | null;
  state: ReportedState | null;
  /** 0..100. */
  progress: number | null;
  /** The producer's own estimate, >= 0. */
  eta_sec: number | null;
  eta_kind: EtaKind | null;
  queued_at: number | null;
  started_at: number | null;
  completed_at: number | null;
  /** Merged into the race; a null value removes its key. */
  metadata: Record<string, string | null> | null;
  stage: StageUpdate | null;
  /** Replaces the plan. */
  plan: PlannedStage[] | null;
  update_interval_hint_sec: number | null;
  deeplink: string | null;
  event: EventUpdate | null;
  deadline_at: number | null;
  route_id: string | null;
  /** As of `at`. Said by the role journeys alone. */
  position: JourneyPosition | null;
};

/** An update with nothing in it but its identity. */
export function emptyUpdate(raceId: string, source: string, at: number): RaceUpdate {
  return {
    race_id: raceId, source, at, title: null, state: null, progress: null, eta_sec: null, eta_kind: null,
    queued_at: null, started_at: null, completed_at: null, metadata: null, stage: null, plan: null,
    update_interval_hint_sec: null, deeplink: null, event: null, deadline_at: null, route_id: null, position: null,
  };
}
