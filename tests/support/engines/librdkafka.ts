import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { skipped } from './engines.ts';
import { run } from './run.ts';

const VERSION = '2.16.1';

export type ForeignRecord = { readonly offset: number; readonly key: string | null; readonly value: string | null; readonly headers: readonly (readonly [string, string | null])[] };

/** Why the foreign client cannot run here; null = it can. */
export function whyNoLibrdkafka(): string | null {
  const { status } = spawnSync('python3', ['-c', 'import ensurepip, venv']);
  return status === 0 ? null : skipped('tests against librdkafka need python3 with venv');
}

/** Produces records with librdkafka, compressed as said. */
export async function produceForeign(brokers: string, topic: string, partition: number, codec: string, records: readonly { readonly key: string; readonly value: string }[]): Promise<void> {
  await talk(['produce', brokers, topic, String(partition), codec], records.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

/** The first records of a partition as librdkafka reads them. */
export async function consumeForeign(brokers: string, topic: string, partition: number, count: number): Promise<ForeignRecord[]> {
  const output = await talk(['consume', brokers, topic, String(partition), String(count)], '');
  return output.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ForeignRecord);
}

async function talk(args: readonly string[], input: string): Promise<string> {
  const child = spawn(await python(), [join(import.meta.dirname, 'librdkafka.py'), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { errors += chunk.toString(); });
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`librdkafka ${args[0]} ended with ${code}: ${errors}`);
  return output;
}

async function python(): Promise<string> {
  const home = await cached(`confluent-kafka-${VERSION}`, async (path) => {
    await run('python3', ['-m', 'venv', path]);
    await run(join(path, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `confluent-kafka==${VERSION}`]);
  });
  return join(home, 'bin', 'python');
}
