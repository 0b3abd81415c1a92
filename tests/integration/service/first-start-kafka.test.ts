import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { settingOn } from '../../support/kafka-service.ts';
import { feed, makeLoad } from '../../support/load.ts';
import { query, startService, temporaryDirectory } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe.skipIf(whyNoEngines() !== null)('a first start on an empty Kafka', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory();
  let cluster: KafkaCluster;

  // Of its own: not even the topic of the committed offsets is there.
  beforeAll(async () => { cluster = await startKafka({ brokers: 1 }); });
  afterAll(async () => {
    await cluster?.stop();
    directory.remove();
  });

  test('goes on to its first ETAs and rows without a warning', async () => {
    const service = await startService({ ...settingOn(cluster.brokers).env, RACELINE_DATA_DIR: directory.path });
    try {
      const load = makeLoad({ seed: 3, historyRaces: 20, liveRaces: 5, liveDurationMs: 300, liveSpanMs: 500, nowMs: Date.now() });
      await feed(load, { url: () => service.url });
      await waitUntil('the races are in ClickHouse', async () => Number((await query<{ n: string }>(service.url, 'SELECT uniqExact(race_id) AS n FROM races'))[0]?.n) >= 25, 60_000);
    } finally {
      expect(await service.stop()).toBe(0);
    }
    const said = service.logs().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { level: number; msg: string });
    expect(said.length).toBeGreaterThan(0);
    expect(said.filter(({ level }) => level >= 40).map((line) => JSON.stringify(line))).toEqual([]);
  });
});
