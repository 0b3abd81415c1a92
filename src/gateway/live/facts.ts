import type { EtaView, RaceChange, RaceView } from '../../bridge/frames.ts';
import { withMoves, type StageMove } from '../../bridge/stage-moves.ts';
import type { EtaUpdate } from '../../forecast/eta-update.ts';
import type { Published, RaceEvent, RaceState, Stage } from '../../race/state.ts';
import type { PlannedStage, RaceStateName } from '../../race/update.ts';
import { movesSince } from './stage-moves.ts';

/**
 * What the gateway keeps of a RaceState: what it answers with, not what only the fold needs (checkpoints, field times,
 * progress points). Instants are epoch ms.
 */
export type RaceFacts = {
  race_id: string;
  source: string;
  title: string;
  attempt: number;
  version: number;
  state: RaceStateName;
  queued_at: number | null;
  started_at: number | null;
  completed_at: number | null;
  progress: number | null;
  /** Event time of the last progress report; null = none yet. */
  progress_at: number | null;
  metadata: Record<string, string>;
  stages: readonly Stage[];
  stages_dropped: number;
  plan: readonly PlannedStage[];
  update_interval_hint_sec: number | null;
  deeplink: string | null;
  deadline_at: number | null;
  route_id: string | null;
  events: readonly RaceEvent[];
  events_dropped: number;
  first_at: number;
  last_at: number;
  /** Number of the last revision these facts know of; 0 = none. */
  revision: number;
  epoch: number;
  /** Last offset of race-updates that is in these facts; -1 = made from an EtaUpdate or from pending updates alone. */
  applied_offset: number;
};

export function factsOf(state: RaceState): RaceFacts {
  return {
    race_id: state.race_id,
    source: state.source,
    title: state.title,
    attempt: state.attempt,
    version: state.version,
    state: state.state,
    queued_at: state.queued_at,
    started_at: state.started_at,
    completed_at: state.completed_at,
    progress: state.progress,
    progress_at: state.field_at.progress > 0 ? state.field_at.progress : null,
    metadata: liveMetadata(state),
    stages: state.stages,
    stages_dropped: state.stages_dropped,
    plan: state.plan,
    update_interval_hint_sec: state.update_interval_hint_sec,
    deeplink: state.deeplink,
    deadline_at: state.deadline_at,
    route_id: state.route_id,
    events: state.events,
    events_dropped: state.events_dropped,
    first_at: state.first_at,
    last_at: state.last_at,
    revision: state.revision,
    epoch: state.epoch,
    applied_offset: state.applied_offset,
  };
}

/** Stands in for facts until the RaceState comes: the revision of a new race is sent before its changelog record. */
export function factsOfEta(eta: EtaUpdate): RaceFacts {
  return {
    race_id: eta.race_id,
    source: eta.source,
    title: eta.title,
    attempt: eta.attempt,
    version: 0,
    state: eta.state,
    queued_at: eta.queued_at,
    started_at: eta.started_at,
    completed_at: eta.completed_at,
    progress: eta.progress?.source === 'reported' ? eta.progress.current : null,
    progress_at: null,
    metadata: eta.metadata,
    stages: [],
    stages_dropped: 0,
    plan: [],
    update_interval_hint_sec: eta.update_interval_hint_sec,
    deeplink: eta.deeplink,
    deadline_at: eta.deadline_at,
    route_id: null,
    events: [],
    events_dropped: 0,
    first_at: eta.queued_at ?? eta.started_at ?? eta.event_at,
    last_at: eta.event_at,
    revision: eta.revision,
    epoch: 0,
    applied_offset: -1,
  };
}

