/** What a Prometheus text says, for those who ask in JSON. */
export type MetricSamples = {
  /** The sum of all series of a name whose labels fit; 0 = none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
  /** A quantile of a histogram over all its series, interpolated within its bucket; null = nothing was observed. */
  quantile(name: string, q: number): number | null;
};

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

export function readSamples(text: string): MetricSamples {
  const samples = text.split('\n').flatMap((line): Sample[] => {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) return [];
    const labels = Object.fromEntries(Array.from((match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, name, value]) => [name!, value!]));
    return [{ name: match[1]!, labels, value: Number(match[3]) }];
  });
  const sum = (name: string, labels: Readonly<Record<string, string>> = {}): number => samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);
  return {
    sum,
    quantile(name, q) {
      const total = sum(`${name}_count`);
      if (total === 0) return null;
      const bounds = new Set(samples.filter((sample) => sample.name === `${name}_bucket`).map(({ labels }) => labels['le'] ?? ''));
      let [below, lower] = [0, 0];
      for (const bound of [...bounds].map(Number).filter(Number.isFinite).sort((a, b) => a - b)) {
        const count = sum(`${name}_bucket`, { le: String(bound) });
        if (count >= q * total) return lower + (bound - lower) * (count === below ? 1 : (q * total - below) / (count - below));
        [below, lower] = [count, bound];
      }
      // Beyond the last bound nothing more is known.
      return lower;
    },
  };
}
