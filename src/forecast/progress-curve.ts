import type { ProgressPoint } from '../race/state.ts';

/** The curve is known at 10, 20... 90 % of progress. */
const KNOTS = 9;
/** Numbers of a curve: at each knot the share of time, how far off it was (mean log error), and reports near it. */
const [ERRORS, REPORTS] = [KNOTS, 2 * KNOTS];
export const CURVE_NUMBERS = 3 * KNOTS + 1;
/** Races. */
const COUNT = 3 * KNOTS;
/** A knot says nothing of its error before so many reports. */
const LEAST_REPORTS = 2;
const FORGETS = 0.1;
const LEAST_SHARE = 0.001;

/** What share of its time a title has used at what progress (its inverse is the usual progress bar), and how well that held. */
export type ProgressCurve = Float64Array;

export function createCurve(): ProgressCurve {
  const curve = new Float64Array(CURVE_NUMBERS);
  for (let k = 0; k < KNOTS; k++) curve[k] = (k + 1) / (KNOTS + 1);
  return curve;
}

/** The share of time, 0..1, at a progress of 0..100. Rises with it. O(1). */
export function shareAt(curve: ProgressCurve, progress: number): number {
  const place = (Math.min(Math.max(progress, 0), 100) / 100) * (KNOTS + 1);
  const k = Math.min(KNOTS, Math.floor(place));
  const [from, to] = [k === 0 ? 0 : curve[k - 1]!, k === KNOTS ? 1 : curve[k]!];
  return from + (place - k) * (to - from);
}

/** How far off totals by the curve have been at about that progress, in log duration; null before two reports there. */
export function curveError(curve: ProgressCurve, progress: number): number | null {
  const k = nearest(progress);
  return curve[REPORTS + k]! <= LEAST_REPORTS ? null : curve[ERRORS + k]!;
}

function nearest(progress: number): number {
  return Math.min(KNOTS - 1, Math.max(0, Math.round((progress / 100) * (KNOTS + 1)) - 1));
}

/**
 * Learns from the reports of a race that has ended. Between two reports the time is taken to run evenly. O(points).
 * @param points of that race, oldest first; those that go back or lie outside of it are passed over.
 */
export function learnCurve(curve: ProgressCurve, points: readonly ProgressPoint[], startedAtMs: number, completedAtMs: number): void {
  const durationMs = completedAtMs - startedAtMs;
  const path: { progress: number; share: number }[] = [{ progress: 0, share: 0 }];
  for (const { at, progress } of points) {
    const last = path.at(-1)!;
    if (at <= startedAtMs || at >= completedAtMs || progress <= last.progress || progress >= 100) continue;
    const share = (at - startedAtMs) / durationMs;
    noteError(curve, progress, Math.abs(Math.log(Math.max(share, LEAST_SHARE) / Math.max(shareAt(curve, progress), LEAST_SHARE))));
    path.push({ progress, share });
  }
  if (path.length < 2) return;
  const count = curve[COUNT]! + 1;
  curve[COUNT] = count;
  const rate = Math.max(FORGETS, 1 / count);
  path.push({ progress: 100, share: 1 });
  for (let k = 0, next = 1; k < KNOTS; k++) {
    const progress = (100 * (k + 1)) / (KNOTS + 1);
    while (path[next]!.progress < progress) next += 1;
    const [a, b] = [path[next - 1]!, path[next]!];
    const share = a.share + ((b.share - a.share) * (progress - a.progress)) / (b.progress - a.progress);
    curve[k] = curve[k]! + rate * (share - curve[k]!);
  }
}

/** The first report near a knot found nothing learned there: it does not count as an error. */
function noteError(curve: ProgressCurve, progress: number, error: number): void {
  const k = nearest(progress);
  const reports = curve[REPORTS + k]! + 1;
  curve[REPORTS + k] = reports;
  if (reports > 1) curve[ERRORS + k] = curve[ERRORS + k]! + Math.max(FORGETS, 1 / (reports - 1)) * (error - curve[ERRORS + k]!);
}
