import type { Codec } from '../../../src/ports/codec.ts';
import type { Cluster } from './cluster.ts';
import type { Fleet } from './fleet.ts';
import type { Profile } from './profiles.ts';
import { planVehicles } from './vehicles.ts';
import { planWorkload, type PlannedAppend } from './workload.ts';
import type { World } from './world.ts';

/** The updates arrive, and what can go wrong does. */
export async function play(world: World, cluster: Cluster, fleet: Fleet, profile: Profile, codec: Codec, trace: (line: string) => void): Promise<void> {
  cluster.setFaults(profile.faults);
  const planned = [
    ...planWorkload({ world, ...profile.workload, partitions: profile.partitions.races }), ...planVehicles({ world, ...profile.workload, vehicles: profile.vehicles, partitions: profile.partitions.races }),
  ].sort((a, b) => a.atMs - b.atMs);
  let next = 0;
  /** Producers wait. */
  let isHeld = false;
  function feed(): void {
    if (!isHeld) for (let append = planned[next]; append !== undefined && append.atMs <= world.elapsedMs; append = planned[++next]) appendOne(cluster, world, codec, append);
    if (next < planned.length) world.after(Math.max(1, (planned[next]?.atMs ?? 0) - world.elapsedMs) + world.between(0, profile.burstMs), feed);
  }
  world.after(world.between(0, 4_000), feed);

  let isOver = false;
  let afterwards = world.whole(0, 4);
  let clockMoves = 0;
  function chaos(): void {
    const action = world.pick(profile.chaos);
    trace(`chaos: ${action}`);
    const [instance] = fleet.live.length === 0 ? [] : [world.pick(fleet.live)];
    if (action === 'crash' && fleet.counts.deaths < profile.maxDeaths && instance !== undefined) instance.process.isAlive = false;
    if (action === 'stop' && instance?.historian != null) {
      fleet.counts.stops += 1;
      void instance.stop();
    }
    if (action === 'rebalance') cluster.group(world.pick(profile.vehicles > 0 ? ['pipeline', 'historian', 'journeys', 'journeys'] : ['pipeline', 'pipeline', 'historian'])).rebalance(world.between(0.2, 1), world.chance(profile.abrupt));
    // Four days at most: what is older than seven would be gone before it is read.
    if (action === 'clock' && clockMoves++ < 4) world.moveWallClock(world.pick([25 * 3_600_000, 2 * 3_600_000, -60_000]));
    if (action === 'maintain') cluster.maintain();
    if (action === 'recreate' && !fleet.isRecreated) recreate();
    // The last word of a race must not be safe because nothing happens any more.
    if (next < planned.length || afterwards-- > 0) world.after(world.between(500, profile.chaosEveryMs), chaos);
    else isOver = true;
  }

  /** Only a topic that ends below what was applied can be told from one that went on: producers wait until it was seen. */
  function recreate(): void {
    const partitions = Array.from({ length: profile.partitions.races }, (_, partition) => cluster.partitionAt({ topic: 'race-updates', partition }));
    if (partitions.some((partition) => (partition.committed('pipeline').offset ?? 0) < partition.endOffset() || partition.endOffset() === 1)) return;
    fleet.noteRecreated();
    cluster.recreateUpdates();
    isHeld = true;
    const probe = (partition: number): void => {
      const stored = cluster.partitionAt({ topic: 'race-updates', partition });
      if (stored.endOffset() === 0) cluster.store('race-updates', partition, [{ key: null, value: null }], null);
    };
    for (let partition = 0; partition < profile.partitions.races; partition++) probe(partition);
    const wait = (): void => {
      const isSeen = partitions.every((_, partition) => (cluster.partitionAt({ topic: 'race-updates', partition }).committed('pipeline').offset ?? 0) >= 1);
      if (isSeen) isHeld = false;
      else world.after(500, wait);
    };
    wait();
  }
  world.after(world.between(500, profile.chaosEveryMs), chaos);
  await world.run(() => next >= planned.length && isOver, 1_200_000);
}

function appendOne(cluster: Cluster, world: World, codec: Codec, { topic = 'race-updates', partition, encode }: PlannedAppend): void {
  cluster.store(topic, partition, [encode(codec, world.wallOffsetMs)], null);
}
