import type { Basis, Checkpoint } from '../race/state.ts';
import type { Distribution } from './distribution.ts';
import type { FinishedRace } from './history-record.ts';
import { room } from './scratch.ts';
import { isWithin20 } from './within20.ts';

/** Parts of a life, by age over the first forecast's median: up to these, and on. */
const PART_ENDS = [0.3, 0.7, 1.3];
const PARTS = PART_ENDS.length + 1;
/**
 * What is set right apart. At submission: of a title that is known, and of one that is not. In each part of a life: told by
 * the history alone, and by what has happened in the race.
 */
const [KNOWN, UNSEEN, BEGUN, LATER] = [0, 1, 2, 4];
const PHASES = BEGUN + 2 * PARTS;
/** The levels that are followed: P10, P50, P90. */
const LEVELS = [0.1, 0.5, 0.9];
/**
 * P90 during life. What was said at submission and still stands belongs to races that end before it would be said anew,
 * and covers nearly all of them: over a whole life this makes up for a part of it.
 */
const LIFE_LEVELS = [0.1, 0.5, 0.845];
const LEAST_LEVEL = 0.0005;
/** Confidence is mapped between so many equally spaced knots. */
const KNOTS = 11;
const LEAST_RISE = 0.005;
/** Numbers of a phase: levels and knots. */
const PER_PHASE = LEVELS.length + KNOTS;
/** After those of all phases, the cases behind them: of a phase's levels, and of each knot. */
const MAPS = PHASES * PER_PHASE;
const COUNTS = 1 + KNOTS;
const NUMBERS = MAPS + PHASES * COUNTS;
/**
 * What a raw confidence is worth before a source has shown it, at the knots: at submission and soon after; of titles never seen; on the
 * way, where who lasts to be looked at is likelier right than when it was said. Measured on the first 40 % of jobs, builds, bitcoin/bitcoin and KTH.
 */
const BEGUN_KNOTS = [0, 0.1, 0.19, 0.3, 0.41, 0.54, 0.66, 0.78, 0.88, 0.94, 1];
const UNSEEN_KNOTS = BEGUN_KNOTS.map((_, k) => (0.3 * k) / (KNOTS - 1));
const LATER_KNOTS = [0.05, 0.2, 0.33, 0.44, 0.53, 0.61, 0.7, 0.79, 0.88, 0.95, 1];

/** Rates: of a level's move (in probability) and of a knot's; they start higher. */
const LEVEL_RATE = 0.004;
const LEVEL_CASES = 40;
const KNOT_RATE = 0.012;
const KNOT_CASES = 8;
/** What a look counts: a life is looked at often, and its looks are alike; those at what was said at submission are at one forecast. */
const LIFE_SHARE = 0.25;
const SUBMISSION_SHARE = 0.1;
/** Shares of a finished race's life at which what was in force is held against the truth. */
const LOOKS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const SUBMISSION_GRACE_MS = 1000;

/** What was in force earlier is remembered whenever a level or a knot has moved by so much; so many memories are kept. */
const REMEMBERED_LEVEL = 0.01;
const REMEMBERED_KNOT = 0.02;
const MEMORIES = 24;

/**
 * What a source's forecasts turned out to be worth: for each phase of a life the levels of the raw distribution that
 * 10, 50 and 90 % of the truths stayed below (quantiles followed online, as in Gibbs and Candes 2021), and how often a
 * raw confidence came true. Some 14 KB.
 */
export type Calibration = {
  readonly numbers: Float32Array;
  /** When (event time, epoch ms) each memory began to hold, oldest first; `past` has their numbers, in order. */
  readonly since: number[];
  readonly past: Float32Array[];
};

/** A calibration as columns of numbers for storage, with when each but the first began to hold. */
export function storeCalibration({ numbers, since, past }: Calibration): { since: number[]; columns: Float32Array[] } {
  return { since: [...since], columns: [numbers, ...past] };
}

/** A calibration that goes on as if it had never been stored. @param take the bytes of the next so many. */
export function restoreCalibration(since: readonly number[], take: (bytes: number) => ArrayBuffer): Calibration {
  const column = (length: number) => new Float32Array(take(4 * length));
  return { numbers: column(NUMBERS), since: [...since], past: since.map(() => column(MAPS)) };
}

export function createCalibration(): Calibration {
  const numbers = new Float32Array(NUMBERS);
  for (let phase = 0; phase < PHASES; phase++) {
    LEVELS.forEach((level, i) => (numbers[phase * PER_PHASE + i] = level));
    numbers.set(phase === UNSEEN ? UNSEEN_KNOTS : phase < LATER ? BEGUN_KNOTS : LATER_KNOTS, phase * PER_PHASE + LEVELS.length);
  }
  return { numbers, since: [0], past: [numbers.slice(0, MAPS)] };
}

