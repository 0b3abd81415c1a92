import type { Transition } from './course.ts';
import { conditionOn, distributionOf, massWithin, quantile, shiftBy, type Distribution } from './distribution.ts';
import type { FinishedRace } from './history-record.ts';
import { contextKey, LIMITS, touch, VISIT, VOICE_WEIGHTS, type SourceModel } from './model.ts';
import { cell, type Ring } from './ring.ts';
import { likeness, type Place } from './stages.ts';

/**
 * Who speaks during the life of a race. `history`: the forecast at submission, conditioned on the age. `state`: what
 * remained when earlier races of the title came to the same state (annotated transition system: van der Aalst et al.
 * 2011). `relative`: the same as a share of what was expected of them. `source`: so, across titles.
 */
const VOICE = { history: 0, state: 1, relative: 2, source: 3 } as const;
const BUCKETS = 5;
/** Log of what a voice starts with. */
const PRIOR = [0, 1, 0, -1];
const RATE_STATE = 0.1;
const RATE_SOURCE = 0.05;
const FORGET_STATE = 0.01;
const FORGET_SOURCE = 0.0005;
const MOST_GAIN = 6;
const DENSITY_FLOOR = 0.02;
/** A voice is right when what remained lies within this factor of what it says, in log. */
const JUDGED_WIDTH = 0.15;
/** Shares of its life at which a finished race judges the voices. */
const JUDGED_AT = [0.08, 0.25, 0.45, 0.65, 0.85];
/** Fewer visits than this and the state says nothing. */
const LEAST_VISITS = 2;

export type Voice = { readonly distribution: Distribution; readonly weight: number };
type Speaking = { readonly voice: number; readonly bucket: number; readonly distribution: Distribution };

/**
 * The voices with their weights (summing to 1), the history first; alone when no race has been in this state.
 * @param history T given T > elapsedSec. @param expectedSec what was expected of the race at submission.
 */
export function voicesOf(model: SourceModel, title: string, place: Place, elapsedSec: number, history: Distribution, expectedSec: number): Voice[] {
  const speaking = speakingOf(model, title, place, elapsedSec, history, expectedSec);
  if (speaking.length === 1) return [{ distribution: history, weight: 1 }];
  const weights = weightsOf(model, contextKey(title, place.state), speaking);
  return speaking.map(({ distribution }, i) => ({ distribution, weight: weights[i]! }));
}

function speakingOf(model: SourceModel, title: string, place: Place, elapsedSec: number, history: Distribution, expectedSec: number): Speaking[] {
  const speaking: Speaking[] = [{ voice: VOICE.history, bucket: BUCKETS - 1, distribution: history }];
  if (place.stage === null) return speaking;
  const ageSec = elapsedSec - place.entrySec;
  const add = (voice: number, ring: Ring | undefined, scaledTo: number | null) => {
    if (ring === undefined) return;
    const found = fromVisits(ring, place.entrySec, ageSec, scaledTo);
    if (found === null) return;
    speaking.push({ voice, bucket: bucketOf(found.support), distribution: conditionOn(shiftBy(found.distribution, place.entrySec), elapsedSec) });
  };
  const own = model.states.get(contextKey(title, place.state));
  add(VOICE.state, own, null);
  add(VOICE.relative, own, expectedSec);
  add(VOICE.source, model.states.get(contextKey('', place.state)), expectedSec);
  return speaking;
}

type Visited = { readonly distribution: Distribution; readonly support: number };

/** What remained after visits that lasted as long as this one has, by likeness. @param scaledTo what to scale them to, null = as they were. */
function fromVisits(ring: Ring, entrySec: number, ageSec: number, scaledTo: number | null): Visited | null {
  const seconds: number[] = [];
  const weights: number[] = [];
  let sum = 0;
  let squares = 0;
  for (let row = 0; row < ring.size; row++) {
    const scale = scaledTo === null ? 1 : scaledTo / cell(ring, row, VISIT.expectedSec);
    if (scale * cell(ring, row, VISIT.sojournSec) < ageSec) continue;
    const weight = likeness(entrySec, scale * cell(ring, row, VISIT.entrySec), ring.size - 1 - row);
    seconds.push(scale * cell(ring, row, VISIT.remainingSec));
    weights.push(weight);
    sum += weight;
    squares += weight * weight;
  }
  if (seconds.length < LEAST_VISITS) return null;
  return { distribution: conditionOn(distributionOf(seconds, weights), ageSec), support: (sum * sum) / squares };
}

function bucketOf(support: number): number {
  if (support >= 15) return 4;
  if (support >= 6) return 3;
  if (support >= 3) return 2;
  return support >= 1.5 ? 1 : 0;
}

function weightsOf({ voices }: SourceModel, state: string, speaking: readonly Speaking[]): number[] {
  const own = voices.get(state);
  const anywhere = voices.get('');
  const weights = speaking.map(({ voice, bucket }) => {
    const at = voice * BUCKETS + bucket;
    return Math.exp(PRIOR[voice]! + (own?.[at] ?? 0) + (anywhere?.[at] ?? 0));
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
    const speaking = speakingOf(model, title, place, elapsedSec, conditionOn(expected, elapsedSec), expectedSec);
    if (speaking.length > 1) judge(model, contextKey(title, place.state), speaking, elapsedSec, duration_sec - elapsedSec);
  }
}

function judge(model: SourceModel, state: string, speaking: readonly Speaking[], elapsedSec: number, remainingSec: number): void {
  const weights = weightsOf(model, state, speaking);
  const [low, high] = [elapsedSec + remainingSec * Math.exp(-JUDGED_WIDTH), elapsedSec + remainingSec * Math.exp(JUDGED_WIDTH)];
  const masses = speaking.map(({ distribution }) => DENSITY_FLOOR + massWithin(distribution, low, high));
  const mixed = masses.reduce((sum, mass, i) => sum + mass * weights[i]!, 0);
  const anywhere = touch(model.voices, '', LIMITS.voices, () => new Float32Array(VOICE_WEIGHTS));
  const own = touch(model.voices, state, LIMITS.voices, () => new Float32Array(VOICE_WEIGHTS));
  speaking.forEach(({ voice, bucket }, i) => {
    const at = voice * BUCKETS + bucket;
    const gain = Math.min(Math.max(masses[i]! / mixed - 1, -1), MOST_GAIN);
    anywhere[at] = anywhere[at]! * (1 - FORGET_SOURCE) + RATE_SOURCE * gain;
    own[at] = own[at]! * (1 - FORGET_STATE) + RATE_STATE * gain;
  });
}
