import { isFinished, type RaceState } from './state.ts';

const DAY_MS = 86_400_000;
/** Silence of this many p90 durations of its source is no pause any more. Chosen, not tuned. */
const SILENT_P90S = 10;

/**
 * The race, closed because its producer fell silent: it ended, as far as anyone knows, with its last update. A duration
 * cut off, never a duration. Does not change its input; a race that is finished comes back as it is.
 */
export function abandon(race: RaceState, nowMs: number): RaceState {
  if (isFinished(race.state)) return race;
  const startedAt = race.started_at ?? Math.min(race.queued_at ?? race.first_at, race.last_at);
  const told = race.completed_at !== null && !race.completed_derived;
  return {
    ...race, state: 'abandoned', version: race.version + 1,
    started_at: startedAt, started_derived: race.started_derived || race.started_at === null,
    // A producer whose clock was ahead did not end in the future.
    completed_at: told ? race.completed_at : Math.max(Math.min(race.last_at, nowMs), startedAt),
    completed_derived: !told, wake_at: null,
  };
}

/** The race as it was before it was abandoned: running if it had started, else queued. Its version goes on. */
export function revive(race: RaceState): RaceState {
  // A start that nobody told was put in by the closing.
  const started = race.started_at !== null && race.field_at.started > 0;
  return {
    ...race, state: started ? 'running' : 'queued',
    started_at: started ? race.started_at : null, started_derived: started && race.started_derived,
    completed_at: race.completed_derived ? null : race.completed_at, completed_derived: false,
  };
}

/**
 * True if nothing was heard of an unfinished race for more than max(24 h, 10 x `p90Sec`). `p90Sec` = the p90 duration of
 * its source or its forecast, null = unknown. Heard = the later of its newest event time and that record's append time:
 * an import of old updates is not silence.
 */
export function silentTooLong(race: RaceState, p90Sec: number | null, nowMs: number): boolean {
  if (isFinished(race.state)) return false;
  return nowMs > silentAtMs(race, p90Sec);
}

/** True if nothing new was heard of the race in the last 24 hours. */
export function wasSilentForADay(race: RaceState, nowMs: number): boolean {
  return nowMs - lastHeardAtMs(race) > DAY_MS;
}

function lastHeardAtMs(race: RaceState): number {
  return Math.max(race.last_at, race.appended_at);
}

/** The last instant at which the race is not silent for too long; epoch ms. */
export function silentAtMs(race: RaceState, p90Sec: number | null): number {
  return lastHeardAtMs(race) + Math.max(DAY_MS, SILENT_P90S * (p90Sec ?? 0) * 1000);
}
