import { isFinished, type Basis, type RaceState } from '../race/state.ts';
import { finishAhead, routeMilestones, type AlongRoute } from './along-route.ts';
import { createBells } from './bells.ts';
import { GUESS_WORTH } from './bootstrap.ts';
import { calibrated, isCalibrated, phaseOf, trueConfidence } from './calibrate.ts';
import { versionsBeside, type Beside } from './beside.ts';
import { baseBy, baseOf, type Base } from './history-base.ts';
import { conditionOn, massBelow, massWithin, mix, point, quantile, shiftBy, type Distribution } from './distribution.ts';
import { timesTold, worthwhileMove, type ShownMove } from './display.ts';
import { LEAST_PROGRESS } from './learn.ts';
import { milestonesOf, type ShownMilestones } from './milestones.ts';
import type { SourceModel, TitleModel } from './model.ts';
import { readClaim } from './producer-eta.ts';
import { curveError, shareAt } from './progress-curve.ts';
import { byShareOfLife } from './share-of-life.ts';
import { placeOf, type Place } from './stages.ts';
import { distanceKm, markOf } from './chains.ts';
import { withScratch } from './scratch.ts';
import { voicesOf } from './voices.ts';

/** What elapsed / progress and a producer's own estimate are off by until their record says otherwise, in log duration. */
const UNPROVEN_ERROR = 0.5;
const LEAST_ERROR = 0.03;
/** A curve is not followed further ahead than this share of the time. */
const LEAST_SHARE = 0.01;
/** What a finish may be off by now, as a share of what remains, to be within 20 % of it at the next look, when a quarter has passed (wake.ts). */
const LASTING_TOLERANCE = 0.15;
const bell = createBells();
/**
 * No forecast says more than ten years, or than the race's age where that is more: the longest duration that teaches.
 * So every finish that is published lies within what instants and columns hold.
 */
export const MAX_FORECAST_SEC = 10 * 365 * 86_400;

/** A forecast of a race. Durations are totals in seconds, counted from started_at; p10 <= p25 <= p50 <= p75 <= p90. */
export type Forecast = {
  /** The point whose ±20 % window holds the most mass, near the median. */
  readonly etaSec: number;
  readonly p10Sec: number;
  readonly p25Sec: number;
  readonly p50Sec: number;
  readonly p75Sec: number;
  readonly p90Sec: number;
  /** The forecast's own probability that the truth is within 20 % of etaSec. */
  readonly confidence: number;
  readonly basis: Basis;
  readonly clusterId: string | null;
  /** The version of the clusters that were in force for it; null = none. */
  readonly clusterVersion: string | null;
  /** Probability of being done by the race's deadline; null without one. */
  readonly deadlineProbability: number | null;
  /** Older than (nearly) everything known: only the tail law speaks. */
  readonly overdue: boolean;
  /** What other versions in play would have said, made when asked for: once a race. */
  readonly beside: () => BesideForecast[];
  /**
   * What leaving the published finish would lose: how much less probable it is that at the next look what remains is still
   * within 20 % of it than of etaSec. 0 = nothing; 1 = it has passed, or there is none.
   */
  readonly lossOfPublished: number;
  /** Where to show the finish from now on; of one that is not shown yet, the forecast's. */
  readonly shown: ShownMove;
  /** The age at which its present stage will be late; null = not known. */
  readonly lateAtSec: number | null;
  /** Of a vehicle on its route, when it will be at the waypoint ahead, epoch ms; else null. */
  readonly nextAtMs: number | null;
  /** Made when asked for: most forecasts are not published. */
  readonly milestones: () => ShownMilestones;
};

export type BesideForecast = Pick<Beside, 'role'> & { readonly forecast: Forecast };

/**
 * Forecasts a race from what is learned of its source, as of an instant. Pure; reads nothing of the race that came
 * after asOfMs but late facts. Before the start the elapsed time is 0, afterwards every quantile is beyond it.
 * Cost in the standard mix of the benchmarks (six metadata keys): some 20 µs at submission, and 20 to 25 during life, by the
 * voices that speak.
 */
export function forecastRace(model: SourceModel | undefined, race: RaceState, asOfMs: number, along: AlongRoute | null = null): Forecast {
  return withScratch(() => madeOf(model, race, asOfMs, along));
}

