import { chainDistribution, chainForecast, chainMass, distanceKm, markOf, type Chained, type Mark } from './chains.ts';
import type { Transition } from './course.ts';
import { blendLogs, conditionOn, isSpent, kernelBelow, massAfter, massBelow, quantile, shiftBy, tailFrom, tailMass, type Distribution } from './distribution.ts';
import type { FinishedRace } from './history-record.ts';
import { joinedText } from './joined-text.ts';
import { contextKey, LIMITS, VISIT, VOICES, type SourceModel } from './model.ts';
import type { Ring } from './ring.ts';
import { entryLog, likenessAt, RECENCY, type Place } from './stages.ts';
import { touch } from './touch.ts';

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
/** Shares of its life at which a finished race judges the voices: every other one, races taking turns. */
const JUDGED_AT = [[0.002, 0.25, 0.65], [0.08, 0.45, 0.85]] as const;
/** Fewer visits than this and the state says nothing. */
const LEAST_VISITS = 2;
/** The history counts by the share of it that lasted as long, a state by how like its likest visit was; but for so much at least. */
const LEAST_BELIEF = 0.02;

/** Races that began within this share of a race's age from it began together with it. */
const TOGETHER = 0.01;

/** Of the newest finishes, the share that began together with a race of that age: they ended first because they were fast. */
function togetherRatio({ finishes }: SourceModel, startedAtMs: number, elapsedSec: number): number {
  const withinMs = 1000 * TOGETHER * elapsedSec;
  let count = 0;
  for (const finish of finishes) if (Math.abs(finish.startedAtMs - startedAtMs) <= withinMs) count += 1;
  return count / Math.max(1, finishes.length);
}

/** `lateAtSec`: the age at which the present leg will be late, of a voice that knows. */
export type Voice = { readonly distribution: Distribution; readonly weight: number; readonly lateAtSec?: number };

/** Visits that speak, as a part of `samples`: what remained after the entry, by likeness. */
type Visited = { readonly from: number; readonly to: number; readonly weight: number; readonly likest: number; readonly support: number; readonly left: number };
/** Of the voices but the history, one of `visited` and `chain` is there. */
type Speaking = { readonly voice: number; readonly bucket: number; readonly belief: number; readonly visited: Visited | null; readonly chain: Chained | null };

// One forecast at a time: filled by `speakingOf`, read before the next.
const MOST_SAMPLES = 3 * LIMITS.visits;
const samples = { used: 0, logs: new Float64Array(MOST_SAMPLES), weights: new Float64Array(MOST_SAMPLES) };
const blended = new Float64Array(MOST_SAMPLES);

/**
 * The voices with their weights (summing to 1), the history first, then all visits as one; the history alone when no race
 * has been in this state. O(visits + bins).
 * @param history T given T > elapsedSec. @param survival the share of it that lasted so long, 0..1. @param expectedSec what was expected of the race at submission.
 */
export function voicesOf(model: SourceModel, title: string, place: Place, elapsedSec: number, mark: Mark, totalKm: number | null, history: Distribution, survival: number, expectedSec: number): Voice[] {
  const speaking = speakingOf(model, title, place, elapsedSec, mark, totalKm, survival, expectedSec);
  if (speaking.length === 1) return [{ distribution: history, weight: 1 }];
  const weights = weightsOf(model, scopesOf(title, place, elapsedSec, expectedSec), speaking);
  const ageSec = elapsedSec - place.entrySec;
  const voices: Voice[] = [{ distribution: history, weight: weights[0]! }];
  let count = 0;
  let weightOfVisits = 0;
  for (let v = 1; v < speaking.length; v++) {
    const { visited, chain } = speaking[v]!;
    const weight = weights[v]!;
    if (chain !== null) voices.push({ distribution: chainDistribution(chain), weight, lateAtSec: chain.lateAtSec });
    else if (ageSec > 0 && isSpent(visited!.left)) voices.push({ distribution: shiftBy(tailFrom(ageSec), place.entrySec), weight });
    else {
      // Smoothing and mixing commute, so the visits of all voices are smoothed at once: each by what is left of it.
      const share = weight / (visited!.weight * visited!.left);
      for (let i = visited!.from; i < visited!.to; i++, count++) {
        blended[count] = share * samples.weights[i]!;
        samples.logs[count] = samples.logs[i]!;
      }
      weightOfVisits += weight;
    }
  }
  if (count > 0) voices.push({ distribution: conditionOn(shiftBy(blendLogs(samples.logs, blended, count), place.entrySec), elapsedSec), weight: weightOfVisits });
  return voices;
}

