import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionCounts } from '../../../topology/topics.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { freePort } from '../../support/free-port.ts';
import { openCampaign, type Campaign } from '../../support/faults/campaign.ts';
import { isBrief, isLong } from '../../support/faults/report.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { seededRandom } from '../../support/random.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const KILLS = isLong ? 20 : isBrief ? 3 : 5;
const ROUNDS = isLong ? 5 : 1;
const SEED = 20;
/** As short as brokers allow: a zombie is made by stopping a process for longer. */
const SESSION_SEC = 6;

describe.skipIf(whyNoEngines() !== null)('pipelines that are killed, stopped and restarted', { timeout: 400_000 }, () => {
  const directories = Array.from({ length: 3 }, temporaryDirectory);
  let kafka: KafkaSetting;
  let gateway: RunningService;
  const pipelines: RunningService[] = [];
  let campaign: Campaign;

  const startPipeline = async (slot: 0 | 1, onSpawned?: (pid: number) => void): Promise<RunningService> => {
    const service = await startService(
      { ...kafka.env, RACELINE_ROLES: 'pipeline', RACELINE_DATA_DIR: directories[1 + slot]?.path ?? '', KAFKA_SESSION_TIMEOUT_SEC: String(SESSION_SEC) },
      onSpawned === undefined ? {} : { onSpawned },
    );
    pipelines[slot] = service;
    return service;
  };
  const members = (): Promise<string[]> => kafka.pipelineMembers().then((found) => [...found.keys()]);
  const sharedBy = (count: number): Promise<unknown> => waitUntil(`${count} pipelines share the partitions`, async () => {
    const held = [...(await kafka.pipelineMembers()).values()];
    return held.length === count && held.every((share) => share.length > 0) && held.flat().length === kafka.partitions;
  }, 60_000);

  beforeAll(async () => {
    kafka = await kafkaSetting();
    // At the same moment, on a registry that knows none of their subjects.
    await Promise.all([
      startService({ ...kafka.env, RACELINE_ROLES: 'gateway,historian', RACELINE_DATA_DIR: directories[0]?.path ?? '' }).then((service) => { gateway = service; }),
      startPipeline(0),
    ]);
    campaign = openCampaign({ url: () => gateway.url, partitions: kafka.partitions, endOffset: kafka.endOffset });
  }, 120_000);

  afterAll(async () => {
    await Promise.all([gateway, ...pipelines].map((service) => service?.kill()));
    for (const directory of directories) directory.remove();
  });

  test(`one pipeline is killed ${KILLS} times at random moments`, async () => {
    const random = seededRandom(SEED);
    await campaign.endure({
      crashes: true,
      name: `Pipeline on Kafka: ${KILLS} x kill -9 at random moments (seed ${SEED}), restoring and joining among them`,
      load: { liveSpanMs: KILLS * 3_500, liveRaces: KILLS * 15, historyRaces: KILLS * 30 },
      after: 0.02,
      async act() {
        let notReady = 0;
        await delay(random() * 1_000);
        await pipelines[0]?.kill();
        for (let kill = 2; kill <= KILLS; kill++) {
          // What the broker does by itself when the session has run out.
          await kafka.buryMembers(await members());
          let pid = 0;
          let isReady = false;
          const starting = startPipeline(0, (spawned) => { pid = spawned; }).then(async (service) => {
            isReady = true;
            return service;
          });
          starting.catch(() => undefined);
          await delay(random() * 4_000);
          if (!isReady) notReady += 1;
          process.kill(pid, 'SIGKILL');
          await starting.then((service) => service.kill(), () => undefined);
        }
        await kafka.buryMembers(await members());
        await startPipeline(0);
        return `${notReady} of them before it was ready`;
      },
    });
  });

  test('a pipeline that slept beyond its session wakes up as a zombie', async () => {
    await startPipeline(1);
    await sharedBy(2);
    const sleeper = pipelines[1];
    expect(sleeper).toBeDefined();
    await campaign.endure({
      crashes: true,
      name: `Two pipelines on Kafka: one stopped (SIGSTOP) beyond its session of ${SESSION_SEC} s, then continued`,
      load: { liveSpanMs: 10_000, liveRaces: 150, historyRaces: 150 },
      async act({ etaOfNewRaces }) {
        process.kill(sleeper!.pid, 'SIGSTOP');
        const etas = etaOfNewRaces();
        etas.catch(() => undefined);
        try {
          await sharedBy(1);
        } finally {
          process.kill(sleeper!.pid, 'SIGCONT');
        }
        const etaMs = await etas;
        await sharedBy(2);
        expect(sleeper!.logs()).toContain('This member was out of its group for a while');
        // Only then may the last send of the sleeper be long gone: the new owner has looked, and overruled it.
        if (isLong) await delay(95_000);
        const overruled = (pipelines[0]?.logs() ?? '').includes('Former owners wrote to the changelog');
        return `its partitions were given on: ETAs of new races ${(etaMs / 1_000).toFixed(1)} s after it was stopped; awake, it dropped what it had in hand and joined again${isLong ? `; its late writes: ${overruled ? 'found and overruled' : 'none'}` : ''}`;
      },
    });
  });

  test.skipIf(isBrief)(`two pipelines are restarted in turn, ${ROUNDS} rounds`, async () => {
    const codes: (number | null | undefined)[] = [];
    await campaign.endure({
      name: `Two pipelines on Kafka: rolling restarts (SIGTERM), ${ROUNDS} round${ROUNDS === 1 ? '' : 's'}`,
      load: { liveSpanMs: ROUNDS * 8_000, liveRaces: ROUNDS * 80 },
      async act({ etaOfNewRaces }) {
        let longestMs = 0;
        for (let round = 0; round < ROUNDS; round++) {
          for (const slot of [0, 1] as const) {
            const stopping = pipelines[slot]?.stop();
            longestMs = Math.max(longestMs, await etaOfNewRaces());
            codes.push(await stopping);
            await startPipeline(slot);
            await sharedBy(2);
          }
        }
        return `each left with ${[...new Set(codes)].join(', ')}; ETAs of new races meanwhile after ${(longestMs / 1_000).toFixed(1)} s at most`;
      },
    });
    expect(new Set(codes)).toEqual(new Set([0]));
  });
});

