import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { AppError, messageOf } from '../errors.ts';
import { accuracyCommand } from './accuracy.ts';
import { backtestCommand } from './backtest.ts';
import { clusterCommand } from './cluster.ts';
import { clustersCommand } from './clusters.ts';
import type { CliContext, Env, Outcome, Output } from './context.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { journeyCommand } from './journey.ts';
import { rebuildCommand } from './rebuild.ts';
import { replayCommand } from './replay.ts';
import { runCommand } from './run.ts';
import { scoreCommand } from './score.ts';
import { sqlCommand } from './sql.ts';
import { tokenCommand } from './token.ts';
import { topologyCommand } from './topology.ts';
import { topicsCommand } from './topics.ts';
import { upCommand } from './up.ts';
import { watchCommand } from './watch.ts';

/** One entry a command, in the order that --help shows: a new command is a file of its own and a line here. */
const commands: readonly ((context: CliContext) => Command)[] = [
  upCommand,
  runCommand,
  watchCommand,
  demoCommand,
  replayCommand,
  backtestCommand,
  scoreCommand,
  accuracyCommand,
  clusterCommand,
  clustersCommand,
  rebuildCommand,
  journeyCommand,
  sqlCommand,
  deadLettersCommand,
  doctorCommand,
  topologyCommand,
  topicsCommand,
  tokenCommand,
];

/**
 * The command line `raceline`. Resolves with how the process shall end: 0 done, 1 failed, 2 wrong usage; `run` ends as its
 * command ended. Never rejects on a failure that has a code: it is one line on stderr.
 */
export async function run(args: readonly string[], env: Env, streams: { readonly out: Output; readonly err: Output } = { out: process.stdout, err: process.stderr }): Promise<Outcome> {
  let outcome: Outcome = 0;
  const context: CliContext = { env, ...streams, finish: (how) => { outcome = how; } };
  try {
    await programOf(context).parseAsync([...args], { from: 'user' });
    return outcome;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof AppError)) throw error;
    const cause = error.cause === undefined ? '' : messageOf(error.cause);
    context.err.write(`raceline: ${error.code}: ${error.message}${cause === '' || error.message.includes(cause) ? '' : ` (${cause})`}\n`);
    return 1;
  }
}

function programOf(context: CliContext): Command {
  const program = new Command('raceline')
    .description('Live ETAs for everything that runs')
    .version(readVersion())
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for the options)');
  for (const command of commands) program.addCommand(command(context));
  settle(program, context);
  return program;
}

/** Commander's settings are not inherited by commands that were made elsewhere. */
function settle(command: Command, context: CliContext): void {
  command.exitOverride();
  command.configureOutput({ writeOut: (text) => context.out.write(text), writeErr: (text) => context.err.write(text) });
  for (const child of command.commands) settle(child, context);
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
}
