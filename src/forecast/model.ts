import { assert } from '../errors.ts';
import { restoreJourneys, storeJourneys, type JourneyHeader } from '../journey/model-columns.ts';
import type { JourneyModel } from '../journey/model.ts';
import { createCalibration, restoreCalibration, storeCalibration, type Calibration } from './calibrate.ts';
import { noClusterings, type Clusterings } from './clusterings.ts';
import { joinedText } from './joined-text.ts';
import { LINK_NUMBERS, type Link } from './link.ts';
import { createMixture, type Mixture } from './mixture.ts';
import { restoreMixture, storeMixture, type MixtureHeader } from './mixture-columns.ts';
import { CLAIM_NUMBERS, type Claims } from './producer-eta.ts';
import { CURVE_NUMBERS, type ProgressCurve } from './progress-curve.ts';
import { createRing, type Ring } from './ring.ts';
import { createTaughtRaces, taughtColumn, taughtRacesOf, type TaughtRaces } from './taught-races.ts';

/** Columns of the rings of a model. Seconds, but for the ordinal (how many races had taught the source before) and flags. */
export const DURATION = { sec: 0, failed: 1, ordinal: 2, width: 3 } as const;
/**
 * One visit of a state: which race it was (its ordinal in the source), how old the race was then (stages.ts has the log
 * of it), and as logarithms how long it stayed in the state, what remained, and what total was expected of it at submission.
 */
export const VISIT = { ordinal: 0, entrySec: 1, entryLog: 2, sojournLog: 3, remainingLog: 4, expectedLog: 5, width: 6 } as const;
/** One stage: its own length, the age of its race at its end, and which race that is (24 bits of a hash of its id). */
export const LEG = { sec: 0, endSec: 1, race: 2, width: 3 } as const;

/** Ordinals stay exact in single precision. */
export const ORDINALS = 2 ** 24;

/** Limits that, with those of the mixture (some 12 MB), bound a model to about 30 MB, whatever a source does; one of vehicles has up to 4 MB more. The least recently taught goes first. */
export const LIMITS = { titles: 5_000, overdue: 1_000, states: 8_000, voices: 8_000, chains: 4_000, legs: 4_000, curves: 1_000, claims: 1_000, durations: 50, sourceDurations: 100, visits: 100, legSamples: 30, order: 50, finishes: 20 } as const;

/** Voices that may speak in a state (voices.ts), each with a weight. */
export const VOICES = 5;

/** How far off something has been: the mean |log ratio| to the truth, newest counting most, of `count` cases. */
export type Track = { count: number; error: number };

/** When a race began and ended, epoch ms. */
export type Finish = { readonly startedAtMs: number; readonly completedAtMs: number };

export type TitleModel = {
  readonly durations: Ring;
  /** Stage keys of the newest passed race that had stages, in their order; at most 50. */
  order: string[];
  /** How far off elapsed / progress was, and how far off the history's middle was for the same races. */
  linear: Track;
  history: Track;
  /** Suspected stale starts in a row, and when the newest of them ended: a real change comes again, one after another. */
  suspects: number;
  suspectEndedAtMs: number;
  /** When the race that began last, of those that have ended, began: epoch ms; 0 = none. */
  newestStartMs: number;
};

/** A race under way beyond its published finish: a hash of its id, and when it began. */
export type OverdueRun = { readonly tag: number; readonly startedAtMs: number };

/**
 * What is learned of one source: a deterministic fold over its race-history. Maps are in the order of last teaching,
 * which is the order of eviction, and so part of what the model is.
 */
