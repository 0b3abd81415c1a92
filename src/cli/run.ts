import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants, hostname } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { RaceView } from '../bridge/frames.ts';
import { emptyUpdate } from '../race/update.ts';
import type { RaceUpdate } from '../race/update.ts';
import { duration, keyValue } from './arguments.ts';
import { etasSocket, etasUrl, serverHeaders, serverUrl } from './context.ts';
import type { CliContext, Outcome } from './context.ts';
import { progressAt, renderRaceLine } from './progress-bar.ts';
import { createReporter } from './reporter.ts';
import { openStatusLine } from './status-line.ts';

type RunOptions = { id?: string; source: string; title?: string; eta?: number; metadata?: Record<string, string>; server?: string; quiet?: true };

/** As the pipeline expects it of source `cmd`. */
const HEARTBEAT_SEC = 5;
const REDRAW_MS = 500;
const MAX_TITLE = 1_000;
const MAX_METADATA_VALUE = 2_000;
/** As env, nice and timeout end: the command cannot be executed, or is not there. */
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;

export function runCommand(context: CliContext): Command {
  return new Command('run')
    .description('Run a command as a race: its ETA on the last row, its outcome learned from')
    .usage('[options] [--] <command> [args...]')
    .argument('<command>', 'Program to run, without a shell')
    .argument('[args...]', 'Its arguments')
    .addOption(new Option('--id <id>', 'race_id (default: a random UUID)').argParser(identifier))
    .addOption(new Option('--source <source>', 'Stream of like runs that it belongs to').argParser(identifier).default('cmd'))
    .option('--title <title>', 'Title (default: the command line)')
    .option('--eta <duration>', 'Your own estimate of the whole run: 90, 90s, 1.5m, 2h', duration)
    .option('--metadata <key=value>', 'Known from the start; may be repeated', keyValue)
    .option('--server <url>', 'Gateway (default: from RACELINE_HOST and RACELINE_PORT)')
    .option('--quiet', 'No progress bar, no warning')
    .passThroughOptions()
    .addHelpText('after', '\nExits as the command does. 126: it cannot be executed, 127: there is none.')
    .action((program: string, args: string[], options: RunOptions) => runRace(program, args, options, context));
}

async function runRace(program: string, args: readonly string[], options: RunOptions, context: CliContext): Promise<void> {
  const id = options.id ?? randomUUID();
  const server = serverUrl(context.env, options.server);
  const reporter = createReporter({
    server,
    headers: serverHeaders(context.env),
    onTrouble: (message) => {
      if (!options.quiet) context.err.write(`raceline: ${message}\n`);
    },
  });
  const update = (fields: Partial<RaceUpdate>): RaceUpdate => ({ ...emptyUpdate(id, options.source, Date.now()), ...fields });

  reporter.report(submissionOf(update({}), [program, ...args].join(' '), options));
  const child = spawn(program, args, { stdio: 'inherit' });
  const signals = passSignals(child);
  let heartbeat: NodeJS.Timeout | undefined;
  child.once('spawn', () => {
    const started = update({ state: 'running' });
    reporter.report({ ...started, started_at: started.at });
    heartbeat = setInterval(() => reporter.report(update({ state: 'running' }), 'heartbeat'), HEARTBEAT_SEC * 1_000);
  });
  const bar = options.quiet ? null : showBar(server, id, context);
  const ending = await endOf(child);
  clearInterval(heartbeat);
  bar?.close();
  signals.close();

  if (ending.error !== undefined) context.err.write(`raceline: cannot run ${program}: ${ending.error}\n`);
  const ended = update({ state: stateOf(ending.outcome, signals.interrupted()), metadata: endingMetadata(ending) });
  reporter.report({ ...ended, completed_at: ended.at });
  await reporter.close();
  context.finish(ending.outcome);
}

function submissionOf(update: RaceUpdate, commandLine: string, options: RunOptions): RaceUpdate {
  return {
    ...update,
    state: 'queued',
    queued_at: update.at,
    title: (options.title ?? commandLine).slice(0, MAX_TITLE),
    metadata: { command: commandLine.slice(0, MAX_METADATA_VALUE), working_dir: process.cwd().slice(0, MAX_METADATA_VALUE), host: hostname(), ...options.metadata },
    update_interval_hint_sec: HEARTBEAT_SEC,
    ...(options.eta === undefined ? {} : { eta_sec: options.eta, eta_kind: 'total' }),
  };
}

/** How the command ended: by a code, by a signal, or not even begun. */
type Ending = { readonly outcome: Outcome; readonly error?: string };

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      // Also emitted when a signal cannot be sent; then the command lives and its end is still to come.
      if (child.pid === undefined) resolve({ outcome: error.code === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, error: error.message });
    });
    child.once('exit', (code, signal) => resolve({ outcome: signal ?? code ?? 1 }));
  });
}

/** A user's interrupt cancels, unless the command came through all the same; killed by anybody else is a failure. */
export function stateOf(outcome: Outcome, interrupted: boolean): 'passed' | 'failed' | 'canceled' {
  if (outcome === 0) return 'passed';
  return interrupted ? 'canceled' : 'failed';
}

function endingMetadata({ outcome, error }: Ending): Record<string, string> {
  if (error !== undefined) return { exit_code: String(outcome), error: error.slice(0, MAX_METADATA_VALUE) };
  if (typeof outcome === 'number') return { exit_code: String(outcome) };
  // As a shell reports it.
  return { exit_code: String(128 + constants.signals[outcome]), exit_signal: outcome };
}

/** Hands the signals that end a process on to the command, and lives on to report how it ended. */
function passSignals(child: ChildProcess): { interrupted(): boolean; close(): void } {
  let interrupted = false;
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    interrupted = true;
    // A terminal's Ctrl-C or Ctrl-\ reaches the whole process group: the command has it already.
    if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
    child.kill(signal);
  };
  for (const name of names) process.on(name, onSignal);
  return {
    interrupted: () => interrupted,
    close() {
      for (const name of names) process.off(name, onSignal);
    },
  };
}

/** The bar on the terminal's last row, from the live ETAs of this race; null where there is no terminal. */
function showBar(server: string, id: string, context: CliContext): { close(): void } | null {
  const line = openStatusLine(context.err, context.env['TERM']);
  if (line === null) return null;
  let race: RaceView | null = null;
  let shown = 0;
  const onRaces = (races: readonly RaceView[]): void => {
    race = races.find((view) => view.race_id === id) ?? race;
  };
  // Loaded beside the command, which must not wait for it.
  const client = import('../bridge/client.ts').then(({ connectEtas }) =>
    connectEtas({ url: etasUrl(server), WebSocketImpl: etasSocket(context.env), filter: { race_ids: [id] }, onSnapshot: onRaces, onDelta: onRaces }));
  const draw = (): void => {
    if (race === null) return;
    const view = race;
    const nowMs = Date.now();
    shown = progressAt(view, nowMs, shown).shown;
    line.show((columns) => renderRaceLine(view, nowMs, shown, columns));
  };
  const timer = setInterval(draw, REDRAW_MS);
  return {
    close() {
      clearInterval(timer);
      void client.then((connection) => connection.close());
      line.close();
    },
  };
}

function identifier(text: string): string {
  if (text.length < 1 || text.length > 200 || /\p{Cc}/u.test(text)) throw new InvalidArgumentError('It must be 1..200 characters without control characters.');
  return text;
}
