import type { TrialResult } from './trial.ts';

/** Specified. */
const MOST_NOISE_RATIO = 0.3;
const LEAST_CLUSTER_SIZE = 2;
const LEAST_AGREEMENT = 0.7;
/** A loss may be higher by this share, or by what two standard errors leave open. Chosen, not tuned. */
const MOST_LOSS_RISE = 0.01;
/**
 * How much further below 0.8 the coverage of P10..P90 may be. Above it is no harm: forecasts are calibrated when they are
 * made, which a trial's are not. Chosen, not tuned.
 */
const MOST_COVERAGE_SLIP = 0.03;
/** What the median of a cluster must miss less than that of its source: a cluster that tells nothing of a duration is none. Chosen, not tuned. */
const MOST_OF_SOURCE_LOSS = 0.95;
/** Where the source's median misses no more than this, there is nothing to tell. */
const HOMOGENEOUS_LOSS = 0.1;
/** Unseen races that a judgement needs. Chosen, not tuned. */
const LEAST_UNSEEN = 10;

export type CheckName = 'evidence' | 'noise' | 'cluster_size' | 'agreement' | 'error' | 'coverage' | 'usefulness';

/** One reason of a verdict: what was seen, and what was allowed. */
export type Check = { readonly check: CheckName; readonly passed: boolean; readonly reason: string };

export type Verdict = { readonly accepted: boolean; readonly checks: readonly Check[] };

export type Evidence = {
  readonly noiseRatio: number;
  readonly clusterSizes: readonly number[];
  /** Adjusted Rand index against the model in force; null = there is none. */
  readonly agreement: number | null;
  readonly trial: TrialResult;
};

/** Whether a rebuilt model may go on trial, with a reason for each check, passed or not. */
export function judgeCandidate({ noiseRatio, clusterSizes, agreement, trial }: Evidence): Verdict {
  const { candidate, inForce, lossDifference, lossDifferenceError, placed, clusterLoss, sourceLoss, races } = trial;
  const checks: Check[] = [];
  const say = (check: CheckName, passed: boolean, reason: string): void => {
    checks.push({ check, passed, reason });
  };
  say('evidence', races >= LEAST_UNSEEN, `${races} races that it had not seen, at least ${LEAST_UNSEEN} are needed`);
  say('noise', noiseRatio <= MOST_NOISE_RATIO, `${percent(noiseRatio)} of the races are in no cluster, at most ${percent(MOST_NOISE_RATIO)} may be`);
  const smallest = Math.min(...clusterSizes);
  say('cluster_size', clusterSizes.length > 0 && smallest >= LEAST_CLUSTER_SIZE, clusterSizes.length === 0 ? 'There is no cluster' : `The smallest cluster has ${smallest} races, at least ${LEAST_CLUSTER_SIZE} are needed`);
  const isGain = lossDifference + 2 * lossDifferenceError < 0;
  if (agreement !== null) {
    const found = `It agrees with the model in force by an adjusted Rand index of ${agreement.toFixed(2)}, ${LEAST_AGREEMENT} is asked for`;
    const isAlike = agreement >= LEAST_AGREEMENT;
    say('agreement', isAlike || isGain, isAlike ? found : isGain ? `${found}; but it forecasts better: ${differenceText(trial)}` : `${found}, and no gain in accuracy says why: ${differenceText(trial)}`);
  }
  const allowed = Math.max(MOST_LOSS_RISE * inForce.loss, Number.isFinite(lossDifferenceError) ? Math.min(2 * lossDifferenceError, 2 * MOST_LOSS_RISE * inForce.loss) : 0);
  say('error', lossDifference <= allowed, `${differenceText(trial)}; it may rise by ${allowed.toFixed(4)}`);
  const slip = Math.max(0, 0.8 - candidate.coverage) - Math.max(0, 0.8 - inForce.coverage);
  say('coverage', slip <= MOST_COVERAGE_SLIP, `P10 to P90 covers ${percent(candidate.coverage)} of them, ${percent(inForce.coverage)} by what is in force; at least 80 % is asked for`);
  if (placed >= LEAST_UNSEEN) {
    say('usefulness', clusterLoss <= MOST_OF_SOURCE_LOSS * sourceLoss || sourceLoss <= HOMOGENEOUS_LOSS,
      `The median of its cluster misses a race by ${clusterLoss.toFixed(3)}, that of the whole source by ${sourceLoss.toFixed(3)} (mean |ln|, ${placed} races)`);
  } else {
    say('usefulness', false, `Only ${placed} of ${races} races that it had not seen are in a cluster`);
  }
  return { accepted: checks.every(({ passed }) => passed), checks };
}

function differenceText({ candidate, inForce, lossDifference, lossDifferenceError, races }: TrialResult): string {
  return `the mean error (|ln forecast / truth|) of ${races} races is ${candidate.loss.toFixed(4)} against ${inForce.loss.toFixed(4)}, ${lossDifference >= 0 ? '+' : ''}${lossDifference.toFixed(4)} ± ${lossDifferenceError.toFixed(4)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
