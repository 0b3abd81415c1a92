import { rounded, type Figure } from './bench.ts';
import { startChild } from './child.ts';
import type { ModelFigures, ModelProcessOptions } from './processes/model.ts';

const RACES = 50_000;
const TITLES = 10_000;
const FEW_TITLES = 2_000;
/** Races with a value of their own each: `RACELINE_BENCH_VALUES=1000000` takes a few minutes. */
const VALUES = Number(process.env['RACELINE_BENCH_VALUES'] ?? 100_000);

/** What forecasting costs, and what is kept of one source however many titles and values it has. */
export async function forecast(): Promise<Figure[]> {
  const usual = await modelOf({ kind: 'titles', races: RACES / 5, titles: FEW_TITLES });
  const many = await modelOf({ kind: 'titles', races: RACES, titles: TITLES });
  const values = await modelOf({ kind: 'values', races: VALUES, titles: FEW_TITLES });
  const count = (n: number): string => n.toLocaleString('en-US');
  return [
    { name: 'forecast_submission_us', value: rounded(usual.submissionUs), says: `CPU of a forecast at submission, ${count(FEW_TITLES)} titles, 3 metadata keys` },
    { name: 'forecast_life_us', value: rounded(usual.lifeUs), says: 'the same half-way, one of two stages done' },
    { name: 'learn_us', value: rounded(usual.learnUs), says: 'CPU of learning a finished race of two stages, mean' },
    { name: 'bytes_per_title', value: rounded(usual.end.heap / FEW_TITLES), says: `heap of a source of ${count(FEW_TITLES)} titles, over its titles` },
    { name: 'state_bytes_10k_titles', value: many.end.heap, says: `heap of a source after ${count(RACES)} races of ${count(TITLES)} titles` },
    { name: 'snapshot_bytes_10k_titles', value: many.end.encoded, says: 'its snapshot' },
    { name: 'forecast_submission_us_10k_titles', value: rounded(many.submissionUs), says: 'CPU of a forecast at submission there' },
    { name: 'state_bytes_many_values', value: values.end.heap, says: `heap of a source after ${count(VALUES)} races, each a value of its own of one key` },
    { name: 'state_growth_many_values', value: rounded(values.end.heap / values.early.heap), says: `that over the heap after ${count(VALUES / 5)}` },
    { name: 'snapshot_bytes_many_values', value: values.end.encoded, says: 'its snapshot' },
    { name: 'forecast_submission_us_many_values', value: rounded(values.submissionUs), says: 'CPU of a forecast at submission there' },
  ];
}

async function modelOf(options: ModelProcessOptions): Promise<ModelFigures> {
  const child = startChild<ModelFigures>('model.ts', options, ['--expose-gc']);
  try {
    return await child.next();
  } finally {
    await child.stop();
  }
}
