import type { RaceState } from '../race/state.ts';
import { transitionsOf } from './course.ts';

/** Width of the kernel on log age at entry, and the weight of a visit one race older: between the best for CI and for training, flat around. */
const ENTRY_WIDTH = 0.25;
const MEMORY = 0.95;
/** Ages below this differ by chance (timestamps are often whole seconds). */
const ENTRY_FLOOR_SEC = 5;

/** Where a race is: the state its last transition brought it to, its age then. The start is the state ''. */
export type Place = { readonly state: string; readonly stage: string | null; readonly entrySec: number; readonly atMs: number };

export function placeOf(race: RaceState, startedAtMs: number, asOfMs: number): Place {
  // asOfMs itself counts: a forecast caused by a transition is made at its instant.
  const last = transitionsOf(race.stages, startedAtMs, asOfMs + 1).at(-1);
  if (last === undefined) return { state: '', stage: null, entrySec: 0, atMs: startedAtMs };
  return { state: last.state, stage: last.stage, entrySec: (last.atMs - startedAtMs) / 1000, atMs: last.atMs };
}

/** How like the present visit an earlier one was: by the age of its race at entry, and by how long ago it was. */
export function likeness(entrySec: number, otherSec: number, age: number): number {
  const away = Math.abs(Math.log((otherSec + ENTRY_FLOOR_SEC) / (entrySec + ENTRY_FLOOR_SEC))) / ENTRY_WIDTH;
  return Math.max(Math.exp(-0.5 * away * away), 1e-4) * MEMORY ** age;
}

