import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Command } from 'commander';
import type { EtaUpdate } from '../forecast/eta-update.ts';
import { wholeNumber } from './arguments.ts';
import type { CliContext } from './context.ts';
import { csvField } from './csv-rows.ts';
import { countUpdates, readRecording, updatesOf } from './recording.ts';
import { loadServices } from './services.ts';

const COLUMNS = ['race_id', 'issued_at', 'p10_sec', 'p50_sec', 'p90_sec', 'eta_sec', 'basis', 'reason', 'confidence', 'display_finish_at'] as const;
const FINISHED_TTL_MS = 86_400_000;

type BacktestArguments = { races: string; stages?: string; progress?: string; out: string; limit?: number };

export function backtestCommand(context: CliContext): Command {
  return new Command('backtest')
    .description('Run the whole graph over a recording in event time and write every revision it would have published')
    .requiredOption('--races <file>', 'races.csv or races.csv.gz')
    .option('--stages <file>', 'stages.csv or stages.csv.gz')
    .option('--progress <file>', 'progress.csv or progress.csv.gz')
    .requiredOption('--out <file>', 'Where to write predictions.csv (.gz to compress)')
    .option('--limit <n>', 'Only the first n races', wholeNumber(1, 100_000_000))
    .addHelpText('after', `\nColumns: ${COLUMNS.join(', ')}. Durations are totals in seconds from started_at.`)
    .action((options: BacktestArguments) => backtest(context, options));
}

async function backtest(context: CliContext, options: BacktestArguments): Promise<void> {
  const { runBacktest } = await import('../runtime/backtest.ts');
  const { embeddedCodec } = await loadServices();
  const codec = embeddedCodec();
  await codec.register();
  const recording = await readRecording(options);
  const total = countUpdates(recording, { withHindsight: false });
  const file = createWriteStream(options.out);
  const out = options.out.endsWith('.gz') ? createGzip() : file;
  if (out !== file) out.pipe(file);
  out.write(`${COLUMNS.join(',')}\n`);
  const startedAt = performance.now();
  const totals = runBacktest({
    updates: updatesOf(recording, { withHindsight: false }), codec, finishedTtlMs: FINISHED_TTL_MS,
    onRevision: (eta) => out.write(rowOf(eta)),
    onProgress: (done) => {
      if (context.err.isTTY === true) context.err.write(`\r${done}/${total} updates`);
    },
  });
  out.end();
  await finished(file);
  const sec = (performance.now() - startedAt) / 1_000;
  context.err.write(`${context.err.isTTY === true ? '\r' : ''}${recording.races.length} races, ${totals.updates} updates (${totals.rejected} rejected), ${totals.revisions} revisions in ${sec.toFixed(1)} s\n`);
}

function rowOf(eta: EtaUpdate): string {
  const number = (value: number | null): string => (value === null ? '' : String(Math.round(value * 1_000) / 1_000));
  const instant = (atMs: number | null): string => (atMs === null ? '' : new Date(atMs).toISOString());
  return `${[
    csvField(eta.race_id), instant(eta.issued_at), number(eta.p10_sec), number(eta.p50_sec), number(eta.p90_sec), number(eta.eta_sec),
    eta.basis, eta.reason, number(eta.confidence), instant(eta.display.finish_at),
  ].join(',')}\n`;
}
