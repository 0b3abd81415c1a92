import { Option, type Command } from 'commander';
import type { Score, ScoreOptions, ScoreResult } from '../forecast/score.ts';
import { instant, positiveNumber } from './arguments.ts';
import type { CliContext } from './context.ts';
import { pointColumns, readIds, type PointColumn } from './score-files.ts';

export type ScoreArguments = { from?: number; tail?: number; ids?: string; maxHours?: number; point?: PointColumn; json?: boolean };

/** Adds what `score` and `backtest --score` have in common. */
export function withScoreOptions(command: Command): Command {
  return command
    .option('--from <instant>', 'Score races that start at or after this instant, instead of the last part', instant)
    .option('--tail <share>', 'Score the last part of the races by start; those before only teach (default: 0.6)', positiveNumber(1))
    .option('--ids <file>', 'Score only the race ids in this file, one a line')
    .option('--max-hours <hours>', 'Leave out longer races (default: 72)', positiveNumber(1_000_000))
    .addOption(new Option('--point <column>', 'Judge this column as the point estimate').choices(pointColumns))
    .option('--json', 'Print the figures as JSON');
}

export function scoreOptionsOf({ from, tail, ids, maxHours }: ScoreArguments): ScoreOptions {
  return { sinceSec: from === undefined ? undefined : from / 1_000, tailShare: tail, maxHours, ids: ids === undefined ? undefined : readIds(ids) };
}

/** Columns of the table: figures that every estimator has. */
const tableFigures = [
  'n', 'answered_at_submit_pct', 'submit_within20_pct', 'submit_mae_sec', 'submit_mdape_pct', 'submit_median_abs_log_ratio',
  'life_within20_of_total_pct', 'life_within20_of_remaining_pct', 'life_nmae_pct',
] as const;
/** Figures of revisions alone. */
const ownFigures = [
  'p90_coverage_pct', 'p10_p90_coverage_pct', 'band_width_over_duration_median', 'pinball_mean_over_duration', 'revisions_per_race_mean',
  'jitter_sum_moves_over_duration_median', 'jitter_sum_moves_over_duration_mean', 'later_moves_per_race_mean', 'submit_bias_median_log_ratio',
] as const;

/** Prints the score: a table of the estimators, then what only revisions have, then what confidence was worth. */
export function printScore({ out }: CliContext, { project, baselines, confidence }: ScoreResult, asJson: boolean): void {
  if (asJson) {
    out.write(`${JSON.stringify({ project: project === null ? {} : { ...project, confidence }, ...baselines }, null, 1)}\n`);
    return;
  }
  const heads = tableFigures.map((name) => name.replace('submit_', 's_').replace('life_', 'l_').replace('within', 'in').slice(0, 16));
  const row = (name: string, cells: readonly string[]): string => `${name.padEnd(12)} ${cells.map((cell) => cell.padStart(17)).join(' ')}\n`;
  out.write(row('estimator', heads));
  for (const [name, score] of Object.entries({ project, ...baselines })) out.write(row(name, tableFigures.map((figure) => figureText(score, figure))));
  for (const name of ownFigures) if (project?.[name] != null) out.write(`  ${name}: ${project[name].toFixed(3)}\n`);
  if (confidence.length > 0) out.write('  confidence   forecasts   said   came true\n');
  for (const { from, forecasts, mean_confidence: said, came_true: cameTrue } of confidence) {
    out.write(`  ${from.toFixed(1)} to ${(from + 0.1).toFixed(1)} ${String(forecasts).padStart(11)} ${percentText(said).padStart(6)} ${percentText(cameTrue).padStart(11)}\n`);
  }
}

function figureText(score: Score | null, name: (typeof tableFigures)[number]): string {
  const value = score?.[name] ?? null;
  if (value === null) return '-';
  return value.toFixed(name.includes('ratio') ? 3 : 1);
}

function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
