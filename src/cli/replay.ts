import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { RaceUpdate } from '../race/update.ts';
import { instant, positiveNumber, wholeNumber } from './arguments.ts';
import { serverHeaders, serverUrl } from './context.ts';
import type { CliContext, Output } from './context.ts';
import { createDispatcher } from './dispatch.ts';
import { formatDuration } from './format.ts';
import { renderBar } from './progress-bar.ts';
import { joinDays, rebaseUpdate } from './rebase.ts';
import { countUpdates, readRecording, updatesOf } from './recording.ts';
import { loadServices } from './services.ts';
import { httpTarget, logTarget } from './update-target.ts';
import type { UpdateTarget } from './update-target.ts';

type ReplayOptions = {
  races: string; stages?: string; progress?: string;
  asIs?: true; live?: true; speed: number; runId?: string;
  limit?: number; from?: number; to?: number; daysBusiest?: number; maxHours?: number;
  toServer?: string; json?: true;
};

/** Later than this after its due time, a live update counts as late. Chosen. */
const LATE_MS = 1_000;
/** Enough to keep a gateway on the same machine busy (chosen); more would only widen the disorder across races. */
const LANES = 4;
const MAX_BATCH = 1_000;
const MAX_WAITING = 8_000;

export function replayCommand(context: CliContext): Command {
  return new Command('replay')
    .description('Send a recording (CSV files): as history, or live with its time moved to now')
    .requiredOption('--races <file>', 'races.csv[.gz]: id, source, title, started_at, duration_sec, state, metadata')
    .option('--stages <file>', 'stages.csv[.gz]: race_id, stage, seq, started_at, completed_at, state')
    .option('--progress <file>', 'progress.csv[.gz]: race_id, time, event, epoch, value')
    .addOption(new Option('--as-is', 'Import with its own times, as fast as it is taken (default)').conflicts('live'))
    .option('--live', 'Move it to now: ids get ~run<K>, sources @live, nothing is sent before its time')
    .addOption(new Option('--speed <n>', 'With --live: how many times faster').argParser(positiveNumber(1_000_000)).default(1))
    .option('--run-id <k>', 'With --live: the K in the ids (default: a new one)')
    .option('--limit <n>', 'Only the first n races', wholeNumber(1, 1_000_000_000))
    .option('--from <instant>', 'Only races that start at or after it', instant)
    .option('--to <instant>', 'Only races that start before it', instant)
    .option('--days-busiest <n>', 'Only the n UTC days on which most races start; --live joins them', wholeNumber(1, 100_000))
    .option('--max-hours <n>', 'Leave out races that took longer', positiveNumber(87_600))
    .option('--to-server <url>', 'Gateway to send to (default: Kafka when KAFKA_BROKERS is set, else RACELINE_HOST:RACELINE_PORT)')
    .option('--json', 'Print the summary as JSON')
    .action((options: ReplayOptions) => replay(options, context));
}

async function replay(options: ReplayOptions, context: CliContext): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => {
    // The second one means it.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  try {
    await send(options, context, stop.signal);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
  if (stop.signal.aborted) context.finish(130);
}

