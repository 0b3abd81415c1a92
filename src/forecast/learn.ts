import { createJourneyModel, learnPassage } from '../journey/model.ts';
import { learnCalibration } from './calibrate.ts';
import { learnLastLeg, learnLeg } from './chains.ts';
import { doneState, stageKey, transitionsOf, type Transition } from './course.ts';
import { placeOfRace, taughtBeside, type Clustering, type FindModel } from './clusterings.ts';
import type { FinishedRace, HistoryRecord, StageFacts } from './history-record.ts';
import { conditionOn, logSec, massBelow, quantile } from './distribution.ts';
import { forgetRace } from './forget.ts';
import { forgetBase } from './history-base.ts';
import { blend, learnMixture } from './blend.ts';
import type { Subject } from './contexts.ts';
import { contextKey, createTitleModel, DURATION, LEG, LIMITS, ORDINALS, VISIT, type SourceModel, type TitleModel, type Track } from './model.ts';
import { endOverdue, learnOverdue, overtake } from './overdue.ts';
import { createClaims, learnClaims } from './producer-eta.ts';
import { createCurve, learnCurve } from './progress-curve.ts';
import { cell, createRing, pushRow, type Ring } from './ring.ts';
import { withScratch } from './scratch.ts';
import { entryLog } from './stages.ts';
import { learnSwap } from './swap.ts';
import { legTag, noteTaught } from './taught-races.ts';
import { touch } from './touch.ts';
import { judgeVoices } from './voices.ts';
import { sortedEntries } from '../race/metadata.ts';

/** A stale start needs a day at least and this many times what nine of ten runs take. Chosen, not tuned. */
const STALE_LEAST_SEC = 86_400;
const STALE_FACTOR = 30;
const STALE_SUPPORT = 5;
/** Without history to compare with: half a year. */
const STALE_UNKNOWN_SEC = 180 * 86_400;
/** So many suspects one after another (each started after the one before had ended) are a change, not stale starts. */
const SUSPECTS_BELIEVED = 3;
/** A censored race teaches when this share of what was expected has ended sooner. Chosen, not tuned. */
const CENSORED_IS_NEWS = 0.75;
const TRACK_FORGETS = 0.1;
/** Progress below this says nothing about time yet, percent. */
export const LEAST_PROGRESS = 10;

/**
 * Folds one record of race-history into the model of its source, in place. Deterministic: depends on the model and
 * the record alone. Passed and failed races teach; canceled and abandoned ones only that the race would have
 * lasted longer, and corrections, empty durations and stale starts nothing. A race that is forgotten takes its
 * samples with it. Cost of a finished race: O(stages log stages), 100 µs in the standard mix of the benchmarks; of
 * forgetting one O(samples of the source).
 * @param findModel cluster models by version: must give the same to every instance when a swap is folded.
 */
export function learn(model: SourceModel, record: HistoryRecord, findModel: FindModel = () => undefined): void {
  switch (record.kind) {
    case 'FinishedRace': return withScratch(() => learnRace(model, record.value));
    case 'StageFacts': return learnLegs(model, record.value);
    case 'OverdueRace': return learnOverdue(model, record.value);
    case 'ModelSwap': return learnSwap(model, record.value, findModel);
    case 'Forget': return forgetRace(model, record.value.race_id);
  }
}

function learnRace(model: SourceModel, race: FinishedRace): void {
  const { duration_sec: sec, outcome, title } = race;
  forgetBase(model, race.race_id);
  endOverdue(model, title, race.race_id);
  if (race.correction || !(sec > 0)) return;
  if (outcome !== 'passed' && outcome !== 'failed') return learnCensored(model, race);
  const known = touch(model.titles, title, LIMITS.titles, createTitleModel);
  if (isStale(model, known, race)) {
    model.stale += 1;
    return;
  }
  overtake(model, known, title, race.started_at);
  noteTaught(model.races, race.race_id);
  const row = [sec, outcome === 'failed' ? 1 : 0, model.taught % ORDINALS];
  learnTrack(known, race);
  learnCalibration(model.calibration, race);
  if (race.progress_points.length > 0) learnCurve(touch(model.curves, title, LIMITS.curves, createCurve), race.progress_points, race.started_at, race.completed_at);
  if (race.client_eta_sec !== null) for (const key of ['', title]) learnClaims(touch(model.claims, key, LIMITS.claims, createClaims), race);
  pushRow(known.durations, row);
  pushRow(model.durations, row);
  const subject = withClusters(model, subjectOf(race));
  const transitions = transitionsOf(race.stages, race.started_at, race.completed_at);
  let expectedSec = sec;
  learnMixture(model.mixture, subject, sec, outcome === 'passed', transitions.length === 0 ? undefined : (expected) => {
    expectedSec = quantile(expected, 0.5);
    judgeVoices(model, race, transitions, expected);
  });
  model.taught += 1;
  model.finishes.push({ startedAtMs: race.started_at, completedAtMs: race.completed_at });
  if (model.finishes.length > LIMITS.finishes) model.finishes.shift();
  learnCourse(model, known, race, transitions, expectedSec);
}

/**
 * A race that was canceled or abandoned would have lasted longer, T > t. Where that is news (most like it end sooner) it
 * counts as the median of what is expected of T given T > t; else it says nothing.
 */
