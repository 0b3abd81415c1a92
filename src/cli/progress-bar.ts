import { fit, formatClock, formatDuration, textWidth } from './format.ts';
import { finishAt, type RaceView } from '../bridge/frames.ts';

/** How far a race is, in percent: what is known, and what is shown (never below it). */
export type ShownProgress = {
  /** Reported, 0..100; 0 where nothing was. */
  readonly known: number;
  /** 0..99 while the race runs: known, or extrapolated by time. 100 is for the end. */
  readonly shown: number;
  /** `shown` is more than was reported. */
  readonly estimated: boolean;
};

/** Of a race that has not ended. Chosen: a bar at 100 that goes on running is a lie. */
const MOST_BEFORE_END = 99;

/**
 * Progress at `nowMs`. `previous` = what was shown before of the same attempt: a bar does not go backwards when a forecast
 * gets longer, it stands still.
 */
export function progressAt(race: RaceView, nowMs: number, previous = 0): ShownProgress {
  if (race.state === 'passed') return { known: 100, shown: 100, estimated: false };
  const known = clamp(race.progress ?? 0, 0, MOST_BEFORE_END);
  if (race.state === 'queued' || race.started_at === null) return { known, shown: known, estimated: false };
  // A race that ended otherwise stays where it was.
  const atMs = race.completed_at ?? nowMs;
  const published = race.eta?.progress?.current ?? 0;
  const totalSec = race.eta?.eta_sec ?? null;
  const byTime = totalSec === null || totalSec <= 0 ? 0 : (100 * (atMs - race.started_at)) / (totalSec * 1_000);
  const shown = clamp(Math.max(known, published, byTime, previous), 0, MOST_BEFORE_END);
  return { known, shown, estimated: shown > known };
}

/** `█` known, `▒` estimated, in exactly `width` columns. Partly filled columns round down, so that full means full. */
export function renderBar(progress: ShownProgress, width: number): string {
  const solid = Math.floor((progress.known / 100) * width);
  const filled = Math.max(solid, Math.floor((progress.shown / 100) * width));
  return '█'.repeat(solid) + '▒'.repeat(filled - solid) + '░'.repeat(Math.max(0, width - filled));
}

/** `43 %`, `≈ 43 %` when estimated. */
export function renderPercent(progress: ShownProgress): string {
  return `${progress.estimated ? '≈ ' : ''}${Math.floor(progress.shown)} %`;
}

/** When it will be over, in words: finish time, what is left, or plainly that it is late. */
export function describeEta(race: RaceView, nowMs: number): string {
  if (race.completed_at !== null) {
    return `${race.state} after ${formatDuration(race.duration_sec ?? (race.completed_at - (race.started_at ?? race.completed_at)) / 1_000)}`;
  }
  const { eta } = race;
  if (eta === null || eta.eta_sec === null || eta.display.state === 'unknown') return 'no estimate yet';
  if (race.started_at === null) return `queued, takes ≈ ${formatDuration(eta.eta_sec)}`;
  const finishAtMs = finishAt(race);
  if (finishAtMs === null) return 'no estimate yet';
  const remainingSec = (finishAtMs - nowMs) / 1_000;
  const withSeconds = Math.abs(remainingSec) < 3_600;
  // The forecast that it was first held to is gone once the tail has taken over; its new one is still an ETA.
  if (remainingSec <= 0) return `overdue by ${formatDuration(remainingSec)}`;
  const left = `${formatDuration(remainingSec)} left, done ≈ ${formatClock(finishAtMs, nowMs, withSeconds)}`;
  if (eta.display.state === 'overdue') return `overdue, ${left}`;
  if (eta.display.state === 'stuck') return `stuck?, ${left}`;
  return left;
}

/** `████▒▒▒░░░ ≈ 43 %  2 min 10 s left, done ≈ 14:32:10`, in at most `columns` columns; the bar goes first when it is narrow. */
export function renderRaceLine(race: RaceView, nowMs: number, shown: number, columns: number): string {
  const progress = progressAt(race, nowMs, shown);
  const words = `${renderPercent(progress)}  ${describeEta(race, nowMs)}`;
  const barWidth = Math.min(40, columns - textWidth(words) - 1);
  return barWidth < 5 ? fit(words, columns).trimEnd() : `${renderBar(progress, barWidth)} ${words}`;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
