import { sumOf, type Sample } from '../bridge/metrics-text.ts';

/** A quantile of a histogram over all its series, interpolated within its bucket; null = nothing was observed. */
export function interpolatedQuantile(samples: readonly Sample[], name: string, q: number): number | null {
  const total = sumOf(samples, `${name}_count`);
  if (total === 0) return null;
  const bounds = new Set(samples.filter((sample) => sample.name === `${name}_bucket`).map(({ labels }) => labels['le'] ?? ''));
  let [below, lower] = [0, 0];
  for (const bound of [...bounds].map(Number).filter(Number.isFinite).sort((a, b) => a - b)) {
    const count = sumOf(samples, `${name}_bucket`, { le: String(bound) });
    if (count >= q * total) return lower + (bound - lower) * (count === below ? 1 : (q * total - below) / (count - below));
    [below, lower] = [count, bound];
  }
  // Beyond the last bound nothing more is known.
  return lower;
}
