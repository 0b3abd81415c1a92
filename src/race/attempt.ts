import { type FieldTimes, isFinished, type RaceState } from './state.ts';
import { NONE } from './compact.ts';
import { sharedText } from './shared-text.ts';
import type { PlannedStage, RaceUpdate } from './update.ts';

/** A race before its first update is merged: queued, titled by its source (a race_id would teach nothing). */
export function newRace(update: RaceUpdate, appendedAtMs: number, offset: number): RaceState {
  return {
    race_id: update.race_id, source: sharedText(update.source), title: sharedText(update.source), attempt: 1, version: 0, state: 'queued',
    queued_at: null, started_at: null, completed_at: null, started_derived: false, completed_derived: false,
    progress: null, eta_sec: null, eta_kind: null, metadata: NONE, stages: NONE, stages_dropped: 0, plan: NONE,
    update_interval_hint_sec: null, deeplink: null, deadline_at: null, route_id: null, position: null, events: NONE, events_dropped: 0,
    field_at: neverSet(), first_at: update.at, last_at: update.at, appended_at: appendedAtMs, first_offset: offset,
    progress_points: NONE, gap_count: 0, gap_mean_sec: 0, epoch: 0, applied_offset: -1,
    revision: 0, published: null, previous_eta_sec: null, display: { finish_at: null, state: 'unknown' },
    eta_revisions: NONE, checkpoints: NONE, shown_progress: 0, history_index: 0, wake_at: null,
  };
}

function neverSet(): FieldTimes {
  return {
    title: 0, state: 0, progress: 0, eta: 0, queued: 0, started: 0, completed: 0, plan: 0, hint: 0, deeplink: 0, deadline: 0, route: 0, position: 0,
  };
}

/** True if the update starts a finished race again: a new start, after the end that is known, told after it. */
export function opensAttempt(race: RaceState, update: RaceUpdate): boolean {
  if (!isFinished(race.state) || update.started_at === null || race.completed_at === null) return false;
  const endedAt = race.state === 'abandoned' ? race.last_at : race.field_at.state;
  return update.at > endedAt && update.started_at >= race.completed_at
    && (race.started_at === null || update.started_at > race.started_at)
    && (update.completed_at === null || update.completed_at > race.completed_at);
}

/**
 * The same race before the first update of its next attempt is merged. What belongs to the run is gone (times, stages,
 * progress, events, forecasts); title, metadata, plan, links and the numbering of revisions go on.
 */
export function nextAttempt(race: RaceState, update: RaceUpdate): RaceState {
  const startedAt = update.started_at ?? update.at;
  const past = race.deadline_at !== null && race.deadline_at <= startedAt;
  return {
    ...race, attempt: race.attempt + 1, version: 0, state: 'queued',
    queued_at: null, started_at: null, completed_at: null, started_derived: false, completed_derived: false,
    progress: null, eta_sec: null, position: null, stages: [], stages_dropped: 0, plan: withoutInstants(race.plan),
    deadline_at: past ? null : race.deadline_at, events: [], events_dropped: 0,
    field_at: { ...race.field_at, state: 0, progress: 0, eta: 0, queued: 0, started: 0, completed: 0, position: 0 },
    first_at: update.at, progress_points: [], published: null, previous_eta_sec: null,
    display: { finish_at: null, state: 'unknown' }, eta_revisions: [], checkpoints: [], shown_progress: 0,
    history_index: 0, wake_at: null,
  };
}

/** The instants of a plan were those of the attempt before. */
function withoutInstants(plan: PlannedStage[]): PlannedStage[] {
  return plan.some((stage) => stage.planned_at !== null) ? plan.map((stage) => ({ ...stage, planned_at: null })) : plan;
}

/** True if what the update says of a run belongs to an attempt before the present one. */
export function tellsOfEarlierAttempt(race: RaceState, update: RaceUpdate): boolean {
  if (race.attempt === 1 || race.started_at === null) return false;
  // The update that opened the attempt may tell of a start that its own clock puts later.
  const openedAt = Math.min(race.started_at, race.field_at.started);
  return update.at < openedAt || (update.completed_at !== null && update.completed_at < race.started_at);
}

/** True if what the update says of a run belongs to an attempt that has not been opened: it is active again, or was queued anew. */
export function tellsOfNextAttempt(race: RaceState, update: RaceUpdate): boolean {
  if (!isFinished(race.state) || update.at <= race.field_at.state || race.completed_at === null) return false;
  if (update.state === 'queued' || update.state === 'running') return true;
  if (update.queued_at !== null && update.queued_at > race.completed_at) return true;
  if (update.stage === null) return false;
  const stageBeganAt = update.stage.started_at ?? (update.stage.state === 'running' ? update.at : null);
  return stageBeganAt !== null && stageBeganAt > race.completed_at;
}
