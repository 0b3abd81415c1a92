import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { feed, makeLoad, type Fed, type Load } from '../../support/load.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { settle, testExactlyOnce, totalsOf } from './exactly-once.ts';

/**
 * Two pipelines and a gateway with the historian, on one broker. Under load one pipeline is killed, a third joins, one
 * leaves. The dead one is taken out of the group at once, which the broker does by itself after 30 s.
 */
describe.skipIf(whyNoEngines() !== null)('several instances on Kafka', { timeout: 60_000 }, () => {
  const directories = Array.from({ length: 4 }, temporaryDirectory);
  const running: RunningService[] = [];
  const shares: (readonly number[])[] = [];
  let kafka: KafkaSetting;
  let gateway: RunningService;
  let load: Load;
  let fed: Fed;
  let leftWith: number | null = -1;

  const start = async (roles: string): Promise<RunningService> => {
    const service = await startService({ ...kafka.env, RACELINE_ROLES: roles, RACELINE_DATA_DIR: directories[running.length]?.path ?? '' });
    running.push(service);
    return service;
  };

  /** Ids of so many members that between them hold every partition. */
  const membersWhen = (count: number): Promise<string[]> => waitUntil(`${count} members share the partitions`, async () => {
    const members = await kafka.pipelineMembers();
    const held = [...members.values()];
    if (members.size !== count || held.flat().length !== kafka.partitions || held.some((share) => share.length === 0)) return null;
    shares.push(held.map((share) => share.length).sort());
    return [...members.keys()];
  }, 30_000);

  beforeAll(async () => {
    kafka = await kafkaSetting();
    gateway = await start('gateway,historian');
    const first = await start('pipeline');
    const [firstId] = await membersWhen(1);
    const second = await start('pipeline');
    await membersWhen(2);

    load = makeLoad({ seed: 11, historyRaces: 600, liveRaces: 100, liveDurationMs: 2_000, liveSpanMs: 8_000, nowMs: Date.now() });
    let stored = 0;
    // Held back behind the next change, so that each comes while updates are sent.
    let upTo = 0.4;
    const feeding = feed(load, { url: () => gateway.url, upTo: () => upTo, repeatEvery: 10, onStored: (count) => { stored = count; } });
    const sent = (share: number): Promise<unknown> => waitUntil(`${share} of the updates are stored`, () => stored >= share * load.items.length, 60_000);
    const disturbing = (async () => {
      await sent(0.1);
      await first.kill();
      await kafka.buryMembers([firstId ?? '']);
      await membersWhen(1);
      upTo = 0.7;
      await sent(0.4);
      await start('pipeline');
      await membersWhen(2);
      upTo = 0.95;
      await sent(0.7);
      leftWith = await second.stop();
      await membersWhen(1);
      upTo = 1;
    })();
    [fed] = await Promise.all([feeding, disturbing]);
    await settle(gateway.url, load, kafka.partitions);
  }, 120_000);

  afterAll(async () => {
    await Promise.all(running.map((service) => service.kill()));
    for (const directory of directories) directory.remove();
  });

  test('the partitions were shared evenly at each change', () => {
    expect(shares).toEqual([[6], [3, 3], [6], [3, 3], [6]]);
  });

  test('an instance that is told to end leaves with 0', () => {
    expect(leftWith).toBe(0);
  });

  testExactlyOnce(() => ({ url: gateway.url, load, partitions: kafka.partitions, fed }));

  test('what was read is what the log holds', async () => {
    const { read } = await totalsOf(gateway.url);
    const log = await kafka.openLog();
    try {
      expect(read).toBe((await log.endOffsets('race-updates')).reduce((sum, end) => sum + end, 0));
    } finally {
      await log.close();
    }
  });
});
