import { stageKey } from './course.ts';
import { isSpent, kernelBelow, distributionOf, logSec, tailMass, type Distribution } from './distribution.ts';
import type { FinishedRace, StageFact } from './history-record.ts';
import { contextKey, LIMITS, touch, type SourceModel } from './model.ts';

/** Inputs of a leg's regression: one, log of the leg before, log of the age when it began. */
const INPUTS = 3;
export const LINK_NUMBERS = INPUTS + INPUTS * INPUTS + 3;
const [COVARIANCE, VARIANCE, COUNT, VOTES] = [INPUTS, INPUTS + INPUTS * INPUTS, INPUTS + INPUTS * INPUTS + 1, INPUTS + INPUTS * INPUTS + 2];
const PRIOR_VARIANCE = [1, 0.3, 0.3];
/** Before any race: a leg takes as long as the one before. */
const PRIOR = [0, 1, 0];
const MEMORY = 0.998;
const MOST_ERROR = 1;
/** A link says nothing before so many races. */
const LEAST_COUNT = 5;
const MOST_LEGS = 200;
/** Errors of the legs ahead go together: a slow runner stays slow. */
const SHARED = 1.3;
const LEAST_SPREAD = 0.01;
/** Where a race ends. */
const END = '';
const BELL = [-2, -1.2, -0.5, 0, 0.5, 1.2, 2];
const BELL_WEIGHTS = BELL.map((z) => Math.exp(-0.5 * z * z));
const BELL_WEIGHT = BELL_WEIGHTS.reduce((a, b) => a + b, 0);

/** From the end of one stage to that of the next: which is next, and how long that takes. */
export type Link = {
  next: string;
  /** Coefficients, their covariance, variance of the error, races, how sure it is which is next. */
  readonly numbers: Float64Array;
};

/** The end of a stage: which (`name#occurrence`; '' = the start), the race's age then, and since the stage before. */
export type Mark = { readonly stage: string; readonly elapsedSec: number; readonly legSec: number };

function createLink(): Link {
  const numbers = new Float64Array(LINK_NUMBERS);
  for (let i = 0; i < INPUTS; i++) {
    numbers[i] = PRIOR[i]!;
    numbers[COVARIANCE + i * INPUTS + i] = PRIOR_VARIANCE[i]!;
  }
  numbers[VARIANCE] = 0.1;
  return { next: END, numbers };
}

const inputs = new Float64Array(INPUTS);
const gains = new Float64Array(INPUTS);

function logOf(sec: number): number {
  return Math.log(Math.max(0, sec) + 1);
}

function predicted({ numbers }: Link, { elapsedSec, legSec }: Mark): number {
  inputs[0] = 1;
  inputs[1] = logOf(legSec);
  inputs[2] = logOf(elapsedSec);
  let sum = 0;
  for (let i = 0; i < INPUTS; i++) sum += numbers[i]! * inputs[i]!;
  return sum;
}

/** Learns one leg, of a race that may still be running: recursive least squares on logarithms, with forgetting. O(1). */
function learnLink(link: Link, next: string, from: Mark, sec: number): void {
  const { numbers } = link;
  if (link.next !== next) {
    if (numbers[VOTES]! > 0) {
      numbers[VOTES] = numbers[VOTES]! - 1;
      return;
    }
    link.next = next;
    numbers.set(createLink().numbers);
  }
  numbers[VOTES] = Math.min(20, numbers[VOTES]! + 1);
  const error = Math.min(Math.max(logOf(sec) - predicted(link, from), -MOST_ERROR), MOST_ERROR);
  let scale = MEMORY;
  for (let i = 0; i < INPUTS; i++) {
    let sum = 0;
    for (let j = 0; j < INPUTS; j++) sum += numbers[COVARIANCE + i * INPUTS + j]! * inputs[j]!;
    gains[i] = sum;
    scale += sum * inputs[i]!;
  }
  for (let i = 0; i < INPUTS; i++) {
    numbers[i] = numbers[i]! + (gains[i]! * error) / scale;
    for (let j = 0; j < INPUTS; j++) {
      const at = COVARIANCE + i * INPUTS + j;
      const value = (numbers[at]! - (gains[i]! * gains[j]!) / scale) / MEMORY;
      // What is never excited would grow without end by forgetting.
      numbers[at] = Math.min(Math.max(value, -1), 1);
    }
  }
  numbers[COUNT] = numbers[COUNT]! + 1;
  const rate = Math.max(0.02, 1 / (numbers[COUNT]! + 1));
  numbers[VARIANCE] = numbers[VARIANCE]! + rate * (error * error - numbers[VARIANCE]!);
}

/** A stage that ended, as a leg from the end of the one before. */
export function learnLeg({ chains }: SourceModel, fact: StageFact): void {
  const { previous_stage, previous_elapsed_sec, previous_leg_sec, elapsed_sec, title } = fact;
  const sec = elapsed_sec - previous_elapsed_sec;
  if (!(sec >= 0)) return;
  const from: Mark = { stage: previous_stage, elapsedSec: previous_elapsed_sec, legSec: previous_leg_sec };
  const next = stageKey({ name: fact.stage, occurrence: fact.occurrence });
  for (const scope of [title, '']) learnLink(touch(chains, contextKey(scope, previous_stage), LIMITS.chains, createLink), next, from, sec);
}

/** The last leg of a race: from its last stage to its end. */
export function learnLastLeg({ chains }: SourceModel, race: FinishedRace): void {
  const { started_at, completed_at, title } = race;
  const last = markOf(race.stages, started_at, completed_at - 1);
  if (last.stage === '') return;
  const sec = (completed_at - started_at) / 1000 - last.elapsedSec;
  for (const scope of [title, '']) learnLink(touch(chains, contextKey(scope, last.stage), LIMITS.chains, createLink), END, last, sec);
}

