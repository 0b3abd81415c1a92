import { followedJourneyOf, journeyStateOf, type FollowedJourney, type JourneyPartition, type JourneyState } from '../journey/journey-record.ts';
import type { Codec } from '../ports/codec.ts';
import type { JourneyStore } from '../ports/journey-store.ts';
import type { NewRecord, RecordLog } from '../ports/record-log.ts';
import { positionKey } from '../race/position-key.ts';
import { readChangelog, type Changelog } from './changelog.ts';
import { changelogHeaders } from './changelog-headers.ts';

function initialPosition(partition: number): JourneyPartition {
  return { partition, epoch: 0, applied_offset: -1, read: 0, applied: 0, late: 0, outlier: 0, unrouted: 0, rejected: 0, rerouted: 0, skipped: 0, at: 0 };
}

/** The store `journeys` of one partition: a Map and the keys that changed since the changelog was written. */
export class PartitionJourneys implements JourneyStore {
  position: JourneyPartition;
  readonly #journeys: Map<string, FollowedJourney>;
  #changed = new Set<string>();

  constructor(position: JourneyPartition, journeys: Map<string, FollowedJourney>) {
    this.position = position;
    this.#journeys = journeys;
  }

  get size(): number {
    return this.#journeys.size;
  }

  get(raceId: string): FollowedJourney | undefined {
    return this.#journeys.get(raceId);
  }

  raceIds(): string[] {
    return [...this.#journeys.keys()];
  }

  put(followed: FollowedJourney): void {
    this.#journeys.set(followed.identity.race_id, followed);
    this.#changed.add(followed.identity.race_id);
  }

  delete(raceId: string): void {
    if (this.#journeys.delete(raceId)) this.#changed.add(raceId);
  }

  /** Marks a key to be logged again as it stands. */
  touch(raceId: string): void {
    this.#changed.add(raceId);
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0;
  }

  /** What changed since the last call as records of journey-states, the totals last: all of it as of the same offset. */
  takeChangelog(codec: Codec, writerId: string, nowMs: number): NewRecord[] {
    this.position.at = nowMs;
    const headers = changelogHeaders(writerId, this.position);
    const records: NewRecord[] = [...this.#changed].map((raceId) => {
      const followed = this.#journeys.get(raceId);
      return { key: Buffer.from(raceId), value: followed === undefined ? null : codec.encode('journey-states', journeyStateOf(followed), 'JourneyState'), headers };
    });
    records.push({ key: Buffer.from(positionKey(this.position.partition)), value: codec.encode('journey-states', this.position, 'JourneyPartition'), headers });
    this.#changed = new Set();
    return records;
  }
}

export type RestoredJourneys = Pick<Changelog<JourneyState, JourneyPartition>, 'changelogEnd' | 'contested'> & { readonly store: PartitionJourneys };

/** Rebuilds the journeys of a partition from their changelog, journey-states. */
export async function restoreJourneys(log: RecordLog, codec: Codec, partition: number): Promise<RestoredJourneys> {
  const { states, position, changelogEnd, contested } = await readChangelog<JourneyState, JourneyPartition>(log, codec, 'journey-states', partition, initialPosition(partition));
  const store = new PartitionJourneys(position, new Map([...states].map(([raceId, state]) => [raceId, followedJourneyOf(state)])));
  return { store, changelogEnd, contested };
}
