import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEtas, type EtasClient } from '../../../src/bridge/client.ts';
import type { RaceView } from '../../../src/bridge/frames.ts';
import { feed, makeLoad, type Fed, type Load } from '../../support/load.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { settle, testExactlyOnce, totalsOf } from './exactly-once.ts';

export type CrashEngine = {
  readonly partitions: number;
  /** Settings of the service beside its data directory. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when the service has its partitions: a kill in the middle of a join would wait for the broker's session timeout. */
  beforeKill(): Promise<unknown>;
  /** Before the next start. */
  afterKill(): Promise<void>;
  /** Ends of race-updates, with the service stopped. */
  endOffsets(dataDir: string): Promise<readonly number[]>;
};

const KILLS = 3;

/**
 * The service under load is killed three times with -9 and started again on the same data and port, while producers
 * send on and a client watches. Then every promise is checked by SQL, and the totals against the log itself.
 */
export function describeCrashes(title: string, openEngine: () => Promise<CrashEngine>): void {
  describe(title, { timeout: 60_000 }, () => {
    const directory = temporaryDirectory();
    let engine: CrashEngine;
    let service: RunningService;
    let load: Load;
    let client: EtasClient;
    let fed: Fed;
    let url = '';
    const watched = watchedRaces();

    const start = async (port: number): Promise<void> => {
      service = await startService({ ...engine.env, RACELINE_DATA_DIR: directory.path }, { port });
    };

    beforeAll(async () => {
      engine = await openEngine();
      await start(0);
      url = service.url;
      const port = Number(new URL(url).port);
      client = connectEtas({ url: `${url.replace('http', 'ws')}/v1/etas`, filter: { source: 'fleet/*' }, onSnapshot: watched.replace, onDelta: watched.change, backoffMs: { first: 50, longest: 500 } });
      load = makeLoad({ seed: 7, historyRaces: 600, liveRaces: 100, liveDurationMs: 2_000, liveSpanMs: 6_000, nowMs: Date.now() });
      let stored = 0;
      // Held back behind the next kill, so that each comes in mid-stream however long a start takes.
      let upTo = 2 / (KILLS + 1);
      const feeding = feed(load, { url: () => url, upTo: () => upTo, repeatEvery: 10, onStored: (count) => { stored = count; } });
      const crashing = (async () => {
        for (let kill = 1; kill <= KILLS; kill++) {
          const enough = Math.floor((load.items.length * kill) / (KILLS + 1));
          await waitUntil(`${enough} updates are stored`, () => stored >= enough, 60_000);
          await engine.beforeKill();
          await service.kill();
          await engine.afterKill();
          await start(port);
          upTo = (kill + 2) / (KILLS + 1);
        }
      })();
      [fed] = await Promise.all([feeding, crashing]);
      await settle(url, load, engine.partitions);
    }, 150_000);

    afterAll(async () => {
      client?.close();
      await service?.kill();
      directory.remove();
    });

    testExactlyOnce(() => ({ url, load, partitions: engine.partitions, fed }));

    test('a client that watched all along knows how each race ended, and saw no revision go back', async () => {
      const told = [...load.endings.values()].map((update) => `${update.race_id} ${update.state} ${update.completed_at}`).sort();
      await waitUntil('the client has seen every race', () => watched.races.size === told.length && [...watched.races.values()].every((race) => race.completed_at !== null), 10_000);
      expect([...watched.races.values()].map((race) => `${race.race_id} ${race.state} ${race.completed_at}`).sort()).toEqual(told);
      expect(watched.wentBack).toEqual([]);
    });

    test('what was read is what the log holds', async () => {
      const { read } = await totalsOf(url);
      expect(await service.stop()).toBe(0);
      const ends = await engine.endOffsets(directory.path);
      expect(read).toBe(ends.reduce((sum, end) => sum + end, 0));
    });
  });
}

function watchedRaces(): { readonly races: Map<string, RaceView>; readonly wentBack: string[]; replace(races: readonly RaceView[]): void; change(races: readonly RaceView[], removed: readonly string[]): void } {
  const races = new Map<string, RaceView>();
  const highest = new Map<string, number>();
  const wentBack: string[] = [];
  const take = (race: RaceView): void => {
    races.set(race.race_id, race);
    const revision = race.eta?.revision ?? 0;
    const before = highest.get(race.race_id) ?? 0;
    if (revision < before) wentBack.push(`${race.race_id}: ${before} to ${revision}`);
    highest.set(race.race_id, Math.max(before, revision));
  };
  return {
    races, wentBack,
    replace(list) {
      races.clear();
      list.forEach(take);
    },
    change(list, removed) {
      list.forEach(take);
      for (const raceId of removed) races.delete(raceId);
    },
  };
}
