import { BELL, BELL_WEIGHTS, createBells } from './bells.ts';
import { stageKey } from './course.ts';
import { KERNEL_WIDTHS, logSec, shiftBy, type Distribution } from './distribution.ts';
import type { FinishedRace, StageFact } from './history-record.ts';
import { LINK_INPUTS, LINK_NUMBERS, type Link } from './link.ts';
import { contextKey, LIMITS, type SourceModel } from './model.ts';
import { touch } from './touch.ts';

const INPUTS = LINK_INPUTS;
const INFORMATION = INPUTS;
const VARIANCE = INFORMATION + INPUTS * INPUTS;
const [COUNT, VOTES, LONGEST_BEFORE, HIGHEST_AGE, LONGEST] = [VARIANCE + 1, VARIANCE + 2, VARIANCE + 3, VARIANCE + 4, VARIANCE + 5];
/** Before any race: a leg takes as long as the one before, times a factor of which nothing is known. */
const PRIOR = [0, 1, 0];
/** How many legs with an input of one that prior counts for. Nothing takes it away: those ahead of a field are no fair sample of those behind. */
const PRIOR_LEGS = [0.1, 10, 10];
const MEMORY = 0.998;
const MOST_ERROR = 1;
/** A link says nothing before so many races. */
const LEAST_COUNT = 5;
const MOST_LEGS = 200;
/** Errors of the legs ahead go together: a slow runner stays slow. */
const SHARED = 1.3;
const LEAST_SPREAD = 0.01;
/** A leg may be expected to be half as long again as the longest that was seen, log. Chosen on the marathon: who is slower than all ahead slows down more. */
const LONGER = Math.log(1.5);
/** Steepness of a log-logistic distribution with a standard deviation of one in log. */
const STEEPNESS = Math.PI / Math.sqrt(3);
/** A leg is late when it has lasted longer than all but this share of its like. Chosen, not tuned. */
const LATE_SHARE = 1 / 3;
/** Where a race ends. */
const END = '';
/** Its spread is known, so it is smoothed no more than its seven points need. */
const KERNEL = [0, 1, 0, 0];
const KERNEL_WIDTH = KERNEL_WIDTHS[1]!;
const bell = createBells(KERNEL);
const BELL_WEIGHT = BELL_WEIGHTS.reduce((a, b) => a + b, 0);

/** The end of a stage: which (`name#occurrence`; '' = the start), the race's age then, and since the stage before. */
export type Mark = { readonly stage: string; readonly elapsedSec: number; readonly legSec: number };

function createLink(): Link {
  const numbers = new Float64Array(LINK_NUMBERS);
  for (let i = 0; i < INPUTS; i++) {
    numbers[i] = PRIOR[i]!;
    numbers[INFORMATION + at(i, i)] = PRIOR_LEGS[i]!;
  }
  numbers[VARIANCE] = 0.1;
  return { next: END, numbers };
}

const inputs = new Float64Array(INPUTS);
const gains = new Float64Array(INPUTS);
const pull = new Float64Array(INPUTS);
const factor = new Float64Array(INPUTS * INPUTS);
const at = (i: number, j: number): number => i * INPUTS + j;

function logOf(sec: number): number {
  return Math.log(Math.max(0, sec) + 1);
}

/**
 * Little longer than the longest that was seen, but in proportion to how much slower than all that were seen the race has been: slopes
 * that are carried on beyond them can make years of a leg of minutes.
 */
function expectedLog(link: Link, mark: Mark): number {
  const { numbers } = link;
  const log = predicted(link, mark);
  const beyond = Math.min(inputs[1]! - numbers[LONGEST_BEFORE]!, inputs[2]! - numbers[HIGHEST_AGE]!);
  return Math.min(log, numbers[LONGEST]! + Math.max(0, beyond) + LONGER);
}

/** By the slopes alone; leaves its inputs in `inputs`. */
function predicted({ numbers }: Link, { elapsedSec, legSec }: Mark): number {
  inputs[0] = 1;
  inputs[1] = logOf(legSec);
  inputs[2] = logOf(elapsedSec);
  let sum = 0;
  for (let i = 0; i < INPUTS; i++) sum += numbers[i]! * inputs[i]!;
  return sum;
}

