import type { PartitionState, RaceState } from '../race/state.ts';

/** The keyed state of one partition, as the graph sees it. Synchronous: it lives in memory, its changelog is the log. */
export type RaceStore = {
  get(raceId: string): RaceState | undefined;
  /** Marks the race for the changelog of this slice and re-arms its wake-up from `wake_at`. */
  put(race: RaceState): void;
  /** Tombstone in the changelog of this slice. */
  delete(raceId: string): void;
  /** Totals and position of the partition; operators change it in place, it is logged with every slice. */
  readonly position: PartitionState;
};
