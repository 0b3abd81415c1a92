import { appended } from '../race/appended.ts';
import { shareShown, shownOf } from '../race/compact.ts';
import { currentMetadata } from '../race/metadata.ts';
import { predictProgress, updateIntervalHintSec } from '../race/progress.ts';
import { isFinished, SHOWN_REVISIONS, type Basis, type Checkpoint, type Display, type DisplayState, type Published, type RaceState, type Reason } from '../race/state.ts';
import { withCheckpoint } from './checkpoints.ts';
import { isWorthTelling, moveToleranceSec, nextDisplay } from './display.ts';
import type { EtaUpdate, ProgressPrediction } from './eta-update.ts';
import { exactForecast, type Forecast } from './forecast.ts';
import { milestonesOf, type ShownMilestones } from './milestones.ts';

/**
 * Reasons that a stage gives: worth a look, and worth saying when the finish moves. Not `passage`: who waits at a stop of a journey asks for that
 * stop, and it is said each time.
 */
export const STAGE_REASONS: ReadonlySet<Reason> = new Set(['stage_started', 'stage_done']);

/** What made someone look at the race. `significant`: worth publishing however little the ETA moves. */
export type Cause = { readonly reason: Reason; readonly significant: boolean; readonly eventAtMs: number };
export type ReviseOptions = { readonly nowMs: number; readonly modelVersion: string };
export type Revision = { readonly race: RaceState; readonly eta: EtaUpdate };

/** Once its published finish has passed, a race says a new one only when that is later by so much. Seconds; share of its age. */
const LEAST_OVERDUE_SEC = 1;
const OVERDUE_OF_AGE = 0.05;
/** So much an ETA of the waypoint ahead moves unsaid. Seconds; share of what remains to it. */
const LEAST_NEXT_SEC = 10;
const NEXT_OF_REMAINING = 0.1;

/**
 * Decides whether a forecast is worth publishing and, if so, gives the revision and the race that remembers it.
 * Published are: the first revision, state changes, stages and the passing of time that moved the finish by 2.2 s and 3 % of
 * what remains to where it is clearly more likely, a finish that moved beyond the tolerance (5 s, 5 % of what remains,
 * half the interquartile range: the largest), one that has passed, a change of what is displayed but the end of a
 * correction; once, the end. null = nothing worth saying. Does not change `race`.
 * @param forecast null = none could be made: then the ETA is unknown, and said so once.
 */
export function revise(race: RaceState, forecast: Forecast | null, cause: Cause, options: ReviseOptions): Revision | null {
  if (race.state === 'abandoned') return reviseAbandoned(race, cause, options);
  if (isFinished(race.state)) return reviseFinished(race, cause, options);
  if (forecast === null) return reviseUnknown(race, cause, options);
  return reviseRunning(race, forecast, cause, options);
}

function reviseRunning(race: RaceState, forecast: Forecast, cause: Cause, options: ReviseOptions): Revision | null {
  const { nowMs } = options;
  const display = nextDisplay(race, forecast, nowMs);
  if (!isWorthPublishing(race, forecast, display, cause, nowMs)) return null;
  return publish(race, forecast, display, forecast.milestones(), reasonOf(race, display, cause), cause, options);
}

function isWorthPublishing(race: RaceState, forecast: Forecast, display: Display, cause: Cause, nowMs: number): boolean {
  const { published } = race;
  if (published === null || isNewState(race.display.state, display.state) || hasNextMoved(published, forecast, nowMs)) return true;
  const movedSec = forecast.etaSec - published.eta_sec;
  if (race.started_at === null) return cause.significant || Math.abs(movedSec) > moveToleranceSec(forecast, forecast.etaSec);
  const ageSec = (nowMs - race.started_at) / 1000;
  // A stage that went as expected is not news: on a bus there are ninety.
  if (STAGE_REASONS.has(cause.reason)) return isWorthTelling(race, published, forecast, ageSec);
  if (cause.significant) return true;
  if (ageSec >= published.eta_sec) return movedSec > Math.max(LEAST_OVERDUE_SEC, OVERDUE_OF_AGE * ageSec);
  return cause.reason === 'rate_change' ? isWorthTelling(race, published, forecast, ageSec) : Math.abs(movedSec) > moveToleranceSec(forecast, forecast.etaSec - ageSec);
}

