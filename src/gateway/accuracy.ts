import type { Accuracy, Calm, Ceiling, Figures, SourceAccuracy } from '../bridge/accuracy.ts';
import { likePattern } from '../bridge/frames.ts';
import type { HistoryStore } from '../ports/history-store.ts';

export type AccuracyQuestion = {
  /** One source, or all that fit: `*` stands for any text. Default: all. */
  readonly source?: string | undefined;
  /** Races that ended within so many days. */
  readonly days: number;
  /** Sources in the answer, those with most races first; `total` is of all that fit. */
  readonly limit: number;
};

type Row = Readonly<Record<string, number | string | null>>;

/** Of the groups' rows: what v_accuracy says, for any of its groups. */
const figureColumns = `count() AS looks, countIf(is_answered) AS answered_looks, avg(forecasts.within20) AS within20, avg(forecasts.within20_of_remaining) AS within20_of_remaining,
  avg(confidence) AS mean_confidence, avg(abs(error_sec)) AS mean_abs_error_sec, quantileExactInclusive(0.5)(abs(error_sec)) AS median_abs_error_sec,
  sum(abs(error_sec)) / nullIf(sumIf(truth_sec, is_answered), 0) AS nmae, avg(error_sec) AS bias_sec, quantileExactInclusive(0.5)(log_ratio) AS bias_log_ratio,
  avg(below_p90) AS p90_coverage, avg(within_p10_p90) AS p10_p90_coverage, avg(forecasts.pinball) AS pinball`;

/** Asks the views of schemas/clickhouse/004_accuracy.sql. Cost: one pass over the forecasts of the period, one over its races, one over its revisions. */
export async function readAccuracy(store: HistoryStore, { source, days, limit }: AccuracyQuestion): Promise<Accuracy> {
  const condition = source === undefined ? '1' : source.includes('*') ? 'source LIKE {source:String}' : 'source = {source:String}';
  const parameters = { days, ...(source === undefined ? {} : { source: source.includes('*') ? likePattern(source) : source }) };
  const forecasts = `(SELECT * FROM v_forecasts_in_force WHERE ${condition} AND completed_at >= now() - toIntervalDay({days:UInt32})) AS forecasts`;
  const counted = await store.query<Row>(`SELECT source, count() / 10 AS races FROM ${forecasts} GROUP BY source ORDER BY races DESC, source LIMIT {limit:UInt32}`, { ...parameters, limit });
  if (counted.length === 0) return { days, total: null, sources: [] };
  const names = counted.map((row) => String(row['source']));
  // Groups of sources beyond the limit are left out where they come about, not after.
  const shown = '(grouping(source) = 1 OR source IN {names:Array(String)})';
  const [figures, bins, ceilings, calms] = await Promise.all([
    store.query<Row>(`SELECT grouping(source) AS all_sources, grouping(share) AS all_shares, grouping(basis) AS all_bases, source, share, basis, ${figureColumns} FROM ${forecasts}
      GROUP BY GROUPING SETS ((source), (source, share), (source, basis), (), (share), (basis)) HAVING ${shown} ORDER BY share, looks DESC, basis`, { ...parameters, names }),
    store.query<Row>(`SELECT grouping(source) AS all_sources, source, least(9, floor(confidence * 10)) / 10 AS bin, count() AS n, avg(confidence) AS mean_confidence, avg(forecasts.within20) AS came_true
      FROM ${forecasts} WHERE is_answered GROUP BY GROUPING SETS ((source, bin), (bin)) HAVING ${shown} ORDER BY bin`, { ...parameters, names }),
    store.query<Row>(`SELECT * FROM v_ceiling_over(days = {days:UInt32}) WHERE ${condition}`, parameters),
    store.query<Row>(`SELECT * FROM v_calm_over(days = {days:UInt32}) WHERE ${condition} AND source IN {names:Array(String)}`, { ...parameters, names }),
  ]);
  const accuracyOf = (name: string): SourceAccuracy => {
    const isOurs = (row: Row): boolean => (name === ALL ? Number(row['all_sources']) === 1 : Number(row['all_sources']) === 0 && row['source'] === name);
    const own = figures.filter(isOurs);
    const byShare = own.filter((row) => Number(row['all_shares']) === 0).map((row) => ({ share: Number(row['share']), ...figuresOf(row) }));
    const overLife = own.find((row) => Number(row['all_shares']) === 1 && Number(row['all_bases']) === 1);
    const ceiling = name === ALL ? pooled(ceilings) : ceilingOf(ceilings.find((row) => row['source'] === name));
    return {
      source: name, races: Math.round(Number(overLife?.['looks'] ?? 0) / 10),
      at_submission: byShare[0] === undefined ? figuresOf({}) : withoutShare(byShare[0]), over_life: figuresOf(overLife ?? {}), ceiling, calm: calmOf(calms.find((row) => row['source'] === name)),
      by_share: byShare,
      by_basis: own.filter((row) => Number(row['all_bases']) === 0).map((row) => ({ basis: String(row['basis']), ...figuresOf(row) })),
      confidence: bins.filter(isOurs).map((row) => ({ from: Number(row['bin']), forecasts: Number(row['n']), mean_confidence: Number(row['mean_confidence']), came_true: Number(row['came_true']) })),
    };
  };
  return { days, total: accuracyOf(ALL), sources: names.map(accuracyOf) };
}

