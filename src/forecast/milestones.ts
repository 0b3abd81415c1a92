import type { RaceState } from '../race/state.ts';
import { doneState, stageKey } from './course.ts';
import { conditionOn, distributionOf, quantile } from './distribution.ts';
import type { Milestone } from './eta-update.ts';
import { contextKey, LEG, VISIT, type SourceModel } from './model.ts';
import { cell, type Ring } from './ring.ts';
import { likeness, type Place } from './stages.ts';

export const MOST_MILESTONES = 50;

/** `dropped` = how many there was no room for. */
export type ShownMilestones = { readonly milestones: Milestone[]; readonly dropped: number };

/** At most so many, in order: what is over gives way to what is ahead, the earliest first; then what is farthest ahead. `unmade` = those behind the last. */
export function fitted(all: Milestone[], most: number, unmade = 0): ShownMilestones {
  if (all.length <= most) return { milestones: all, dropped: unmade };
  const isAhead = ({ state }: Milestone) => state === 'pending' || state === 'running';
  const ahead = all.filter(isAhead).slice(0, most);
  const over = all.filter((milestone) => !isAhead(milestone));
  return { milestones: [...over.slice(over.length - (most - ahead.length)), ...ahead], dropped: all.length - most + unmade };
}

/**
 * The stages of a race with their ETAs: those it has shown, then what its plan, else the newest race of its title, says
 * will come; at most 50. A stage ahead gets its ETA from the same races' way from the present
 * state to that stage's end, else from the legs of races still running, else from the plan; else it has none.
 */
export function milestonesOf(model: SourceModel | undefined, race: RaceState, place: Place | null, asOfMs: number): ShownMilestones {
  const shown: Milestone[] = [];
  const known = new Set<string>();
  const kind = race.position === null ? 'stage' : 'waypoint';
  for (const stage of race.stages) {
    const key = stageKey(stage);
    known.add(key);
    const isOpen = stage.state === 'running' || stage.state === 'pending';
    shown.push(isOpen ? ahead(model, race, place, asOfMs, key, stage.name, stage.state, plannedEnd(race, stage.name)) : { ...blank(stage.name, kind), state: stage.state, passed_at: stage.completed_at });
  }
  const names = race.plan.length > 0 ? race.plan.map(({ name }) => `${name}#1`) : (model?.titles.get(race.title)?.order ?? []);
  let unmade = 0;
  for (const key of names) {
    if (known.has(key)) continue;
    known.add(key);
    if (known.size > 2 * MOST_MILESTONES) {
      unmade += 1;
      continue;
    }
    const name = key.slice(0, key.lastIndexOf('#'));
    shown.push(ahead(model, race, place, asOfMs, key, name, 'pending', plannedEnd(race, name)));
  }
  return fitted(shown, MOST_MILESTONES, unmade);
}

function blank(name: string, kind: Milestone['kind']): Milestone {
  return { name, kind, state: 'pending', eta_at: null, p10_at: null, p90_at: null, passed_at: null, distance_m: null, eta_type: null };
}

function plannedEnd(race: RaceState, name: string): number | null {
  return race.plan.find((stage) => stage.name === name)?.planned_at ?? null;
}

function ahead(
  model: SourceModel | undefined, race: RaceState, place: Place | null, asOfMs: number, key: string, name: string, state: Milestone['state'], plannedAtMs: number | null,
): Milestone {
  const milestone: Milestone = { ...blank(name, race.position === null ? 'stage' : 'waypoint'), state };
  const samples = model === undefined || place === null ? null : waysTo(model, race.title, place, key, (asOfMs - place.atMs) / 1000);
  if (place === null || samples === null) return plannedAtMs === null ? milestone : { ...milestone, eta_at: Math.max(plannedAtMs, asOfMs), eta_type: 'anticipated' };
  const left = conditionOn(distributionOf(samples.seconds, samples.weights), Math.max(0, asOfMs - place.atMs) / 1000);
  const at = (q: number) => Math.round(place.atMs + 1000 * quantile(left, q));
  return { ...milestone, eta_at: at(0.5), p10_at: at(0.1), p90_at: at(0.9), eta_type: 'estimated' };
}

type Samples = { seconds: number[]; weights: number[] };

/** Seconds from the present state to the end of a stage, in earlier races that took longer for it than `ageSec`. */
function waysTo(model: SourceModel, title: string, place: Place, stage: string, ageSec: number): Samples | null {
  const ends = model.states.get(contextKey(title, doneState(stage)));
  const entries = place.stage === null ? undefined : model.states.get(contextKey(title, place.state));
  const samples: Samples = { seconds: [], weights: [] };
  if (ends !== undefined && place.stage === null) {
    for (let row = 0; row < ends.size; row++) add(samples, cell(ends, row, VISIT.entrySec), likeness(0, 0, ends.size - 1 - row), ageSec);
  } else if (ends !== undefined && entries !== undefined) joinByRace(entries, ends, place.entrySec, ageSec, samples);
  if (samples.seconds.length === 0 && place.stage === stage) addLegs(model.legs.get(contextKey(title, stage)), ageSec, samples);
  return samples.seconds.length === 0 ? null : samples;
}

function add({ seconds, weights }: Samples, sec: number, weight: number, ageSec: number): void {
  if (sec <= ageSec || sec <= 0) return;
  seconds.push(sec);
  weights.push(weight);
}

/** Both rings are in the order of the races' finishes; a race is in each at most once. */
function joinByRace(entries: Ring, ends: Ring, entrySec: number, ageSec: number, samples: Samples): void {
  let end = 0;
  for (let row = 0; row < entries.size; row++) {
    const ordinal = cell(entries, row, VISIT.ordinal);
    while (end < ends.size && cell(ends, end, VISIT.ordinal) < ordinal) end += 1;
    if (end === ends.size) return;
    if (cell(ends, end, VISIT.ordinal) !== ordinal) continue;
    const from = cell(entries, row, VISIT.entrySec);
    add(samples, cell(ends, end, VISIT.entrySec) - from, likeness(entrySec, from, entries.size - 1 - row), ageSec);
  }
}

function addLegs(legs: Ring | undefined, ageSec: number, samples: Samples): void {
  if (legs === undefined) return;
  for (let row = 0; row < legs.size; row++) add(samples, cell(legs, row, LEG.sec), 1, ageSec);
}
