import type { CourseStatus, JourneyPoi, Phase } from './api/journeys.ts';
import type { RaceRow, Standing } from './live/race-list.ts';

// Everything the board says in words and numbers. Instants are epoch ms, durations seconds.

const formats = new Map<string, Intl.DateTimeFormat>();

function format(timeZone: string | null, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${timeZone ?? ''} ${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (found === undefined) formats.set(key, found = new Intl.DateTimeFormat(undefined, { ...options, ...(timeZone === null ? {} : { timeZone }) }));
  return found;
}

/** 14:32, with the day when it is another one: Thu 14:32. */
export function clockTime(atMs: number, nowMs: number, timeZone: string | null, withSeconds = false): string {
  const time = format(timeZone, { hour: '2-digit', minute: '2-digit', ...(withSeconds ? { second: '2-digit' } : {}), hourCycle: 'h23' }).format(atMs);
  const day = format(timeZone, { year: 'numeric', month: '2-digit', day: '2-digit' });
  if (day.format(atMs) === day.format(nowMs)) return time;
  const isNear = Math.abs(atMs - nowMs) < 6 * 86_400_000;
  return `${format(timeZone, isNear ? { weekday: 'short' } : { month: 'short', day: 'numeric' }).format(atMs)} ${time}`;
}

/** Nov 25; days are those of UTC, as ClickHouse counts them. */
export function day(atMs: number): string {
  return format('UTC', { month: 'short', day: 'numeric' }).format(atMs);
}

export function fullTime(atMs: number, timeZone: string | null): string {
  return format(timeZone, { dateStyle: 'medium', timeStyle: 'long' }).format(atMs);
}

/** 8 s, 4 min 10 s, 2 h 05 min, 3 d 4 h. */
export function spell(sec: number): string {
  const total = Math.max(0, Math.round(sec));
  if (total < 60) return `${total} s`;
  if (total < 600) return total % 60 === 0 ? `${total / 60} min` : `${Math.floor(total / 60)} min ${String(total % 60).padStart(2, '0')} s`;
  const minutes = Math.round(total / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

export const standingWords: Readonly<Record<Standing, string>> = {
  queued: 'Queued', running: 'Running', cold: 'No history yet', correcting: 'Correcting', overdue: 'Overdue', stuck: 'Stuck?',
  passed: 'Passed', failed: 'Failed', canceled: 'Canceled', abandoned: 'Given up',
};

const reasonWords: Readonly<Record<string, string>> = {
  submitted: 'first forecast', started: 'it started', restarted: 'it was restarted', progress: 'its progress', stage_started: 'a stage began', stage_done: 'a stage was done',
  passage: 'a waypoint was passed', client_eta: 'the producer said so', rate_change: 'its pace changed', overdue: 'it is overdue', stuck: 'it is silent', level_shift: 'recent runs differ',
  model_swap: 'a new model', route_change: 'the route changed', correction: 'a correction', finished: 'it ended', abandoned: 'it was given up', other: 'another reason',
};

export function reasonText(reason: string): string {
  return reasonWords[reason] ?? reason;
}

const basisWords: Readonly<Record<string, string>> = {
  exact: 'it has ended', telemetry: 'where it is', stage: 'runs that were at the same stage', progress: 'its reported progress', cluster: 'runs of the same kind', key: 'runs with the same title and metadata',
  source: 'all runs of its source', client: 'what its producer says', plan: 'its plan', bootstrap: 'a guess: nothing like it has run yet', none: 'nothing',
};

export function basisText(basis: string): string {
  return basisWords[basis] ?? basis;
}

/** +40 s, −2 min: how the forecast moved. */
export function moved(sec: number): string {
  return Math.abs(sec) < 1 ? '±0 s' : `${sec > 0 ? '+' : '−'}${spell(Math.abs(sec))}`;
}

/** 950 m, 1.2 km, 312 km. */
export function distance(metres: number): string {
  if (metres < 1_000) return `${Math.round(metres)} m`;
  return `${metres < 99_950 ? (metres / 1_000).toFixed(metres < 9_950 && metres % 1_000 !== 0 ? 1 : 0) : Math.round(metres / 1_000).toLocaleString()} km`;
}

export function speed(mps: number): string {
  return `${Math.round(3.6 * mps)} km/h`;
}

export const phaseWords: Readonly<Record<Phase, string>> = { pre_departure: 'Not left yet', in_flight: 'Under way', post_arrival: 'Arrived' };

/** `on_course` is said only of who is off the route. */
export const courseWords: Readonly<Record<CourseStatus, string>> = { on_course: 'heading back to it', slightly_off: 'heading slightly off', off_track: 'heading across', behind: 'heading away' };

export const poiWords: Readonly<Record<JourneyPoi['status'], string>> = { ahead_on_route: 'ahead', already_passed: 'passed', not_on_route: 'not on the route', pre_departure: 'ahead' };

/** Within this of its plan something is on time, seconds. */
const ON_TIME_SEC = 30;

/** 2 min late, 40 s early, on time. */
export function delayText(sec: number): string {
  return Math.abs(sec) < ON_TIME_SEC ? 'on time' : `${spell(Math.abs(sec))} ${sec > 0 ? 'late' : 'early'}`;
}

/** in 4 min 10 s; due since 5 s. */
export function countdown(atMs: number, nowMs: number): string {
  const sec = (atMs - nowMs) / 1_000;
  return sec >= 0 ? `in ${spell(sec)}` : `due since ${spell(-sec)}`;
}

export function percent(ratio: number): string {
  return `${Math.round(100 * ratio)} %`;
}

/** Between which instants 8 of 10 such races end; null = there is nothing to judge by, or it should have ended. */
export function rangeText({ standing, completedAt, p10At, p90At }: RaceRow, nowMs: number, timeZone: string | null): string | null {
  return standing === 'cold' || completedAt !== null ? null : betweenText(p10At, p90At, nowMs, timeZone, true);
}

/** 14:32 and 14:36, as far as that is still to come; null = it is not, or is not known. */
export function betweenText(fromMs: number | null, untilMs: number | null, nowMs: number, timeZone: string | null, withSeconds = false): string | null {
  if (fromMs === null || untilMs === null || untilMs <= nowMs) return null;
  return `${fromMs <= nowMs ? 'now' : clockTime(fromMs, nowMs, timeZone, withSeconds)} and ${clockTime(untilMs, nowMs, timeZone, withSeconds)}`;
}

/** What is said of the end of a race: a fixed time with a range, or plainly why there is none. */
export type FinishText = { readonly main: string; readonly detail: string };

export function finishText(row: RaceRow, nowMs: number, timeZone: string | null): FinishText {
  const age = row.startedAt === null ? null : (nowMs - row.startedAt) / 1_000;
  switch (row.standing) {
    case 'queued': {
      const waited = row.queuedAt === null ? '' : `waiting ${spell((nowMs - row.queuedAt) / 1_000)}`;
      return { main: waited === '' ? 'Queued' : waited, detail: row.totalSec === null || row.basis === 'bootstrap' ? '' : `then about ${spell(row.totalSec)}` };
    }
    case 'cold':
      return { main: age === null ? 'Running' : `running ${spell(age)}`, detail: 'no history to judge by' };
    case 'stuck':
      return { main: 'Stuck?', detail: `nothing heard for ${spell((nowMs - row.updatedAt) / 1_000)}` };
    case 'overdue':
      return { main: 'Overdue', detail: row.p90At !== null && row.p90At > nowMs ? `likely by ${clockTime(row.p90At, nowMs, timeZone)}` : age === null ? '' : `running ${spell(age)}` };
    case 'running':
    case 'correcting': {
      if (row.finishAt === null) return { main: 'Running', detail: '' };
      const withSeconds = row.finishAt - nowMs < 120_000;
      const late = row.p90At !== null && row.p90At > row.finishAt ? `likely by ${clockTime(row.p90At, nowMs, timeZone, withSeconds)}` : '';
      return { main: clockTime(row.finishAt, nowMs, timeZone, withSeconds), detail: late };
    }
    default:
      return {
        main: row.completedAt === null ? standingWords[row.standing] : clockTime(row.completedAt, nowMs, timeZone),
        detail: row.durationSec === null ? '' : `took ${spell(row.durationSec)}`,
      };
  }
}
