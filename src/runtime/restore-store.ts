import type { Codec } from '../ports/codec.ts';
import type { RecordLog } from '../ports/record-log.ts';
import { compactRace } from '../race/compact.ts';
import type { PartitionState, RaceState } from '../race/state.ts';
import { readChangelog, type Changelog } from './changelog.ts';
import { initialPosition, PartitionStore } from './race-store.ts';

export type Restored = Pick<Changelog<RaceState, PartitionState>, 'changelogEnd' | 'contested'> & { readonly store: PartitionStore };

/** Rebuilds a partition's store from its changelog, race-states. */
export async function restoreStore(log: RecordLog, codec: Codec, partition: number): Promise<Restored> {
  const { states, position, changelogEnd, contested } = await readChangelog<RaceState, PartitionState>(log, codec, 'race-states', partition, initialPosition(partition));
  const store = new PartitionStore(position);
  for (const race of states.values()) store.load(compactRace(race));
  return { store, changelogEnd, contested };
}
