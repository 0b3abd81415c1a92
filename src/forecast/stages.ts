import type { RaceState } from '../race/state.ts';
import { conditionOn, distributionOf, shiftBy, type Distribution } from './distribution.ts';
import { transitionsOf } from './course.ts';
import { contextKey, VISIT, type SourceModel } from './model.ts';
import { cell, type Ring } from './ring.ts';

/** Width of the kernel on log age at entry, and the weight of a visit one race older: between the best for CI and for training, flat around. */
const ENTRY_WIDTH = 0.25;
const MEMORY = 0.95;
/** Ages below this differ by chance (timestamps are often whole seconds). */
const ENTRY_FLOOR_SEC = 5;
/** Fewer visits than this and the state says nothing. */
const LEAST_VISITS = 3;

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

export type StageForecast = {
  readonly distribution: Distribution;
  /** Visits behind it, counted by their weight. */
  readonly support: number;
};

/**
 * The total from what remained when earlier races came to the same state (annotated transition system: van der Aalst
 * et al. 2011), weighted by likeness; only visits that lasted as long as this one has. null = too few of them.
 */
export function stageForecast(model: SourceModel, race: RaceState, place: Place, elapsedSec: number): StageForecast | null {
  if (place.stage === null) return null;
  for (const context of [race.title, '']) {
    const ring = model.states.get(contextKey(context, place.state));
    const found = ring === undefined ? null : fromVisits(ring, place.entrySec, elapsedSec - place.entrySec);
    if (found !== null) return { ...found, distribution: conditionOn(shiftBy(found.distribution, place.entrySec), elapsedSec) };
    if (model.titles.has(race.title)) return null;
  }
  return null;
}

function fromVisits(ring: Ring, entrySec: number, ageSec: number): StageForecast | null {
  const seconds: number[] = [];
  const weights: number[] = [];
  let sum = 0;
  let squares = 0;
  for (let row = 0; row < ring.size; row++) {
    if (cell(ring, row, VISIT.sojournSec) < ageSec) continue;
    const weight = likeness(entrySec, cell(ring, row, VISIT.entrySec), ring.size - 1 - row);
    seconds.push(cell(ring, row, VISIT.remainingSec));
    weights.push(weight);
    sum += weight;
    squares += weight * weight;
  }
  if (seconds.length < LEAST_VISITS) return null;
  return { distribution: conditionOn(distributionOf(seconds, weights), ageSec), support: (sum * sum) / squares };
}
