import type { Admin } from 'kafkajs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../../src/adapters/kafka/client.ts';
import { encodeLine, postUpdates } from '../../../src/cli/update-target.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { enter } from '../../support/faults/audit.ts';
import { openCampaign, type Campaign } from '../../support/faults/campaign.ts';
import { isBrief, isLong } from '../../support/faults/report.ts';
import { settingOn, type KafkaSetting } from '../../support/kafka-service.ts';
import { feed, markers } from '../../support/load.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Three brokers on a machine that does other things too: replicas took over a minute to be in sync at a load of 25. */
const DEADLINE_MS = 180_000;
const LIVE = { liveSpanMs: isLong ? 20_000 : 2_500, liveRaces: isLong ? 200 : 40 };

/** Every topic and group of the service is spread over three brokers, each of which leads a third. */
describe.skipIf(whyNoEngines() !== null)('a service on three brokers', { timeout: 900_000 }, () => {
  const directory = temporaryDirectory();
  let cluster: KafkaCluster;
  let kafka: KafkaSetting;
  let admin: Admin;
  let service: RunningService;
  let campaign: Campaign;

  beforeAll(async () => {
    cluster = await startKafka({ brokers: 3 });
    kafka = settingOn(cluster.brokers);
    admin = createClient(kafkaConfig(cluster.brokers), 'test-admin', quietLogger).admin();
    await admin.connect();
    service = await startService({ ...kafka.env, RACELINE_DATA_DIR: directory.path });
    campaign = openCampaign({ url: () => service.url, partitions: kafka.partitions, endOffset: kafka.endOffset, patienceMs: DEADLINE_MS });
  }, 120_000);

  beforeEach(({ onTestFailed }) => {
    // What it waited for stands in its log alone.
    onTestFailed(() => { process.stderr.write(`The service said last:\n${service.logs().slice(-20_000)}\n`); });
  });

  afterAll(async () => {
    await service?.kill();
    await admin?.disconnect();
    await cluster?.stop();
    directory.remove();
  });

  test('the leader of a partition is killed, and comes back', async () => {
    const leader = await leaderOf('race-updates', 0);
    const endured = await campaign.endure({
      name: 'Kafka, 3 brokers: kill -9 of a leader in the middle of sends', load: LIVE,
      async act({ etaOfNewRaces }) {
        await cluster.kill(leader);
        return `with two brokers left, ETAs of new races after ${sec(await etaOfNewRaces())}`;
      },
    });
    expect(endured.etaMs).toBeLessThan(60_000);
    await cluster.restart(leader);
    await allInSync();
  });

  test.skipIf(isBrief)('a leader is shut down in order, and comes back', async () => {
    const leader = await leaderOf('race-states', 0);
    await campaign.endure({
      name: 'Kafka, 3 brokers: controlled shutdown of a leader', load: LIVE,
      async act({ etaOfNewRaces }) {
        await cluster.shutDown(leader);
        return `with two brokers left, ETAs of new races after ${sec(await etaOfNewRaces())}`;
      },
    });
    await cluster.restart(leader);
    await allInSync();
  });

  test.skipIf(isBrief)('leaders are moved to other brokers', async () => {
    const topics = ['race-updates', 'race-states', 'eta-updates', 'race-history'];
    await campaign.endure({
      name: 'Kafka, 3 brokers: every leader moved to another broker by reassignment, and back', load: LIVE,
      async act() {
        const { topics: before } = await admin.fetchTopicMetadata({ topics: topics.map((topic) => kafka.prefix + topic) });
        // A leader that is no replica any more must go.
        await reassign(before.map(({ name, partitions }) => ({ topic: name, partitionAssignment: partitions.map(({ partitionId, leader, replicas }) => ({ partition: partitionId, replicas: replicas.filter((id) => id !== leader) })) })));
        const { topics: after } = await admin.fetchTopicMetadata({ topics: topics.map((topic) => kafka.prefix + topic) });
        const old = new Map(before.flatMap(({ name, partitions }) => partitions.map(({ partitionId, leader }) => [`${name}/${partitionId}`, leader])));
        const moved = after.flatMap(({ name, partitions }) => partitions.filter(({ partitionId, leader }) => leader !== old.get(`${name}/${partitionId}`)));
        expect(moved.length).toBe(old.size);
        await reassign(before.map(({ name, partitions }) => ({ topic: name, partitionAssignment: partitions.map(({ partitionId, replicas }) => ({ partition: partitionId, replicas })) })));
        return `${moved.length} leaders moved while they were written to`;
      },
    });
    await allInSync();
  });

  test.skipIf(!isLong)('each broker in turn is killed and comes back, under load', async () => {
    await campaign.endure({
      name: 'Kafka, 3 brokers: each killed -9 and restarted in turn', load: { ...LIVE, liveSpanMs: 45_000 },
      async act() {
        for (const broker of [1, 2, 3]) {
          await cluster.kill(broker);
          await cluster.restart(broker);
          await allInSync();
        }
        return 'three crashes in one stream';
      },
    });
  });

  test.skipIf(!isLong)('two of three brokers are away: nothing is acknowledged that only one holds', async () => {
    await campaign.endure({
      name: 'Kafka, 3 brokers: two away for 10 s (fewer than min.insync.replicas)', load: LIVE,
      async act({ ledger }) {
        await Promise.all([cluster.kill(1), cluster.kill(2)]);
        const unanswered = markers(kafka.partitions, Date.now(), 'unanswered');
        const answer = await postUpdates(service.url, unanswered.items.map(({ update }) => encodeLine(update)), { timeoutMs: 10_000 });
        expect(answer.kind).toBe('away');
        await Promise.all([cluster.restart(1), cluster.restart(2)]);
        // Whether they were stored nobody knows, so they are sent again.
        const { resent, repeated } = await feed(unanswered, { url: () => service.url });
        enter(ledger, unanswered, { resent: resent + unanswered.items.length, repeated });
        return 'what was sent meanwhile was not acknowledged within 10 s';
      },
    });
  });

  async function reassign(topics: Parameters<Admin['alterPartitionReassignments']>[0]['topics']): Promise<void> {
    await admin.alterPartitionReassignments({ topics, timeout: 15_000 });
    await waitUntil('the partitions have moved', async () => (await admin.listPartitionReassignments({ timeout: 15_000 })).topics.length === 0, DEADLINE_MS);
    await waitUntil('their leaders are those wanted', async () => {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) });
      return topics.every(({ topic, partitionAssignment }) => partitionAssignment.every(({ partition, replicas }) => {
        const leader = found.find(({ name }) => name === topic)?.partitions.find(({ partitionId }) => partitionId === partition)?.leader;
        return leader !== undefined && replicas.includes(leader);
      }));
    }, DEADLINE_MS);
  }

  async function leaderOf(topic: string, partition: number): Promise<number> {
    const { topics } = await admin.fetchTopicMetadata({ topics: [kafka.prefix + topic] });
    return topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? 0;
  }

  function allInSync(): Promise<unknown> {
    return waitUntil('all replicas are in sync', async () => {
      const { topics } = await admin.fetchTopicMetadata();
      return topics.every(({ partitions }) => partitions.every(({ isr }) => isr.length === 3));
    }, DEADLINE_MS);
  }
});

function sec(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