/** Whether a forecast of that basis rests on what was learned of its source. */
export function isCalibrated(basis: Basis): boolean {
  return basis === 'key' || basis === 'source' || basis === 'stage' || basis === 'progress' || basis === 'cluster' || basis === 'telemetry';
}

/** Bases that tell of the race itself, not of those before it alone. */
const TOLD_BY_RACE: ReadonlySet<Basis> = new Set<Basis>(['stage', 'progress', 'telemetry']);

/** The phase of a forecast made at that age, 0..9. @param firstP50Sec the median of the first forecast of the race. */
export function phaseOf(elapsedSec: number, firstP50Sec: number, basis: Basis): number {
  if (!(elapsedSec > 0)) return basis === 'source' ? UNSEEN : KNOWN;
  const ratio = elapsedSec / firstP50Sec;
  let part = 0;
  for (const end of PART_ENDS) if (ratio >= end) part += 1;
  return BEGUN + 2 * part + Number(TOLD_BY_RACE.has(basis));
}

/** The distribution with its levels set right. O(knots). */
export function calibrated({ numbers }: Calibration, phase: number, distribution: Distribution): Distribution {
  const at = phase * PER_PHASE;
  const [low, middle, high] = [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!];
  const { cumulative } = distribution;
  const set = room(cumulative.length);
  const slopes = [0.1 / low, 0.4 / (middle - low), 0.4 / (high - middle), 0.1 / (1 - high)];
  for (let i = 0; i < set.length; i++) {
    const u = cumulative[i]!;
    set[i] = u < middle ? (u < low ? u * slopes[0]! : 0.1 + (u - low) * slopes[1]!) : u < high ? 0.5 + (u - middle) * slopes[2]! : 1 - (1 - u) * slopes[3]!;
  }
  return { ...distribution, cumulative: set };
}

/** What a raw confidence is worth. O(1). */
export function trueConfidence({ numbers }: Calibration, phase: number, raw: number): number {
  return mapped(numbers, phase, raw);
}

function mapped(numbers: Float32Array, phase: number, raw: number): number {
  const at = phase * PER_PHASE + LEVELS.length;
  const place = Math.min(Math.max(raw, 0), 1) * (KNOTS - 1);
  const k = Math.min(KNOTS - 2, Math.floor(place));
  const value = numbers[at + k]! + (place - k) * (numbers[at + k + 1]! - numbers[at + k]!);
  return Math.min(Math.max(value, 0), 1);
}

/** The raw confidence that was mapped to that. */
function unmapped(numbers: Float32Array, phase: number, confidence: number): number {
  const at = phase * PER_PHASE + LEVELS.length;
  let k = 0;
  while (k < KNOTS - 2 && numbers[at + k + 1]! < confidence) k += 1;
  const [from, to] = [numbers[at + k]!, numbers[at + k + 1]!];
  return Math.min(Math.max((k + (confidence - from) / (to - from)) / (KNOTS - 1), 0), 1);
}

/**
 * Holds what was in force at a few shares of the life of a race that has ended against the truth. What a forecast said
 * is turned back into what it was before by the numbers of its own time: so many races may be under way at once, and
 * none of them pushes further what has been set right since. O(checkpoints).
 */
export function learnCalibration(calibration: Calibration, race: FinishedRace): void {
  const { started_at, duration_sec: sec } = race;
  const served = race.checkpoints.filter(({ role, basis }) => role === 'served' && isCalibrated(basis));
  if (served.length === 0) return;
  const firstP50Sec = race.checkpoints[0]!.p50_sec;
  const look = (atMs: number, isFirst: boolean) => {
    const inForce = served.findLast(({ issued_at }) => issued_at <= atMs);
    if (inForce !== undefined) judge(calibration, inForce, firstP50Sec, sec, isFirst);
  };
  look(started_at + SUBMISSION_GRACE_MS, true);
  for (const f of LOOKS) look(started_at + 1000 * f * sec, false);
  rememberMoves(calibration, race.completed_at);
}

function judge({ numbers, since, past }: Calibration, checkpoint: Checkpoint, firstP50Sec: number, sec: number, isFirst: boolean): void {
  const phase = phaseOf(checkpoint.elapsed_sec, firstP50Sec, checkpoint.basis);
  let memory = since.length - 1;
  while (memory > 0 && since[memory]! > checkpoint.issued_at) memory -= 1;
  const then = past[memory]!;
  const share = isFirst ? 1 : LIFE_SHARE;
  // A look later at a range said at submission tells nothing new of it.
  if (isFirst || phase >= BEGUN) judgeLevels(numbers, phase, levelOf(then, phase * PER_PHASE, checkpoint, sec), share);
  // Of a confidence it does: it stands to be read by then only where nothing was said anew.
  judgeConfidence(numbers, phase, unmapped(then, phase, checkpoint.confidence), isWithin20(checkpoint.eta_sec, sec), phase < BEGUN ? SUBMISSION_SHARE : share);
}

