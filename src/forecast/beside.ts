import type { RaceState } from '../race/state.ts';
import { servingOf, type Clustering } from './clusterings.ts';
import type { SourceModel } from './model.ts';

/** A version that would have forecast a race otherwise than the one that serves it. `canary`: one of the two is a canary. */
export type Beside = { readonly role: 'shadow' | 'canary'; readonly clustering: Clustering | null };

/** The versions to hold against the one that serves a race: what a rollout is decided by. At most three. */
export function versionsBeside({ clusterings, versions }: SourceModel, race: RaceState): Beside[] {
  const { shadow, canary, active, previous } = clusterings;
  const beside: Beside[] = shadow === null ? [] : [{ role: 'shadow', clustering: shadow }];
  if (versions.previous !== null && active !== null) beside.push({ role: 'shadow', clustering: previous });
  if (canary === null) return beside;
  const isServedByCanary = servingOf(clusterings, race.race_id, versions.canaryShare) === canary;
  return [...beside, { role: 'canary', clustering: isServedByCanary ? active : canary }];
}
