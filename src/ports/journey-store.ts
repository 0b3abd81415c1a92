import type { FollowedJourney, JourneyPartition } from '../journey/journey-record.ts';

/** The journeys of one partition of telemetry, as follow-route sees them. Synchronous: they live in memory, their changelog is the log. */
export type JourneyStore = {
  get(raceId: string): FollowedJourney | undefined;
  /** Marks the journey for the changelog. */
  put(followed: FollowedJourney): void;
  /** Tombstone in the changelog. */
  delete(raceId: string): void;
  /** Totals and position of the partition; operators change it in place. */
  readonly position: JourneyPartition;
};
