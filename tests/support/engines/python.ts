import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { skipped } from './engines.ts';
import { run } from './run.ts';

/** Clients in another language, of exact versions: gRPC, ClickHouse over HTTP, WebSocket. */
const PACKAGES = ['grpcio==1.85.3', 'protobuf==7.36.2', 'clickhouse-connect==1.12.0', 'websocket-client==1.9.2'];

/** Why Python's clients cannot run here; null = they can. */
export function whyNoPython(): string | null {
  const { status } = spawnSync('python3', ['-c', 'import ensurepip, venv']);
  return status === 0 ? null : skipped('tests with clients in Python need python3 with venv');
}

/** Runs a script beside this file; resolves with what it printed as JSON, rejects with its stderr. */
export async function python<T>(script: string, args: readonly string[]): Promise<T> {
  const home = await cached(`python-clients-${PACKAGES.join('-').replaceAll(/[^\w.-]/g, '')}`, async (path) => {
    await run('python3', ['-m', 'venv', path]);
    await run(join(path, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
  });
  const child = spawn(join(home, 'bin', 'python'), [join(import.meta.dirname, script), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { errors += chunk.toString(); });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${errors}`);
  return JSON.parse(output) as T;
}
