import type { Basis, MetadataEntry, RaceState } from '../race/state.ts';
import { bootstrapDistribution } from './bootstrap.ts';
import { placeOfRace, servingOf, type Clustering, type Placed } from './clusterings.ts';
import type { Distribution } from './distribution.ts';
import { blend } from './blend.ts';
import type { SourceModel } from './model.ts';
import { withOverdue } from './overdue.ts';
import { room } from './scratch.ts';

export type Base = {
  readonly distribution: Distribution;
  readonly basis: Basis;
  /** Finished runs of its title, else of its masked title, else of its source (at most 20); 0 = only the bootstrap table. */
  readonly support: number;
  /** The cluster it is in, by the version that serves it; null = in none, or no version is in force. */
  readonly clusterId: string | null;
  readonly clusterVersion: string | null;
};

/** What was said of a race under way, and what it rests on. */
type KeptBase = {
  readonly taught: number;
  readonly title: string;
  readonly startedAtMs: number;
  readonly metadata: readonly MetadataEntry[];
  readonly basis: Basis;
  readonly support: number;
  readonly clusterId: string | null;
  readonly clusterVersion: string | null;
  readonly low: number;
  readonly size: number;
  /** Room for it, of another race before. */
  readonly cumulative: Float32Array;
};

/** Races of a source whose base is kept: 1.5 KB each. */
const MOST_KEPT = 1_024;
/** Values of most bases; a wider one has more room. */
const USUAL_SIZE = 384;
/** Rooms of races that have ended, for those to come. */
const MOST_SPARE = 256;
const spare: Float32Array[] = [];
/** A base is good until the source has learned this share of its races anew: what rests on many races moves less. */
const KEPT_SHARE = 1 / 16;
const KEPT_SHARE_OF_MANY = 1 / 4;
/** Chosen: trainings, whose sources are smaller, would lose by it. */
const MANY_RACES = 1_000;

/** Beside the models, as they do not belong to what is learned: a model restored has none, and they are made again. */
const kept = new WeakMap<SourceModel, Map<string, KeptBase>>();

/**
 * What the history says of a race at submission: the mixture of all contexts it is in, without any the bootstrap table.
 * During life it is kept until the source has learned one race in sixteen more (of a source of a thousand races, one in four): it then
 * stands for a position of the learner that is older by so much, at most, whichever instance makes it. Scratch. Cost: that of `blend`, else of a copy.
 */
export function baseOf(model: SourceModel | undefined, race: RaceState, asOfMs: number): Base {
  const { source, title, metadata, started_at } = race;
  if (model === undefined) return bootstrapBase(source, title);
  const clustering = servingOf(model.clusterings, race.race_id, model.versions.canaryShare);
  const clusterVersion = clustering?.version ?? null;
  const bases = kept.get(model);
  const known = started_at === null ? undefined : bases?.get(race.race_id);
  if (known !== undefined && model.mixture.taught <= goodUntil(known.taught) && known.title === title && known.clusterVersion === clusterVersion && known.startedAtMs === started_at && isSame(known.metadata, metadata)) {
    const cumulative = room(known.size);
    for (let i = 0; i < known.size; i++) cumulative[i] = known.cumulative[i]!;
    return { distribution: { originSec: 0, low: known.low, cumulative, overdue: false }, basis: known.basis, support: known.support, clusterId: known.clusterId, clusterVersion };
  }
  const base = baseBy(model, clustering, race, asOfMs);
  if (base === null) return bootstrapBase(source, title);
  if (started_at !== null) keep(model, race, started_at, base);
  return base;
}

/** As if this version (null: none) were the one in force; null = nothing is known of the source. Scratch. */
export function baseBy(model: SourceModel, clustering: Clustering | null, { race_id, title, metadata, started_at }: RaceState, asOfMs: number): Base | null {
  const placed: Placed | null = clustering === null ? null : placeOfRace(clustering, title, metadata);
  const blended = blend(model.mixture, { title, metadata, startedAtMs: started_at ?? asOfMs, cluster: placed?.cell ?? 0 });
  if (blended === null) return null;
  const runs = blended.titleRuns || blended.kindRuns;
  const basis = runs > 0 ? 'key' : blended.byCluster ? 'cluster' : 'source';
  return {
    distribution: withOverdue(blended.distribution, model, title, race_id, asOfMs, runs), basis, support: Math.max(1, runs || blended.clusterRuns),
    clusterId: placed?.clusterId ?? null, clusterVersion: clustering?.version ?? null,
  };
}

function bootstrapBase(source: string, title: string): Base {
  return { distribution: bootstrapDistribution(source, title), basis: 'bootstrap', support: 0, clusterId: null, clusterVersion: null };
}

/** The count of races learned up to which a base made at that count is good. */
function goodUntil(taught: number): number {
  return taught * (1 + (taught < MANY_RACES ? KEPT_SHARE : KEPT_SHARE_OF_MANY));
}

function isSame(a: readonly MetadataEntry[], b: readonly MetadataEntry[]): boolean {
  return a === b || (a.length === b.length && a.every(({ key, value }, i) => key === b[i]!.key && value === b[i]!.value));
}

/** The one made longest ago leaves. */
function keep(model: SourceModel, { race_id, title, metadata }: RaceState, startedAtMs: number, { distribution: { low, cumulative }, ...what }: Base): void {
  let bases = kept.get(model);
  if (bases === undefined) kept.set(model, (bases = new Map()));
  const before = bases.get(race_id) ?? (bases.size < MOST_KEPT ? undefined : oldestOf(bases));
  const size = cumulative.length;
  let copy = before?.cumulative ?? spare.pop();
  if (copy === undefined || copy.length < size) copy = new Float32Array(Math.max(USUAL_SIZE, size));
  for (let i = 0; i < size; i++) {
    copy[i] = cumulative[i]!;
    // The first forecast rests on the same numbers as later ones.
    cumulative[i] = copy[i]!;
  }
  bases.delete(race_id);
  bases.set(race_id, { taught: model.mixture.taught, title, startedAtMs, metadata, ...what, low, size, cumulative: copy });
}

function oldestOf(bases: Map<string, KeptBase>): KeptBase {
  const [[raceId, oldest]] = bases as unknown as [[string, KeptBase]];
  bases.delete(raceId);
  return oldest;
}

/** A race that has ended needs none. */
export function forgetBase(model: SourceModel, raceId: string): void {
  const bases = kept.get(model);
  const known = bases?.get(raceId);
  if (known === undefined) return;
  bases!.delete(raceId);
  if (spare.length < MOST_SPARE) spare.push(known.cumulative);
}

/** Lets go of all of them: what they rest on is not to be known any more. */
export function forgetBases(model: SourceModel): void {
  kept.delete(model);
}
