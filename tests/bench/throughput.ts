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
 * A backlog of the standard mix on a real broker: the pipeline, with its own forecasts and with the simplest, against a bare kafkajs loop over the
 * same records, the loop once before and once after them, the better of the two counting.
 */
export async function throughput(setting: Setting): Promise<Figure[]> {
  const broker = await setting.broker();
  const updates = standardMix(RACES);
  const range = { from: Math.floor(updates.length * WARM_UP), to: updates.length };
  const filled = async (): Promise<string> => {
    const { log, prefix } = await freshLog(broker);
    await appendAll(log, updates);
    await log.close();
    return prefix;
  };
  const prefix = await filled();
  const prefixOfSimple = await filled();
  const bareOnce = async (output: string): Promise<Stretch> => {
    await createTopic(broker, output, RACE_PARTITIONS);
    return await measure<BareLoopOptions, Stretch>('bare-loop.ts', { broker, input: `${prefix}race-updates`, output, group: output, ...range });
  };
  const pipelineOnce = async (options: Pick<PipelineProcessOptions, 'prefix' | 'isSimple'>): Promise<PipelineStretch> => {
    return await measure<PipelineProcessOptions, PipelineStretch>('pipeline.ts', { broker, ...range, inEventTime: true, ...options }, SERVICE_FLAGS);
  };
  const before = await bareOnce(`${prefix}bare-1`);
  const ours = await pipelineOnce({ prefix });
  const simple = await pipelineOnce({ prefix: prefixOfSimple, isSimple: true });
  const after = await bareOnce(`${prefix}bare-2`);
  const [rate, cpu, simpleRate, simpleCpu] = [perSec(ours), cpuPerThousand(ours), perSec(simple), cpuPerThousand(simple)];
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
    { name: 'simple_updates_per_sec', value: Math.round(simpleRate), says: "the pipeline with the simplest forecast, its title's median" },
    { name: 'simple_ratio_to_bare', value: rounded(simpleRate / bareRate), says: 'its updates/s over that of the bare loop' },
    { name: 'simple_cpu_ms_per_1000', value: rounded(simpleCpu), says: 'its process, per 1,000 updates' },
    { name: 'simple_cpu_ratio_to_bare', value: rounded(simpleCpu / bareCpu), says: 'its CPU over that of the bare loop' },
    { name: 'simple_revisions_per_update', value: rounded(simple.revisions / updates.length), says: 'share of its updates that published an ETA' },
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
