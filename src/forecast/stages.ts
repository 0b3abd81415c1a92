import type { RaceState } from '../race/state.ts';
import { lastTransition } from './course.ts';
import { LIMITS } from './model.ts';

/** Width of the kernel on log age at entry, and the weight of a visit one race older: between the best for CI and for training, flat around. */
const ENTRY_WIDTH = 0.25;
const MEMORY = 0.95;
/** Ages below this differ by chance (timestamps are often whole seconds). */
const ENTRY_FLOOR_SEC = 5;

/** Where a race is: the state its last transition brought it to, its age then. The start is the state ''. */
export type Place = { readonly state: string; readonly stage: string | null; readonly entrySec: number; readonly atMs: number };

export function placeOf(race: RaceState, startedAtMs: number, asOfMs: number): Place {
  // asOfMs itself counts: a forecast caused by a transition is made at its instant.
  const last = lastTransition(race.stages, startedAtMs, asOfMs + 1);
  if (last === null) return { state: '', stage: null, entrySec: 0, atMs: startedAtMs };
  return { state: last.state, stage: last.stage, entrySec: (last.atMs - startedAtMs) / 1000, atMs: last.atMs };
}

/** How like the present visit an earlier one was: by the age of its race at entry, and by how long ago it was. */
export function likeness(entrySec: number, otherSec: number, age: number): number {
  return likenessAt(entryLog(otherSec) - entryLog(entrySec)) * MEMORY ** age;
}

/** Where the age of a race at entry lies for likeness. */
export function entryLog(sec: number): number {
  return Math.log(sec + ENTRY_FLOOR_SEC);
}

const LIKENESS_STEPS = 128;
const LEAST_LIKENESS = 1e-4;
const LIKENESS = Float64Array.from({ length: Math.ceil(LIKENESS_STEPS * Math.sqrt(-2 * Math.log(LEAST_LIKENESS))) }, (_, i) => Math.exp(-0.5 * (i / LIKENESS_STEPS) ** 2));
const LIKENESS_REACH = ((LIKENESS.length - 1) / LIKENESS_STEPS) * ENTRY_WIDTH;

/** Likeness by the distance of entries in log alone, 0..1. O(1), from a table. */
export function likenessAt(away: number): number {
  const distance = Math.abs(away);
  return distance < LIKENESS_REACH ? LIKENESS[(distance * (LIKENESS_STEPS / ENTRY_WIDTH) + 0.5) | 0]! : LEAST_LIKENESS;
}

/** What a visit counts by how long ago it was: 0 = the newest. */
export const RECENCY = Float64Array.from({ length: LIMITS.visits }, (_, age) => MEMORY ** age);