export function etaViewOf(eta: EtaUpdate): EtaView {
  return {
    revision: eta.revision,
    issued_at: eta.issued_at,
    event_at: eta.event_at,
    eta_sec: eta.eta_sec,
    remaining_sec: eta.remaining_sec,
    finish_at: eta.finish_at,
    p10_sec: eta.p10_sec,
    p50_sec: eta.p50_sec,
    p90_sec: eta.p90_sec,
    confidence: eta.confidence,
    deadline_probability: eta.deadline_probability,
    basis: eta.basis,
    reason: eta.reason,
    model_version: eta.model_version,
    cluster_id: eta.cluster_id,
    previous_eta_sec: eta.previous_eta_sec,
    display: eta.display,
    progress: eta.progress,
    milestones: eta.milestones,
    milestones_dropped: eta.milestones_dropped,
    eta_revisions: eta.eta_revisions,
    update_interval_hint_sec: eta.update_interval_hint_sec,
  };
}

/** The last revision as its RaceState remembers it: for a race whose EtaUpdate has left the topic. */
export function etaViewOfPublished(state: RaceState, published: Published): EtaView {
  const finishAt = state.started_at === null ? null : state.started_at + Math.round(published.eta_sec * 1_000);
  return {
    revision: state.revision,
    issued_at: published.issued_at,
    event_at: published.event_at,
    eta_sec: published.eta_sec,
    remaining_sec: finishAt === null ? null : Math.max(0, (finishAt - published.issued_at) / 1_000),
    finish_at: finishAt,
    p10_sec: published.p10_sec,
    p50_sec: published.p50_sec,
    p90_sec: published.p90_sec,
    confidence: published.confidence,
    deadline_probability: null,
    basis: published.basis,
    reason: published.reason,
    model_version: published.model_version,
    cluster_id: published.cluster_id,
    previous_eta_sec: state.previous_eta_sec,
    display: state.display,
    progress: null,
    milestones: [],
    milestones_dropped: 0,
    eta_revisions: state.eta_revisions,
    update_interval_hint_sec: state.update_interval_hint_sec,
  };
}

/** `moves` = what movesSince says, where it has been asked. */
export function raceViewOf(facts: RaceFacts, eta: EtaView | null, moves = movesSince(facts, eta)): RaceView {
  return {
    ...headOf(facts, eta),
    eta: eta === null || moves.length === 0 ? eta : { ...eta, milestones: withMoves(eta.milestones, moves) },
  };
}

export function raceChangeOf(facts: RaceFacts, eta: EtaView | null, moves: readonly StageMove[]): RaceChange {
  return { ...headOf(facts, eta), moves };
}

function headOf(facts: RaceFacts, eta: EtaView | null): Omit<RaceView, 'eta'> {
  return {
    race_id: facts.race_id,
    source: facts.source,
    title: facts.title,
    state: facts.state,
    attempt: facts.attempt,
    queued_at: facts.queued_at,
    started_at: facts.started_at,
    completed_at: facts.completed_at,
    duration_sec: durationSec(facts),
    progress: facts.progress,
    metadata: facts.metadata,
    deeplink: facts.deeplink,
    deadline_at: facts.deadline_at,
    update_interval_hint_sec: facts.update_interval_hint_sec ?? eta?.update_interval_hint_sec ?? null,
    updated_at: facts.last_at,
  };
}

/** A race with all that is known of it: the answer of /v1/races/:id. */
export type RaceDetails = RaceView & {
  version: number;
  stages: readonly Stage[];
  stages_dropped: number;
  plan: readonly PlannedStage[];
  events: readonly RaceEvent[];
  events_dropped: number;
  route_id: string | null;
};

export function raceDetailsOf(facts: RaceFacts, eta: EtaView | null): RaceDetails {
  return {
    ...raceViewOf(facts, eta),
    version: facts.version,
    stages: facts.stages,
    stages_dropped: facts.stages_dropped,
    plan: facts.plan,
    events: facts.events,
    events_dropped: facts.events_dropped,
    route_id: facts.route_id,
  };
}

/** Seconds from start to finish; null while either is unknown. */
export function durationSec(facts: Pick<RaceFacts, 'started_at' | 'completed_at'>): number | null {
  return facts.started_at === null || facts.completed_at === null ? null : (facts.completed_at - facts.started_at) / 1_000;
}

function liveMetadata(state: RaceState): Record<string, string> {
  const live: Record<string, string> = Object.create(null);
  for (const { key, value } of state.metadata) if (value !== null) live[key] = value;
  return live;
}