export type SourceModel = {
  readonly source: string;
  /** Races that taught a duration. */
  taught: number;
  /** Races kept out as stale starts. */
  stale: number;
  /** Versions of the cluster model in each stage of a rollout; null = none. */
  versions: Versions;
  /** Those versions, ready for use: found again after a restore, no part of what is learned. */
  clusterings: Clusterings;
  /** The newest 20 races that taught, oldest first: who learns from whom. */
  readonly finishes: Finish[];
  /** Which races those were that taught, so that they can be forgotten. */
  readonly races: TaughtRaces;
  readonly durations: Ring;
  readonly titles: Map<string, TitleModel>;
  /** By title, those that are overdue and have not been overtaken, who began first first. */
  readonly overdue: Map<string, OverdueRun[]>;
  /** What is forecast from at submission. */
  mixture: Mixture;
  /** Visits by `contextKey(title, state)`; the title '' is the whole source. */
  readonly states: Map<string, Ring>;
  /** How far each voice is believed in a state, by its context key; '' = anywhere. */
  readonly voices: Map<string, Float32Array>;
  /** What follows a stage, by `contextKey(title, stage)`; the stage '' is the start, the title '' any. */
  readonly chains: Map<string, Link>;
  /** Legs by `contextKey(title, stage)`. */
  readonly legs: Map<string, Ring>;
  /** Progress to time by title, and what producers' own estimates are worth by title; '' = any. */
  readonly curves: Map<string, ProgressCurve>;
  readonly claims: Map<string, Claims>;
  /** What its forecasts turned out to be worth. */
  calibration: Calibration;
  /** What its vehicles showed of the routes' legs; null = it has none. */
  journeys: JourneyModel | null;
};

/** The version of a swap that takes a stage's version away and puts none in its place; as `previous`: there was none. */
export const NO_VERSION = '';
/** `previous`: what a rollback would bring back: taught on, and held against the active one; null = that one is confirmed. */
export type Versions = { shadow: string | null; canary: string | null; active: string | null; previous: string | null; canaryShare: number };

export function createSourceModel(source: string): SourceModel {
  return {
    source, taught: 0, stale: 0, finishes: [], races: createTaughtRaces(),
    versions: { shadow: null, canary: null, active: null, previous: null, canaryShare: 0 }, clusterings: noClusterings(),
    durations: createRing(DURATION.width, LIMITS.sourceDurations),
    titles: new Map(), overdue: new Map(), mixture: createMixture(), states: new Map(), voices: new Map(), chains: new Map(), legs: new Map(), curves: new Map(), claims: new Map(), calibration: createCalibration(), journeys: null,
  };
}

export function createTitleModel(): TitleModel {
  return {
    durations: createRing(DURATION.width, LIMITS.durations), order: [],
    linear: { count: 0, error: 0 }, history: { count: 0, error: 0 }, suspects: 0, suspectEndedAtMs: 0, newestStartMs: 0,
  };
}

/** Titles hold no control characters, so a key has one reading. */
export function contextKey(title: string, part: string): string {
  return joinedText(title, part);
}

const FORMAT = 11;

/**
 * A model as bytes: a header in JSON, the rows of every ring as 32-bit floats, the columns of the mixture; little
 * endian. Equal histories give equal bytes; decoding and going on gives what never stopping would have given.
 */
export function encodeModel(model: SourceModel): Uint8Array {
  const mixture = storeMixture(model.mixture);
  const calibration = storeCalibration(model.calibration);
  const journeys = model.journeys === null ? null : storeJourneys(model.journeys);
  const columns = [
    ...model.voices.values(), ...Array.from(model.chains.values(), ({ numbers }) => numbers), ...model.curves.values(), ...model.claims.values(), ...calibration.columns, ...mixture.columns,
    taughtColumn(model.races), ...(journeys?.columns ?? []),
  ];
  const rings: Ring[] = [model.durations];
  const put = (ring: Ring) => {
    rings.push(ring);
    return ring.size;
  };
  const header = new TextEncoder().encode(JSON.stringify({
    format: FORMAT, source: model.source, taught: model.taught, stale: model.stale, finishes: model.finishes.map(({ startedAtMs, completedAtMs }) => [startedAtMs, completedAtMs]), durations: model.durations.size,
    versions: [model.versions.shadow, model.versions.canary, model.versions.active, model.versions.previous, model.versions.canaryShare],
    titles: Array.from(model.titles, ([title, t]) => [title, put(t.durations), t.order, t.linear.count, t.linear.error, t.history.count, t.history.error, t.suspects, t.suspectEndedAtMs, t.newestStartMs]),
    overdue: Array.from(model.overdue, ([title, runs]) => [title, runs.map(({ tag, startedAtMs }) => [tag, startedAtMs])]),
    states: Array.from(model.states, ([key, ring]) => [key, put(ring)]),
    legs: Array.from(model.legs, ([key, ring]) => [key, put(ring)]),
    voices: [...model.voices.keys()],
    chains: Array.from(model.chains, ([key, { next }]) => [key, next]),
    curves: [...model.curves.keys()], claims: [...model.claims.keys()],
    calibration: calibration.since, mixture: mixture.header,
    races: model.races.size,
    ...(journeys === null ? {} : { journeys: journeys.header }),
  }));
  const cells = rings.reduce((sum, ring) => sum + ring.size * ring.width, 0);
  const bytes = new Uint8Array(4 + header.length + cells * 4 + columns.reduce((sum, { byteLength }) => sum + byteLength, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, header.length, true);
  bytes.set(header, 4);
  let at = 4 + header.length;
  for (const ring of rings) {
    for (let i = 0; i < ring.size * ring.width; i++, at += 4) view.setFloat32(at, ring.values[i]!, true);
  }
  // Every machine that Node runs on, but mainframes, keeps its numbers in little endian.
  for (const column of columns) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  }
  return bytes;
}

