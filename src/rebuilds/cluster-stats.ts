/** Figures of a cluster's newest durations, under the names that clients of the compatible API know. Seconds. */
export type ClusterStats = {
  readonly mean: number; readonly median: number; readonly std_dev: number; readonly mad: number; readonly sample_size: number;
  readonly percentiles: Readonly<Record<'p10' | 'p25' | 'p50' | 'p75' | 'p90' | 'p95', number>>;
  readonly trend: { readonly direction: 'Stable' | 'Improving' | 'Degrading'; readonly rate: number; readonly confidence: number };
  readonly eta_prediction: { readonly expected_seconds: number; readonly lower_bound: number; readonly upper_bound: number; readonly confidence: number };
};

const TREND_SAMPLES = 5;
const STABLE_RATE = 0.05;
/** A rate beyond it says no more; it also keeps a start at 0 finite. */
const MOST_RATE = 10;

/** All finite, whatever the durations; null = there are none. Percentiles are sorted[floor(n p)]; nothing is left out as an anomaly. O(n log n). */
export function clusterStats(samplesSec: readonly number[]): ClusterStats | null {
  const n = samplesSec.length;
  if (n === 0) return null;
  const sorted = samplesSec.toSorted((a, b) => a - b);
  const mean = samplesSec.reduce((a, b) => a + b, 0) / n;
  const median = middleOf(sorted);
  const deviation = Math.sqrt(samplesSec.reduce((sum, sec) => sum + (sec - mean) ** 2, 0) / n);
  const at = (share: number): number => sorted[Math.min(n - 1, Math.floor(n * share))]!;
  const spread = mean > 0 ? deviation / mean : 0;
  return {
    mean, median, std_dev: deviation, mad: middleOf(sorted.map((sec) => Math.abs(sec - median)).sort((a, b) => a - b)), sample_size: n,
    percentiles: { p10: at(0.1), p25: at(0.25), p50: at(0.5), p75: at(0.75), p90: at(0.9), p95: at(0.95) },
    trend: trendOf(samplesSec),
    eta_prediction: { expected_seconds: median, lower_bound: at(0.25), upper_bound: at(0.75), confidence: Math.min(0.95, 0.6 * Math.min(n / 20, 1) + 0.4 / (1 + Math.min(spread, 1))) },
  };
}

/** The later half against the earlier one. */
function trendOf(samplesSec: readonly number[]): ClusterStats['trend'] {
  const n = samplesSec.length;
  if (n < TREND_SAMPLES) return { direction: 'Stable', rate: 0, confidence: 0 };
  const half = n >> 1;
  const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [before, after] = [meanOf(samplesSec.slice(0, half)), meanOf(samplesSec.slice(half))];
  const rate = before === after ? 0 : Math.min(MOST_RATE, Math.abs(after - before) / Math.max(before, 1e-9));
  if (rate < STABLE_RATE) return { direction: 'Stable', rate, confidence: 0.8 };
  return { direction: after < before ? 'Improving' : 'Degrading', rate, confidence: Math.min(rate, 0.95) };
}

function middleOf(sorted: readonly number[]): number {
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