describe.skipIf(!isLong)('a service on the embedded engines', { timeout: 400_000 }, () => {
  test(`is killed ${KILLS} times at random moments`, async () => {
    const directory = temporaryDirectory();
    const random = seededRandom(SEED + 1);
    const port = await freePort();
    const env = { RACELINE_DATA_DIR: directory.path };
    let service = await startService(env, { port });
    try {
      await openCampaign({ url: () => service.url, partitions: partitionCounts.embedded.races, endOffset: null, patienceMs: 60_000 + KILLS * 6_000 }).endure({
        crashes: true,
        name: `Service on the embedded engines: ${KILLS} x kill -9 at random moments (seed ${SEED + 1})`,
        load: { liveSpanMs: KILLS * 3_500, liveRaces: KILLS * 15, historyRaces: KILLS * 30 },
        after: 0.02,
        async act() {
          let notReady = 0;
          for (let kill = 1; kill <= KILLS; kill++) {
            let pid = service.pid;
            let isReady = true;
            let starting = Promise.resolve(service);
            if (kill > 1) {
              isReady = false;
              starting = startService(env, { port, onSpawned: (spawned) => { pid = spawned; } }).then((started) => {
                isReady = true;
                return started;
              });
              starting.catch(() => undefined);
            }
            await delay(random() * 6_000);
            if (!isReady) notReady += 1;
            process.kill(pid, 'SIGKILL');
            await starting.then((started) => started.kill(), () => undefined);
          }
          service = await startService(env, { port });
          return `${notReady} of them before it was ready`;
        },
      });
    } finally {
      await service.kill();
      directory.remove();
    }
  });
});
