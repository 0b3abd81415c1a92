import { cohesion, noiseRatio, silhouette } from './agreement.ts';
import { buildBoundTree, type BoundTree } from './bound-tree.ts';
import { clusterBySample, clusterPoints, NOISE, type Labels } from './dbscan.ts';
import type { RaceFacts } from './distance.ts';
import { chooseExemplars, findMedoids } from './exemplars.ts';
import { CURVE_SAMPLE, kDistances } from './k-distance.ts';
import { chooseEps, EPS_DEFAULT, type Eps } from './knee.ts';
import { assignRace, comparable, MOST_EXEMPLARS, openModel } from './model.ts';
import { createProposals, type VectorIndex } from './neighbours.ts';
import { factsAt, titleAt, type PackedRaces } from './packed-races.ts';
import { collapseRaces, hashOrder, type PointOptions, type PointSet } from './point.ts';
import { clusterByProposals, type Propose } from './proposed-dbscan.ts';
import { createTreeSearch } from './tree-search.ts';
import { Cancelled, createWork, OverBudget, type Stage, type Work } from './work.ts';

export type RebuildOptions = PointOptions & {
  /** `auto`: at the knee of the k-distance curve; else in (0, 1]. */
  readonly eps: 'auto' | number;
  /** Eps of the model in force, which a new knee moves by a fifth only; null for none. Ignored where eps is given. */
  readonly previousEps: number | null;
  /** Races that make a core, its own counted; whole, at least 1. */
  readonly minPts: number;
  /** Distance calls, and looks by bounds at 40 to a call, past which labels are not exact; above 0. */
  readonly budget: number;
  /** Exemplars in the result; whole, at least 1. */
  readonly mostExemplars: number;
};

/** A fleet of 100,000 with metadata takes half a million, one without any a million; past it HNSW takes 0.4 ms a race where nothing is alike. */
export const defaultRebuildOptions: RebuildOptions = {
  keys: 'auto', mask: true, eps: 'auto', previousEps: null, minPts: 3, budget: 8_000_000, mostExemplars: MOST_EXEMPLARS,
};

export type RebuildInput = {
  readonly races: PackedRaces;
  /** Later races that are only assigned to the new clusters, for validation; null for none. */
  readonly unseen: PackedRaces | null;
  readonly options: RebuildOptions;
};

export type RebuiltCluster = {
  /** Races, border ones too. */
  readonly size: number;
  /** Title of the medoid as it was sent. */
  readonly medoidTitle: string;
};

export type Rebuilt = Eps & {
  readonly minPts: number;
  /** By race: its cluster, -1 for noise. Clusters are numbered by their cores' first race. */
  readonly labels: Int32Array;
  /** By unseen race: the cluster of the nearest exemplar within eps (of those proposed, where labels were proposed), -1 for none; null if there were none to assign. */
  readonly unseenLabels: Int32Array | null;
  /** By cluster. */
  readonly clusters: readonly RebuiltCluster[];
  /** Exemplars as they are compared, with the number of their cluster. */
  readonly exemplars: readonly (RaceFacts & { readonly cluster: number; readonly weight: number })[];
  readonly droppedKeys: readonly string[];
  readonly mask: boolean;
  /** The labels are those of DBSCAN by its definition. False where neighbours were only proposed, cores sampled, or titles cut. */
  readonly exact: boolean;
  /** Points that could be cores where the budget made it a sample, else null. */
  readonly sampledPoints: number | null;
  readonly races: number;
  /** Distinct (title, pairs). */
  readonly distinct: number;
  readonly noise: number;
  readonly noiseRatio: number;
  readonly cohesion: number | null;
  readonly silhouette: number | null;
  readonly distanceCalls: number;
  /** Milliseconds of each stage that ran. */
  readonly stageMs: Readonly<Partial<Record<Stage, number>>>;
};

/** Plain data, so that a worker can send it. */
export type RebuildOutcome =
  | { readonly kind: 'rebuilt'; readonly rebuilt: Rebuilt }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'refused'; readonly message: string };

export type RebuildControl = {
  /** Told how far a stage is, 0..1; returns whether to go on. Called some hundred times a second. */
  readonly report: (stage: Stage, ratio: number) => boolean;
  /** Monotone, milliseconds. */
  readonly nowMs: () => number;
  /** An empty vector index for so many items. Asked for where the budget is spent: all points are then clustered, and unseen races assigned, by what it proposes; without it, a sample by the tree. */
  readonly createVectors?: (capacity: number) => VectorIndex;
};