/** No source: the record of a race has one of its own. */
const ALL = '*';

function figuresOf(row: Row): Figures {
  const number = (name: string): number | null => (row[name] === null || row[name] === undefined || Number.isNaN(Number(row[name])) ? null : Number(row[name]));
  const looks = number('looks') ?? 0;
  return {
    looks, answered: looks === 0 ? 0 : (number('answered_looks') ?? 0) / looks, within20: number('within20') ?? 0, within20_of_remaining: number('within20_of_remaining') ?? 0,
    mean_confidence: number('mean_confidence'), mean_abs_error_sec: number('mean_abs_error_sec'), median_abs_error_sec: number('median_abs_error_sec'), nmae: number('nmae'),
    bias_sec: number('bias_sec'), bias_log_ratio: number('bias_log_ratio'), p90_coverage: number('p90_coverage'), p10_p90_coverage: number('p10_p90_coverage'), pinball: number('pinball'),
  };
}

function withoutShare({ share: _, ...figures }: Figures & { readonly share: number }): Figures {
  return figures;
}

function ceilingOf(row: Row | undefined): Ceiling | null {
  if (row === undefined) return null;
  return { races: Number(row['races']), kinds: Number(row['kinds']), within20: Number(row['within20']), within20_learned: Number(row['within20_learned']), log_sd: Number(row['log_sd']) };
}

function pooled(rows: readonly Row[]): Ceiling | null {
  const ceilings = rows.flatMap((row) => ceilingOf(row) ?? []);
  const races = ceilings.reduce((sum, ceiling) => sum + ceiling.races, 0);
  if (races === 0) return null;
  const mean = (valueOf: (ceiling: Ceiling) => number): number => ceilings.reduce((sum, ceiling) => sum + ceiling.races * valueOf(ceiling), 0) / races;
  return {
    races, kinds: ceilings.reduce((sum, { kinds }) => sum + kinds, 0), within20: mean(({ within20 }) => within20), within20_learned: mean((ceiling) => ceiling.within20_learned),
    log_sd: Math.sqrt(mean((ceiling) => ceiling.log_sd ** 2)),
  };
}

function calmOf(row: Row | undefined): Calm | null {
  if (row === undefined) return null;
  return {
    races: Number(row['races']), revisions_per_race: Number(row['revisions_per_race']), median_jitter: Number(row['median_jitter']),
    median_display_jitter: Number(row['median_display_jitter']), later_moves_per_race: Number(row['later_moves_per_race']),
  };
}