/** Who waits for a vehicle at the waypoint ahead is told when that moves: it moves all that follows as much. */
function hasNextMoved({ next_at: saidMs }: Published, { nextAtMs }: Forecast, nowMs: number): boolean {
  return saidMs !== null && nextAtMs !== null && Math.abs(nextAtMs - saidMs) > Math.max(1000 * LEAST_NEXT_SEC, NEXT_OF_REMAINING * (nextAtMs - nowMs));
}

/** That a correction began or is over is not worth a revision of itself: where the finish moves, that is weighed. */
function isNewState(before: DisplayState, after: DisplayState): boolean {
  return before !== after && !(isWithinTime(before) && isWithinTime(after));
}

function isWithinTime(state: DisplayState): boolean {
  return state === 'stable' || state === 'correcting';
}

/** A race that turns stuck says so, whatever made someone look. */
function reasonOf(race: RaceState, display: Display, { reason }: Cause): Reason {
  return display.state === 'stuck' && race.display.state !== 'stuck' ? 'stuck' : reason;
}

function reviseFinished(race: RaceState, cause: Cause, options: ReviseOptions): Revision | null {
  const { started_at, completed_at, published } = race;
  const durationSec = started_at === null || completed_at === null ? null : Math.max(0, (completed_at - started_at) / 1000);
  const isSaid = race.display.state === 'finished' && (published?.eta_sec ?? null) === durationSec;
  if (isSaid && !cause.significant && cause.reason !== 'correction') return null;
  const milestones = milestonesOf(undefined, race, null, completed_at ?? options.nowMs);
  const display: Display = { finish_at: completed_at, state: 'finished' };
  return publish(race, durationSec === null ? null : exactForecast(race, durationSec), display, milestones, cause.reason, cause, options);
}

function reviseAbandoned(race: RaceState, cause: Cause, options: ReviseOptions): Revision | null {
  if (!cause.significant && race.published === null && race.revision > 0) return null;
  return publish(race, null, { finish_at: null, state: 'unknown' }, noMilestones, 'abandoned', cause, options);
}

function reviseUnknown(race: RaceState, cause: Cause, options: ReviseOptions): Revision | null {
  if (race.revision > 0 && !cause.significant && race.display.state === 'unknown') return null;
  return publish(race, null, { finish_at: null, state: 'unknown' }, noMilestones, cause.reason, cause, options);
}

const noMilestones: ShownMilestones = { milestones: [], dropped: 0 };

function publish(
  race: RaceState, forecast: Forecast | null, display: Display, milestones: ShownMilestones, reason: Reason, cause: Cause, { nowMs, modelVersion: learned }: ReviseOptions,
): Revision {
  const modelVersion = modelName(learned, forecast?.clusterVersion ?? null);
  const revision = race.revision + 1;
  const basis: Basis = forecast?.basis ?? 'none';
  const published = forecast === null ? null : publishedOf(forecast, reason, cause.eventAtMs, nowMs, modelVersion);
  const previousEtaSec = race.published?.eta_sec ?? race.previous_eta_sec;
  const progress = predictProgress(race, { etaSec: forecast?.etaSec ?? null, nowMs });
  // The end is the truth, not a forecast to hold against it.
  const elapsedSec = race.started_at === null ? 0 : Math.max(0, (cause.eventAtMs - race.started_at) / 1000);
  const checkpointOf = (made: Forecast, role: Checkpoint['role'], version: string): Checkpoint => ({
    revision, issued_at: nowMs, elapsed_sec: elapsedSec, eta_sec: made.etaSec, p10_sec: made.p10Sec, p50_sec: made.p50Sec, p90_sec: made.p90Sec,
    confidence: made.confidence, basis: made.basis, reason, model_version: version, role,
  });
  let { checkpoints } = race;
  if (forecast !== null && !isFinished(race.state)) {
    checkpoints = withCheckpoint(checkpoints, checkpointOf(forecast, 'served', modelVersion));
    if (race.published === null) for (const { role, forecast: other } of forecast.beside()) checkpoints = withCheckpoint(checkpoints, checkpointOf(other, role, modelName(learned, other.clusterVersion)));
  }
  const shown = forecast === null ? null : { revision, issued_at: nowMs, confidence: forecast.confidence, eta_sec: forecast.etaSec, basis, reason };
  const next: RaceState = {
    ...race, revision, published, previous_eta_sec: previousEtaSec, display,
    eta_revisions: shown === null ? race.eta_revisions : shareShown(appended(race.eta_revisions, shown).slice(-SHOWN_REVISIONS), checkpoints),
    checkpoints,
    shown_progress: Math.max(race.shown_progress, progress?.current ?? 0),
  };
  return { race: next, eta: etaUpdateOf(next, forecast, progress, milestones, { reason, basis, nowMs, eventAtMs: cause.eventAtMs, modelVersion }) };
}