/**
 * Clusters of one source from its races: collapse, index, eps at the knee, DBSCAN, medoids and exemplars, quality, and the
 * clusters of unseen races. The same for the same input; the order of the races decides only the numbers of clusters.
 * Refused: options out of range. 100,000 distinct races with CI metadata: some 3 s of one core, 300 MB.
 */
export function rebuildClusters({ races, unseen, options }: RebuildInput, control: RebuildControl): RebuildOutcome {
  const problem = problemOf(options);
  if (problem !== null) return { kind: 'refused', message: problem };
  try {
    return { kind: 'rebuilt', rebuilt: rebuild(races, unseen, options, control) };
  } catch (error) {
    if (error instanceof Cancelled) return { kind: 'cancelled' };
    throw error;
  }
}

function rebuild(races: PackedRaces, unseen: PackedRaces | null, options: RebuildOptions, control: RebuildControl): Rebuilt {
  const { stageMs, report, close } = clockStages(control);
  const spent = { distanceCalls: 0 };
  report('collapse', 0);
  const { points, pointOf, droppedKeys } = collapseRaces(races, options);
  report('index', 0);
  const tree = buildBoundTree(points);
  const found = options.eps === 'auto' ? findEps(tree, options, report, spent) : { eps: options.eps, rule: 'given' as const, knee: null };
  const factsOf = (point: number): RaceFacts => comparable(factsAt(races, points.firstRow[point]!), { mask: options.mask, droppedKeys });
  const { createVectors } = control;
  const proposer = createVectors === undefined ? null : () => {
    const propose = createProposals(hashOrder(points), factsOf, createVectors(points.count));
    return (point: number) => propose(factsOf(point));
  };
  const { labels: clustered, isExact, sampledPoints } = label(tree, found.eps, options, report, spent, proposer);
  report('measure', 0);
  const medoids = findMedoids(points, clustered);
  report('measure', 0.5);
  const exemplars = Array.from(chooseExemplars(points, clustered, medoids, options.mostExemplars), (point) => ({
    ...factsOf(point), cluster: clustered.labels[point]!, weight: points.weights[point]!,
  }));
  const quality = { noiseRatio: noiseRatio(points, clustered.labels), cohesion: cohesion(points, clustered.labels, medoids), silhouette: silhouette(points, clustered.labels) };
  const labels = Int32Array.from(pointOf, (point) => clustered.labels[point]!);
  let unseenLabels: Int32Array | null = null;
  if (unseen !== null) {
    // Where the races were too dear to compare with each other, these are too dear to compare with all exemplars.
    const vectors = isExact ? undefined : createVectors?.(exemplars.length);
    const model = openModel({ eps: found.eps, mask: options.mask, droppedKeys, exemplars: exemplars.map(({ cluster, ...exemplar }) => ({ ...exemplar, clusterId: String(cluster) })) }, vectors);
    unseenLabels = assignAll(unseen, (race) => assignRace(model, race)?.clusterId ?? null, report);
  }
  close();
  return {
    ...found, ...quality, minPts: options.minPts, labels, unseenLabels, exemplars, droppedKeys, mask: options.mask, stageMs, sampledPoints,
    clusters: describeClusters(races, points, clustered, medoids),
    exact: isExact && points.isComplete, races: labels.length, distinct: points.count,
    noise: labels.reduce((sum, one) => (one === NOISE ? sum + 1 : sum), 0), distanceCalls: spent.distanceCalls,
  };
}

type Report = RebuildControl['report'];
type Spent = { distanceCalls: number };

/** Share of the budget that the curve may take: what it costs is lost to the labels. Chosen. */
const CURVE_SHARE = 0.25;
/** Sample of the curve where the first one was too dear. */
const SMALL_CURVE_SAMPLE = 200;

function findEps(tree: BoundTree, { minPts, budget, previousEps }: RebuildOptions, report: Report, spent: Spent): Eps {
  for (const sample of [CURVE_SAMPLE, SMALL_CURVE_SAMPLE]) {
    const curve = within(budget * CURVE_SHARE, report, spent, (work) => kDistances(createTreeSearch(tree, work), Math.max(1, minPts - 1), work, sample));
    if (curve !== null) return chooseEps(curve, previousEps);
  }
  return { eps: previousEps ?? EPS_DEFAULT, rule: 'over_budget', knee: null };
}

/** Of the points, how many are sampled first when all are too dear; then a quarter of that, and so on. Chosen. */
const FIRST_SAMPLE_SHARE = 1 / 8;
/** A sample so small that it is affordable whatever the data. */
const LEAST_SAMPLE = 500;

