import type { Codec } from '../../../src/ports/codec.ts';
import type { NewRecord } from '../../../src/ports/record-log.ts';
import { isPositionKey } from '../../../src/race/position-key.ts';
import type { PartitionState, RaceState } from '../../../src/race/state.ts';

export type ChangelogWatch = ReturnType<typeof createChangelogWatch>;

/** The greatest position that each partition's changelog holds, and the revision that it gives last for each race. */
export function createChangelogWatch(codec: Codec) {
  const positions = new Map<number, PartitionState>();
  const revisions = new Map<string, number>();
  return {
    see(partition: number, records: readonly NewRecord[]): void {
      for (const { key, value } of records) {
        if (key === null || value === null) continue;
        const result = codec.decode('race-states', value);
        if ('error' in result) continue;
        if (!isPositionKey(key.toString())) {
          revisions.set(key.toString(), (result.decoded.value as RaceState).revision);
          continue;
        }
        const found = result.decoded.value as PartitionState;
        const known = positions.get(partition);
        if (known === undefined || found.epoch > known.epoch || (found.epoch === known.epoch && found.applied_offset > known.applied_offset)) positions.set(partition, found);
      }
    },
    positionOf: (partition: number): PartitionState | undefined => positions.get(partition),
    revisionOf: (raceId: string): number | undefined => revisions.get(raceId),
  };
}
