import type { RaceUpdate } from '../race/update.ts';
import { dayOf } from './recording.ts';
import type { Recording } from './recording.ts';

export type RebaseOptions = {
  /** Epoch ms in the recording that becomes `nowMs`. */
  readonly originMs: number;
  /** Epoch ms. */
  readonly nowMs: number;
  /** Time is compressed by this, > 0. */
  readonly speed: number;
  /** Race ids get `~run<runId>`, so that a recording can be replayed more than once. */
  readonly runId: string;
};

/**
 * The update as if the recording began now and ran `speed` times as fast: every instant is moved, every duration divided;
 * the race is another one (`id~runK`) of another source (`source@live`), so that compressed durations do not teach the
 * recorded source. Whole ms, rounded down: order is kept and equal instants stay equal.
 */
export function rebaseUpdate(update: RaceUpdate, options: RebaseOptions): RaceUpdate {
  const { originMs, nowMs, speed, runId } = options;
  const move = (atMs: number): number => nowMs + Math.floor((atMs - originMs) / speed);
  const moveIfAny = (atMs: number | null): number | null => (atMs === null ? null : move(atMs));
  const shrink = (sec: number | null): number | null => (sec === null ? null : sec / speed);
  return {
    ...update,
    race_id: `${update.race_id}~run${runId}`,
    source: `${update.source}@live`,
    at: move(update.at),
    queued_at: moveIfAny(update.queued_at),
    started_at: moveIfAny(update.started_at),
    completed_at: moveIfAny(update.completed_at),
    deadline_at: moveIfAny(update.deadline_at),
    eta_sec: shrink(update.eta_sec),
    update_interval_hint_sec: shrink(update.update_interval_hint_sec),
    stage: update.stage === null ? null : {
      ...update.stage,
      started_at: moveIfAny(update.stage.started_at),
      completed_at: moveIfAny(update.stage.completed_at),
      planned_sec: shrink(update.stage.planned_sec),
    },
    plan: update.plan?.map((stage) => ({ ...stage, planned_sec: shrink(stage.planned_sec), planned_at: moveIfAny(stage.planned_at) })) ?? null,
    event: update.event === null ? null : { ...update.event, at: moveIfAny(update.event.at) },
  };
}

const DAY_MS = 86_400_000;

/**
 * The recording with the days in between taken out: each day on which races start follows the one before.
 * A race is moved as a whole, so one that lasts over midnight keeps its length.
 */
export function joinDays(recording: Recording): Recording {
  const days = [...new Set(recording.races.map(dayOf))].sort((a, b) => a - b);
  const first = days[0] ?? 0;
  const shiftMs = new Map(days.map((day, index) => [day, (first + index - day) * DAY_MS]));
  const shiftOfRace = new Map(recording.races.map((race) => [race.id, shiftMs.get(dayOf(race)) ?? 0]));
  const shifted = <T>(map: ReadonlyMap<string, readonly T[]>, move: (item: T, ms: number) => T): Map<string, T[]> =>
    new Map([...map].map(([raceId, items]) => [raceId, items.map((item) => move(item, shiftOfRace.get(raceId) ?? 0))]));
  return {
    ...recording,
    races: recording.races.map((race) => {
      const ms = shiftOfRace.get(race.id) ?? 0;
      return { ...race, startedAtMs: race.startedAtMs + ms, endedAtMs: race.endedAtMs + ms };
    }),
    stages: shifted(recording.stages, (stage, ms) => ({
      ...stage, startedAtMs: stage.startedAtMs + ms, completedAtMs: stage.completedAtMs === null ? null : stage.completedAtMs + ms,
    })),
    progress: shifted(recording.progress, (row, ms) => ({ ...row, atMs: row.atMs + ms })),
  };
}
