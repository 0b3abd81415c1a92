import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { skipped } from './engines.ts';
import { run } from './run.ts';

const VERSION = '4.32.5';

/** Why schemathesis cannot run here; null = it can. */
export function whyNoSchemathesis(): string | null {
  const { status } = spawnSync('python3', ['-c', 'import ensurepip, venv']);
  return status === 0 ? null : skipped('the test by schemathesis needs python3 with venv');
}

/** Runs schemathesis against a served OpenAPI document; resolves with its exit code (0 = nothing found) and its words. */
export async function schemathesis(documentUrl: string, args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const home = await cached(`schemathesis-${VERSION}`, async (path) => {
    await run('python3', ['-m', 'venv', path]);
    await run(join(path, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`]);
  });
  // By the interpreter: the scripts of an environment name the place where it was made.
  const child = spawn(join(home, 'bin', 'python'), ['-c', 'from schemathesis.cli import schemathesis; schemathesis()', 'run', documentUrl, '--no-color', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'], cwd: home,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, output };
}
