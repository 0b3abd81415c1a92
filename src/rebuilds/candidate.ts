import { adjustedRandIndex } from '../cluster/agreement.ts';
import type { PublishedModel } from '../cluster/published-model.ts';
import type { Rebuilt } from '../cluster/rebuild.ts';
import { stableIds } from '../cluster/stable-ids.ts';

/** Durations that a cluster begins with: as many as the forecaster keeps of one. */
const FIRST_SAMPLES = 20;

export type CandidateOptions = {
  readonly source: string;
  /** No other model of the source has it. */
  readonly version: string;
  readonly builtAtMs: number;
  readonly rebuilt: Rebuilt;
  /** Of the races of the rebuild, seconds, in the order of their ends. */
  readonly durationsSec: ArrayLike<number>;
  /** Of the unseen races, which came after them; empty if there were none. */
  readonly unseenDurationsSec: ArrayLike<number>;
  /** By race of the rebuild: its cluster in the model in force, null for none; null = no model is in force. */
  readonly previous: readonly (string | null)[] | null;
};

/** The model that a rebuild proposes, and by race of the rebuild, and by unseen race, the id of its cluster. */
export type Candidate = { readonly model: PublishedModel; readonly ids: readonly (string | null)[]; readonly unseenIds: readonly (string | null)[] };

/** Names the clusters of a rebuild, old ones as before, and gives each its newest durations to begin with. O(races). */
export function candidateOf({ source, version, builtAtMs, rebuilt, durationsSec, unseenDurationsSec, previous }: CandidateOptions): Candidate {
  const { labels, clusters, unseenLabels } = rebuilt;
  const names = stableIds({ labels, clusterCount: clusters.length, previous: previous ?? Array.from(labels, () => null), version });
  const samples = clusters.map((): number[] => []);
  const collect = (of: ArrayLike<number>, durations: ArrayLike<number>): void => {
    for (let row = 0; row < durations.length; row++) if (of[row]! >= 0) samples[of[row]!]!.push(durations[row]!);
  };
  collect(labels, durationsSec);
  if (unseenLabels !== null) collect(unseenLabels, unseenDurationsSec);
  const nameOf = (label: number): string | null => (label < 0 ? null : names[label]!);
  return {
    ids: Array.from(labels, nameOf),
    unseenIds: Array.from(unseenLabels ?? [], nameOf),
    model: {
      source, version, built_at: builtAtMs, eps: rebuilt.eps, eps_rule: rebuilt.rule, min_pts: rebuilt.minPts, mask: rebuilt.mask, dropped_keys: [...rebuilt.droppedKeys],
      exact: rebuilt.exact, distance_calls: rebuilt.distanceCalls, races: rebuilt.races, noise_ratio: rebuilt.noiseRatio,
      agreement: previous === null ? null : agreementOf(labels, previous), verdict: null, report: null,
      clusters: clusters.map(({ size, medoidTitle }, label) => ({ cluster_id: names[label]!, size, medoid_title: medoidTitle, first_samples_sec: samples[label]!.slice(-FIRST_SAMPLES) })),
      exemplars: rebuilt.exemplars.map(({ cluster, title, metadata, weight }) => ({ cluster_id: names[cluster]!, title, metadata: { ...metadata }, weight })),
    },
  };
}

/** Adjusted Rand index on the races that both put into a cluster; noise is where the two may differ without disagreeing. */
function agreementOf(labels: ArrayLike<number>, previous: readonly (string | null)[]): number {
  const numbers = new Map<string, number>();
  const [now, before]: [number[], number[]] = [[], []];
  for (let row = 0; row < previous.length; row++) {
    const old = previous[row]!;
    if (old === null || labels[row]! < 0) continue;
    if (!numbers.has(old)) numbers.set(old, numbers.size);
    now.push(labels[row]!);
    before.push(numbers.get(old)!);
  }
  return adjustedRandIndex(now, before);
}

