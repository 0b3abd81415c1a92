import { randomUUID } from 'node:crypto';
import { openKafkaLog } from '../../src/adapters/kafka/kafka-log.ts';
import type { RecordLog } from '../../src/ports/record-log.ts';
import { sharedKafka, sharedRegistry } from './engines/engines.ts';
import { allMembers, evict, membersOf, type Members } from './engines/evict.ts';
import { kafkaConfig, quietLogger } from './engines/kafka-client.ts';
import { waitUntil } from './wait-until.ts';

/** The shared broker and registry, for a service with topics, groups and subjects of its own. */
export type KafkaSetting = {
  readonly broker: string;
  readonly registry: string;
  readonly prefix: string;
  readonly partitions: number;
  /** Environment of the service. */
  readonly env: Readonly<Record<string, string>>;
  /** Members of the pipeline's group and the partitions of race-updates that each holds. */
  pipelineMembers(): Promise<Members>;
  /** The same of the group of the journeys and telemetry. */
  journeyMembers(): Promise<Members>;
  /** Resolves when both groups are at rest and every partition of theirs is held. */
  whenJoined(): Promise<void>;
  /** Takes members that were killed out of the groups, as their session's end would; default: all of them. */
  buryMembers(memberIds?: readonly string[]): Promise<void>;
  openLog(): Promise<RecordLog>;
  /** Records in race-updates, all partitions. */
  endOffset(): Promise<number>;
};

const PARTITIONS = 6;

/** A service on brokers of one's own: without the shared registry, unless `registry` names one. */
export function settingOn(brokers: readonly string[], registry = ''): KafkaSetting {
  return describeSetting(brokers.join(','), registry);
}

export async function kafkaSetting(): Promise<KafkaSetting> {
  const [broker, registry] = await Promise.all([sharedKafka(), sharedRegistry()]);
  return describeSetting(broker, registry);
}

function describeSetting(broker: string, registry: string): KafkaSetting {
  const prefix = `service-${randomUUID()}.`;
  const openLog = (): Promise<RecordLog> => openKafkaLog({ config: kafkaConfig(broker.split(',')), topicPrefix: prefix, clientId: 'test', logger: quietLogger });
  return {
    broker, registry, prefix, partitions: PARTITIONS,
    env: { KAFKA_BROKERS: broker, SCHEMA_REGISTRY_URL: registry, RACELINE_TOPIC_PREFIX: prefix, KAFKA_PARTITIONS: String(PARTITIONS) },
    pipelineMembers: () => membersOf(broker, `${prefix}pipeline`, `${prefix}race-updates`),
    journeyMembers: () => membersOf(broker, `${prefix}journeys`, `${prefix}telemetry`),
    async whenJoined() {
      for (const [group, topic] of [['pipeline', 'race-updates'], ['historian', 'eta-updates']] as const) {
        await waitUntil(`the group ${group} is at rest`, async () => {
          const members = await membersOf(broker, prefix + group, prefix + topic);
          return [...members.values()].flat().length === PARTITIONS;
        }, 60_000);
      }
    },
    async buryMembers(memberIds) {
      for (const group of ['pipeline', 'journeys', 'historian'].map((name) => prefix + name)) await evict(broker, group, memberIds ?? await allMembers(broker, group));
    },
    openLog,
    async endOffset() {
      const log = await openLog();
      try {
        return (await log.endOffsets('race-updates')).reduce((sum, end) => sum + end, 0);
      } finally {
        await log.close();
      }
    },
  };
}
