import { cellOf } from '../forecast/clusterings.ts';
import { logSec, point, quantile } from '../forecast/distribution.ts';
import { median } from '../forecast/median.ts';
import { blend, learnMixture } from '../forecast/blend.ts';
import { seedCluster, type Subject } from '../forecast/contexts.ts';
import { createMixture } from '../forecast/mixture.ts';
import { withScratch } from '../forecast/scratch.ts';
import { isWithin20 } from '../forecast/within20.ts';

/** A finished race as a trial plays it again. */
export type TrialRace = {
  readonly title: string;
  readonly metadata: Subject['metadata'];
  readonly startedAtMs: number;
  readonly completedAtMs: number;
  readonly durationSec: number;
  readonly hasPassed: boolean;
  /** Its cluster by the candidate, and by the model in force; null = in none. */
  readonly candidateId: string | null;
  readonly inForceId: string | null;
};

export type TrialInput = {
  /** What the candidate was made of, in the order of the ends; the newest 5,000 are enough. */
  readonly seen: readonly TrialRace[];
  /** What came right after, in the order of the ends; the first 3,000 are enough. */
  readonly unseen: readonly TrialRace[];
  readonly candidate: { readonly version: string; readonly clusters: readonly { readonly cluster_id: string; readonly first_samples_sec: readonly number[] }[] };
};

/** How forecasts at submission turned out, over the unseen races. */
export type Figures = {
  /** Mean |ln(forecast / truth)|, each at most 3. */
  readonly loss: number;
  readonly maeSec: number;
  readonly within20: number;
  /** Truths within P10..P90: 0.8 is right. */
  readonly coverage: number;
};

export type TrialResult = {
  readonly races: number;
  readonly medianSec: number;
  readonly candidate: Figures;
  /** The same races by the model in force; without clusters where there is none. */
  readonly inForce: Figures;
  /** Mean of candidate less in force by race, and its standard error. Below 0 = the candidate is better. */
  readonly lossDifference: number;
  readonly lossDifferenceError: number;
  /** Unseen races that the candidate puts into a cluster, and what the median of the cluster, and of the source, missed them by (as loss). */
  readonly placed: number;
  readonly clusterLoss: number;
  readonly sourceLoss: number;
};

/** Enough that every memory of the forecaster is full; and enough to tell 1 % of loss. Chosen: some seconds of work in all. */
export const MOST_SEEN = 5_000;
export const MOST_UNSEEN = 3_000;
const MOST_LOSS = 3;
const RACES_A_STEP = 16;
const IN_FORCE = 'in force';

/**
 * Plays the end of the history again: what was seen is learned, then each unseen race is forecast at its start from what
 * had ended by then, once by the candidate's clusters and once by those in force, and learned at its end. A model's
 * clusters are all that differs. Yields after every few races, for the caller to let others work. Some 0.3 ms a race.
 */
