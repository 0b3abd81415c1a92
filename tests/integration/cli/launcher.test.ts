import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launcher, start, until } from './process.ts';

/** The first Node below 24 on the path, as npx would start us with. */
function findOldNode(): string | null {
  for (const folder of ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(delimiter)]) {
    const node = join(folder, 'node');
    if (!existsSync(node)) continue;
    const major = Number(/^v(\d+)/.exec(execFileSync(node, ['--version'], { encoding: 'utf8' }))?.[1]);
    if (major >= 20 && major < 24) return node;
  }
  return null;
}

const oldNode = findOldNode();
if (oldNode === null) console.log('Skipped: the launcher under an older Node, because no Node 20..23 is installed here');
const quiet = ['run', '--quiet', '--server', 'http://127.0.0.1:1', '--'];

describe.skipIf(oldNode === null)('the launcher under an older Node', () => {
  const options = { node: oldNode ?? '' };

  test('starts the pinned Node 24', async () => {
    const run = start([...quiet, 'sh', '-c', 'readlink /proc/$PPID/exe'], options);
    expect(await run.ended).toBe(0);
    expect(run.output.stdout.trim()).toBe(realpathSync(process.execPath));
    expect(run.output.stderr).toBe('');
  });

  test('passes arguments, exit codes and both outputs on as they are', async () => {
    const run = start([...quiet, 'sh', '-c', 'echo "$1|$2"; echo err >&2; exit 7', 'sh', 'a  b', '$HOME "x" *'], options);
    expect(await run.ended).toBe(7);
    expect(run.output).toEqual({ stdout: 'a  b|$HOME "x" *\n', stderr: 'err\n' });
  });

  test('passes its input on', async () => {
    const run = start([...quiet, 'cat'], options);
    run.child.stdin?.end('through');
    expect(await run.ended).toBe(0);
    expect(run.output.stdout).toBe('through');
  });

  test('ends by the signal that ended the command', async () => {
    expect(await start([...quiet, 'sh', '-c', 'kill -KILL $$'], options).ended).toBe('SIGKILL');
    expect(await start([...quiet, 'sh', '-c', 'kill -TERM $$'], options).ended).toBe('SIGTERM');
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('hands %s to the command, which may end well', async (signal) => {
    const run = start([...quiet, process.execPath, '-e', `process.on('${signal}', () => { console.log('caught'); process.exit(0); }); setInterval(() => {}, 1000); console.log('up')`], options);
    await until(() => run.output.stdout.includes('up'), () => run.output);
    run.child.kill(signal);
    expect(await run.ended).toBe(0);
    expect(run.output.stdout).toBe('up\ncaught\n');
  });

  test('says in one line what to do where there is no Node 24', async () => {
    const run = start(['--version'], { ...options, script: loneLauncher });
    expect(await run.ended).toBe(1);
    expect(run.output.stderr).toMatch(/^raceline: node_too_old: Node 24 is needed, this is v2\d\.[^\n]*install Node 24[^\n]*\n$/);
  });
});

let folder = '';
let loneLauncher = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'raceline-launcher-'));
  loneLauncher = join(folder, 'raceline.mjs');
  copyFileSync(launcher, loneLauncher);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the launcher under Node 24', () => {
  test('needs no further process', async () => {
    const run = start([...quiet, 'sh', '-c', 'echo $PPID']);
    expect(await run.ended).toBe(0);
    expect(Number(run.output.stdout)).toBe(run.child.pid);
  });

  const printThreads = { NODE_OPTIONS: '--import=data:text/javascript,process.stderr.write(`threads${process.env.UV_THREADPOOL_SIZE}pid${process.pid};`)' };

  test('gives `up` 16 threads, in the same process, and leaves a size that was set', async () => {
    const raised = start(['up', '--help'], { env: printThreads });
    expect(await raised.ended).toBe(0);
    expect(raised.output.stderr).toBe(`threadsundefinedpid${raised.child.pid};threads16pid${raised.child.pid};`);
    const kept = start(['up', '--help'], { env: { ...printThreads, UV_THREADPOOL_SIZE: '5' } });
    expect(await kept.ended).toBe(0);
    expect(kept.output.stderr).toBe(`threads5pid${kept.child.pid};`);
  });

  test('gives `up` room for what is new, and leaves a size that was set', async () => {
    const print = '--import=data:text/javascript,process.stderr.write(`${process.execArgv};`)';
    const raised = start(['up', '--help'], { env: { NODE_OPTIONS: print } });
    expect(await raised.ended).toBe(0);
    expect(raised.output.stderr).toBe(';--max-semi-space-size=64;');
    const kept = start(['up', '--help'], { env: { NODE_OPTIONS: `${print} --max-semi-space-size=32` } });
    expect(await kept.ended).toBe(0);
    expect(kept.output.stderr).toBe(';;');
  });

  test('gives other commands what they have', async () => {
    const run = start(['topology', '--help'], { env: printThreads });
    expect(await run.ended).toBe(0);
    expect(run.output.stderr).toBe(`threadsundefinedpid${run.child.pid};`);
  });
});

describe('the program', () => {
  test('prints its version and the help of every command', async () => {
    const version = start(['--version']);
    expect(await version.ended).toBe(0);
    expect(version.output.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = start(['--help']);
    expect(await help.ended).toBe(0);
    const commands = [...help.output.stdout.matchAll(/^ {2}([a-z-]+) /gm)].map((match) => match[1]!).filter((name) => name !== 'help' && !name.startsWith('-'));
    expect(commands).toEqual(expect.arrayContaining(['up', 'run', 'watch', 'replay', 'sql', 'dead-letters', 'topology']));
    for (const name of commands) {
      const one = start([name, '--help']);
      expect(await one.ended).toBe(0);
      expect(one.output.stdout).toContain(`Usage: raceline ${name}`);
    }
  });

  test.each([
    [['nonsense'], /unknown command 'nonsense'/],
    [['run'], /missing required argument 'command'/],
    [['run', '--eta', 'soon', 'true'], /It must be a duration/],
    [['run', '--id', 'x'.repeat(201), 'true'], /1\.\.200 characters/],
    [['replay'], /required option '--races/],
    [['replay', '--races', 'x', '--as-is', '--live'], /cannot be used with/],
    [['replay', '--races', 'x', '--live', '--speed', '0'], /above 0/],
    [['watch', '--state', 'exploded'], /Allowed choices are queued/],
  ])('refuses %j with code 2', async (args, message) => {
    const run = start(args);
    expect(await run.ended).toBe(2);
    expect(run.output.stderr).toMatch(message);
    expect(run.output.stdout).toBe('');
  });

  test('tells a failure by its code, in one line, and ends with 1', async () => {
    for (const args of [['sql', 'SELECT 1', '--server', 'http://127.0.0.1:1'], ['dead-letters', 'ls', '--server', 'http://127.0.0.1:1']]) {
      const run = start(args);
      expect(await run.ended).toBe(1);
      expect(run.output.stderr).toMatch(/^raceline: unavailable: http:\/\/127\.0\.0\.1:1 does not answer [^\n]*\n$/);
    }
    const up = start(['up'], { env: { RACELINE_PORT: 'high' } });
    expect(await up.ended).toBe(1);
    expect(up.output.stderr).toMatch(/^raceline: config_invalid: [^\n]*RACELINE_PORT[^\n]*"high"\n$/);
  });
});
