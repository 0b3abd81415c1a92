import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseProcess } from '../../support/clickhouse/start-clickhouse.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { freePort } from '../../support/free-port.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { openCampaign, type Campaign } from '../../support/faults/campaign.ts';
import { isBrief, isLong } from '../../support/faults/report.ts';
import { openTcpProxy, type TcpProxy } from '../../support/faults/tcp-proxy.ts';
import { settingOn, type KafkaSetting } from '../../support/kafka-service.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';

type LinkFault = { readonly what: string; readonly inShort: 'both' | 'Kafka'; readonly inBrief?: 'Kafka' | 'ClickHouse'; act(link: TcpProxy): Promise<string> };

const forMs = async (link: TcpProxy, state: Parameters<TcpProxy['become']>[0], ms: number): Promise<void> => {
  link.become(state);
  await delay(ms);
  link.become({ kind: 'open' });
};
const [delayedMs, cutMs] = isLong ? [20_000, 40_000] : [2_000, 2_500];
const load = isLong ? { liveSpanMs: 45_000, liveRaces: 300, historyRaces: 300 } : {};

const linkFaults: readonly LinkFault[] = [
  {
    what: `every byte 150 ms late, both ways, for ${delayedMs / 1_000} s`, inShort: 'Kafka',
    async act(link) {
      await forMs(link, { kind: 'delay', ms: 150 }, delayedMs);
      return 'slower, nothing else';
    },
  },
  {
    what: `cut for ${cutMs / 1_000} s, nobody told, then what was under way arrives`, inShort: 'both', inBrief: 'Kafka',
    async act(link) {
      await forMs(link, { kind: 'cut' }, cutMs);
      return 'requests waited or were sent again';
    },
  },
  {
    what: `answers held back for ${cutMs / 1_000} s while requests arrive`, inShort: 'Kafka',
    async act(link) {
      await forMs(link, { kind: 'mute' }, cutMs);
      return 'their outcome was unknown for that long';
    },
  },
  {
    what: 'half-closed (FIN to the client), three times', inShort: 'both',
    async act(link) {
      const counts = [];
      for (let n = 0; n < 3; n++) {
        counts.push(link.halfClose());
        await delay(400);
      }
      return `${counts.join(', ')} connections, made anew`;
    },
  },
  {
    what: 'reset (RST to both ends), five times', inShort: 'both', inBrief: 'ClickHouse',
    async act(link) {
      const counts = [];
      for (let n = 0; n < 5; n++) {
        counts.push(link.reset());
        await delay(300);
      }
      return `${counts.join(', ')} connections, made anew`;
    },
  },
];

describe.skipIf(whyNoEngines() !== null)('a service whose network fails', { timeout: 300_000 }, () => {
  const [data, store] = [temporaryDirectory(), temporaryDirectory()];
  const links: TcpProxy[] = [];
  let cluster: KafkaCluster;
  let kafka: KafkaSetting;
  let clickhouse: ClickHouseProcess;
  let service: RunningService;
  let campaign: Campaign;

  beforeAll(async () => {
    const port = await freePort();
    const toBroker = await openTcpProxy({ port });
    links.push(toBroker);
    cluster = await startKafka({
      brokers: 1,
      // What the broker tells a client to connect to depends on the listener it came in by.
      settings: (node) => ({
        'listeners': `PLAINTEXT://127.0.0.1:${node.port},PROXIED://127.0.0.1:${port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port},PROXIED://127.0.0.1:${toBroker.port}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
      }),
    });
    clickhouse = await startClickHouse({ dir: store.path });
    const toClickHouse = await openTcpProxy({ port: clickhouse.port });
    links.push(toClickHouse);
    kafka = settingOn(cluster.brokers);
    service = await startService({
      ...kafka.env, KAFKA_BROKERS: `127.0.0.1:${toBroker.port}`, KAFKA_SESSION_TIMEOUT_SEC: '6', RACELINE_DATA_DIR: data.path, CLICKHOUSE_URL: `http://127.0.0.1:${toClickHouse.port}`,
    });
    campaign = openCampaign({ url: () => service.url, partitions: kafka.partitions, endOffset: kafka.endOffset, patienceMs: 120_000 });
  }, 120_000);

  afterAll(async () => {
    await service?.kill();
    await Promise.all(links.map((link) => link.close()));
    await clickhouse?.stop();
    await cluster?.stop();
    data.remove();
    store.remove();
  });

  for (const [index, name] of ['Kafka', 'ClickHouse'].entries()) {
    test.each(linkFaults.filter(({ inShort, inBrief }) => isBrief ? inBrief === name : isLong || inShort === 'both' || inShort === name))(`the link to ${name} is $what`, async ({ what, act }) => {
      const link = links[index];
      expect(link).toBeDefined();
      await campaign.endure({ name: `Link to ${name}: ${what}`, load, after: isLong ? 0.03 : 0.15, act: () => act(link!) });
    });
  }
});
