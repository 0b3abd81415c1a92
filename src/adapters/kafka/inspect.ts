import kafkajs, { type Admin } from 'kafkajs';
import type { LogFinding, LogInspection, TopicDefinition } from '../../ports/record-log.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';

type Setting = { readonly name: string; readonly wanted: string; readonly isRight: (value: string) => boolean; readonly why: string };

/** What topics must be set to, and what goes wrong otherwise. */
function settingsOf(definition: TopicDefinition, replicas: number): Setting[] {
  const exactly = (name: string, wanted: string, why: string): Setting => ({ name, wanted, isRight: (value) => value === wanted, why });
  const retention = String(definition.retentionMs ?? -1);
  return [
    exactly('message.timestamp.type', 'LogAppendTime', 'retention and lateness go by the clocks of producers'),
    {
      name: 'cleanup.policy', wanted: definition.cleanup, why: 'records are kept too long or lost too early',
      isRight: (value) => value.split(',').map((part) => part.trim()).sort().join(',') === definition.cleanup.split(',').sort().join(','),
    },
    ...(definition.cleanup === 'compact' ? [] : [exactly('retention.ms', retention, 'records are kept another time than declared')]),
    ...(definition.cleanup === 'delete' ? [] : [exactly('min.compaction.lag.ms', String(definition.minCompactionLagMs), 'compaction may take what a reader has still to read')]),
    { name: 'max.message.bytes', wanted: `at least ${MAX_MESSAGE_BYTES}`, isRight: (value) => Number(value) >= MAX_MESSAGE_BYTES, why: 'large records are refused by the broker' },
    ...(replicas < 3 ? [] : [{ name: 'min.insync.replicas', wanted: 'at least 2', isRight: (value: string) => Number(value) >= 2, why: 'an acknowledged record may be on one broker only' }]),
  ];
}

/** The brokers, and what of the declared topics is missing, otherwise, or without its leader or replicas. */
export async function inspectKafka(admin: Admin, definitions: readonly TopicDefinition[], prefix: string): Promise<LogInspection> {
  const { brokers } = await admin.describeCluster();
  const engine = `Kafka, ${brokers.length} broker${brokers.length === 1 ? '' : 's'}: ${brokers.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
  const existing = new Set(await admin.listTopics());
  const findings: LogFinding[] = definitions.filter(({ name }) => !existing.has(prefix + name))
    .map(({ name }) => ({ topic: name, isMissing: true, problem: 'it does not exist', remedy: 'Run: raceline topics apply' }));
  const present = definitions.filter(({ name }) => existing.has(prefix + name));
  if (present.length === 0) return { engine, findings };

  const { topics } = await admin.fetchTopicMetadata({ topics: present.map(({ name }) => prefix + name) });
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: present.map(({ name }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name: prefix + name })) });
  for (const definition of present) {
    const kafkaName = prefix + definition.name;
    const add = (problem: string, remedy: string): void => { findings.push({ topic: definition.name, isMissing: false, problem, remedy }); };
    const partitions = topics.find((topic) => topic.name === kafkaName)?.partitions ?? [];
    if (partitions.length !== definition.partitions) {
      add(`it has ${partitions.length} partitions, ${definition.partitions} are declared`, 'Set KAFKA_PARTITIONS to what there is; a count never changes, since keys would move');
    }
    const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId);
    if (leaderless.length > 0) add(`partitions ${leaderless.join(', ')} have no leader`, 'Bring back the brokers that hold them');
    const lagging = partitions.filter(({ isr, replicas }) => isr.length < replicas.length).map(({ partitionId }) => partitionId);
    if (lagging.length > 0) add(`partitions ${lagging.join(', ')} lack replicas in sync`, 'Look at the brokers that are down or slow');
    const entries = new Map(resources.find(({ resourceName }) => resourceName === kafkaName)?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
    for (const { name, wanted, isRight, why } of settingsOf(definition, partitions[0]?.replicas.length ?? 0)) {
      const value = entries.get(name);
      if (value !== undefined && !isRight(value)) add(`${name} is ${value}, it must be ${wanted}: ${why}`, `Run: kafka-configs.sh --alter --entity-type topics --entity-name ${kafkaName} --add-config '${name}=${wanted.includes(',') ? `[${wanted}]` : wanted.replace('at least ', '')}'`);
    }
  }
  return { engine, findings };
}