function madeOf(model: SourceModel | undefined, race: RaceState, asOfMs: number, along: AlongRoute | null): Forecast {
  if (isFinished(race.state) && race.started_at !== null && race.completed_at !== null) return exactForecast(race, (race.completed_at - race.started_at) / 1000);
  return madeFrom(baseOf(model, race, asOfMs), model, race, asOfMs, along);
}

function madeFrom(base: Base, model: SourceModel | undefined, race: RaceState, asOfMs: number, along: AlongRoute | null): Forecast {
  const elapsedSec = race.started_at === null ? 0 : Math.max(0, (asOfMs - race.started_at) / 1000);
  const place = race.started_at === null ? null : placeOf(race, race.started_at, asOfMs);
  const ahead = along === null ? null : finishAhead(along, race, asOfMs);
  const { distribution: raw, basis, lateAtSec }: Opinion = ahead === null
    ? totalOf(base, model, race, place, elapsedSec)
    : { distribution: ahead.distribution, basis: race.position === null ? 'plan' : 'telemetry' };
  // The range of a waypoint was learned from looks like this one.
  const looked = ahead === null ? byShareOfLife(raw, elapsedSec) : raw;
  const calibration = model === undefined || !isCalibrated(basis) ? null : model.calibration;
  const phase = phaseOf(elapsedSec, race.checkpoints[0]?.p50_sec ?? quantile(looked, 0.5), basis);
  const distribution = calibration === null ? looked : calibrated(calibration, phase, looked);
  // What is set right for many is not for one: the point stays where its own distribution has it.
  const { sec, mass } = ahead === null ? point(looked, elapsedSec) : { sec: ahead.sec, mass: massWithin(looked, ahead.sec / 1.2, ahead.sec / 0.8) };
  const near = massNear(looked, sec, elapsedSec);
  const lossOf = (otherSec: number): number => (otherSec <= elapsedSec ? 1 : Math.max(0, near - massNear(looked, otherSec, elapsedSec)));
  const mostSec = Math.max(MAX_FORECAST_SEC, elapsedSec);
  const etaSec = Math.min(Math.max(sec, elapsedSec), mostSec);
  const quantileSec = (share: number): number => Math.min(quantile(distribution, share), mostSec);
  return {
    etaSec,
    p10Sec: quantileSec(0.1), p25Sec: quantileSec(0.25), p50Sec: quantileSec(0.5), p75Sec: quantileSec(0.75), p90Sec: quantileSec(0.9),
    confidence: calibration === null ? uncalibrated(mass, basis) : trueConfidence(calibration, phase, mass), basis, clusterId: base.clusterId, clusterVersion: base.clusterVersion,
    deadlineProbability: race.deadline_at === null ? null : massBelow(distribution, (race.deadline_at - (race.started_at ?? asOfMs)) / 1000),
    overdue: distribution.overdue,
    beside: () => (model === undefined ? [] : besideOf(model, race, asOfMs)),
    lossOfPublished: race.published === null ? 1 : lossOf(race.published.eta_sec),
    shown: race.display.finish_at === null || race.started_at === null
      ? { sec: etaSec, gain: 1 }
      : worthwhileMove((race.display.finish_at - race.started_at) / 1000, etaSec, elapsedSec, timesTold(race, elapsedSec), (totalSec) => massNear(looked, totalSec, elapsedSec)),
    lateAtSec: lateAtSec ?? null,
    nextAtMs: along?.etas[0]?.etaMs ?? null,
    milestones: () => (along === null ? withScratch(() => milestonesOf(model, race, place, asOfMs)) : routeMilestones(along, race, asOfMs)),
  };
}

function besideOf(model: SourceModel, race: RaceState, asOfMs: number): BesideForecast[] {
  return versionsBeside(model, race).flatMap(({ role, clustering }) => withScratch(() => {
    const base = baseBy(model, clustering, race, asOfMs);
    return base === null ? [] : [{ role, forecast: madeFrom(base, model, race, asOfMs, null) }];
  }));
}

