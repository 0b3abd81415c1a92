#!/usr/bin/env node
// The `bin`. Plain JavaScript that Node 20 can run: npx and npm start it with whatever Node is installed,
// the rest of Raceline is TypeScript that needs Node 24.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
/** Threads of libuv for files, DNS and chDB; its default of 4 lets one slow query hold up all others. Chosen, not tuned. */
const THREADS = '16';
/**
 * Where V8 keeps what is new, MiB. An update leaves 12 KB behind, most of it at once: of its default of 16 MiB, which a busy
 * pipeline fills twenty times a second, more is still in use each time, and copied. Some 150 MiB of memory.
 */
const YOUNG_SPACE = '--max-semi-space-size=64';

const self = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);
// The pool's size is fixed when the process starts, so it must be in the environment before that.
const needsThreads = args[0] === 'up' && !process.env.UV_THREADPOOL_SIZE;

const hasYoungSpace = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((option) => option.includes('semi-space-size'));

// Below node_modules Node refuses to run TypeScript by itself.
const stripTypes = new URL('strip-types.mjs', import.meta.url).href;
const flags = [
  ...(self.split(sep).includes('node_modules') && !process.execArgv.includes(`--import=${stripTypes}`) ? [`--import=${stripTypes}`] : []),
  ...(needsThreads && !hasYoungSpace ? [YOUNG_SPACE] : []),
];

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  if (needsThreads || flags.length > 0) restart(process.execPath);
  else await runHere();
} else {
  const pinned = findPinnedNode();
  if (pinned === null) tooOld();
  else startWith(pinned);
}

async function runHere() {
  hideSqliteWarning();
  // A reader that has seen enough (`raceline sql ... | head`) is no failure.
  process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const { run } = await import('./main.ts');
  const outcome = await run(args, process.env);
  if (typeof outcome === 'number') process.exitCode = outcome;
  else dieBy(outcome);
  // A command is over when it says so, whatever socket or thread an engine still holds; what is written goes out first.
  process.stdout.write('', () => process.exit());
}

/** node:sqlite is all that Raceline uses of what Node calls experimental; other warnings stay visible. */
function hideSqliteWarning() {
  const emit = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (!String(warning).startsWith('SQLite is an experimental feature')) emit.call(process, warning, ...rest);
  };
}

/** The Node 24 that npm installed as an optional dependency for this platform, or null. */
function findPinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`);
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

function tooOld(cause = '') {
  process.stderr.write(`raceline: node_too_old: Node ${NEEDED_MAJOR} is needed, this is ${process.version} on `
    + `${process.platform}-${process.arch}${cause}: install Node ${NEEDED_MAJOR}, or run "npm install" without --omit=optional\n`);
  process.exitCode = 1;
}

/** Starts this file again in the place of this process where the system can do that, else as a child. */
function restart(node) {
  const env = environment();
  if (typeof process.execve === 'function' && process.platform !== 'win32') process.execve(node, [node, ...process.execArgv, ...flags, self, ...args], env);
  startWith(node);
}

function startWith(node) {
  const child = spawn(node, [...flags, self, ...args], { stdio: 'inherit', env: environment() });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      // A terminal's Ctrl-C or Ctrl-\ reaches the whole process group: the child has it already.
      if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
      child.kill(signal);
    });
  }
  child.on('error', (error) => {
    // E.g. a glibc binary on musl.
    tooOld(`, and ${node} does not start (${error.message})`);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1;
    else dieBy(signal);
  });
}

function environment() {
  return needsThreads ? { ...process.env, UV_THREADPOOL_SIZE: THREADS } : process.env;
}

/** Ends as the process behind us ended, so that shells see the same. */
function dieBy(signal) {
  process.removeAllListeners(signal);
  process.exitCode = 128 + (constants.signals[signal] ?? 0);
  process.kill(process.pid, signal);
}
