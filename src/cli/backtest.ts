import process from 'node:process';
import { Command } from 'commander';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import { createScoreSheet, type ScoreSheet } from '../forecast/score.ts';
import { AppError } from '../errors.ts';
import { wholeNumber } from './arguments.ts';
import type { CliContext } from './context.ts';
import { openOutput } from './output-file.ts';
import { countUpdates, readRecording, updatesOf } from './recording.ts';
import { predictionColumns, predictionLine, readScoredRaces, scoredRevision } from './score-files.ts';
import { printScore, scoreOptionsOf, withScoreOptions, type ScoreArguments } from './score-report.ts';
import { loadServices } from './services.ts';

const DAY_MS = 86_400_000;
const FINISHED_TTL_MS = DAY_MS;

type BacktestArguments = ScoreArguments & { races: string; stages?: string; progress?: string; out?: string; limit?: number; score?: boolean; hold: boolean; clusters?: number };

export function backtestCommand(context: CliContext): Command {
  return withScoreOptions(new Command('backtest')
    .description('Run the whole graph over a recording in event time: write every revision it would have published, score them')
    .requiredOption('--races <file>', 'races.csv or races.csv.gz')
    .option('--stages <file>', 'stages.csv or stages.csv.gz')
    .option('--progress <file>', 'progress.csv or progress.csv.gz')
    .option('--out <file>', 'Where to write predictions.csv (.gz to compress)')
    .option('--limit <n>', 'Only the first n races', wholeNumber(1, 100_000_000))
    .option('--no-hold', 'Publish every forecast and display it as it is: shows what holding still costs')
    .option('--clusters <days>', 'Rebuild the clusters of each source after so many days of event time, from what had ended by then', wholeNumber(1, 3_650))
    .option('--score', 'Score the revisions against what really happened; the options below are for it'))
    .addHelpText('after', `\nColumns: ${predictionColumns.join(', ')}. Durations are totals in seconds from started_at.`)
    .action((options: BacktestArguments) => backtest(context, options));
}

async function backtest(context: CliContext, options: BacktestArguments): Promise<void> {
  if (options.out === undefined && options.score !== true) throw new AppError('invalid_request', 'Nothing to do: give --out to write revisions, --score to score them, or both');
  const [{ runBacktest }, { createBacktestClusters }] = await Promise.all([import('../runtime/backtest.ts'), import('../runtime/backtest-clusters.ts')]);
  const { embeddedCodec } = await loadServices();
  const codec = embeddedCodec();
  await codec.register();
  const recording = await readRecording(options);
  const total = countUpdates(recording, { withHindsight: false });
  const sheet = options.score === true ? createScoreSheet(await readScoredRaces(options.races, options.limit), scoreOptionsOf(options)) : null;
  const out = options.out === undefined ? null : openOutput(options.out, predictionColumns);
  const isTty = context.err.isTTY === true;
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const totals = await runBacktest({
    updates: updatesOf(recording, { withHindsight: false }), codec, finishedTtlMs: FINISHED_TTL_MS, hold: options.hold,
    clusters: options.clusters === undefined ? undefined : createBacktestClusters(options.clusters * DAY_MS),
    onRevision: (eta) => {
      out?.write(predictionLine(eta));
      if (sheet !== null) addTo(sheet, eta, options);
    },
    onProgress: (done) => {
      if (isTty) context.err.write(`\r${done}/${total} updates`);
      return out?.drained();
    },
  });
  await out?.close();
  const sec = (performance.now() - startedAt) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  context.err.write(`${isTty ? '\r' : ''}${recording.races.length} races, ${totals.updates} updates (${totals.rejected} rejected), ${totals.revisions} revisions in ${sec.toFixed(1)} s (${((cpu.user + cpu.system) / 1e6).toFixed(1)} s of CPU)\n`);
  if (sheet !== null) printScore(context, sheet.result(), options.json === true);
}

function addTo(sheet: ScoreSheet, eta: EtaUpdate, { point = 'eta_sec' }: ScoreArguments): void {
  const startedAtSec = sheet.startOf(eta.race_id);
  const revision = startedAtSec === undefined ? null : scoredRevision(eta, startedAtSec, point);
  if (revision !== null) sheet.add(eta.race_id, revision);
}