/** Learns one leg, of a race that may still be running: least squares on logarithms, with forgetting and a prior that stays. O(1). */
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
  // The first few say what level to expect; after them none pulls harder than others.
  const mostError = numbers[COUNT]! < LEAST_COUNT ? Infinity : MOST_ERROR;
  const log = logOf(sec);
  const error = Math.min(Math.max(log - predicted(link, from), -mostError), mostError);
  numbers[LONGEST_BEFORE] = Math.max(numbers[LONGEST_BEFORE]!, inputs[1]!);
  numbers[HIGHEST_AGE] = Math.max(numbers[HIGHEST_AGE]!, inputs[2]!);
  numbers[LONGEST] = Math.max(numbers[LONGEST]!, log);
  for (let i = 0; i < INPUTS; i++) {
    for (let j = 0; j < INPUTS; j++) {
      const known = INFORMATION + at(i, j);
      numbers[known] = MEMORY * numbers[known]! + inputs[i]! * inputs[j]! + (i === j ? (1 - MEMORY) * PRIOR_LEGS[i]! : 0);
    }
    gains[i] = inputs[i]!;
    pull[i] = (1 - MEMORY) * PRIOR_LEGS[i]! * (PRIOR[i]! - numbers[i]!);
  }
  factorise(numbers);
  solve(gains);
  solve(pull);
  // How much of what this leg shows it has itself taught: that is no error of what was known.
  let own = 0;
  for (let i = 0; i < INPUTS; i++) {
    own += inputs[i]! * gains[i]!;
    numbers[i] = numbers[i]! + gains[i]! * error + pull[i]!;
  }
  numbers[COUNT] = numbers[COUNT]! + 1;
  const rate = Math.max(0.02, 1 / (numbers[COUNT]! + LEAST_COUNT));
  numbers[VARIANCE] = numbers[VARIANCE]! + rate * (Math.min(error * error, MOST_ERROR) * (1 - own) - numbers[VARIANCE]!);
}

/** Information = factor times its transpose (Cholesky): it is symmetric and, by its prior, positive definite. */
function factorise(numbers: Float64Array): void {
  for (let i = 0; i < INPUTS; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = numbers[INFORMATION + at(i, j)]!;
      for (let k = 0; k < j; k++) sum -= factor[at(i, k)]! * factor[at(j, k)]!;
      factor[at(i, j)] = i === j ? Math.sqrt(sum) : sum / factor[at(j, j)]!;
    }
  }
}