async function send(options: ReplayOptions, context: CliContext, stop: AbortSignal): Promise<void> {
  const read = await readRecording({
    races: options.races, stages: options.stages, progress: options.progress, fromMs: options.from, toMs: options.to,
    maxSec: options.maxHours === undefined ? undefined : options.maxHours * 3_600, busiestDays: options.daysBusiest, limit: options.limit,
  });
  const isLive = options.live === true;
  const recording = isLive && options.daysBusiest !== undefined ? joinDays(read) : read;
  const telling = { withHindsight: !isLive };
  const updates = countUpdates(recording, telling);
  const target = await openTarget(options.toServer, context, stop);
  const counts = { sent: 0, late: 0, latestMs: 0 };
  const dispatcher = createDispatcher(target, {
    lanes: LANES, maxBatch: MAX_BATCH, maxWaiting: MAX_WAITING,
    onSend: (batch) => {
      counts.sent += batch.length;
      if (isLive) countLate(batch, counts);
    },
  });
  const startedAtMs = Date.now();
  const runId = options.runId ?? startedAtMs.toString(36);
  const line = progressLine(context.err, updates);
  try {
    for (const update of updatesOf(recording, telling)) {
      if (stop.aborted) break;
      if (isLive) {
        const live = rebaseUpdate(update, { originMs: recording.races[0]?.startedAtMs ?? 0, nowMs: startedAtMs, speed: options.speed, runId });
        await waitUntil(live.at, stop);
        if (stop.aborted) break;
        await dispatcher.push(live);
      } else {
        await dispatcher.push(update);
      }
      line.show(counts.sent);
    }
    await dispatcher.flush();
  } catch (error) {
    // What a stopped send says of itself is no failure.
    if (!stop.aborted) throw error;
  } finally {
    line.clear();
    await target.close();
  }
  const seconds = (Date.now() - startedAtMs) / 1_000;
  const summary = {
    races: recording.races.length, updates, updates_sent: counts.sent, duplicates_sent: target.counts.resent, rejected: target.counts.rejected,
    ...(isLive ? { run_id: runId, late: counts.late, latest_ms: counts.latestMs } : {}),
    skipped: { invalid: recording.skipped.invalid, other_races: recording.skipped.otherRaces },
    seconds: Number(seconds.toFixed(3)), updates_per_sec: Math.round(counts.sent / Math.max(seconds, 0.001)), stopped: stop.aborted,
  };
  context.out.write(options.json ? `${JSON.stringify(summary)}\n` : inWords(summary));
}

/** `--to-server`, else Kafka when it is configured, else the gateway at its default address. */
async function openTarget(toServer: string | undefined, context: CliContext, signal: AbortSignal): Promise<UpdateTarget> {
  if (toServer === undefined && context.env['KAFKA_BROKERS']) {
    const { log, codec } = await (await loadServices()).openLog(context.env);
    return logTarget(log, codec);
  }
  return httpTarget(serverUrl(context.env, toServer), { signal, headers: serverHeaders(context.env) });
}

function countLate(batch: readonly RaceUpdate[], counts: { late: number; latestMs: number }): void {
  const nowMs = Date.now();
  for (const update of batch) {
    const lateMs = nowMs - update.at;
    counts.latestMs = Math.max(counts.latestMs, lateMs);
    if (lateMs > LATE_MS) counts.late++;
  }
}

async function waitUntil(atMs: number, stop: AbortSignal): Promise<void> {
  // Timers count monotonic time and end early by up to 1 ms, and none is longer than 2^31 ms: look again until it is time.
  for (let leftMs = atMs - Date.now(); leftMs > 0 && !stop.aborted; leftMs = atMs - Date.now()) {
    await delay(Math.min(leftMs, 60_000), undefined, { signal: stop }).catch(() => undefined);
  }
}

/** A bar on a terminal, at most four times a second; nothing elsewhere. */
function progressLine(output: Output, total: number): { show(sent: number): void; clear(): void } {
  let drawnAtMs = -Infinity;
  return {
    show(sent) {
      const nowMs = performance.now();
      if (output.isTTY !== true || nowMs - drawnAtMs < 250) return;
      drawnAtMs = nowMs;
      const percent = total === 0 ? 100 : (100 * sent) / total;
      output.write(`\r\x1b[2K${renderBar({ known: percent, shown: percent, estimated: false }, 30)} ${sent} of ${total} updates`);
    },
    clear() {
      if (drawnAtMs !== -Infinity) output.write('\r\x1b[2K');
    },
  };
}

type Summary = { races: number; updates_sent: number; updates: number; duplicates_sent: number; rejected: Record<string, number>; late?: number; latest_ms?: number; seconds: number; updates_per_sec: number; stopped: boolean };

function inWords(summary: Summary): string {
  const rejected = Object.entries(summary.rejected).map(([code, count]) => `${count} ${code}`).join(', ');
  return [
    `${summary.races} races, ${summary.updates_sent} of ${summary.updates} updates in ${formatDuration(summary.seconds)} (${summary.updates_per_sec}/s)`,
    ...(summary.duplicates_sent > 0 ? [`${summary.duplicates_sent} sent again`] : []),
    ...(rejected === '' ? [] : [`refused: ${rejected}`]),
    ...(summary.late ? [`${summary.late} late, at most by ${summary.latest_ms} ms`] : []),
    ...(summary.stopped ? ['stopped before the end'] : []),
  ].join('; ') + '\n';
}
