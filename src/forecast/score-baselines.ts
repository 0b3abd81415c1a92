import { median } from './median.ts';

/**
 * Rules that other tools estimate with: the last success (Argo Workflows), the mean of the last 2 (Tsafrir), of the last
 * 3 successes (Jenkins) and the last 10 (Zuul), of all (Nx, Airflow), the median of the last 100 (Coder), and of the
 * source's last 100. A success is what did not fail; where there is none, failures count.
 */
export const baselineNames = ['last1', 'mean2', 'mean3', 'mean10', 'avg', 'p50of100', 'source_med'] as const;

export type BaselineName = (typeof baselineNames)[number];

type Completed = { readonly source: string; readonly title: string; readonly startedAtSec: number; readonly durationSec: number; readonly outcome: string };

const KEPT = 100;
const SUCCESSES = 10;
/** What is said when nothing is known of the source. */
const NOTHING_KNOWN_SEC = 30;

type Known = { readonly last: number[]; median: number | null };
type Title = Known & { readonly successes: number[]; count: number; sumSec: number };

/**
 * What each rule says at the start of each race, seconds: from the completions by then of the same source and title,
 * else the source's median, else 30 s. Canceled races teach nothing.
 * @param races in the order of their starts, durations above 0.
 */
export function baselineTotals(races: readonly Completed[]): Readonly<Record<BaselineName, Float64Array>> {
  const totals = Object.fromEntries(baselineNames.map((name) => [name, new Float64Array(races.length)])) as Record<BaselineName, Float64Array>;
  const byEnd = races.map((race, index) => ({ race, index, endSec: race.startedAtSec + race.durationSec })).sort((a, b) => a.endSec - b.endSec || a.index - b.index);
  const sources = new Map<string, { readonly known: Known; readonly titles: Map<string, Title> }>();
  const sourceOf = (name: string) => entry(sources, name, () => ({ known: { last: [], median: null }, titles: new Map<string, Title>() }));
  const titleOf = (source: string, title: string) => entry(sourceOf(source).titles, title, () => ({ last: [], median: null, successes: [], count: 0, sumSec: 0 }));
  let ended = 0;
  for (const [index, { source, title, startedAtSec }] of races.entries()) {
    for (; ended < byEnd.length && byEnd[ended]!.endSec <= startedAtSec; ended++) {
      const { race } = byEnd[ended]!;
      if (race.outcome === 'canceled') continue;
      const known = titleOf(race.source, race.title);
      add(known, race.durationSec);
      add(sourceOf(race.source).known, race.durationSec);
      known.count++;
      known.sumSec += race.durationSec;
      if (race.outcome !== 'failed') push(known.successes, race.durationSec, SUCCESSES);
    }
    const sourceMedian = medianOf(sourceOf(source).known) ?? NOTHING_KNOWN_SEC;
    const known = titleOf(source, title);
    const good = known.successes.length > 0 ? known.successes : known.last.slice(-SUCCESSES);
    totals.last1[index] = good.at(-1) ?? sourceMedian;
    totals.mean2[index] = mean(known.last.slice(-2)) ?? sourceMedian;
    totals.mean3[index] = mean(good.slice(-3)) ?? sourceMedian;
    totals.mean10[index] = mean(good) ?? sourceMedian;
    totals.avg[index] = known.count > 0 ? known.sumSec / known.count : sourceMedian;
    totals.p50of100[index] = medianOf(known) ?? sourceMedian;
    totals.source_med[index] = sourceMedian;
  }
  return totals;
}

function entry<V>(map: Map<string, V>, key: string, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}

function add(known: Known, durationSec: number): void {
  push(known.last, durationSec, KEPT);
  known.median = null;
}

function push(values: number[], value: number, limit: number): void {
  values.push(value);
  if (values.length > limit) values.shift();
}

function medianOf(known: Known): number | null {
  return (known.median ??= median(known.last));
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((total, value) => total + value, 0) / values.length;
}