/** What a probability is worth where nothing was learned that could set it right. */
function uncalibrated(mass: number, basis: Basis): number {
  return basis === 'bootstrap' ? mass * GUESS_WORTH : mass;
}

/** The probability that at the next look what remains is still within 20 % of what a total leaves. */
function massNear(distribution: Distribution, sec: number, elapsedSec: number): number {
  const left = Math.max(0, sec - elapsedSec);
  return massWithin(distribution, elapsedSec + left / (1 + LASTING_TOLERANCE), elapsedSec + left / (1 - LASTING_TOLERANCE));
}

type Opinion = { distribution: Distribution; basis: Basis; lateAtSec?: number };

/** The distribution of the total: a distribution in, a distribution out at every step. */
function totalOf(base: Base, model: SourceModel | undefined, race: RaceState, place: Place | null, elapsedSec: number): Opinion {
  const own = base.support === 0 ? ownEstimate(race, place, elapsedSec) : null;
  let opinion: Opinion = own ?? { distribution: conditionOn(base.distribution, elapsedSec), basis: base.basis };
  if (model !== undefined && place !== null) opinion = withStage(opinion, model, race, place, elapsedSec, base);
  const total = withProducer(withProgress(opinion, base, model, race, elapsedSec), base, model, race, elapsedSec);
  return opinion.lateAtSec === undefined ? total : { ...total, lateAtSec: opinion.lateAtSec };
}

/** What earlier races did from the present state on, each voice as far as it is to be believed. */
function withStage(opinion: Opinion, model: SourceModel, race: RaceState, place: Place, elapsedSec: number, base: Base): Opinion {
  const mark = markOf(race.stages, race.started_at!, race.started_at! + 1000 * elapsedSec);
  const voices = voicesOf(model, race.title, place, elapsedSec, mark, distanceKm(race.metadata), opinion.distribution, 1 - massBelow(base.distribution, elapsedSec), quantile(base.distribution, 0.5));
  if (voices.length === 1) return opinion;
  // Where nothing has ended yet, what is under way knows better than a guess.
  const speaking = opinion.basis === 'bootstrap' ? voices.slice(1) : voices;
  const told: Opinion = { distribution: mix(speaking), basis: speaking !== voices || voices[0]!.weight < 0.5 ? 'stage' : opinion.basis };
  for (const { lateAtSec } of voices) if (lateAtSec !== undefined) told.lateAtSec = lateAtSec;
  return told;
}

/** Extrapolations of the reported progress, linear and by the title's curve, as far as their records beat the history's. */
function withProgress(opinion: Opinion, base: Base, model: SourceModel | undefined, race: RaceState, elapsedSec: number): Opinion {
  const report = race.progress_points.at(-1);
  if (report === undefined || race.started_at === null || report.progress < LEAST_PROGRESS || report.progress >= 100) return opinion;
  const reportSec = (report.at - race.started_at) / 1000;
  if (!(reportSec > 0)) return opinion;
  const known = model?.titles.get(race.title);
  const linearError = known !== undefined && known.linear.count > 0 ? known.linear.error : UNPROVEN_ERROR;
  const parts: Extrapolation[] = [extrapolated(reportSec, 100 / report.progress, linearError, elapsedSec)];
  const curve = model?.curves.get(race.title);
  const curved = curve === undefined ? null : curveError(curve, report.progress);
  if (curve !== undefined && curved !== null) parts.push(extrapolated(reportSec, 1 / Math.max(shareAt(curve, report.progress), LEAST_SHARE), curved, elapsedSec));
  return withRecords(opinion, historyErrorOf(base, known), parts, 'progress');
}

/** The producer's own estimate, its bias taken off, as far as its record beats the history's. */
function withProducer(opinion: Opinion, base: Base, model: SourceModel | undefined, race: RaceState, elapsedSec: number): Opinion {
  if (model === undefined || race.eta_sec === null || !(race.eta_sec > 0) || base.support === 0) return opinion;
  const saidAtSec = race.started_at === null ? 0 : Math.max(0, (race.field_at.eta - race.started_at) / 1000);
  const claims = model.claims.get(race.title) ?? model.claims.get('');
  const claim = claims === undefined ? null : readClaim(claims, race.eta_sec, race.eta_kind, saidAtSec);
  if (claim === null) return opinion;
  const distribution = conditionOn(bell(claim.totalSec, Math.max(LEAST_ERROR, claim.error)), elapsedSec);
  return withRecords(opinion, historyErrorOf(base, model.titles.get(race.title)), [{ distribution, error: claim.error }], 'client');
}