/** @param u the raw level at which the truth lay. */
function judgeLevels(numbers: Float32Array, phase: number, u: number, share: number): void {
  const at = phase * PER_PHASE;
  const counts = MAPS + phase * COUNTS;
  const cases = numbers[counts]!;
  numbers[counts] = cases + share;
  const rate = share * Math.max(LEVEL_RATE, 1 / (cases + LEVEL_CASES));
  (phase < BEGUN ? LEVELS : LIFE_LEVELS).forEach((level, i) => {
    const now = numbers[at + i]!;
    // In steps of log odds: near 0 and 1 levels are told apart by ever less.
    numbers[at + i] = now + rate * ((now * (1 - now)) / (level * (1 - level))) * (level - Number(u <= now));
  });
  order(numbers, at);
}

function judgeConfidence(numbers: Float32Array, phase: number, raw: number, cameTrue: boolean, share: number): void {
  const place = raw * (KNOTS - 1);
  const k = Math.min(KNOTS - 2, Math.floor(place));
  const error = Number(cameTrue) - mapped(numbers, phase, raw);
  const knots = phase * PER_PHASE + LEVELS.length;
  const counts = MAPS + phase * COUNTS + 1;
  moveKnot(numbers, knots + k, counts + k, share * (1 - (place - k)), error);
  moveKnot(numbers, knots + k + 1, counts + k + 1, share * (place - k), error);
  for (let j = k - 1; j >= 0; j--) numbers[knots + j] = Math.min(numbers[knots + j]!, numbers[knots + j + 1]! - LEAST_RISE);
  if (numbers[knots + k + 1]! < numbers[knots + k]! + LEAST_RISE) numbers[knots + k + 1] = numbers[knots + k]! + LEAST_RISE;
  for (let j = k + 2; j < KNOTS; j++) numbers[knots + j] = Math.max(numbers[knots + j]!, numbers[knots + j - 1]! + LEAST_RISE);
}

function moveKnot(numbers: Float32Array, knot: number, cases: number, share: number, error: number): void {
  numbers[knot] = numbers[knot]! + share * Math.max(KNOT_RATE, 1 / (numbers[cases]! + KNOT_CASES)) * error;
  numbers[cases] = numbers[cases]! + share;
}

/** The raw level at which the truth lay. */
function levelOf(then: Float32Array, at: number, { p10_sec, p50_sec, p90_sec }: Checkpoint, sec: number): number {
  const [low, middle, high] = [then[at]!, then[at + 1]!, then[at + 2]!];
  // How far outside tells little of the level, and narrow forecasts would have it all at the edge.
  if (sec < p10_sec) return low / 2;
  if (sec <= p50_sec) return low + (middle - low) * between(p10_sec, p50_sec, sec);
  if (sec <= p90_sec) return middle + (high - middle) * between(p50_sec, p90_sec, sec);
  return 1 - (1 - high) / 2;
}

function between(from: number, to: number, x: number): number {
  return to > from ? Math.min(Math.max((x - from) / (to - from), 0), 1) : 1;
}

function order(numbers: Float32Array, at: number): void {
  numbers[at] = Math.min(Math.max(numbers[at]!, LEAST_LEVEL), 0.3);
  numbers[at + 2] = Math.min(Math.max(numbers[at + 2]!, 0.7), 1 - LEAST_LEVEL);
  numbers[at + 1] = Math.min(Math.max(numbers[at + 1]!, numbers[at]! + 0.05), numbers[at + 2]! - 0.05);
}

function rememberMoves({ numbers, since, past }: Calibration, nowMs: number): void {
  if (!hasMoved(numbers, past.at(-1)!)) return;
  past.push(numbers.slice(0, MAPS));
  since.push(Math.max(since.at(-1)!, nowMs));
  if (past.length > MEMORIES) {
    past.shift();
    since.shift();
  }
}

function hasMoved(numbers: Float32Array, last: Float32Array): boolean {
  for (let i = 0; i < MAPS; i++) {
    if (Math.abs(numbers[i]! - last[i]!) > (i % PER_PHASE < LEVELS.length ? REMEMBERED_LEVEL : REMEMBERED_KNOT)) return true;
  }
  return false;
}