function speakingOf(model: SourceModel, title: string, place: Place, elapsedSec: number, mark: Mark, totalKm: number | null, survival: number, expectedSec: number): Speaking[] {
  // Who began together and has ended tells of the fast ones only; legs tell of all.
  const trust = Math.max(LEAST_BELIEF, 1 - togetherRatio(model, place.atMs - 1000 * place.entrySec, elapsedSec)) ** 2;
  const speaking: Speaking[] = [{ voice: VOICE.history, bucket: START.length - 1, belief: trust * Math.max(LEAST_BELIEF, survival), visited: null, chain: null }];
  if (place.stage === null) return speaking;
  const ageSec = elapsedSec - place.entrySec;
  samples.used = 0;
  const add = (voice: number, ring: Ring | undefined, scaledTo: number | null) => {
    const visited = ring === undefined ? null : visitsLike(ring, place.entrySec, ageSec, scaledTo);
    if (visited !== null) speaking.push({ voice, bucket: bucketOf(visited.support), belief: trust * Math.max(LEAST_BELIEF, visited.likest), visited, chain: null });
  };
  const own = model.states.get(contextKey(title, place.state));
  add(VOICE.state, own, null);
  add(VOICE.relative, own, expectedSec);
  add(VOICE.source, model.states.get(contextKey('', place.state)), expectedSec);
  const chain = chainForecast(model, title, mark, elapsedSec, totalKm);
  if (chain !== null) speaking.push({ voice: VOICE.chain, bucket: bucketOf(chain.count), belief: 1, visited: null, chain });
  return speaking;
}

/** Visits that lasted as long as this one has. @param scaledTo the total to scale them to, null = as they were. */
function visitsLike({ values, width, size }: Ring, entrySec: number, ageSec: number, scaledTo: number | null): Visited | null {
  const { logs, weights } = samples;
  const from = samples.used;
  const ageLog = Math.log(ageSec);
  const here = entryLog(entrySec);
  const scaledToLog = scaledTo === null ? 0 : Math.log(scaledTo);
  let to = from;
  let weight = 0;
  let squares = 0;
  let likest = 0;
  let gone = 0;
  for (let row = size - 1, age = 0; row >= 0; row--, age++) {
    const at = row * width;
    const scaleLog = scaledTo === null ? 0 : scaledToLog - values[at + VISIT.expectedLog]!;
    if (scaleLog + values[at + VISIT.sojournLog]! < ageLog) continue;
    const like = likenessAt(scaleLog + values[at + VISIT.entryLog]! - here);
    const counts = like * RECENCY[age]!;
    const log = scaleLog + values[at + VISIT.remainingLog]!;
    if (like > likest) likest = like;
    logs[to] = log;
    weights[to] = counts;
    to += 1;
    weight += counts;
    squares += counts * counts;
    gone += counts * kernelBelow(ageLog - log);
  }
  if (to - from < LEAST_VISITS) return null;
  samples.used = to;
  return { from, to, weight, likest, support: (weight * weight) / squares, left: 1 - gone / weight };
}

/** Visits that tell the usual course, and how many of them at least. */
const USUAL_VISITS = 16;
const LEAST_USUAL = 5;

/** The total of the newest races of the title that came into this state, by likeness of their age then; null = too few. O(1). */
export function usualTotalSec({ states }: SourceModel, title: string, { stage, state, entrySec }: Place): number | null {
  const ring = stage === null ? undefined : states.get(contextKey(title, state));
  if (ring === undefined || ring.size < LEAST_USUAL) return null;
  const { values, width, size } = ring;
  const here = entryLog(entrySec);
  let weight = 0;
  let sum = 0;
  for (let age = 0; age < Math.min(size, USUAL_VISITS); age++) {
    const at = (size - 1 - age) * width;
    const counts = likenessAt(values[at + VISIT.entryLog]! - here) * RECENCY[age]!;
    weight += counts;
    sum += counts * values[at + VISIT.remainingLog]!;
  }
  return entrySec + Math.exp(sum / weight);
}