type Extrapolation = { readonly distribution: Distribution; readonly error: number };

function extrapolated(reportSec: number, factor: number, error: number, elapsedSec: number): Extrapolation {
  return { distribution: conditionOn(shiftBy(bell(reportSec * Math.max(factor - 1, 1e-3), Math.max(LEAST_ERROR, error)), reportSec), elapsedSec), error };
}

function historyErrorOf(base: Base, known: TitleModel | undefined): number {
  if (base.support === 0) return 2;
  return known !== undefined && known.history.count > 0 ? known.history.error : UNPROVEN_ERROR / 2;
}

/** Mixes by 1 / error squared; what the race has outlived says nothing. */
function withRecords(opinion: Opinion, historyError: number, parts: readonly Extrapolation[], basis: Basis): Opinion {
  const weightOf = (error: number) => 1 / (error ** 2 + 1e-6);
  const living = parts.filter(({ distribution }) => !distribution.overdue).map(({ distribution, error }) => ({ distribution, weight: weightOf(error) }));
  if (living.length === 0) return opinion;
  const own = weightOf(historyError);
  const others = living.reduce((sum, { weight }) => sum + weight, 0);
  return { distribution: mix([{ distribution: opinion.distribution, weight: own }, ...living]), basis: others > own ? basis : opinion.basis };
}

/** Without history: what the producer or its plan says. */
function ownEstimate(race: RaceState, place: Place | null, elapsedSec: number): Opinion | null {
  if (race.eta_sec !== null && race.eta_sec > 0) {
    const saidAtSec = race.started_at === null ? 0 : Math.max(0, (race.field_at.eta - race.started_at) / 1000);
    const totalSec = race.eta_kind === 'remaining' ? saidAtSec + race.eta_sec : race.eta_sec;
    return { distribution: conditionOn(bell(totalSec, UNPROVEN_ERROR / 2), elapsedSec), basis: 'client' };
  }
  const plannedSec = plannedTotal(race, place);
  return plannedSec === null ? null : { distribution: conditionOn(bell(plannedSec, UNPROVEN_ERROR / 2), elapsedSec), basis: 'plan' };
}

/** What the plan says the whole will take, once every stage of it has a length or the last an instant. */
function plannedTotal(race: RaceState, place: Place | null): number | null {
  const last = race.plan.at(-1);
  if (last === undefined) return null;
  if (last.planned_at !== null && race.started_at !== null && last.planned_at > race.started_at) return (last.planned_at - race.started_at) / 1000;
  if (race.plan.some(({ planned_sec }) => planned_sec === null)) return null;
  const lengths = race.plan.map(({ planned_sec }) => planned_sec!);
  const sum = lengths.reduce((a, b) => a + b, 0);
  // Ahead of or behind its plan, a race keeps the distance it has gained.
  const done = new Set(race.stages.filter(({ completed_at }) => completed_at !== null).map(({ name }) => name));
  const ahead = race.plan.reduce((left, { name, planned_sec }) => (done.has(name) ? left : left + planned_sec!), 0);
  const total = done.size > 0 && place !== null ? place.entrySec + ahead : sum;
  return total > 0 ? total : null;
}

/** Of a race that has ended and took so long. */
export function exactForecast(race: RaceState, sec: number): Forecast {
  return {
    etaSec: sec, p10Sec: sec, p25Sec: sec, p50Sec: sec, p75Sec: sec, p90Sec: sec, confidence: 1, basis: 'exact', clusterId: null, clusterVersion: null,
    deadlineProbability: race.deadline_at === null || race.completed_at === null ? null : Number(race.completed_at <= race.deadline_at),
    overdue: false, lateAtSec: null, lossOfPublished: 0, shown: { sec, gain: 0 }, beside: () => [], nextAtMs: null, milestones: () => milestonesOf(undefined, race, null, race.completed_at ?? race.last_at),
  };
}
