import { chainForecast, distanceKm, markOf, type Mark } from './chains.ts';
import type { Transition } from './course.ts';
import { conditionOn, distributionOf, massBelow, massWithin, quantile, shiftBy, type Distribution } from './distribution.ts';
import type { FinishedRace } from './history-record.ts';
import { contextKey, LIMITS, touch, VISIT, VOICES, type SourceModel } from './model.ts';
import { cell, type Ring } from './ring.ts';
import { likeness, type Place } from './stages.ts';

/**
 * Who speaks during the life of a race. `history`: the forecast at submission, conditioned on the age. `state`: what
 * remained when earlier races of the title came to the same state (annotated transition system: van der Aalst et al.
 * 2011). `relative`: the same as a share of what was expected of them. `source`: so, across titles. `chain`: the sum of the legs
 * ahead, learned from races still running, too.
 */
const VOICE = { history: 0, state: 1, relative: 2, source: 3, chain: 4 } as const;
/** What a voice with a support of about 1, 2, 3-5, 6-14, 15+ races counts. */
const START = [0.2, 0.5, 0.8, 1, 1];
/** Log of what a voice starts with. */
const PRIOR = [0, 1, 0, -1, -1];
/** Younger than this share of what was expected, a race has only begun; what other voices than the history then lose, log. */
const YOUNG_RATIO = 0.01;
const YOUNG_PRIOR = -2.5;
const RATE_STATE = 0.1;
const RATE_SOURCE = 0.05;
const FORGET_STATE = 0.01;
const FORGET_SOURCE = 0.0005;
const MOST_GAIN = 6;
const DENSITY_FLOOR = 0.02;
/** A voice is right when what remained lies within this factor of what it says, in log. */
const JUDGED_WIDTH = 0.15;
/** Shares of its life at which a finished race judges the voices. */
const JUDGED_AT = [0.002, 0.08, 0.25, 0.45, 0.65, 0.85];
/** Fewer visits than this and the state says nothing. */
const LEAST_VISITS = 2;
/** The history counts by the share of it that lasted as long, a state by how like its likest visit was; but for so much at least. */
const LEAST_BELIEF = 0.02;

/** Races that began within this share of a race's age from it began together with it. */
const TOGETHER = 0.01;

/** Of the newest finishes, the share that began together with a race of that age: they ended first because they were fast. */
function togetherRatio({ finishes }: SourceModel, startedAtMs: number, elapsedSec: number): number {
  const withinMs = 1000 * TOGETHER * elapsedSec;
  const count = finishes.reduce((sum, finish) => sum + Number(Math.abs(finish.startedAtMs - startedAtMs) <= withinMs), 0);
  return count / Math.max(1, finishes.length);
}

export type Voice = { readonly distribution: Distribution; readonly weight: number };
type Speaking = { readonly voice: number; readonly bucket: number; readonly belief: number; readonly distribution: Distribution };

/**
 * The voices with their weights (summing to 1), the history first; alone when no race has been in this state.
 * @param history T given T > elapsedSec. @param survival the share of it that lasted so long, 0..1. @param expectedSec what was expected of the race at submission.
 */
export function voicesOf(model: SourceModel, title: string, place: Place, elapsedSec: number, mark: Mark, totalKm: number | null, history: Distribution, survival: number, expectedSec: number): Voice[] {
  const speaking = speakingOf(model, title, place, elapsedSec, mark, totalKm, history, survival, expectedSec);
  if (speaking.length === 1) return [{ distribution: history, weight: 1 }];
  const weights = weightsOf(model, scopesOf(title, place, elapsedSec, expectedSec), speaking);
  return speaking.map(({ distribution }, i) => ({ distribution, weight: weights[i]! }));
}

function speakingOf(model: SourceModel, title: string, place: Place, elapsedSec: number, mark: Mark, totalKm: number | null, history: Distribution, survival: number, expectedSec: number): Speaking[] {
  // Who began together and has ended tells of the fast ones only; legs tell of all.
  const trust = Math.max(LEAST_BELIEF, 1 - togetherRatio(model, place.atMs - 1000 * place.entrySec, elapsedSec)) ** 2;
  const speaking: Speaking[] = [{ voice: VOICE.history, bucket: START.length - 1, belief: trust * Math.max(LEAST_BELIEF, survival), distribution: history }];
  if (place.stage === null) return speaking;
  const ageSec = elapsedSec - place.entrySec;
  const add = (voice: number, ring: Ring | undefined, scaledTo: number | null) => {
    if (ring === undefined) return;
    const found = fromVisits(ring, place.entrySec, ageSec, scaledTo);
    if (found === null) return;
    speaking.push({ voice, bucket: bucketOf(found.support), belief: trust * Math.max(LEAST_BELIEF, found.likest), distribution: conditionOn(shiftBy(found.distribution, place.entrySec), elapsedSec) });
  };
  const own = model.states.get(contextKey(title, place.state));
  add(VOICE.state, own, null);
  add(VOICE.relative, own, expectedSec);
  add(VOICE.source, model.states.get(contextKey('', place.state)), expectedSec);
  const chain = chainForecast(model, title, mark, totalKm);
  if (chain !== null) speaking.push({ voice: VOICE.chain, bucket: bucketOf(chain.count), belief: 1, distribution: conditionOn(chain.distribution, elapsedSec) });
  return speaking;
}

type Visited = { readonly distribution: Distribution; readonly support: number; readonly likest: number };

