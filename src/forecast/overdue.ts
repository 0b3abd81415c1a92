import type { OverdueRace } from './history-record.ts';
import { conditionOn, massBelow, mix, type Distribution } from './distribution.ts';
import { hashText } from './hash.ts';
import { LIMITS, type OverdueRun, type SourceModel, type TitleModel } from './model.ts';
import { touch } from './touch.ts';

/** Of a title so many are known, those that began last; each speaks like one run. */
const MOST_OF_TITLE = 5;
/** The runs behind a forecast count as so many beside them: what is under way is the newest there is. */
const RUNS_BESIDE = 3;
/** One tells something when at its age this share of like runs should have ended. */
const LEAST_GONE = 0.5;

/**
 * Remembers that a race is under way beyond its published finish, unless it has been overtaken: that a race which began
 * after it has ended tells that all is as ever, and of one that lasts, as some always do. Of the same race twice, once.
 */
export function learnOverdue(model: SourceModel, { title, race_id, started_at }: OverdueRace): void {
  if (started_at <= (model.titles.get(title)?.newestStartMs ?? 0)) return;
  const tag = hashText(race_id);
  const runs = touch(model.overdue, title, LIMITS.overdue, (): OverdueRun[] => []).filter((run) => run.tag !== tag);
  runs.push({ tag, startedAtMs: started_at });
  runs.sort((a, b) => a.startedAtMs - b.startedAtMs || a.tag - b.tag);
  model.overdue.set(title, runs.slice(-MOST_OF_TITLE));
}

/** A race that has ended, in whichever way, is not overdue any more. */
export function endOverdue(model: SourceModel, title: string, raceId: string): void {
  keep(model, title, (run) => run.tag !== hashText(raceId));
}

/** Those that began before a race that took its time and ended have been overtaken. @param known the race's title. */
export function overtake(model: SourceModel, known: TitleModel, title: string, startedAtMs: number): void {
  known.newestStartMs = Math.max(known.newestStartMs, startedAtMs);
  keep(model, title, (run) => run.startedAtMs > startedAtMs);
}

/** Leaves nothing of a race, whatever its title was. O(titles with overdue races). */
export function forgetOverdue(model: SourceModel, raceId: string): void {
  for (const title of model.overdue.keys()) endOverdue(model, title, raceId);
}

function keep({ overdue }: SourceModel, title: string, stays: (run: OverdueRun) => boolean): void {
  const left = overdue.get(title)?.filter(stays);
  if (left === undefined) return;
  if (left.length === 0) overdue.delete(title);
  else overdue.set(title, left);
}

/**
 * What is expected of a race while others of its title are overdue: their durations are not known yet, but that they
 * are longer is. Each speaks by what is expected of it, T given T > its age, beside the runs that have ended. Who is
 * older than all of those tells nothing of how long it will be. Scratch. O(overdue races of the title x bins), 0 for most.
 * @param expected of its total, by runs that have ended. @param runs how many those were.
 */
export function withOverdue(expected: Distribution, model: SourceModel, title: string, raceId: string, asOfMs: number, runs: number): Distribution {
  const overdue = model.overdue.get(title);
  if (overdue === undefined) return expected;
  const tag = hashText(raceId);
  const parts = [{ distribution: expected, weight: Math.min(RUNS_BESIDE, runs + 1) }];
  for (const run of overdue) {
    const ageSec = (asOfMs - run.startedAtMs) / 1000;
    if (run.tag === tag || !(ageSec > 0) || massBelow(expected, ageSec) < LEAST_GONE) continue;
    const distribution = conditionOn(expected, ageSec);
    if (!distribution.overdue) parts.push({ distribution, weight: 1 });
  }
  return parts.length === 1 ? expected : mix(parts);
}