export function* runTrial({ seen, unseen, candidate }: TrialInput): Generator<void, TrialResult> {
  const mixture = createMixture();
  const cells = (race: TrialRace) => ({
    candidate: race.candidateId === null ? 0 : cellOf(candidate.version, race.candidateId),
    inForce: race.inForceId === null ? 0 : cellOf(IN_FORCE, race.inForceId),
  });
  const learnRace = (race: TrialRace, isSeen: boolean): void => withScratch(() => {
    const { candidate: trial, inForce } = cells(race);
    const { title, metadata, startedAtMs, durationSec, hasPassed } = race;
    // Its own races are in its first samples already.
    learnMixture(mixture, { title, metadata, startedAtMs, cluster: inForce, trialClusters: isSeen ? [] : [trial] }, durationSec, hasPassed);
  });
  let step = 0;
  const medians = { source: createMedian(), clusters: new Map<string, Median>() };
  for (const race of seen.slice(-MOST_SEEN)) {
    learnRace(race, true);
    medians.source.add(race.durationSec);
    if (++step % RACES_A_STEP === 0) yield;
  }
  for (const { cluster_id, first_samples_sec } of candidate.clusters) {
    seedCluster(mixture, cellOf(candidate.version, cluster_id), first_samples_sec);
    const median = createMedian();
    for (const sec of first_samples_sec) median.add(sec);
    medians.clusters.set(cluster_id, median);
  }
  const judged = { candidate: createSheet(), inForce: createSheet(), differences: [] as number[], cluster: [] as number[], source: [] as number[] };
  const races = unseen.slice(0, MOST_UNSEEN);
  // By what happens when: a forecast knows only what had ended.
  const starts = races.toSorted((a, b) => a.startedAtMs - b.startedAtMs);
  let next = 0;
  const forecast = (race: TrialRace): void => withScratch(() => {
    const { title, metadata, startedAtMs, durationSec } = race;
    const at = cells(race);
    const losses = (['candidate', 'inForce'] as const).map((arm) => {
      const blended = blend(mixture, { title, metadata, startedAtMs, cluster: at[arm] });
      return blended === null ? null : judged[arm].add(durationSec, point(blended.distribution, 0).sec, quantile(blended.distribution, 0.1), quantile(blended.distribution, 0.9));
    });
    if (losses[0] != null && losses[1] != null) judged.differences.push(losses[0] - losses[1]);
    const [ofCluster, ofSource] = [race.candidateId === null ? null : medians.clusters.get(race.candidateId)?.value() ?? null, medians.source.value()];
    if (ofCluster === null || ofSource === null) return;
    judged.cluster.push(lossOf(ofCluster, durationSec));
    judged.source.push(lossOf(ofSource, durationSec));
  });
  for (const ended of races) {
    for (; next < starts.length && starts[next]!.startedAtMs < ended.completedAtMs; next++) {
      forecast(starts[next]!);
      if (++step % RACES_A_STEP === 0) yield;
    }
    learnRace(ended, false);
    medians.source.add(ended.durationSec);
    if (ended.candidateId !== null) medians.clusters.get(ended.candidateId)?.add(ended.durationSec);
    if (++step % RACES_A_STEP === 0) yield;
  }
  const { mean, error } = meanAndError(judged.differences);
  return {
    races: judged.differences.length, medianSec: median(races.map(({ durationSec }) => durationSec)) ?? 0,
    candidate: judged.candidate.figures(), inForce: judged.inForce.figures(), lossDifference: mean, lossDifferenceError: error,
    placed: judged.cluster.length, clusterLoss: meanAndError(judged.cluster).mean, sourceLoss: meanAndError(judged.source).mean,
  };
}

/** |ln(forecast / truth)|, at most 3. */
function lossOf(forecastSec: number, truthSec: number): number {
  return Math.min(MOST_LOSS, Math.abs(logSec(forecastSec) - logSec(truthSec)));
}

/** The mean, and its standard error; 0 without values, an infinite error with fewer than two. */
function meanAndError(values: readonly number[]): { readonly mean: number; readonly error: number } {
  const n = values.length;
  if (n === 0) return { mean: 0, error: Infinity };
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: n < 2 ? Infinity : Math.sqrt(squares / (n - 1) / n) };
}

function createSheet() {
  const sums = { n: 0, loss: 0, absSec: 0, within20: 0, covered: 0 };
  return {
    add(truthSec: number, etaSec: number, p10Sec: number, p90Sec: number): number {
      const loss = lossOf(etaSec, truthSec);
      sums.n += 1;
      sums.loss += loss;
      sums.absSec += Math.abs(etaSec - truthSec);
      sums.within20 += Number(isWithin20(etaSec, truthSec));
      sums.covered += Number(p10Sec <= truthSec && truthSec <= p90Sec);
      return loss;
    },
    figures(): Figures {
      const n = Math.max(1, sums.n);
      return { loss: sums.loss / n, maeSec: sums.absSec / n, within20: sums.within20 / n, coverage: sums.covered / n };
    },
  };
}

/** Samples that a median is of: the newest. */
const MEDIAN_SAMPLES = 20;

type Median = { add(value: number): void; value(): number | null };

function createMedian(): Median {
  const values: number[] = [];
  return {
    add(value) {
      values.push(value);
      if (values.length > MEDIAN_SAMPLES) values.shift();
    },
    value: () => median(values),
  };
}
