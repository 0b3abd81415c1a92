import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Any base64 of a UUID. */
export const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAA';

export type NodeOptions = { readonly id: number; readonly port: number; readonly controllerPort: number; readonly voters: string; readonly nodes: number; readonly dir: string };

/** A combined broker and controller that notices deaths and compacts within seconds, and joins groups at once. */
export function nodeProperties({ id, port, controllerPort, voters, nodes, dir }: NodeOptions): Record<string, string | number | boolean> {
  const replicas = Math.min(nodes, 3);
  return {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    'listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, 'data'),
    'num.partitions': 1,
    'default.replication.factor': replicas,
    'min.insync.replicas': 1,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': Math.min(2, replicas),
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'group.coordinator.threads': 1,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'num.replica.fetchers': 1,
    'background.threads': 2,
    'num.recovery.threads.per.data.dir': 1,
    'log.cleaner.threads': 1,
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    'log.cleaner.io.buffer.size': 131_072,
    'log.cleaner.backoff.ms': 500,
    'log.retention.check.interval.ms': 1_000,
    'log.segment.delete.delay.ms': 1_000,
    'log.index.size.max.bytes': 1_048_576,
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'controller.quorum.election.timeout.ms': 500,
    'controller.quorum.fetch.timeout.ms': 1_000,
    'replica.lag.time.max.ms': 3_000,
    'controlled.shutdown.retry.backoff.ms': 500,
    'unclean.leader.election.enable': false,
    'auto.leader.rebalance.enable': false,
  };
}

export function writeProperties(file: string, properties: Readonly<Record<string, string | number | boolean>>): void {
  writeFileSync(file, Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join(''));
}
