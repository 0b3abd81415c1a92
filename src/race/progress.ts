import { isFinished, type RaceState } from './state.ts';

/** Optimistic progress (0..100): what a screen may show between two reports. */
export type ProgressPrediction = {
  current: number;
  /** 0..1: how far `current` may be trusted. */
  confidence: number;
  /** What the next report should say; null without an ETA. */
  predicted_next: number | null;
  /** When the next report should come, epoch ms; null after the end. */
  next_update_at: number | null;
  source: 'reported' | 'interpolated' | 'estimated';
};

export type ProgressOptions = {
  /** Predicted total duration in seconds, from started_at; null = no forecast. */
  readonly etaSec: number | null;
  readonly nowMs: number;
};

// The numbers of the optimistic-progress rules: how far a guess may run ahead of the last report, from which report on
// it may do so, and where a guess without any report stops.
const MAX_LEAD = 20;
const MIN_REPORT_TO_LEAD = 5;
const MAX_ESTIMATE = 95;
/** 100 is for the end. */
const MAX_UNFINISHED = 99;

// Chosen, not tuned: trust in a fresh report, in one that is an interval old, and in a guess nobody has put a number on.
const FRESH_CONFIDENCE = 1;
const DUE_CONFIDENCE = 0.8;
const UNKNOWN_CONFIDENCE = 0.2;

/** Gaps of a race's own updates that must be known before their mean is used. */
const MIN_GAPS = 20;
const MIN_LEARNED_SEC = 1;
const MAX_LEARNED_SEC = 3600;
const DEFAULT_INTERVAL_SEC = 10;

/**
 * The progress to show at `nowMs`; null if nothing is known (no report and no start, or no ETA).
 *
 * - Within one update interval of the last report: that report (`reported`).
 * - Later: it goes on from the report towards the predicted end, at most 20 points ahead and only from 5 % on
 *   (`interpolated`). A report of 0 says no more than that the race runs: like none, but at most 20 points.
 * - Without a report: elapsed share of the ETA, at most 95 (`estimated`).
 *
 * Never below what this attempt has shown (`race.shown_progress`, which the caller raises to `current`), never above 99
 * before the end; 100 once passed; after another end what was reached. Values have one decimal. O(1).
 */
export function predictProgress(race: RaceState, { etaSec, nowMs }: ProgressOptions): ProgressPrediction | null {
  if (isFinished(race.state)) return progressAtEnd(race);
  const finishAtMs = etaSec === null || race.started_at === null ? null : race.started_at + etaSec * 1000;
  const curve = curveOf(race, finishAtMs);
  if (curve === null) return null;
  const intervalMs = updateIntervalHintSec(race) * 1000;
  const isFresh = race.progress !== null && nowMs - curve.fromMs <= intervalMs;
  const guess = isFresh ? curve.from : guessAt(curve, nowMs);
  const floor = Math.min(race.shown_progress, MAX_UNFINISHED);
  const current = Math.max(oneDecimal(Math.min(guess, MAX_UNFINISHED)), floor);
  const source = sourceOf(race, curve, current, isFresh);
  const nextUpdateAt = nextReportAt(race, curve, intervalMs, nowMs);
  return {
    current,
    confidence: confidenceOf(race, source, (nowMs - curve.fromMs) / intervalMs),
    predicted_next: finishAtMs === null ? null : Math.max(current, oneDecimal(expectedAt(curve, nextUpdateAt))),
    next_update_at: nextUpdateAt,
    source,
  };
}

/** A straight line from what is known to the predicted end. `lead` = how far above `from` it may be shown. */
type Curve = { readonly fromMs: number; readonly from: number; readonly finishAtMs: number | null; readonly lead: number };

function curveOf(race: RaceState, finishAtMs: number | null): Curve | null {
  const { progress, started_at: startedAt } = race;
  if (progress !== null && progress > 0) {
    return { fromMs: race.field_at.progress, from: progress, finishAtMs, lead: progress >= MIN_REPORT_TO_LEAD ? MAX_LEAD : 0 };
  }
  if (progress !== null) return { fromMs: race.field_at.progress, from: 0, finishAtMs, lead: MAX_LEAD };
  if (startedAt === null || finishAtMs === null) return null;
  return { fromMs: startedAt, from: 0, finishAtMs, lead: MAX_ESTIMATE };
}