/** Solves information x = right, in place of `right`. */
function solve(right: Float64Array): void {
  for (let i = 0; i < INPUTS; i++) {
    for (let k = 0; k < i; k++) right[i] = right[i]! - factor[at(i, k)]! * right[k]!;
    right[i] = right[i]! / factor[at(i, i)]!;
  }
  for (let i = INPUTS - 1; i >= 0; i--) {
    for (let k = i + 1; k < INPUTS; k++) right[i] = right[i]! - factor[at(k, i)]! * right[k]!;
    right[i] = right[i]! / factor[at(i, i)]!;
  }
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

/** Who goes a long way slows down: what remains takes so much longer than at the pace so far (in Boston in 2013 6 to 10 % at every split); and what that is off by. */
const TIRING = 1.05;
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

/** What is left where nobody has been yet, at little less than the pace so far; null = distances are not known. */
function byPace({ stage, elapsedSec }: Mark, totalKm: number | null): number | null {
  const km = totalKm === null ? null : reachedKm(stage);
  if (totalKm === null || km === null || !(km > 0) || km >= totalKm) return null;
  return TIRING * elapsedSec * (totalKm / km - 1);
}

/**
 * What remains after an instant, in seconds (> 0), with its spread in log; `count` = races behind the least known link;
 * `lateAtSec` = the age at which the present leg will have lasted longer than most of its like (Infinity = not known).
 */
export type Chained = { readonly elapsedSec: number; readonly remainingSec: number; readonly spread: number; readonly count: number; readonly lateAtSec: number };

/**
 * What remains by chaining the legs ahead, and from where they are unknown by the pace so far; null = neither is known. A
 * leg that takes longer than expected makes those ahead of it longer, as far as they are known to be.
 * @param elapsedSec the age of the race, at or after the mark.
 */
export function chainForecast({ chains }: SourceModel, title: string, from: Mark, elapsedSec: number, totalKm: number | null): Chained | null {
  let mark = from;
  let variance = 0;
  let count = Infinity;
  let lateAtSec = Infinity;
  let passed = mark.stage;
  for (let legs = 0; legs < MOST_LEGS; legs++) {
    const link = better(chains.get(contextKey(title, mark.stage)), chains.get(contextKey('', mark.stage)));
    if (link === null) {
      const leftSec = byPace(mark, totalKm);
      return leftSec === null ? null : around(elapsedSec, mark.elapsedSec + leftSec, variance + (PACE_SPREAD * leftSec) ** 2, LEAST_COUNT, lateAtSec);
    }
    const expectedSec = Math.max(0, Math.exp(expectedLog(link, mark)) - 1);
    if (!Number.isFinite(expectedSec) || expectedSec > 1e9) return null;
    const ageSec = Math.max(0, elapsedSec - mark.elapsedSec);
    const sec = legs === 0 ? lastingLegSec(ageSec, expectedSec, link.numbers[VARIANCE]!, 0.5) : expectedSec;
    variance += Math.min(link.numbers[VARIANCE]! * expectedSec ** 2, (sec - ageSec) ** 2);
    count = Math.min(count, link.numbers[COUNT]!);
    mark = { stage: link.next, elapsedSec: mark.elapsedSec + sec, legSec: sec };
    if (legs === 0) lateAtSec = from.elapsedSec + lastingLegSec(ageSec, expectedSec, link.numbers[VARIANCE]!, LATE_SHARE);
    if (link.next === END) return around(elapsedSec, mark.elapsedSec, variance, count, lateAtSec);
    // What leads back to itself never comes to an end: looked for from each power of two on (Brent 1980).
    if (link.next === passed) return null;
    if ((legs & (legs + 1)) === 0) passed = link.next;
  }
  return null;
}

/** The length that a leg of which `ageSec` have passed exceeds with that probability, if it is log-logistic around what is expected. */
function lastingLegSec(ageSec: number, expectedSec: number, variance: number, probability: number): number {
  const steepness = STEEPNESS / Math.max(Math.sqrt(variance), LEAST_SPREAD);
  const longer = Math.max(ageSec, expectedSec);
  if (!(longer > 0)) return 0;
  const [age, expected] = [(ageSec / longer) ** steepness, (expectedSec / longer) ** steepness];
  return longer * ((age + expected) / probability - expected) ** (1 / steepness);
}

function around(elapsedSec: number, totalSec: number, variance: number, count: number, lateAtSec: number): Chained | null {
  const remainingSec = totalSec - elapsedSec;
  return remainingSec > 0 ? { elapsedSec, remainingSec, spread: Math.max(LEAST_SPREAD, (SHARED * Math.sqrt(variance)) / remainingSec), count, lateAtSec } : null;
}

/** The total by a chain, as a distribution. */
export function chainDistribution({ elapsedSec, remainingSec, spread }: Chained): Distribution {
  return shiftBy(bell(remainingSec, spread), elapsedSec);
}

/** P(low < T <= high) by a chain, without its distribution; low >= the age. */
export function chainMass({ elapsedSec, remainingSec, spread }: Chained, low: number, high: number): number {
  const [lowLog, highLog, middleLog] = [logSec(low - elapsedSec), logSec(high - elapsedSec), logSec(remainingSec)];
  let mass = 0;
  for (let i = 0; i < BELL.length; i++) {
    const log = middleLog + BELL[i]! * spread;
    mass += (BELL_WEIGHTS[i]! / BELL_WEIGHT) * (laplaceBelow(highLog - log) - laplaceBelow(lowLog - log));
  }
  return mass;
}

function laplaceBelow(away: number): number {
  const beyond = Math.exp(-Math.abs(away) / KERNEL_WIDTH) / 2;
  return away < 0 ? beyond : 1 - beyond;
}

/** Of the title's link and the source's, the one that has erred less. */
function better(own: Link | undefined, all: Link | undefined): Link | null {
  const known = [own, all].filter((link) => link !== undefined && link.numbers[COUNT]! >= LEAST_COUNT) as Link[];
  if (known.length === 2) return known[0]!.numbers[VARIANCE]! <= known[1]!.numbers[VARIANCE]! ? known[0]! : known[1]!;
  return known[0] ?? null;
}
