export type Bin = { readonly fromSec: number; readonly toSec: number; readonly count: number };

const BINS = 30;

/** Bins of equal width in log duration over what lies between the first and the last percent; the ends take the rest. Empty without values. */
export function histogramOf(durationsSec: readonly number[]): Bin[] {
  const logs = durationsSec.map((sec) => Math.log(Math.max(sec, 0.001))).sort((a, b) => a - b);
  if (logs.length === 0) return [];
  const low = logs[Math.floor(0.01 * logs.length)]!;
  const high = Math.max(logs[Math.min(logs.length - 1, Math.floor(0.99 * logs.length))]!, low + 0.1);
  const width = (high - low) / BINS;
  const counts = Array.from({ length: BINS }, () => 0);
  for (const log of logs) counts[Math.min(BINS - 1, Math.max(0, Math.floor((log - low) / width)))]!++;
  return counts.map((count, index) => ({ fromSec: Math.exp(low + index * width), toSec: Math.exp(low + (index + 1) * width), count }));
}
