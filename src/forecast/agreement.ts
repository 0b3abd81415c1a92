import type { Change } from '../race/change.ts';
import { MAX_PROGRESS_POINTS } from '../race/evolve.ts';
import type { ProgressPoint, Published, RaceState } from '../race/state.ts';
import { LEAST_PROGRESS } from './learn.ts';
import type { SourceModel } from './model.ts';
import { STAGE_REASONS } from './revise.ts';
import { placeOf } from './stages.ts';
import { usualTotalSec } from './voices.ts';

/** Share of what a finish may move unsaid: what is this near to the published finish cannot move the forecast beyond it. */
const AGREES = 0.5;
/** The same of a report: of 14,000 in the standard mix that lay between the two, and were forecast, 4 were published. */
const REPORT_AGREES = 0.7;
const LEAST_TOLERANCE_SEC = 5;
const TOLERANCE_OF_REMAINING = 0.05;
/** Half an interquartile range, from the distance of P10 and P90 (a Laplace distribution's is 4.6 times as wide); and more than half of most. */
const TOLERANCE_OF_SPREAD = 0.2;
const MOST_OF_SPREAD = 0.3;
/** From this confidence on a stage that comes as usual confirms what was said; of less sure forecasts it narrows the distribution, and may move the point. */
const NEARLY_SURE = 0.98;

type Cause = Pick<Change, 'reason' | 'significant'>;

/**
 * True if what happened says what was published already, so that a forecast could only repeat it: a progress report that
 * leads to the published finish (or says nothing yet, or what the published forecast knew of, and the race is younger than
 * nearly all of its kind when they ended); a stage that began or ended when it does in races that take as long, where that is nearly sure; a look at a race whose last report still
 * leads there. The shown finish must be ahead and, but for a report, held, or being corrected and too far off to hold still. False
 * whenever there is doubt. O(stages), for a stage that has begun or ended O(1) more, without a distribution.
 */
export function repeatsPublished(model: SourceModel | undefined, race: RaceState, change: Cause, asOfMs: number): boolean {
  const { published, started_at, display } = race;
  if (published === null || started_at === null || race.state !== 'running' || display.finish_at === null || display.finish_at <= asOfMs) return false;
  const ageSec = (asOfMs - started_at) / 1000;
  const isYoung = ageSec < published.p10_sec;
  const report = race.progress_points.at(-1);
  const reportedSec = totalByReport(report, started_at);
  const roundingSec = reportedSec === null ? 0 : reportedSec * roundingOf(report!);
  // A report is told for the published finish alone, wherever the shown one is.
  if (!change.significant && change.reason === 'progress' && (display.state === 'stable' || display.state === 'correcting')) {
    if (reportedSec === null) return isYoung;
    const allowedSec = toleranceSec(published, ageSec) + roundingSec;
    return isNear(reportedSec, published.eta_sec, allowedSec, REPORT_AGREES) || (isYoung && repeatsReport(race, published, reportedSec, allowedSec));
  }
  if (!isShownStill(race, published, started_at, ageSec)) return false;
  const nearSec = leastToleranceSec(published, ageSec);
  if (!isYoung || (reportedSec !== null && !isNear(reportedSec, published.eta_sec, nearSec + roundingSec))) return false;
  const restsOnReports = reportedSec !== null && published.basis === 'progress';
  if (change.significant) return STAGE_REASONS.has(change.reason) && (restsOnReports || isUsual(model, race, published, asOfMs, nearSec));
  // Only those: a stage that takes long says so by nothing but the time.
  return change.reason === 'rate_change' && restsOnReports;
}

/** A finish that is held, or one being corrected: nearly there, or by so much that saying the same again would not make it so. */
function isShownStill({ display }: RaceState, published: Published, startedAtMs: number, ageSec: number): boolean {
  if (display.state === 'stable') return true;
  const awaySec = Math.abs((startedAtMs - display.finish_at!) / 1000 + published.eta_sec);
  // It stays correcting until the next revision: it may be there already.
  return display.state === 'correcting' && (awaySec <= AGREES * leastToleranceSec(published, ageSec) || awaySec > Math.max(leastToleranceSec(published, ageSec), MOST_OF_SPREAD * (published.p90_sec - published.p10_sec)));
}

/** The total to which a report leads; null = there is none, or it says nothing yet. */
function totalByReport(report: ProgressPoint | undefined, startedAtMs: number): number | null {
  return report === undefined || !saysSomething(report) ? null : (report.at - startedAtMs) / 10 / report.progress;
}

/** A report in whole percent is right to half of one: to this share of the total it leads to. */
function roundingOf({ progress }: ProgressPoint): number {
  return Number.isInteger(progress) ? 0.5 / progress : 0;
}

function saysSomething({ progress }: ProgressPoint): boolean {
  return progress >= LEAST_PROGRESS;
}

/** Whether a report says what an earlier one did that said something, that the published forecast knew or that was looked at since and moved nothing. */
function repeatsReport({ progress_points, started_at }: RaceState, { event_at }: Published, reportedSec: number, toleranceSec: number): boolean {
  // Of a full list the first after the publication may be gone: the next one was not looked at if it repeated that.
  const first = progress_points.length < MAX_PROGRESS_POINTS ? progress_points.find(saysSomething) : undefined;
  const heard = progress_points.findLast((point) => point.at <= event_at && saysSomething(point)) ?? first;
  const heardSec = heard === progress_points.at(-1) ? null : totalByReport(heard, started_at!);
  return heardSec !== null && isNear(reportedSec, heardSec, toleranceSec, REPORT_AGREES);
}

/** Whether what was said is nearly sure, and is what earlier races took that came into this state at such an age; what was said with the stage changes what can be known. */
function isUsual(model: SourceModel | undefined, race: RaceState, published: Published, asOfMs: number, toleranceSec: number): boolean {
  const { plan, eta, deadline } = race.field_at;
  if (model === undefined || published.confidence < NEARLY_SURE || plan === asOfMs || eta === asOfMs || deadline === asOfMs) return false;
  const totalSec = usualTotalSec(model, race.title, placeOf(race, race.started_at!, asOfMs));
  return totalSec !== null && isNear(totalSec, published.eta_sec, toleranceSec);
}

function isNear(totalSec: number, otherSec: number, toleranceSec: number, share = AGREES): boolean {
  return Math.abs(totalSec - otherSec) <= share * toleranceSec;
}

/** What a stage, or a look, may move unsaid. */
function leastToleranceSec({ eta_sec }: Published, ageSec: number): number {
  return Math.max(LEAST_TOLERANCE_SEC, TOLERANCE_OF_REMAINING * (eta_sec - ageSec));
}

function toleranceSec(published: Published, ageSec: number): number {
  return Math.max(leastToleranceSec(published, ageSec), TOLERANCE_OF_SPREAD * (published.p90_sec - published.p10_sec));
}
