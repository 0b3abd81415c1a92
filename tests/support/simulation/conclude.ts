import type { Codec } from '../../../src/ports/codec.ts';
import type { PartitionStore } from '../../../src/runtime/race-store.ts';
import type { JourneyTask } from '../../../src/runtime/journey-task.ts';
import { restoreStore, type Restored } from '../../../src/runtime/restore-store.ts';
import type { ChangelogWatch } from './changelog-watch.ts';
import { checkEnding } from './checks.ts';
import { checkVehicles } from './check-vehicles.ts';
import { noFaults, type Cluster } from './cluster.ts';
import type { Fleet } from './fleet.ts';
import type { Instance } from './instance.ts';
import type { Profile } from './profiles.ts';
import { replayPartition } from './replay.ts';
import type { SimDatabase } from './sim-history-store.ts';
import { openSimLog } from './sim-log.ts';
import type { Process, World } from './world.ts';

/** Longest time of peace after which everything must be quiet, ms of virtual time. */
const QUIET_WITHIN_MS = 180_000;

export type ConcludeOptions = {
  readonly world: World; readonly cluster: Cluster; readonly fleet: Fleet; readonly profile: Profile; readonly codec: Codec; readonly database: SimDatabase; readonly changelog: ChangelogWatch;
  readonly report: (what: string) => void; readonly trace: (line: string) => void;
};

/** Peace: all instances up, nothing fails, until everything has been read by everybody; then the checks. */
export async function conclude({ world, cluster, fleet, profile, codec, database, changelog, report, trace }: ConcludeOptions): Promise<void> {
  trace('peace');
  cluster.setFaults(noFaults);
  fleet.calm();
  if (!await world.run(() => fleet.isComplete, QUIET_WITHIN_MS)) return report('the instances did not all start in peace');
  // Rebalances under way, restores, and one look for foreign writers after each.
  await world.run(() => false, 4 * cluster.zombieWindowMs);
  const ends = (topic: 'race-updates' | 'race-history' | 'eta-updates' | 'race-states' | 'telemetry'): number[] => (
    Array.from({ length: cluster.partitionCount(topic) }, (_, partition) => cluster.partitionAt({ topic, partition }).endOffset())
  );
  const holders = (partition: number): Instance[] => fleet.live.filter((instance) => instance.pipeline?.tasks.has(partition));
  const updatesDone = (): boolean => ends('race-updates').every((end, partition) => holders(partition).some((instance) => (instance.pipeline?.tasks.get(partition)?.store.position.applied_offset ?? -1) >= end - 1));
  const followers = (partition: number): JourneyTask[] => fleet.live.flatMap((instance) => instance.journeys?.tasks.get(partition) ?? []);
  // What they tell comes to race-updates before their changelog, which comes by the second.
  const isFollowed = (): boolean => profile.vehicles === 0 || ends('telemetry').every((end, partition) => end === 0 || (cluster.partitionAt({ topic: 'telemetry', partition }).committed('journeys').offset ?? 0) === end);
  if (!await world.run(isFollowed, QUIET_WITHIN_MS)) {
    report(`positions are not followed in peace: ${ends('telemetry').map((end, partition) => `${partition}: ${followers(partition).map(({ store }) => store.position.applied_offset).join(' ')} of ${end - 1}`).join(', ')}`);
    return;
  }
  if (!await world.run(updatesDone, QUIET_WITHIN_MS)) {
    report(`inputs are not processed in peace: ${ends('race-updates').map((end, partition) => `${partition}: ${holders(partition).map((instance) => `${instance.process.name} at ${instance.pipeline?.tasks.get(partition)?.store.position.applied_offset}`).join(' ')} of ${end - 1}`).join(', ')}`);
    return;
  }
  await world.run(() => false, 3 * cluster.zombieWindowMs);
  cluster.group('pipeline').freeze();
  cluster.group('historian').freeze();
  cluster.group('journeys').freeze();
  const stores = ends('race-updates').map((_, partition): PartitionStore | null => {
    const holding = holders(partition);
    if (holding.length > 1) report(`partition ${partition} is held by ${holding.map(({ process }) => process.name).join(' and ')}`);
    return holding[0]?.pipeline?.tasks.get(partition)?.store ?? null;
  });
  const isLogged = (): boolean => stores.every((store) => store === null || [...store.values()].every(({ race_id: raceId, revision }) => changelog.revisionOf(raceId) === revision));
  // Wake-ups under way take a moment; a slice that nobody sends again takes for ever.
  if (!await world.run(isLogged, 2 * cluster.zombieWindowMs)) report('a revision that the owner holds does not reach the changelog');
  const { live } = fleet;
  let open = live.length;
  for (const { journeys } of live) void journeys?.close();
  for (const { pipeline } of live) void pipeline?.close().then(() => { open -= 1; });
  if (!await world.run(() => open === 0, QUIET_WITHIN_MS)) return report('a pipeline did not close in peace');
  const isRead = (): boolean => {
    const history = ends('race-history');
    const learned = live.every(({ learner }) => learner?.partitions.every(({ offset }, partition) => offset === history[partition]));
    return learned && (['race-history', 'eta-updates', 'race-states'] as const).every((topic) => ends(topic).every((end, partition) => {
      const { offset, metadata } = cluster.partitionAt({ topic, partition }).committed('historian');
      return (offset ?? 0) === end && metadata === '';
    }));
  };
  if (!await world.run(isRead, QUIET_WITHIN_MS)) return report('learners or historians did not read everything in peace');

  const reader: Process = { name: 'reader', isAlive: true, skewMs: 0, effects: 0, crashAtEffect: Infinity };
  const log = openSimLog({ world, cluster, process: reader, report });
  const restoreAll = async (): Promise<Restored[] | null> => {
    const all: Restored[] = [];
    void (async () => {
      for (const partition of stores.keys()) all.push(await restoreStore(log, codec, partition));
    })();
    return await world.run(() => all.length === stores.length, QUIET_WITHIN_MS) ? all : null;
  };
  for (const [partition, { contested }] of (await restoreAll() ?? []).entries()) {
    for (const key of contested) report(`partition ${partition}: the last record of ${key} in the changelog is a former owner's, compaction will leave nothing else`);
  }
  if (world.chance(0.7)) {
    await world.run(() => false, 4 * cluster.zombieWindowMs);
    cluster.maintain();
  }
  const restored = (await restoreAll())?.map(({ store }) => store);
  if (restored === undefined) return report('the changelog cannot be restored');
  checkEnding({
    codec, cluster, database,
    learners: live.flatMap(({ learner }) => learner ?? []),
    partitions: stores.map((held, partition) => ({
      held, restored: restored[partition] as PartitionStore,
      replayed: replayPartition(codec, partition, stores.length, cluster.updatesOf(partition)),
    })),
    isTimeless: profile.isTimeless, isFenced: cluster.counts.stale === 0, isRecreated: fleet.isRecreated, isUntorn: profile.workload.fat === 0,
  }, report);
  if (profile.vehicles > 0) await checkVehicles({ world, cluster, codec, log, counts: fleet.counts, races: restored.flatMap((store) => [...store.values()]), within: QUIET_WITHIN_MS }, report);
  for (const { position } of restored) {
    for (const name of ['read', 'applied', 'late', 'duplicate', 'forgotten', 'rejected', 'rerouted', 'skipped'] as const) fleet.counts[name] += position[name];
  }
}