function learnCensored(model: SourceModel, race: FinishedRace): void {
  const { duration_sec: sec, title } = race;
  const known = model.titles.get(title);
  if (known === undefined || isSuspect(model, known, sec)) return;
  const subject = subjectOf(race);
  const likelySec = withScratch(() => {
    const expected = blend(model.mixture, subject)?.distribution;
    return expected === undefined || massBelow(expected, sec) < CENSORED_IS_NEWS ? null : quantile(conditionOn(expected, sec), 0.5);
  });
  if (likelySec === null) return;
  noteTaught(model.races, race.race_id);
  learnMixture(model.mixture, subject, likelySec, false);
  model.taught += 1;
}

function subjectOf({ title, started_at, metadata }: FinishedRace): Subject {
  return { title, startedAtMs: started_at, metadata: sortedEntries(metadata) };
}

function withClusters({ clusterings }: SourceModel, subject: Subject): Subject {
  const { active } = clusterings;
  const beside = taughtBeside(clusterings);
  if (active === null && beside.length === 0) return subject;
  const cellIn = (clustering: Clustering): number => placeOfRace(clustering, subject.title, subject.metadata)?.cell ?? 0;
  return { ...subject, cluster: active === null ? 0 : cellIn(active), trialClusters: beside.map(cellIn) };
}

/** A start that was never closed until long after (a re-run weeks later) is not a duration. */
function isStale(model: SourceModel, known: TitleModel, race: FinishedRace): boolean {
  if (!isSuspect(model, known, race.duration_sec)) {
    known.suspects = 0;
    return false;
  }
  // Stale starts are closed together by one re-run, so they overlap; longer runs for good follow one another.
  if (known.suspects === 0 || race.started_at >= known.suspectEndedAtMs) {
    known.suspects += 1;
    known.suspectEndedAtMs = race.completed_at;
  }
  return known.suspects < SUSPECTS_BELIEVED;
}

function isSuspect(model: SourceModel, known: TitleModel, sec: number): boolean {
  if (sec <= STALE_LEAST_SEC) return false;
  const ring = known.durations.size >= STALE_SUPPORT ? known.durations : model.durations;
  return sec > (ring.size >= STALE_SUPPORT ? STALE_FACTOR * orderStatistic(ring, 0.9) : STALE_UNKNOWN_SEC);
}

/** The smallest duration that a share `q` of the ring does not exceed. */
function orderStatistic(ring: Ring, q: number): number {
  const sorted = new Float32Array(ring.size);
  for (let row = 0; row < ring.size; row++) sorted[row] = cell(ring, row, DURATION.sec);
  sorted.sort();
  return sorted[Math.min(ring.size - 1, Math.floor(q * ring.size))]!;
}

/** Holds linear extrapolation of the reported progress against the truth, and the history's median beside it. */
function learnTrack(known: TitleModel, race: FinishedRace): void {
  const { started_at, completed_at, duration_sec, progress_points } = race;
  let sum = 0;
  let count = 0;
  for (const { at, progress } of progress_points) {
    if (progress < LEAST_PROGRESS || progress >= 100 || at <= started_at || at >= completed_at) continue;
    sum += Math.abs(Math.log(((at - started_at) * 100) / (1000 * progress * duration_sec)));
    count += 1;
  }
  if (count > 0) note(known.linear, sum / count);
  if ((count > 0 || race.client_eta_sec !== null) && known.durations.size > 0) note(known.history, Math.abs(Math.log(orderStatistic(known.durations, 0.5) / duration_sec)));
}

function note(track: Track, error: number): void {
  track.count += 1;
  track.error += (error - track.error) * Math.max(TRACK_FORGETS, 1 / track.count);
}

function learnCourse(model: SourceModel, known: TitleModel, race: FinishedRace, transitions: readonly Transition[], expectedSec: number): void {
  const { started_at, completed_at, title } = race;
  if (transitions.length === 0) return;
  const ordinal = model.taught % ORDINALS;
  transitions.forEach((transition, i) => {
    const entrySec = (transition.atMs - started_at) / 1000;
    const leftAtMs = transitions[i + 1]?.atMs ?? completed_at;
    const row = [
      ordinal, entrySec, entryLog(entrySec), Math.log((leftAtMs - transition.atMs) / 1000), logSec((completed_at - transition.atMs) / 1000), logSec(expectedSec),
    ];
    for (const context of [title, '']) {
      pushRow(touch(model.states, contextKey(context, transition.state), LIMITS.states, () => createRing(VISIT.width, LIMITS.visits)), row);
    }
  });
  if (race.outcome === 'passed') learnLastLeg(model, race);
  if (race.outcome === 'passed') known.order = orderOf(transitions);
}

function orderOf(transitions: readonly Transition[]): string[] {
  const ended = transitions.filter(({ state, stage }) => state === doneState(stage)).map(({ stage }) => stage);
  return [...new Set(ended)].slice(0, LIMITS.order);
}

function learnLegs(model: SourceModel, { facts }: StageFacts): void {
  for (const fact of facts) {
    learnLeg(model, fact);
    if (fact.passage) learnPassage((model.journeys ??= createJourneyModel()), fact.passage, fact.completed_at);
    const sec = (fact.completed_at - fact.started_at) / 1000;
    if (!(sec >= 0) || !(fact.elapsed_sec >= 0)) continue;
    const key = contextKey(fact.title, stageKey({ name: fact.stage, occurrence: fact.occurrence }));
    pushRow(touch(model.legs, key, LIMITS.legs, () => createRing(LEG.width, LIMITS.legSamples)), [sec, fact.elapsed_sec, legTag(fact.race_id)]);
  }
}
