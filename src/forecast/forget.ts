import { forgetBases } from './history-base.ts';
import { forgetTaught } from './mixture.ts';
import { DURATION, LEG, ORDINALS, VISIT, type SourceModel } from './model.ts';
import { forgetOverdue } from './overdue.ts';
import { dropRows } from './ring.ts';
import { legTag, ordinalsOf } from './taught-races.ts';

/**
 * Drops the samples that a race has left in the model of its source, those of all its attempts, and all under a
 * title that no other race has. What it has moved (weights, regressions, counts; which stage follows which, across titles)
 * stays: that tells of no race. Deterministic.
 *
 * Races before the newest 16,384 of the source are not found any more. O(samples) where there is something to drop.
 */
export function forgetRace(model: SourceModel, raceId: string): void {
  forgetOverdue(model, raceId);
  const orphans = dropLegs(model, legTag(raceId));
  const ordinals = ordinalsOf(model.races, raceId, model.taught);
  if (ordinals.size > 0) {
    forgetTaught(model.mixture, ordinals);
    dropTaught(model, ordinals, orphans);
    forgetBases(model);
  }
  for (const title of orphans) if (!model.titles.has(title) && !hasLegs(model, title)) dropTitle(model, title);
}

/** Returns the titles that have lost all samples of a stage. */
function dropLegs(model: SourceModel, tag: number): Set<string> {
  const orphans = new Set<string>();
  for (const [key, ring] of model.legs) {
    dropRows(ring, LEG.race, (race) => race === tag);
    if (ring.size > 0) continue;
    model.legs.delete(key);
    orphans.add(titleOf(key));
  }
  return orphans;
}

function dropTaught(model: SourceModel, ordinals: ReadonlySet<number>, orphans: Set<string>): void {
  const stored = new Set([...ordinals].map((ordinal) => ordinal % ORDINALS));
  dropRows(model.durations, DURATION.ordinal, (ordinal) => stored.has(ordinal));
  for (const [title, { durations }] of model.titles) {
    const before = durations.size;
    dropRows(durations, DURATION.ordinal, (ordinal) => stored.has(ordinal));
    if (durations.size > 0 || before === 0) continue;
    model.titles.delete(title);
    orphans.add(title);
  }
  // A visit is numbered by the count after its race.
  const visited = new Set([...ordinals].map((ordinal) => (ordinal + 1) % ORDINALS));
  for (const [key, ring] of model.states) {
    dropRows(ring, VISIT.ordinal, (ordinal) => visited.has(ordinal));
    if (ring.size === 0) model.states.delete(key);
  }
}

/** Races that have not ended yet may have taught their stages. */
function hasLegs({ legs }: SourceModel, title: string): boolean {
  return legs.keys().some((key) => titleOf(key) === title);
}

/** What is known under a title that no race is left of. */
function dropTitle({ states, voices, chains }: SourceModel, title: string): void {
  if (title === '') return;
  for (const map of [states, voices, chains]) {
    for (const key of map.keys()) if (titleOf(key) === title) map.delete(key);
  }
}

/** The title of a `contextKey`; '' of a key that has none. */
function titleOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf('\n')));
}
