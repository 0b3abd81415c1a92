import { randomUUID } from 'node:crypto';
import { openKafkaLog } from '../../src/adapters/kafka/kafka-log.ts';
import { repairRequestTimer } from '../../src/adapters/kafka/request-timer.ts';
import type { RecordLog, TopicDefinition } from '../../src/ports/record-log.ts';
import { partitionCounts, topics } from '../../topology/topics.ts';
import { kafkaConfig, quietLogger } from '../support/engines/kafka-client.ts';
import { startKafka, type KafkaCluster } from '../support/engines/kafka.ts';

/** One measured number. `name` is its key in the JSON, unit last where it has one. */
export type Figure = { readonly name: string; readonly value: number; readonly says: string };

export type Bench = (setting: Setting) => Promise<Figure[]>;

/** What the benchmarks of a run share. */
export type Setting = {
  /** `host:port` of a one-broker Kafka of this run, started at the first call. */
  broker(): Promise<string>;
  close(): Promise<void>;
};

export function openSetting(): Setting {
  let cluster: Promise<KafkaCluster> | null = null;
  return {
    async broker() {
      // Clients of the bench itself, as production has them.
      repairRequestTimer();
      // Its own settings are for tests that wait for compaction; a load must not be cleaned up while it is measured.
      cluster ??= startKafka({ brokers: 1, settings: () => ({ 'log.cleaner.backoff.ms': 15_000, 'log.retention.check.interval.ms': 300_000 }) });
      return (await cluster).brokers[0] ?? '';
    },
    async close() {
      await (await cluster)?.stop();
    },
  };
}

export const RACE_PARTITIONS = partitionCounts.kafka.races;

function kafkaTopics(): TopicDefinition[] {
  return topics.map(({ name, partitions, cleanup, retentionMs, minCompactionLagMs }) => ({ name, partitions: partitionCounts.kafka[partitions], cleanup, retentionMs, minCompactionLagMs }));
}

/** The record log under a prefix of its own, its topics made. */
export async function freshLog(broker: string): Promise<{ readonly log: RecordLog; readonly prefix: string }> {
  const prefix = `bench-${randomUUID().slice(0, 8)}.`;
  const log = await openKafkaLog({ config: kafkaConfig([broker]), topicPrefix: prefix, clientId: 'bench', logger: quietLogger });
  await log.ensureTopics(kafkaTopics());
  return { log, prefix };
}

export function quantileOf(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** `ratio` of two figures, rounded to what a run can tell. */
export function rounded(value: number, digits = 3): number {
  return Number(value.toPrecision(digits));
}