function label(tree: BoundTree, eps: number, { minPts, budget }: RebuildOptions, report: Report, spent: Spent, openProposals: (() => Propose) | null): { labels: Labels; isExact: boolean; sampledPoints: number | null } {
  const exact = within(budget, report, spent, (work) => clusterPoints(createTreeSearch(tree, work), { eps, minPts }, work));
  if (exact !== null) return { labels: exact, isExact: true, sampledPoints: null };
  const proposed = openProposals === null ? null : within(Infinity, report, spent, (work) => clusterByProposals(createTreeSearch(tree, work), { eps, minPts }, openProposals(), work));
  if (proposed !== null) return { labels: proposed, isExact: false, sampledPoints: null };
  for (let size = Math.ceil(tree.points.count * FIRST_SAMPLE_SHARE); ; size = Math.ceil(size / 4)) {
    const sampledPoints = Math.min(tree.points.count, Math.max(LEAST_SAMPLE, size));
    const allowed = sampledPoints <= LEAST_SAMPLE ? Infinity : budget / 4;
    const labels = within(allowed, report, spent, (work) => clusterBySample(createTreeSearch(tree, work), { eps, minPts }, sampledPoints, work));
    if (labels !== null) return { labels, isExact: false, sampledPoints };
  }
}

/** What `compute` returns, null if it went over its budget. */
function within<T>(budget: number, report: Report, spent: Spent, compute: (work: Work) => T): T | null {
  const work = createWork(budget, report);
  try {
    return compute(work);
  } catch (error) {
    if (error instanceof OverBudget) return null;
    throw error;
  } finally {
    spent.distanceCalls += work.distanceCalls;
  }
}

/** Races between two looks at whether to go on. */
const ASSIGN_BATCH = 256;

function assignAll(races: PackedRaces, assign: (race: RaceFacts) => string | null, report: Report): Int32Array {
  // Assigned once per distinct (title, pairs).
  const known = new Map<number, number>();
  return Int32Array.from(races.titleOf, (title, row) => {
    if (row % ASSIGN_BATCH === 0) report('assign', row / races.titleOf.length);
    const key = title * races.setEnds.length + races.setOf[row]!;
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = assign(factsAt(races, row));
    const cluster = found === null ? NOISE : Number(found);
    known.set(key, cluster);
    return cluster;
  });
}

function describeClusters(races: PackedRaces, points: PointSet, { labels, clusterCount }: Labels, medoids: Uint32Array): RebuiltCluster[] {
  const sizes = new Float64Array(clusterCount);
  for (let point = 0; point < points.count; point++) if (labels[point] !== NOISE) sizes[labels[point]!]! += points.weights[point]!;
  return Array.from(sizes, (size, cluster) => ({ size, medoidTitle: titleAt(races, races.titleOf[points.firstRow[medoids[cluster]!]!]!) }));
}

/** Reports on, stopping where nobody wants the result, and takes the time of each stage. */
function clockStages({ report, nowMs }: RebuildControl): { stageMs: Partial<Record<Stage, number>>; report: Report; close: () => void } {
  const stageMs: Partial<Record<Stage, number>> = {};
  let current: Stage | null = null;
  let sinceMs = nowMs();
  const turnTo = (stage: Stage | null): void => {
    if (stage === current) return;
    const atMs = nowMs();
    if (current !== null) stageMs[current] = (stageMs[current] ?? 0) + Math.round(atMs - sinceMs);
    [current, sinceMs] = [stage, atMs];
  };
  return {
    stageMs,
    report(stage, ratio) {
      turnTo(stage);
      if (!report(stage, ratio)) throw new Cancelled();
      return true;
    },
    close: () => turnTo(null),
  };
}

function problemOf({ eps, minPts, budget, mostExemplars }: RebuildOptions): string | null {
  if (eps !== 'auto' && !(eps > 0 && eps <= 1)) return `Cannot cluster: eps must be auto or in (0, 1], got ${eps}`;
  if (!Number.isInteger(minPts) || minPts < 1) return `Cannot cluster: min-pts must be a whole number of at least 1, got ${minPts}`;
  if (!(budget > 0)) return `Cannot cluster: the budget must be above 0, got ${budget}`;
  if (!Number.isInteger(mostExemplars) || mostExemplars < 1) return `Cannot cluster: the number of exemplars must be whole and at least 1, got ${mostExemplars}`;
  return null;
}
