// Prometheus' text format, for those who ask for figures in JSON or draw them.

/** One line: a series and its value now. */
export type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** Reads the text; comments and lines that are none of it are passed over. */
export function readMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (parts === null) continue;
    const labels: Record<string, string> = {};
    for (const [, name, value] of (parts[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name!] = value!;
    samples.push({ name: parts[1]!, labels, value: Number(parts[3]) });
  }
  return samples;
}

/** The sum over all series that carry the labels; 0 without any. */
export function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples.reduce((sum, sample) => (sample.name === name && carries(sample, labels) && Number.isFinite(sample.value) ? sum + sample.value : sum), 0);
}

/** A quantile of a histogram over all its series: the upper bound of the bucket it falls into; null when nothing was counted. */
export function quantileOf(samples: readonly Sample[], name: string, q: number): number | null {
  const buckets = new Map<number, number>();
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket`) continue;
    const bound = sample.labels['le'] === '+Inf' ? Infinity : Number(sample.labels['le']);
    buckets.set(bound, (buckets.get(bound) ?? 0) + sample.value);
  }
  const ordered = [...buckets].sort(([a], [b]) => a - b);
  const total = ordered.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const found = ordered.find(([, count]) => count >= q * total);
  return found === undefined || found[0] === Infinity ? ordered.at(-2)?.[0] ?? null : found[0];
}

function carries(sample: Sample, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
}
