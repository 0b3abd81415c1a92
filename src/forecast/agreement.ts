import type { Change } from '../race/change.ts';
import type { Published, RaceState } from '../race/state.ts';
import { LEAST_PROGRESS } from './learn.ts';

/** Share of what a finish may move unsaid: a report this near to the published finish cannot move the forecast beyond it. */
const AGREES = 0.5;
const LEAST_TOLERANCE_SEC = 5;
const TOLERANCE_OF_REMAINING = 0.05;
/** Half an interquartile range, from the distance of P10 and P90 (a Laplace distribution's is 4.6 times as wide). */
const TOLERANCE_OF_SPREAD = 0.2;

/**
 * True if a progress report says what was published already, so that a forecast could only repeat it: the finish is
 * ahead, is shown without reserve, and the reported progress leads to it (or says nothing yet, and the race is younger
 * than nearly all of its kind when they ended). False whenever there is doubt. O(1), far below a microsecond, against
 * some fifty of a forecast.
 */
export function repeatsPublished(race: RaceState, change: Pick<Change, 'reason' | 'significant'>, asOfMs: number): boolean {
  const { published, started_at, display } = race;
  if (change.reason !== 'progress' || change.significant || published === null || started_at === null) return false;
  if ((display.state !== 'stable' && display.state !== 'correcting') || display.finish_at === null || display.finish_at <= asOfMs) return false;
  const ageSec = (asOfMs - started_at) / 1000;
  // A correction that is shown in steps is not over yet.
  if (display.state === 'correcting' && Math.abs(display.finish_at - started_at - 1000 * published.eta_sec) > 1000 * AGREES * toleranceSec(published, published.eta_sec - ageSec)) return false;
  const report = race.progress_points.at(-1);
  if (report === undefined || report.progress < LEAST_PROGRESS) return ageSec < published.p10_sec;
  const totalSec = (report.at - started_at) / 10 / report.progress;
  return Math.abs(totalSec - published.eta_sec) <= AGREES * toleranceSec(published, published.eta_sec - ageSec);
}

function toleranceSec({ p10_sec, p90_sec }: Published, remainingSec: number): number {
  return Math.max(LEAST_TOLERANCE_SEC, TOLERANCE_OF_REMAINING * remainingSec, TOLERANCE_OF_SPREAD * (p90_sec - p10_sec));
}
