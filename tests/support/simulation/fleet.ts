import type { Codec } from '../../../src/ports/codec.ts';
import type { Logger } from '../../../src/ports/logger.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import type { ChangelogWatch } from './changelog-watch.ts';
import type { Cluster } from './cluster.ts';
import { startInstance, type Instance } from './instance.ts';
import { mutate, type Mutation } from './mutations.ts';
import type { Profile } from './profiles.ts';
import { openSimHistoryStore, type SimDatabase } from './sim-history-store.ts';
import { openSimLog } from './sim-log.ts';
import type { Process, World } from './world.ts';

export type Fleet = ReturnType<typeof createFleet>;

export type FleetOptions = {
  readonly world: World; readonly cluster: Cluster; readonly codec: Codec; readonly database: SimDatabase; readonly profile: Profile;
  readonly mutation: Mutation; readonly changelog: ChangelogWatch;
  readonly report: (what: string) => void; readonly trace: (line: string) => void;
};

/** The instances, and whoever starts them again when they die. */
export function createFleet({ world, cluster, codec, database, profile, mutation, changelog, report, trace }: FleetOptions) {
  const slots: (Instance | null)[] = Array.from({ length: profile.instances }, () => null);
  const counts = { starts: 0, deaths: 0, stops: 0, commits: 0, recreated: 0, read: 0, applied: 0, late: 0, duplicate: 0, forgotten: 0, rejected: 0, rerouted: 0, skipped: 0, abandoned: 0, expired: 0, positions: 0, followed: 0, positionsLate: 0, unrouted: 0, positionsRejected: 0, positionsRerouted: 0, positionsSkipped: 0, toldAgain: 0 };
  let isRecreated = false;
  let isCalm = false;

  function start(slot: number): void {
    counts.starts += 1;
    const process: Process = {
      name: `i${slot}.${counts.starts}`, isAlive: true, skewMs: world.chance(profile.skewed) ? world.pick([-86_400_000, 86_400_000, 7_000, -7_000]) : 0,
      effects: 0, crashAtEffect: !isCalm && counts.deaths < profile.maxDeaths ? Math.ceil(-Math.log(1 - world.random()) * profile.meanEffectsToCrash) : Infinity,
    };
    trace(`${process.name} starts, will crash at effect ${process.crashAtEffect}`);
    const logger: Logger = {
      debug() {}, info() {},
      warn: (details, message) => trace(`${process.name} warns: ${message} ${JSON.stringify(details)}`),
      error: (details, message) => trace(`${process.name} says error: ${message} ${JSON.stringify(details)}`),
    };
    const plain: RecordLog = openSimLog({
      world, cluster, process, report,
      onCommitted(group, { topic, partition }, nextOffset) {
        trace(`  ${process.name} committed ${group} ${topic}/${partition} ${nextOffset}`);
        if (group !== 'pipeline') return;
        counts.commits += 1;
        const applied = changelog.positionOf(partition)?.applied_offset ?? -1;
        if (!isRecreated && nextOffset > applied + 1) report(`partition ${partition}: ${nextOffset} is committed, the changelog has applied ${applied} only`);
      },
    });
    const { log, historyCodec } = mutate(mutation, plain, codec);
    slots[slot] = startInstance({
      world, process, log, codec, historyCodec, store: openSimHistoryStore(cluster, database, process), logger,
      finishedTtlMs: profile.finishedTtlMs, historianRows: profile.historianRows, hasJourneys: profile.vehicles > 0,
    });
  }

  function supervise(): void {
    for (const [slot, instance] of slots.entries()) {
      if (instance === null || instance.process.isAlive) continue;
      slots[slot] = null;
      counts.deaths += 1;
      trace(`${instance.process.name} is dead`);
      // Late enough that what was on its way has arrived, unless zombies are wanted.
      const noticedAfterMs = profile.abrupt > 0 ? world.between(10, cluster.zombieWindowMs / 2) : world.between(cluster.zombieWindowMs / 2, cluster.zombieWindowMs);
      world.after(noticedAfterMs, () => {
        cluster.group('pipeline').dropDead();
        cluster.group('historian').dropDead();
        cluster.group('journeys').dropDead();
      });
      world.after(world.between(100, 6_000), () => start(slot));
    }
    world.after(1_000, supervise);
  }

  for (let slot = 0; slot < profile.instances; slot++) world.after(world.between(0, 3_000), () => start(slot));
  world.after(1_000, supervise);
  return {
    counts,
    get live(): Instance[] { return slots.filter((instance) => instance !== null && instance.process.isAlive) as Instance[]; },
    get isComplete(): boolean { return slots.every((instance) => instance?.historian != null && instance.process.isAlive); },
    get isRecreated(): boolean { return isRecreated; },
    noteRecreated(): void {
      isRecreated = true;
      counts.recreated += 1;
    },
    calm(): void {
      isCalm = true;
      for (const instance of slots) if (instance !== null) instance.process.crashAtEffect = Infinity;
    },
  };
}
