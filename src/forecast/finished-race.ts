import { assert } from '../errors.ts';
import type { PassageFact } from '../journey/model.ts';
import { currentMetadata } from '../race/metadata.ts';
import { isFinished, type RaceState, type Stage } from '../race/state.ts';
import { stageKey } from './course.ts';
import type { FinishedRace, FinishedStage, Origin, Outcome, OverdueRace, StageFact, StageFacts } from './history-record.ts';

/**
 * The record of a race that has ended. Without a start (canceled while queued) its duration is 0, which teaches
 * nothing. A version above 1 makes it a correction.
 */
export function finishedRace(race: RaceState, origin: Origin): FinishedRace {
  assert(isFinished(race.state), `a finished race is expected, ${race.race_id} is ${race.state}`);
  const completedAt = race.completed_at ?? race.last_at;
  const startedAt = race.started_at ?? completedAt;
  return {
    origin, race_id: race.race_id, source: race.source, title: race.title, attempt: race.attempt, version: race.version, outcome: race.state as Outcome,
    queued_at: race.queued_at, started_at: startedAt, completed_at: completedAt, duration_sec: Math.max(0, (completedAt - startedAt) / 1000),
    submitted_at: race.first_at, first_offset: race.first_offset, metadata: currentMetadata(race), stages: race.stages.map(finishedStage), progress_points: race.progress_points,
    ...clientEta(race, startedAt), correction: race.version > 1, checkpoints: race.checkpoints, revisions: race.revision,
  };
}

/** The producer's last estimate, with its kind and the age of the race when it was given: what its bias is learned from. */
function clientEta(race: RaceState, startedAt: number): Pick<FinishedRace, 'client_eta_sec' | 'client_eta_kind' | 'client_eta_elapsed_sec'> {
  if (race.eta_sec === null) return { client_eta_sec: null, client_eta_kind: null, client_eta_elapsed_sec: null };
  return { client_eta_sec: race.eta_sec, client_eta_kind: race.eta_kind, client_eta_elapsed_sec: Math.max(0, (race.field_at.eta - startedAt) / 1000) };
}

function finishedStage({ name, occurrence, seq, state, started_at, completed_at, planned_sec }: Stage, index: number): FinishedStage {
  return { name, occurrence, seq: seq ?? index, state, started_at, completed_at, planned_sec };
}

/**
 * What stages that ended have shown, of a race still running. A stage without a start began where the one before it
 * ended. null = none of them has both ends, and `nextOrigin` was not called.
 * @param passageOf what a stage teaches that is a waypoint of a vehicle's route.
 */
export function stageFacts(race: RaceState, stages: readonly Stage[], nextOrigin: () => Origin, passageOf: (stage: Stage) => PassageFact | null = () => null): StageFacts | null {
  const raceStartedAt = race.started_at;
  if (raceStartedAt === null) return null;
  const facts = stages.flatMap((stage): StageFact[] => {
    const { completed_at } = stage;
    if (completed_at === null || stage.state === 'skipped' || completed_at < raceStartedAt) return [];
    const previous = stageBefore(race, stage, completed_at);
    const startedAt = stage.started_at ?? previous?.completed_at ?? raceStartedAt;
    if (startedAt > completed_at) return [];
    return [{
      race_id: race.race_id, title: race.title, stage: stage.name, occurrence: stage.occurrence, previous_stage: previous === null ? '' : stageKey(previous),
      started_at: startedAt, completed_at, elapsed_sec: (completed_at - raceStartedAt) / 1000,
      ...legBefore(race, previous, raceStartedAt), planned_sec: stage.planned_sec, passage: passageOf(stage),
    }];
  });
  return facts.length === 0 ? null : { origin: nextOrigin(), source: race.source, facts };
}

/** That a race under way is overdue, by its newest revision; null = it has not begun, or an earlier revision said so. */
export function overdueRace({ source, title, race_id, started_at, revision, checkpoints }: RaceState, atMs: number): OverdueRace | null {
  const isSaid = checkpoints.some((one) => one.revision < revision && (one.reason === 'overdue' || one.reason === 'stuck'));
  return started_at === null || isSaid ? null : { source, title, race_id, started_at, at: atMs };
}

/** When the stage before ended, and how long after the one before it. */
function legBefore(race: RaceState, previous: Stage | null, raceStartedAt: number): Pick<StageFact, 'previous_elapsed_sec' | 'previous_leg_sec'> {
  const endedAt = previous?.completed_at ?? raceStartedAt;
  const beganAt = previous === null ? raceStartedAt : stageBefore(race, { ...previous, started_at: null }, endedAt)?.completed_at ?? raceStartedAt;
  return { previous_elapsed_sec: Math.max(0, (endedAt - raceStartedAt) / 1000), previous_leg_sec: Math.max(0, (endedAt - beganAt) / 1000) };
}

/** The stage that ended last before (or as) this one began; without a start, before it ended. */
function stageBefore(race: RaceState, stage: Stage, completedAt: number): Stage | null {
  const limit = stage.started_at ?? completedAt;
  let before: Stage | null = null;
  for (const other of race.stages) {
    if (other === stage || stageKey(other) === stageKey(stage) || other.completed_at === null || other.completed_at > limit) continue;
    if (before === null || other.completed_at >= before.completed_at!) before = other;
  }
  return before;
}
