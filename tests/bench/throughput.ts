import kafkajs from 'kafkajs';
import { waitUntil } from '../support/wait-until.ts';
import { freshLog, RACE_PARTITIONS, rounded, type Figure, type Setting } from './bench.ts';
import { SERVICE_FLAGS, startChild } from './child.ts';
import type { Stretch } from './meter.ts';
import { appendAll, standardMix } from './mix.ts';
import type { BareLoopOptions } from './processes/bare-loop.ts';
import type { PipelineProcessOptions } from './processes/pipeline.ts';

const RACES = 20_000;
/** Records before this one warm up the compiler. */
const WARM_UP = 0.3;

type PipelineStretch = Stretch & { readonly revisions: number };

/**
 * A backlog of the standard mix on a real broker: the pipeline against a bare kafkajs loop over the same records, the
 * loop once before and once after it, the better of the two counting.
 */
export async function throughput(setting: Setting): Promise<Figure[]> {
  const broker = await setting.broker();
  const { log, prefix } = await freshLog(broker);
  const updates = standardMix(RACES);
  await appendAll(log, updates);
  const range = { from: Math.floor(updates.length * WARM_UP), to: updates.length };
  const bareOnce = async (output: string): Promise<Stretch> => {
    await createTopic(broker, output, RACE_PARTITIONS);
    return await measure<BareLoopOptions, Stretch>('bare-loop.ts', { broker, input: `${prefix}race-updates`, output, group: output, ...range });
  };
  const before = await bareOnce(`${prefix}bare-1`);
  const ours = await measure<PipelineProcessOptions, PipelineStretch>('pipeline.ts', { broker, prefix, ...range, inEventTime: true }, SERVICE_FLAGS);
  const after = await bareOnce(`${prefix}bare-2`);
  await log.close();
  const [rate, cpu] = [perSec(ours), cpuPerThousand(ours)];
  const bareRate = Math.max(perSec(before), perSec(after));
  const bareCpu = Math.min(cpuPerThousand(before), cpuPerThousand(after));
  return [
    { name: 'updates_per_sec', value: Math.round(rate), says: 'pipeline, backlog of the standard mix' },
    { name: 'bare_updates_per_sec', value: Math.round(bareRate), says: 'bare kafkajs: consume, parse, stringify, produce, commit' },
    { name: 'ratio_to_bare', value: rounded(rate / bareRate), says: 'updates/s over that of the bare loop' },
    { name: 'cpu_ms_per_1000', value: rounded(cpu), says: 'pipeline process, per 1,000 updates' },
    { name: 'bare_cpu_ms_per_1000', value: rounded(bareCpu), says: 'bare process' },
    { name: 'cpu_ratio_to_bare', value: rounded(cpu / bareCpu), says: 'CPU over that of the bare loop' },
    { name: 'revisions_per_update', value: rounded(ours.revisions / updates.length), says: 'share of updates that published an ETA' },
  ];
}

async function measure<Options extends object, Message>(file: string, options: Options, nodeFlags: readonly string[] = []): Promise<Message> {
  const child = startChild<Message>(file, options, nodeFlags);
  try {
    for (;;) {
      const message = await child.next();
      if (!('ready' in (message as object))) return message;
    }
  } finally {
    await child.stop();
  }
}

/** Makes a topic and waits until it can be written to. */
export async function createTopic(broker: string, topic: string, partitions: number): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] });
  await waitUntil(`${topic} has leaders`, async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length === partitions && topics[0].partitions.every(({ leader }) => leader >= 0);
  });
  await admin.disconnect();
}

function perSec({ records, elapsedMs }: Stretch): number {
  return (records * 1_000) / elapsedMs;
}

function cpuPerThousand({ records, cpuMs }: Stretch): number {
  return (cpuMs * 1_000) / records;
}
