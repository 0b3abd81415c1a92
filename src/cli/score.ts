import { Command } from 'commander';
import { createScoreSheet } from '../forecast/score.ts';
import type { CliContext } from './context.ts';
import { readPredictions, readScoredRaces } from './score-files.ts';
import { printScore, scoreOptionsOf, withScoreOptions, type ScoreArguments } from './score-report.ts';

export function scoreCommand(context: CliContext): Command {
  return withScoreOptions(new Command('score')
    .description('Score revisions against what really happened, beside the rules that other tools estimate with')
    .requiredOption('--races <file>', 'races.csv or races.csv.gz')
    .requiredOption('--predictions <file>', 'What backtest --out wrote, or another tool in its columns'))
    .action((options: ScoreArguments & { races: string; predictions: string }) => score(context, options));
}

async function score(context: CliContext, options: ScoreArguments & { races: string; predictions: string }): Promise<void> {
  const sheet = createScoreSheet(await readScoredRaces(options.races), scoreOptionsOf(options));
  await readPredictions(options.predictions, sheet, options.point);
  printScore(context, sheet.result(), options.json === true);
}
