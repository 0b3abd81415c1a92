import { assignRace, openModel, type AssignableModel } from '../cluster/model.ts';
import { clusterModelOf, type PublishedModel } from '../cluster/published-model.ts';
import { maskTitle } from '../race/mask.ts';
import { combine, hashText } from './hash.ts';

/** A cluster model made ready for forecasts, with the clusters that it has found. */
export type Clustering = {
  readonly version: string;
  readonly model: AssignableModel;
  readonly published: PublishedModel;
  /** By what of a race is compared; the oldest leaves. */
  readonly found: Map<string, Placed | null>;
};

/** The cluster of a race, and the number under which its samples are kept: no two versions share one. */
export type Placed = { readonly clusterId: string; readonly cell: number };

/** The versions that are in play for a source. Not part of what is learned: made again from cluster-models. */
export type Clusterings = { active: Clustering | null; canary: Clustering | null; shadow: Clustering | null; previous: Clustering | null };

/** Looks up a version that was published; undefined = it is not there. */
export type FindModel = (source: string, version: string) => PublishedModel | undefined;

export function noClusterings(): Clusterings {
  return { active: null, canary: null, shadow: null, previous: null };
}

/** Some milliseconds for 2,000 exemplars. */
export function openClustering(published: PublishedModel): Clustering {
  return { version: published.version, model: openModel(clusterModelOf(published)), published, found: new Map() };
}

/** Races whose cluster is kept, by version: some 300 bytes each. */
const MOST_FOUND = 4_096;

type Metadata = readonly { readonly key: string; readonly value: string | null }[];

/** The cluster of a race; null = none is near enough. Some microseconds where a like one was asked for before, else 50 to 200. */
export function placeOfRace(clustering: Clustering, title: string, metadata: Metadata): Placed | null {
  const { model, found, version } = clustering;
  const masked = model.mask ? maskedTitle(title) : title;
  const pairs = metadata.filter(({ key, value }) => value !== null && !model.droppedKeys.includes(key)) as { key: string; value: string }[];
  const name = `${masked}\n${pairs.map(({ key, value }) => `${key}=${value}`).join('\n')}`;
  const known = found.get(name);
  if (known !== undefined) return known;
  const assigned = assignRace(model, { title, metadata: Object.fromEntries(pairs.map(({ key, value }) => [key, value])) });
  const placed = assigned === null ? null : { clusterId: assigned.clusterId, cell: cellOf(version, assigned.clusterId) };
  if (found.size === MOST_FOUND) {
    const [oldest] = found.keys();
    found.delete(oldest!);
  }
  found.set(name, placed);
  return placed;
}

/** Where the samples of a cluster lie; never 0. */
export function cellOf(version: string, clusterId: string): number {
  return combine(hashText(version), hashText(clusterId));
}

/** Whether a canary of this share serves the race: the same races whoever asks, more of them as the share grows. */
function isCanaryRace(raceId: string, share: number): boolean {
  return (hashText(raceId) >>> 0) / 2 ** 32 < share;
}

/** The version whose clusters a race is forecast by; null = none is in force. */
export function servingOf(clusterings: Clusterings, raceId: string, canaryShare: number): Clustering | null {
  return clusterings.canary !== null && isCanaryRace(raceId, canaryShare) ? clusterings.canary : clusterings.active;
}

/** Those that are taught beside the one that serves: candidates, and the one that a rollback would bring back. */
export function taughtBeside({ canary, shadow, previous, active }: Clusterings): Clustering[] {
  return [canary, shadow, previous].filter((one) => one !== null && one.version !== active?.version) as Clustering[];
}

/** Titles come again and again, and masking one takes ten regular expressions. */
const maskedTitles = new Map<string, string>();
const MOST_MASKED = 4_096;

function maskedTitle(title: string): string {
  let masked = maskedTitles.get(title);
  if (masked !== undefined) return masked;
  masked = maskTitle(title);
  if (maskedTitles.size === MOST_MASKED) maskedTitles.clear();
  maskedTitles.set(title, masked);
  return masked;
}