/** The learner's position, and the clusters that were in force: `3@1201/m1k2`. */
function modelName(learned: string, clusterVersion: string | null): string {
  if (clusterVersion === null) return learned;
  // Most are made at the same position: races share the text.
  if (lastName.learned !== learned || lastName.clusterVersion !== clusterVersion) Object.assign(lastName, { learned, clusterVersion, name: `${learned}/${clusterVersion}` });
  return lastName.name;
}

const lastName = { learned: '', clusterVersion: '', name: '' };

function publishedOf(forecast: Forecast, reason: Reason, eventAtMs: number, nowMs: number, modelVersion: string): Published {
  return {
    issued_at: nowMs, event_at: eventAtMs, eta_sec: forecast.etaSec, p10_sec: forecast.p10Sec, p50_sec: forecast.p50Sec, p90_sec: forecast.p90Sec,
    confidence: forecast.confidence, basis: forecast.basis, reason, model_version: modelVersion, cluster_id: forecast.clusterId, next_at: forecast.nextAtMs,
  };
}

type Issue = { reason: Reason; basis: Basis; nowMs: number; eventAtMs: number; modelVersion: string };

function etaUpdateOf(race: RaceState, forecast: Forecast | null, progress: ProgressPrediction | null, { milestones, dropped }: ShownMilestones, issue: Issue): EtaUpdate {
  const etaSec = forecast?.etaSec ?? null;
  const finishAtMs = etaSec === null || race.started_at === null ? null : Math.round(race.started_at + 1000 * etaSec);
  return {
    race_id: race.race_id, source: race.source, title: race.title, revision: race.revision, issued_at: issue.nowMs, event_at: issue.eventAtMs,
    state: race.state, attempt: race.attempt, first_offset: race.first_offset, queued_at: race.queued_at, started_at: race.started_at, completed_at: race.completed_at,
    eta_sec: etaSec, remaining_sec: remainingSec(race, etaSec, finishAtMs, issue.nowMs), finish_at: finishAtMs,
    p10_sec: forecast?.p10Sec ?? null, p50_sec: forecast?.p50Sec ?? null, p90_sec: forecast?.p90Sec ?? null, confidence: forecast?.confidence ?? 0,
    deadline_at: race.deadline_at, deadline_probability: forecast?.deadlineProbability ?? null, basis: issue.basis, reason: issue.reason,
    model_version: issue.modelVersion, cluster_id: forecast?.clusterId ?? null, previous_eta_sec: race.previous_eta_sec,
    display: race.display, progress, milestones, milestones_dropped: dropped, eta_revisions: race.eta_revisions.map(shownOf), metadata: currentMetadata(race), deeplink: race.deeplink,
    update_interval_hint_sec: updateIntervalHintSec(race),
  };
}

function remainingSec(race: RaceState, etaSec: number | null, finishAtMs: number | null, nowMs: number): number | null {
  if (isFinished(race.state)) return etaSec === null ? null : 0;
  return finishAtMs === null ? etaSec : Math.max(0, (finishAtMs - nowMs) / 1000);
}
