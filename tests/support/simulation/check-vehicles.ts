import type { JourneyPartition } from '../../../src/journey/journey-record.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import type { RaceState } from '../../../src/race/state.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';
import { restoreJourneys } from '../../../src/runtime/journey-store.ts';
import type { Cluster } from './cluster.ts';
import type { Fleet } from './fleet.ts';
import { STOPS } from './vehicles.ts';
import type { World } from './world.ts';

export type VehiclesEnding = {
  readonly world: World; readonly cluster: Cluster; readonly codec: Codec; readonly log: RecordLog; readonly counts: Fleet['counts'];
  /** As the changelog gives them. */
  readonly races: readonly RaceState[];
  readonly within: number;
};

const CLASSES = ['applied', 'late', 'outlier', 'unrouted', 'rejected', 'rerouted'] as const;

/** Every position ended in one class, and every vehicle passed each of its stops once, when it did, whatever was told again. */
export async function checkVehicles({ world, cluster, codec, log, counts, races, within }: VehiclesEnding, report: (what: string) => void): Promise<void> {
  const partitions = Array.from({ length: cluster.partitionCount('telemetry') }, (_, partition) => partition);
  const positions: JourneyPartition[] = [];
  void (async () => {
    for (const partition of partitions) positions.push((await restoreJourneys(log, codec, partition)).store.position);
  })();
  if (!await world.run(() => positions.length === partitions.length, within)) return report('the journeys cannot be restored');
  for (const position of positions) {
    const end = cluster.partitionAt({ topic: 'telemetry', partition: position.partition }).endOffset();
    const sum = CLASSES.reduce((total, name) => total + position[name], 0);
    if (position.read !== sum) report(`telemetry/${position.partition}: read ${position.read} positions, but the classes add up to ${sum}`);
    if (position.read !== end) report(`telemetry/${position.partition}: read ${position.read} positions of ${end}`);
    counts.positions += position.read;
    counts.followed += position.applied;
    counts.positionsLate += position.late;
    counts.unrouted += position.unrouted;
    counts.positionsRejected += position.rejected;
    counts.positionsRerouted += position.rerouted;
    counts.positionsSkipped += position.skipped;
  }
  const told = new Map<string, Set<string>>();
  for (const { partition } of positions) {
    for (const { value } of cluster.journalOf('race-updates', partition)) {
      const result = value === null ? null : codec.decode('race-updates', value);
      const update = result === null || 'error' in result || result.raw ? null : result.decoded.value as RaceUpdate;
      if (update?.source !== 'city' || update.stage === null) continue;
      const passage = `${update.stage.seq} at ${update.stage.completed_at} as of ${update.at}`;
      const known = told.get(update.race_id) ?? new Set();
      if (known.has(passage)) counts.toldAgain += 1;
      told.set(update.race_id, known.add(passage));
    }
  }
  const vehicles = races.filter(({ source }) => source === 'city');
  for (const { race_id: raceId, state, stages } of vehicles) {
    const passed = stages.map((stage) => `${stage.seq}#${stage.occurrence} ${stage.state}`).join(', ');
    // Where its race was not known for long, since nobody lived long enough, its first stops were passed unseen.
    const unseen = positions.some(({ unrouted }) => unrouted > 0) ? Math.max(0, Math.min(STOPS - 1, STOPS - stages.length)) : 0;
    const wanted = Array.from({ length: STOPS - unseen }, (_, i) => `${i + unseen}#1 passed`).join(', ');
    if (passed !== wanted || state !== 'passed') report(`${raceId} is ${state} and its stops are ${passed}`);
    const ways = told.get(raceId) ?? new Set();
    if (ways.size !== STOPS - unseen) report(`${raceId} was told to have passed ${[...ways].join(', ')}`);
  }
  if (vehicles.length === 0) report('there are no vehicles');
}
