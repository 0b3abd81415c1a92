import { KNOT_MPS } from './geodesy.ts';

/** Speeds are averaged over so long, event time. */
const SMOOTHING_MS = 120_000;
/** Below this a vehicle stands; it moves again above the greater one, so that its ETA does not flicker. */
export const STANDS_BELOW_KN = 0.5;
export const MOVES_ABOVE_KN = 0.8;
const MOST_SAMPLES = 130;

export type SpeedSample = { readonly atMs: number; readonly mps: number };

/** Adds a sample in order of event time; drops those 120 s older, and every second one when there are over 130. */
export function withSpeed(samples: readonly SpeedSample[], sample: SpeedSample): readonly SpeedSample[] {
  if (!(sample.mps >= 0) || !Number.isFinite(sample.mps)) return samples;
  const kept = samples.filter(({ atMs }) => atMs > sample.atMs - SMOOTHING_MS && atMs < sample.atMs);
  kept.push(sample);
  return kept.length <= MOST_SAMPLES ? kept : kept.filter((_, index) => index % 2 === 1);
}

/** Mean of the samples, m/s; null = none. */
export function smoothedMps(samples: readonly SpeedSample[]): number | null {
  if (samples.length === 0) return null;
  let sum = 0;
  for (const { mps } of samples) sum += mps;
  return sum / samples.length;
}

/** Whether a vehicle moves, given whether it did. An unknown speed changes nothing. */
export function isMoving(mps: number | null, didMove: boolean): boolean {
  if (mps === null) return didMove;
  return mps >= (didMove ? STANDS_BELOW_KN : MOVES_ABOVE_KN) * KNOT_MPS;
}

/** Seconds for a distance at a speed; null below 0.5 kn: standing vehicles have no arrival. */
export function secondsAtSpeed(distanceM: number, knots: number): number | null {
  return knots < STANDS_BELOW_KN || !Number.isFinite(knots) ? null : distanceM / (knots * KNOT_MPS);
}

/** Seconds for a distance of which the plan has another speed than the vehicle: at the mean of both. Without a plan at its own; null as above. */
export function secondsBlended(distanceM: number, knots: number, plannedKn: number | null): number | null {
  return knots < STANDS_BELOW_KN ? null : secondsAtSpeed(distanceM, plannedKn === null ? knots : (knots + plannedKn) / 2);
}