type EndedStage = { readonly name: string; readonly occurrence: number; readonly completed_at: number | null; readonly state: string };

/** The stage that ended last by an instant, and the leg it ended. O(stages). */
export function markOf(stages: readonly EndedStage[], startedAtMs: number, asOfMs: number): Mark {
  let last: EndedStage | null = null;
  let before = startedAtMs;
  for (const stage of stages) {
    const at = stage.completed_at;
    if (at === null || stage.state === 'skipped' || at < startedAtMs || at > asOfMs) continue;
    if (last === null || at >= last.completed_at!) {
      before = last?.completed_at ?? startedAtMs;
      last = stage;
    } else if (at > before) before = at;
  }
  if (last === null) return { stage: '', elapsedSec: 0, legSec: 0 };
  return { stage: stageKey(last), elapsedSec: (last.completed_at! - startedAtMs) / 1000, legSec: (last.completed_at! - before) / 1000 };
}

/** Times over a longer distance grow with this power of it (Riegel 1981, running); and what that is off by. */
const FATIGUE = 1.06;
const PACE_SPREAD = 0.08;
/** A distance at the end of a stage's name: "5-10km" ends at 10. */
const DISTANCE = /(\d{1,6}(?:\.\d{1,6})?)\s?(km|mi)(?:#\d+)?$/i;
const KM_OF_MILE = 1.609344;

/** How far a race goes, in kilometres, by its metadata (`distance_km`); null = not said. */
export function distanceKm(metadata: readonly { readonly key: string; readonly value: string | null }[]): number | null {
  for (const { key, value } of metadata) if (key === 'distance_km' && Number(value) > 0) return Number(value);
  return null;
}

function reachedKm(stage: string): number | null {
  const found = DISTANCE.exec(stage);
  return found === null ? null : Number(found[1]) * (found[2]!.toLowerCase() === 'mi' ? KM_OF_MILE : 1);
}

/** What is left where nobody has been yet, at the pace so far; null = distances are not known. */
function byPace({ stage, elapsedSec }: Mark, totalKm: number | null): number | null {
  const km = totalKm === null ? null : reachedKm(stage);
  if (totalKm === null || km === null || !(km > 0) || km >= totalKm) return null;
  return elapsedSec * ((totalKm / km) ** FATIGUE - 1);
}

/** What remains after a mark, in seconds (> 0), with its spread in log; `count` = races behind the least known link. */
export type Chained = { readonly from: Mark; readonly remainingSec: number; readonly spread: number; readonly count: number };

/** What remains by chaining the legs ahead, and from where they are unknown by the pace so far; null = neither is known. */
export function chainForecast({ chains }: SourceModel, title: string, from: Mark, totalKm: number | null): Chained | null {
  let mark = from;
  let variance = 0;
  let count = Infinity;
  for (let legs = 0; legs < MOST_LEGS; legs++) {
    const link = better(chains.get(contextKey(title, mark.stage)), chains.get(contextKey('', mark.stage)));
    if (link === null) {
      const leftSec = byPace(mark, totalKm);
      return leftSec === null ? null : around(from, mark.elapsedSec - from.elapsedSec + leftSec, variance + (PACE_SPREAD * leftSec) ** 2, LEAST_COUNT);
    }
    const sec = Math.max(0, Math.exp(predicted(link, mark)) - 1);
    if (!Number.isFinite(sec) || sec > 1e9) return null;
    variance += link.numbers[VARIANCE]! * sec * sec;
    count = Math.min(count, link.numbers[COUNT]!);
    mark = { stage: link.next, elapsedSec: mark.elapsedSec + sec, legSec: sec };
    if (link.next === END) return around(from, mark.elapsedSec - from.elapsedSec, variance, count);
  }
  return null;
}

function around(from: Mark, remainingSec: number, variance: number, count: number): Chained | null {
  return remainingSec > 0 ? { from, remainingSec, spread: Math.max(LEAST_SPREAD, (SHARED * Math.sqrt(variance)) / remainingSec), count } : null;
}

/** The total by a chain, as a distribution. */
export function chainDistribution({ from, remainingSec, spread }: Chained): Distribution {
  return distributionOf(BELL.map((z) => from.elapsedSec + remainingSec * Math.exp(z * spread)), BELL_WEIGHTS);
}

/** P(low < T <= high | T > elapsedSec) by a chain, without its distribution; low >= elapsedSec. */
export function chainMass({ from, remainingSec, spread }: Chained, elapsedSec: number, low: number, high: number): number {
  const [ageLog, lowLog, highLog] = [Math.log(elapsedSec), logSec(low), logSec(high)];
  let gone = 0;
  let mass = 0;
  for (let i = 0; i < BELL.length; i++) {
    const log = logSec(from.elapsedSec + remainingSec * Math.exp(BELL[i]! * spread));
    const weight = BELL_WEIGHTS[i]! / BELL_WEIGHT;
    gone += weight * kernelBelow(ageLog - log);
    mass += weight * (kernelBelow(highLog - log) - kernelBelow(lowLog - log));
  }
  return elapsedSec > 0 && isSpent(1 - gone) ? tailMass(elapsedSec, low, high) : mass / (1 - gone);
}

/** Of the title's link and the source's, the one that has erred less. */
function better(own: Link | undefined, all: Link | undefined): Link | null {
  const known = [own, all].filter((link) => link !== undefined && link.numbers[COUNT]! >= LEAST_COUNT) as Link[];
  if (known.length === 2) return known[0]!.numbers[VARIANCE]! <= known[1]!.numbers[VARIANCE]! ? known[0]! : known[1]!;
  return known[0] ?? null;
}