/** What remained after visits that lasted as long as this one has, by likeness. @param scaledTo what to scale them to, null = as they were. */
function fromVisits(ring: Ring, entrySec: number, ageSec: number, scaledTo: number | null): Visited | null {
  const seconds: number[] = [];
  const weights: number[] = [];
  let sum = 0;
  let squares = 0;
  let likest = 0;
  for (let row = 0; row < ring.size; row++) {
    const scale = scaledTo === null ? 1 : scaledTo / cell(ring, row, VISIT.expectedSec);
    if (scale * cell(ring, row, VISIT.sojournSec) < ageSec) continue;
    const otherSec = scale * cell(ring, row, VISIT.entrySec);
    const weight = likeness(entrySec, otherSec, ring.size - 1 - row);
    likest = Math.max(likest, likeness(entrySec, otherSec, 0));
    seconds.push(scale * cell(ring, row, VISIT.remainingSec));
    weights.push(weight);
    sum += weight;
    squares += weight * weight;
  }
  if (seconds.length < LEAST_VISITS) return null;
  return { distribution: conditionOn(distributionOf(seconds, weights), ageSec), support: (sum * sum) / squares, likest };
}

function bucketOf(support: number): number {
  if (support >= 15) return 4;
  if (support >= 6) return 3;
  if (support >= 3) return 2;
  return support >= 1.5 ? 1 : 0;
}

/** Where weights are kept: for the state, and for any state of the source. */
type Scopes = { readonly isYoung: boolean; readonly own: string; readonly anywhere: string };

/** A race that has only begun is another matter: then its stages say little and its metadata much. */
function scopesOf(title: string, { state }: Place, elapsedSec: number, expectedSec: number): Scopes {
  const isYoung = elapsedSec < YOUNG_RATIO * expectedSec;
  const age = isYoung ? 'young' : '';
  return { isYoung, own: contextKey(title, `${state}\n${age}`), anywhere: age };
}

function weightsOf({ voices }: SourceModel, scopes: Scopes, speaking: readonly Speaking[]): number[] {
  const own = voices.get(scopes.own);
  const anywhere = voices.get(scopes.anywhere);
  const weights = speaking.map(({ voice, bucket, belief }) => {
    return START[bucket]! * belief * Math.exp((scopes.isYoung && voice !== VOICE.history ? YOUNG_PRIOR : 0) + PRIOR[voice]! + (own?.[voice] ?? 0) + (anywhere?.[voice] ?? 0));
  });
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/**
 * Holds the voices against a race that has ended, at a few instants of its life spread evenly over it, as they would
 * have spoken then with what is known now. @param expected the forecast at submission.
 */
export function judgeVoices(model: SourceModel, race: FinishedRace, transitions: readonly Transition[], expected: Distribution): void {
  const { started_at, title, duration_sec } = race;
  const expectedSec = quantile(expected, 0.5);
  let next = 0;
  for (const share of JUDGED_AT) {
    const elapsedSec = share * duration_sec;
    while (next < transitions.length && transitions[next]!.atMs <= started_at + 1000 * elapsedSec) next += 1;
    const last = transitions[next - 1];
    if (last === undefined) continue;
    const place: Place = { state: last.state, stage: last.stage, entrySec: (last.atMs - started_at) / 1000, atMs: last.atMs };
    const mark = markOf(race.stages, started_at, started_at + 1000 * elapsedSec);
    const speaking = speakingOf(model, title, place, elapsedSec, mark, distanceKm(Object.entries(race.metadata)), conditionOn(expected, elapsedSec), 1 - massBelow(expected, elapsedSec), expectedSec);
    if (speaking.length > 1) judge(model, scopesOf(title, place, elapsedSec, expectedSec), speaking, elapsedSec, duration_sec - elapsedSec, 1 - hindsightRatio(model, race, started_at + 1000 * elapsedSec));
  }
}

/** Of the newest finishes, the share that began together with a race and was not known yet at an instant of its life: what rests on them judges with hindsight. */
function hindsightRatio({ finishes }: SourceModel, { started_at, duration_sec }: FinishedRace, atMs: number): number {
  const withinMs = 1000 * TOGETHER * duration_sec;
  const count = finishes.reduce((sum, { startedAtMs, completedAtMs }) => sum + Number(completedAtMs > atMs && Math.abs(startedAtMs - started_at) <= withinMs), 0);
  return count / Math.max(1, finishes.length);
}

function judge(model: SourceModel, scopes: Scopes, speaking: readonly Speaking[], elapsedSec: number, remainingSec: number, share: number): void {
  if (share === 0) return;
  const weights = weightsOf(model, scopes, speaking);
  const [low, high] = [elapsedSec + remainingSec * Math.exp(-JUDGED_WIDTH), elapsedSec + remainingSec * Math.exp(JUDGED_WIDTH)];
  const masses = speaking.map(({ distribution }) => DENSITY_FLOOR + massWithin(distribution, low, high));
  const mixed = masses.reduce((sum, mass, i) => sum + mass * weights[i]!, 0);
  const anywhere = touch(model.voices, scopes.anywhere, LIMITS.voices, () => new Float32Array(VOICES));
  const own = touch(model.voices, scopes.own, LIMITS.voices, () => new Float32Array(VOICES));
  speaking.forEach(({ voice }, i) => {
    const gain = share * Math.min(Math.max(masses[i]! / mixed - 1, -1), MOST_GAIN);
    anywhere[voice] = anywhere[voice]! * (1 - FORGET_SOURCE) + RATE_SOURCE * gain;
    own[voice] = own[voice]! * (1 - FORGET_STATE) + RATE_STATE * gain;
  });
}
