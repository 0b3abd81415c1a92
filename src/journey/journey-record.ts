import { positionOf, type Hypothesis, type Passage } from './follow.ts';
import type { Journey } from './journey.ts';
import type { Phase, PhaseState } from './phases.ts';

type PassageRecord = { index: number; at: number; miss_m: number };

/** A journey as it stands in the changelog of the store journeys (schemas/avro/journey-state.avsc). */
export type JourneyState = {
  race_id: string;
  source: string;
  first_offset: number;
  attempt: number;
  route_id: string;
  route_version: number;
  at: number;
  lat: number;
  lon: number;
  along_m: number;
  off_m: number;
  next: number;
  off_route: boolean;
  delay_sec: number | null;
  phase: Phase;
  departed_at: number | null;
  arrived_at: number | null;
  phase_ends_since: number | null;
  certain: number;
  passages: PassageRecord[];
  hypotheses: { along_m: number; cost: number; off_m: number; next: number; joined_m: number; passages: PassageRecord[] }[];
  outliers: number;
  stray_at: number;
  stray_lat: number | null;
  stray_lon: number | null;
  speeds: { at: number; mps: number }[];
  last_mps: number | null;
  usual_mps: number | null;
  moves: boolean;
  heading_deg: number | null;
  trail: { at: number; along_m: number }[];
  anchor_m: number;
  moved_at: number;
  sent_at: number;
  epoch: number;
  applied_offset: number;
};

/** Cumulative totals of one partition of telemetry: read = applied + late + outlier + unrouted + rejected + rerouted. */
export type JourneyPartition = {
  partition: number;
  epoch: number;
  applied_offset: number;
  read: number;
  applied: number;
  late: number;
  outlier: number;
  unrouted: number;
  rejected: number;
  rerouted: number;
  /** Read again after a crash; in none of the classes. */
  skipped: number;
  at: number;
};

/** What is kept of a vehicle beside where it is. */
export type JourneyIdentity = Pick<JourneyState, 'race_id' | 'source' | 'first_offset' | 'attempt' | 'route_id' | 'route_version'>;

/** Whether both are of one attempt of one race. */
export function isSameRace(a: JourneyIdentity, b: JourneyIdentity): boolean {
  return a.race_id === b.race_id && a.first_offset === b.first_offset && a.attempt === b.attempt;
}

/** A vehicle that is being followed: immutable, replaced with each position. */
export type FollowedJourney = {
  readonly identity: JourneyIdentity;
  readonly journey: Journey;
  readonly phase: PhaseState;
  /** Degrees 0..360; null = not known yet. */
  readonly headingDeg: number | null;
  /** Behind the plan at the newest passage that the plan knows, seconds; null = none does. */
  readonly delaySec: number | null;
  /** Event time of the position that was told last; 0 = none was. */
  readonly sentAtMs: number;
  readonly epoch: number;
  readonly appliedOffset: number;
};

export function journeyStateOf({ identity, journey, phase, headingDeg, delaySec, sentAtMs, epoch, appliedOffset }: FollowedJourney): JourneyState {
  const { following } = journey;
  const { alongM, offM, next } = positionOf(following);
  return {
    ...identity, at: following.atMs, lat: following.place.lat, lon: following.place.lon, along_m: alongM, off_m: offM, next, off_route: following.isOffRoute, delay_sec: delaySec,
    phase: phase.phase, departed_at: phase.departedAtMs, arrived_at: phase.arrivedAtMs, phase_ends_since: phase.sinceMs,
    certain: following.next, passages: following.passages.map(passageRecord),
    hypotheses: following.hypotheses.map((way) => ({ along_m: way.alongM, cost: way.cost, off_m: way.offM, next: way.next, joined_m: way.joinedM, passages: way.passages.map(passageRecord) })),
    outliers: following.outliers, stray_at: following.strayAtMs, stray_lat: following.stray?.lat ?? null, stray_lon: following.stray?.lon ?? null,
    speeds: journey.speeds.map(({ atMs, mps }) => ({ at: atMs, mps })), last_mps: journey.lastMps, usual_mps: journey.usualMps, moves: journey.moves, heading_deg: headingDeg,
    trail: journey.trail.map((point) => ({ at: point.atMs, along_m: point.alongM })), anchor_m: journey.anchorM, moved_at: journey.movedAtMs,
    sent_at: sentAtMs, epoch, applied_offset: appliedOffset,
  };
}

/** What `journeyStateOf` wrote, as it was. */
export function followedJourneyOf(state: JourneyState): FollowedJourney {
  const { race_id, source, first_offset, attempt, route_id, route_version } = state;
  return {
    identity: { race_id, source, first_offset, attempt, route_id, route_version },
    journey: {
      following: {
        atMs: state.at, place: { lat: state.lat, lon: state.lon }, hypotheses: state.hypotheses.map(hypothesisOf), passages: state.passages.map(passageOf), next: state.certain,
        isOffRoute: state.off_route, outliers: state.outliers, strayAtMs: state.stray_at,
        stray: state.stray_lat === null || state.stray_lon === null ? null : { lat: state.stray_lat, lon: state.stray_lon },
      },
      speeds: state.speeds.map(({ at, mps }) => ({ atMs: at, mps })), lastMps: state.last_mps, usualMps: state.usual_mps, moves: state.moves,
      trail: state.trail.map(({ at, along_m }) => ({ atMs: at, alongM: along_m })), anchorM: state.anchor_m, movedAtMs: state.moved_at,
    },
    phase: { phase: state.phase, departedAtMs: state.departed_at, arrivedAtMs: state.arrived_at, sinceMs: state.phase_ends_since },
    headingDeg: state.heading_deg, delaySec: state.delay_sec, sentAtMs: state.sent_at, epoch: state.epoch, appliedOffset: state.applied_offset,
  };
}

function passageRecord({ index, atMs, missM }: Passage): PassageRecord {
  return { index, at: atMs, miss_m: missM };
}

function passageOf({ index, at, miss_m }: PassageRecord): Passage {
  return { index, atMs: at, missM: miss_m };
}

function hypothesisOf(way: JourneyState['hypotheses'][number]): Hypothesis {
  return { alongM: way.along_m, cost: way.cost, offM: way.off_m, next: way.next, joinedM: way.joined_m, passages: way.passages.map(passageOf) };
}
