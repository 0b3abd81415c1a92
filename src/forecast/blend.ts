import { chooseKeys } from './choose-keys.ts';
import { expertWeights, judge, tableOf, weigh } from './context-weights.ts';
import { addCluster, CONTEXT, gather, gathered, MOST_SAMPLES, reading, teachContexts, type Subject } from './contexts.ts';
import { blendLogs, logSec, type Distribution } from './distribution.ts';
import type { Mixture } from './mixture.ts';
import { remember } from './recent-races.ts';
import { admitTrait, noteNumber } from './traits.ts';

/** How fast it is forgotten what clusters were worth. Chosen, not tuned. */
const CLUSTER_GAIN_RATE = 0.05;

const sampleWeights = new Float64Array(MOST_SAMPLES);

/**
 * A forecast, and how many runs of the same title, of the same masked title and of its cluster are behind it (at most 20).
 * `byCluster`: its title is unknown, and of all contexts its cluster weighs most.
 */
export type Blend = { readonly distribution: Distribution; readonly titleRuns: number; readonly kindRuns: number; readonly clusterRuns: number; readonly byCluster: boolean };

/** What like races say of the total. null = nothing is known of the source. Cost: 19 µs with 6 metadata keys, 40 with 20. */
export function blend(mixture: Mixture, subject: Subject): Blend | null {
  if (mixture.taught === 0) return null;
  gather(mixture, subject);
  if (mixture.clusterGain >= 0) addCluster(mixture, subject);
  if (gathered.experts === 0) return null;
  const total = weigh(mixture);
  return { distribution: blended(mixture, total), titleRuns: gathered.titleSize, kindRuns: gathered.maskSize, clusterRuns: gathered.clusterSize, byCluster: isByCluster() };
}

function blended({ kernel }: Mixture, total: number): Distribution {
  const { experts, from, sizes, ids, samples, used } = gathered;
  for (let e = 0; e < experts; e++) {
    const n = sizes[e]!;
    const table = tableOf(ids[e]!, n);
    const at = from[e]!;
    const a = expertWeights[3 * e]! / total;
    const b = expertWeights[3 * e + 1]! / total;
    const c = expertWeights[3 * e + 2]! / total;
    for (let i = 0; i < n; i++) sampleWeights[at + i] = a * table[i]! + b * table[n + i]! + c * table[2 * n + i]!;
  }
  return blendLogs(samples, sampleWeights, used, kernel);
}

function isByCluster(): boolean {
  const { experts, ids } = gathered;
  const weightOf = (e: number): number => expertWeights[3 * e]! + expertWeights[3 * e + 1]! + expertWeights[3 * e + 2]!;
  let cluster = 0;
  let most = 0;
  for (let e = 0; e < experts; e++) {
    if (ids[e] === CONTEXT.cluster) cluster = weightOf(e);
    most = Math.max(most, weightOf(e));
  }
  return cluster > 0 && cluster === most;
}

/**
 * Teaches the mixture a duration: first the weights, from the densities as they stand; then the samples.
 * @param beforeIt called with what was expected of it (scratch), unless nothing is known of the source.
 */
export function learnMixture(mixture: Mixture, subject: Subject, sec: number, hasPassed: boolean, beforeIt?: (expected: Distribution) => void): void {
  const log = logSec(sec);
  const { traits } = mixture;
  for (const { key, value } of subject.metadata) if (value !== null) admitTrait(traits, key, mixture.taught);
  gather(mixture, subject);
  // All that was learned may have been forgotten.
  if (gathered.experts > 0) {
    const total = weigh(mixture);
    beforeIt?.(blended(mixture, total));
    const without = judge(mixture, log, total);
    if (addCluster(mixture, subject)) {
      const gain = Math.log(judge(mixture, log, weigh(mixture)) / without);
      mixture.clusterGain += CLUSTER_GAIN_RATE * (gain - mixture.clusterGain);
    }
  }
  teachContexts(mixture, subject, log, hasPassed);
  for (let i = 0; i < traits.list.length; i++) noteNumber(traits.list[i]!, reading.numbers[i]!);
  remember(mixture.recent, log, gathered.title, reading, mixture.taught);
  mixture.taught += 1;
  if (isTimeToChoose(mixture.taught)) mixture.choice = chooseKeys(mixture.recent, traits);
}

function isTimeToChoose(taught: number): boolean {
  return taught >= 512 ? taught % 512 === 0 : taught >= 8 && (taught & (taught - 1)) === 0;
}
