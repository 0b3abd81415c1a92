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
  await talk(['produce', brokers, topic, String(partition), codec], linesOf(records));
}

/** The first records of a partition as librdkafka reads them. */
export async function consumeForeign(brokers: string, topic: string, partition: number, count: number): Promise<ForeignRecord[]> {
  const output = await talk(['consume', brokers, topic, String(partition), String(count)], '');
  return output.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ForeignRecord);
}

/** Where librdkafka put a record: its key and the partition. */
export type Placed = readonly (readonly [key: string, partition: number])[];

type JsonRecord = { readonly key: string; readonly value: object };

/** Produces values as JSON with the partitioner that librdkafka comes with (by CRC32), which is not Java's. */
export async function produceForeignJson(brokers: string, topic: string, records: readonly JsonRecord[]): Promise<Placed> {
  return JSON.parse(await talk(['produce-json', brokers, topic], linesOf(records))) as Placed;
}

/** The same with Confluent's AvroSerializer, by the newest schema that the registry has for the topic. */
export async function produceForeignAvro(brokers: string, topic: string, registry: string, records: readonly JsonRecord[]): Promise<Placed> {
  return JSON.parse(await talk(['produce-avro', brokers, topic, registry], linesOf(records))) as Placed;
}

export type ForeignValue = { readonly partition: number; readonly offset: number; readonly key: string; readonly value: Readonly<Record<string, unknown>> };

/** All that a topic holds, as Confluent's AvroDeserializer reads it by the registry's schemas; instants in epoch ms. */
export async function consumeForeignAvro(brokers: string, topic: string, registry: string): Promise<ForeignValue[]> {
  const output = await talk(['consume-avro', brokers, topic, registry], '');
  return output.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ForeignValue);
}

function linesOf(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
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
  const home = await cached(`confluent-kafka-avro-${VERSION}`, async (path) => {
    await run('python3', ['-m', 'venv', path]);
    await run(join(path, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `confluent-kafka[avro]==${VERSION}`]);
  });
  return join(home, 'bin', 'python');
}
