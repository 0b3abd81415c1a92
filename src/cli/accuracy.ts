import { Command } from 'commander';
import type { Accuracy, Figures, SourceAccuracy } from '../bridge/accuracy.ts';
import { wholeNumber } from './arguments.ts';
import { serverHeaders, serverUrl, type CliContext } from './context.ts';
import { fit, formatDuration, plainText } from './format.ts';
import { request } from './http.ts';

type AccuracyArguments = { days: number; limit: number; json?: boolean; server?: string };

export function accuracyCommand(context: CliContext): Command {
  return new Command('accuracy')
    .description('How right forecasts were, beside what the spread of like runs allows (needs ClickHouse, embedded or not)')
    .argument('[source]', 'One source in detail, or those that fit a pattern such as "ci/*"')
    .option('--days <n>', 'Races that ended within so many days', wholeNumber(1, 3_650), 30)
    .option('--limit <n>', 'Sources to show, those with most races first', wholeNumber(1, 1_000), 50)
    .option('--json', 'Print the answer of GET /v1/accuracy')
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .action((source: string | undefined, options: AccuracyArguments) => accuracy(context, source, options));
}

async function accuracy(context: CliContext, source: string | undefined, options: AccuracyArguments): Promise<void> {
  const url = new URL(`${serverUrl(context.env, options.server)}/v1/accuracy`);
  if (source !== undefined) url.searchParams.set('source', source);
  url.searchParams.set('days', String(options.days));
  url.searchParams.set('limit', String(options.limit));
  const response = await request(url, { headers: serverHeaders(context.env) });
  const answer = await response.json() as Accuracy;
  if (options.json === true) {
    context.out.write(`${JSON.stringify(answer, null, 2)}\n`);
    return;
  }
  if (answer.total === null) {
    context.out.write(`No race${source === undefined ? '' : ` of ${plainText(source)}`} that was forecast ended within ${options.days} days.\n`);
    return;
  }
  const [only, second] = answer.sources;
  context.out.write(only !== undefined && second === undefined && source !== undefined ? detailText(only, options.days) : overviewText(answer.sources, answer.total));
}

const OVERVIEW = ['races', 'within 20 %', 'learnable', 'ceiling', 'of what is left', 'P90', 'P10-P90', 'median error', 'bias', 'jitter', 'shown'];

function overviewText(sources: readonly SourceAccuracy[], total: SourceAccuracy): string {
  const rows = [...sources, ...(sources.length > 1 ? [total] : [])].map((one) => [one.source === '*' ? 'all' : one.source, ...overviewCells(one)]);
  return table(['source', ...OVERVIEW], rows) + '\n'
    + 'within 20 %, median error, bias: at submission. learnable .. ceiling: what a constant per kind of run reaches, learned from half of the runs\n'
    + 'and with hindsight. of what is left, P90 (90 % is right), P10-P90 (80 %): over life. jitter, shown: moves of the ETA, and of the finish on\n'
    + 'screens, over the duration.\n';
}

function overviewCells({ races, at_submission: first, over_life: life, ceiling, calm }: SourceAccuracy): string[] {
  return [
    String(races), percent(first.within20), percent(ceiling?.within20_learned), percent(ceiling?.within20), percent(life.within20_of_remaining), percent(life.p90_coverage), percent(life.p10_p90_coverage),
    seconds(first.median_abs_error_sec), biasText(first.bias_log_ratio), decimals(calm?.median_jitter), decimals(calm?.median_display_jitter),
  ];
}

function detailText(one: SourceAccuracy, days: number): string {
  const { source, races, calm } = one;
  const figures = ['looks', 'within 20 %', 'of what is left', 'promised', 'mean error', 'median error', 'bias', 'P90', 'P10-P90', 'pinball'];
  const cells = (row: Figures): string[] => [
    String(row.looks), percent(row.within20), percent(row.within20_of_remaining), percent(row.mean_confidence), seconds(row.mean_abs_error_sec), seconds(row.median_abs_error_sec), biasText(row.bias_log_ratio),
    percent(row.p90_coverage), percent(row.p10_p90_coverage), row.pinball === null ? '-' : row.pinball.toFixed(3),
  ];
  return `${plainText(source)}: ${races} races in ${days} days. ${verdict(one)}\n\n`
    + table(['share of life', ...figures], [...one.by_share.map((row) => [row.share.toFixed(1), ...cells(row)]), ['all', ...cells(one.over_life)]]) + '\n'
    + table(['basis', ...figures], one.by_basis.map((row) => [row.basis, ...cells(row)])) + '\n'
    + table(['confidence', 'forecasts', 'promised', 'came true'], one.confidence.map(({ from, forecasts, mean_confidence: promised, came_true: kept }) => [`${from.toFixed(1)} to ${(from + 0.1).toFixed(1)}`, String(forecasts), percent(promised), percent(kept)]))
    + (calm === null ? '' : `\n${calm.revisions_per_race.toFixed(1)} revisions a race, ${calm.later_moves_per_race.toFixed(1)} of them later; moves over the duration: ${decimals(calm.median_jitter)}, of the displayed finish ${decimals(calm.median_display_jitter)} (medians of ${calm.races} races).\n`);
}

/** Below what a constant per kind could have learned, misses are ours; up to what hindsight allows, they are the runs' own. */
function verdict({ at_submission: { within20, looks }, ceiling, by_basis: bases, over_life: life }: SourceAccuracy): string {
  const cold = (bases.find(({ basis }) => basis === 'bootstrap')?.looks ?? 0) / Math.max(1, life.looks);
  const guesses = cold < 0.005 ? '' : ` ${percent(cold)} of all looks met a guess from before any run had ended (bootstrap).`;
  if (ceiling === null) return `Within 20 % at submission: ${percent(within20)}. What like runs allow is not known: no kind of them has 10.${guesses}`;
  const margin = 2 * Math.sqrt(Math.max(0.01, within20 * (1 - within20)) / looks);
  const whose = within20 < ceiling.within20_learned - margin ? `At least ${Math.round(100 * (ceiling.within20_learned - within20))} points of the misses are ours.`
    : within20 <= ceiling.within20 + margin ? 'What is missed lies in how much equal runs vary.' : 'It knows more of a run than its kind.';
  const like = `${ceiling.races} races of ${ceiling.kinds} ${ceiling.kinds === 1 ? 'kind' : 'kinds'}`;
  return `Within 20 % at submission, like runs allow ${percent(ceiling.within20)} (${percent(ceiling.within20_learned)} if learned from half of them; ${like}). Ours is ${percent(within20)}. ${whose}${guesses}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows.map((row) => row.map(plainText))];
  const widths = head.map((_, column) => Math.min(60, Math.max(...all.map((row) => (row[column] ?? '').length))));
  return all.map((row) => row.map((cell, column) => (column === 0 ? fit(cell, widths[0]!) : cell.padStart(widths[column]!))).join('  ').trimEnd()).join('\n') + '\n';
}

function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '-' : `${Math.round(100 * share)} %`;
}

function seconds(sec: number | null): string {
  return sec === null ? '-' : sec < 10 ? `${sec.toFixed(1)} s` : formatDuration(sec);
}

/** A median ratio as the share by which forecasts were too long (+) or too short. */
function biasText(logRatio: number | null): string {
  if (logRatio === null) return '-';
  const share = Math.round(100 * (Math.exp(logRatio) - 1));
  return `${share > 0 ? '+' : ''}${share} %`;
}

function decimals(value: number | null | undefined): string {
  return value === null || value === undefined ? '-' : value.toFixed(2);
}