function guessAt(curve: Curve, atMs: number): number {
  return Math.min(expectedAt(curve, atMs), curve.from + curve.lead);
}

/** Where the line is; up to 99 once its end has passed. */
function expectedAt({ fromMs, from, finishAtMs }: Curve, atMs: number): number {
  if (finishAtMs === null || atMs <= fromMs) return Math.min(from, MAX_UNFINISHED);
  if (atMs >= finishAtMs) return MAX_UNFINISHED;
  return Math.min(from + (100 - from) * ((atMs - fromMs) / (finishAtMs - fromMs)), MAX_UNFINISHED);
}

function sourceOf(race: RaceState, curve: Curve, current: number, isFresh: boolean): ProgressPrediction['source'] {
  if (race.progress === null) return 'estimated';
  if (isFresh && current <= curve.from) return 'reported';
  if (curve.from === 0) return 'estimated';
  return current > curve.from ? 'interpolated' : 'reported';
}

function confidenceOf(race: RaceState, source: ProgressPrediction['source'], ageIntervals: number): number {
  const ofForecast = race.published?.confidence ?? UNKNOWN_CONFIDENCE;
  if (source === 'estimated') return ofForecast;
  const age = Math.max(ageIntervals, 0);
  if (age <= 1) return FRESH_CONFIDENCE - (FRESH_CONFIDENCE - DUE_CONFIDENCE) * age;
  // Interval by interval the report is worth less, down to what the forecast alone is worth.
  return Math.min(DUE_CONFIDENCE, Math.max(DUE_CONFIDENCE / age, ofForecast));
}

/** The first whole interval after the last report, or after the last update where none has come, that lies ahead. */
function nextReportAt(race: RaceState, curve: Curve, intervalMs: number, nowMs: number): number {
  const lastMs = race.progress === null ? race.last_at : curve.fromMs;
  const intervals = Math.max(Math.floor((nowMs - lastMs) / intervalMs) + 1, 1);
  return Math.round(lastMs + intervals * intervalMs);
}

function progressAtEnd(race: RaceState): ProgressPrediction | null {
  const reached = race.state === 'passed' ? 100 : Math.min(Math.max(race.shown_progress, race.progress ?? 0), 100);
  if (reached === 0 && race.progress === null) return null;
  const source = race.state === 'passed' || race.progress !== null ? 'reported' : 'estimated';
  return { current: reached, confidence: 1, predicted_next: null, next_update_at: null, source };
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}

/**
 * How long the producer usually leaves between two updates, in seconds (> 0): what it said itself, else the mean of this
 * race's own gaps once there are 20 (1 s to 1 h), else what is usual for its source: github and gitlab 10, cmd 5,
 * claude-code 15, calendar 60, others 10.
 */
export function updateIntervalHintSec(race: RaceState): number {
  const said = race.update_interval_hint_sec;
  if (said !== null && said > 0) return said;
  if (race.gap_count >= MIN_GAPS) return Math.min(Math.max(race.gap_mean_sec, MIN_LEARNED_SEC), MAX_LEARNED_SEC);
  return usualIntervalSec(race.source);
}

/** By the first segment of the source that is known: `github-actions/acme/api`, `ci/gitlab`, `google-calendar`. */
function usualIntervalSec(source: string): number {
  // No `split`: each update of a race asks.
  for (let start = 0; start <= source.length;) {
    const slash = source.indexOf('/', start);
    const end = slash < 0 ? source.length : slash;
    if (isNamed(source, start, end, 'github') || isNamed(source, start, end, 'gitlab')) return 10;
    if (isNamed(source, start, end, 'cmd')) return 5;
    if (isNamed(source, start, end, 'claude-code')) return 15;
    if (isCalendar(source, start, end)) return 60;
    start = end + 1;
  }
  return DEFAULT_INTERVAL_SEC;
}

/** True if the segment from `start` to `end` is the name, or begins with it and a hyphen. */
function isNamed(source: string, start: number, end: number, name: string): boolean {
  const nameEnd = start + name.length;
  return source.startsWith(name, start) && (nameEnd === end || source[nameEnd] === '-');
}

function isCalendar(source: string, start: number, end: number): boolean {
  const nameStart = end - 'calendar'.length;
  return source.startsWith('calendar', nameStart) && (nameStart === start || (nameStart > start && source[nameStart - 1] === '-'));
}
