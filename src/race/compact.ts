import { sharedText } from './shared-text.ts';
import type { Checkpoint, RaceState, ShownRevision } from './state.ts';

/** The empty list of all races: parts of a state are replaced, never changed. */
export const NONE: never[] = [];

/**
 * Takes memory from a race that was just decoded, and is the caller's own: texts are shared with other races, lists lose
 * their room to grow, what is held twice is held once. Half of 8 KB for a race half-way through a build of twenty updates.
 */
export function compactRace(race: RaceState): RaceState {
  race.source = sharedText(race.source);
  race.title = sharedText(race.title);
  for (const entry of race.metadata) {
    entry.key = sharedText(entry.key);
    if (entry.value !== null) entry.value = sharedText(entry.value);
  }
  for (const stage of race.stages) stage.name = sharedText(stage.name);
  for (const checkpoint of race.checkpoints) checkpoint.model_version = sharedText(checkpoint.model_version);
  if (race.published !== null) race.published.model_version = sharedText(race.published.model_version);
  race.metadata = exact(race.metadata);
  race.stages = exact(race.stages);
  race.plan = exact(race.plan);
  race.events = exact(race.events);
  race.progress_points = exact(race.progress_points);
  race.checkpoints = exact(race.checkpoints);
  race.eta_revisions = exact(shareShown(race.eta_revisions, race.checkpoints));
  return race;
}

function exact<T>(list: T[]): T[] {
  return list.length === 0 ? NONE : list.slice();
}

/** What is shown of a checkpoint is part of it: the checkpoint itself stands for it, where there (still) is one. */
export function shareShown(shown: readonly ShownRevision[], checkpoints: readonly Checkpoint[]): ShownRevision[] {
  return shown.map((one) => checkpoints.findLast(({ revision, role }) => revision === one.revision && role === 'served') ?? shownOf(one));
}

/** A shown revision by itself: one that is a checkpoint knows more than goes out. */
export function shownOf({ revision, eta_sec, issued_at, confidence, basis, reason }: ShownRevision): ShownRevision {
  return { revision, eta_sec, issued_at, confidence, basis, reason };
}