type Header = {
  format: number; source: string; taught: number; stale: number; finishes: [number, number][]; durations: number;
  versions: [string | null, string | null, string | null, string | null, number];
  titles: [string, number, string[], number, number, number, number, number, number, number][];
  overdue: [string, [number, number][]][];
  states: [string, number][]; legs: [string, number][];
  voices: string[];
  chains: [string, string][];
  curves: string[];
  claims: string[];
  calibration: number[];
  mixture: MixtureHeader;
  races: number;
  journeys?: JourneyHeader;
};

/** @throws when the bytes are not a whole model of this format. */
export function decodeModel(bytes: Uint8Array): SourceModel {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 4 + view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, at))) as Header;
  assert(header.format === FORMAT, `a model of format ${FORMAT} is expected, got ${header.format}`);
  const take = (ring: Ring, size: number): Ring => {
    ring.size = size;
    ring.values = new Float32Array(Math.max(size, 1) * ring.width);
    for (let i = 0; i < size * ring.width; i++, at += 4) ring.values[i] = view.getFloat32(at, true);
    return ring;
  };
  const model = createSourceModel(header.source);
  model.taught = header.taught;
  model.stale = header.stale;
  for (const [startedAtMs, completedAtMs] of header.finishes) model.finishes.push({ startedAtMs, completedAtMs });
  const [shadow, canary, active, previous, canaryShare] = header.versions;
  model.versions = { shadow, canary, active, previous, canaryShare };
  take(model.durations, header.durations);
  for (const [title, size, order, linearCount, linearError, historyCount, historyError, suspects, suspectEndedAtMs, newestStartMs] of header.titles) {
    const known = createTitleModel();
    take(known.durations, size);
    model.titles.set(title, {
      ...known, order, linear: { count: linearCount, error: linearError }, history: { count: historyCount, error: historyError }, suspects, suspectEndedAtMs, newestStartMs,
    });
  }
  for (const [title, runs] of header.overdue) model.overdue.set(title, runs.map(([tag, startedAtMs]) => ({ tag, startedAtMs })));
  for (const [key, size] of header.states) model.states.set(key, take(createRing(VISIT.width, LIMITS.visits), size));
  for (const [key, size] of header.legs) model.legs.set(key, take(createRing(LEG.width, LIMITS.legSamples), size));
  const takeBytes = (length: number) => {
    // Not slice(): a Buffer's gives a view of the same memory.
    const column = new Uint8Array(length);
    column.set(bytes.subarray(at, at + length));
    at += length;
    return column.buffer;
  };
  for (const key of header.voices) model.voices.set(key, new Float32Array(takeBytes(4 * VOICES)));
  for (const [key, next] of header.chains) model.chains.set(key, { next, numbers: new Float64Array(takeBytes(8 * LINK_NUMBERS)) });
  for (const key of header.curves) model.curves.set(key, new Float64Array(takeBytes(8 * CURVE_NUMBERS)));
  for (const key of header.claims) model.claims.set(key, new Float64Array(takeBytes(8 * CLAIM_NUMBERS)));
  model.calibration = restoreCalibration(header.calibration, takeBytes);
  model.mixture = restoreMixture(header.mixture, takeBytes);
  Object.assign(model.races, taughtRacesOf(new Int32Array(takeBytes(4 * header.races))));
  if (header.journeys !== undefined) model.journeys = restoreJourneys(header.journeys, takeBytes);
  assert(at === bytes.length, `a model of ${at} bytes is expected, got ${bytes.length}`);
  return model;
}