/** P(low < what remains after the entry <= high | it is more than ageSec). */
function massOfVisits({ from, to, weight, left }: Visited, ageSec: number, low: number, high: number): number {
  if (ageSec > 0 && isSpent(left)) return tailMass(ageSec, low, high);
  const [lowLog, highLog] = [Math.log(low), Math.log(high)];
  let mass = 0;
  for (let i = from; i < to; i++) {
    const log = samples.logs[i]!;
    mass += samples.weights[i]! * (kernelBelow(highLog - log) - kernelBelow(lowLog - log));
  }
  return mass / (weight * left);
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
  return { isYoung, own: contextKey(title, joinedText(state, age)), anywhere: age };
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
 * have spoken then with what is known now. Their masses follow from samples and the kernel: no distribution is made.
 * @param expected the forecast at submission.
 */
export function judgeVoices(model: SourceModel, race: FinishedRace, transitions: readonly Transition[], expected: Distribution): void {
  const { started_at, title, duration_sec } = race;
  const expectedSec = quantile(expected, 0.5);
  const totalKm = distanceKm([{ key: 'distance_km', value: race.metadata['distance_km'] ?? null }]);
  let next = 0;
  for (const share of JUDGED_AT[model.taught % 2 === 0 ? 0 : 1]) {
    const elapsedSec = share * duration_sec;
    const nowMs = started_at + 1000 * elapsedSec;
    while (next < transitions.length && transitions[next]!.atMs <= nowMs) next += 1;
    const last = transitions[next - 1];
    if (last === undefined) continue;
    const place: Place = { state: last.state, stage: last.stage, entrySec: (last.atMs - started_at) / 1000, atMs: last.atMs };
    const speaking = speakingOf(model, title, place, elapsedSec, markOf(race.stages, started_at, nowMs), totalKm, 1 - massBelow(expected, elapsedSec), expectedSec);
    if (speaking.length === 1) continue;
    const remainingSec = duration_sec - elapsedSec;
    const [low, high] = [elapsedSec + remainingSec * Math.exp(-JUDGED_WIDTH), elapsedSec + remainingSec * Math.exp(JUDGED_WIDTH)];
    const masses = speaking.map(({ visited, chain }) => {
      if (chain !== null) return DENSITY_FLOOR + chainMass(chain, low, high);
      if (visited === null) return DENSITY_FLOOR + massAfter(expected, elapsedSec, low, high);
      return DENSITY_FLOOR + massOfVisits(visited, elapsedSec - place.entrySec, low - place.entrySec, high - place.entrySec);
    });
    judge(model, scopesOf(title, place, elapsedSec, expectedSec), speaking, masses, 1 - hindsightRatio(model, race, nowMs));
  }
}

/** Of the newest finishes, the share that began together with a race and was not known yet at an instant of its life: what rests on them judges with hindsight. */
function hindsightRatio({ finishes }: SourceModel, { started_at, duration_sec }: FinishedRace, atMs: number): number {
  const withinMs = 1000 * TOGETHER * duration_sec;
  const count = finishes.reduce((sum, { startedAtMs, completedAtMs }) => sum + Number(completedAtMs > atMs && Math.abs(startedAtMs - started_at) <= withinMs), 0);
  return count / Math.max(1, finishes.length);
}

function judge(model: SourceModel, scopes: Scopes, speaking: readonly Speaking[], masses: readonly number[], share: number): void {
  if (share === 0) return;
  const weights = weightsOf(model, scopes, speaking);
  const mixed = masses.reduce((sum, mass, i) => sum + mass * weights[i]!, 0);
  const anywhere = touch(model.voices, scopes.anywhere, LIMITS.voices, () => new Float32Array(VOICES));
  const own = touch(model.voices, scopes.own, LIMITS.voices, () => new Float32Array(VOICES));
  speaking.forEach(({ voice }, i) => {
    const gain = share * Math.min(Math.max(masses[i]! / mixed - 1, -1), MOST_GAIN);
    anywhere[voice] = anywhere[voice]! * (1 - FORGET_SOURCE) + RATE_SOURCE * gain;
    own[voice] = own[voice]! * (1 - FORGET_STATE) + RATE_STATE * gain;
  });
}
