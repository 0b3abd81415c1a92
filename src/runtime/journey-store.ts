import { followedJourneyOf, journeyStateOf, type FollowedJourney, type JourneyPartition, type JourneyState } from '../journey/journey-record.ts';
import type { Codec } from '../ports/codec.ts';
import type { JourneyStore } from '../ports/journey-store.ts';
import type { NewRecord, RecordLog } from '../ports/record-log.ts';
import { isPositionKey, positionKey } from '../race/position-key.ts';
import { changelogHeaders, isBehind } from './changelog-headers.ts';

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

  put(followed: FollowedJourney): void {
    this.#journeys.set(followed.identity.race_id, followed);
    this.#changed.add(followed.identity.race_id);
  }

  delete(raceId: string): void {
    if (this.#journeys.delete(raceId)) this.#changed.add(raceId);
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

/**
 * Rebuilds the journeys of a partition from their changelog. Where two writers overlapped, what stands for the greatest offset of
 * telemetry wins. A row that cannot be read is a defect of ours and stops the start. Cost: one read of the partition.
 */
export async function restoreJourneys(log: RecordLog, codec: Codec, partition: number): Promise<PartitionJourneys> {
  const states = new Map<string, JourneyState>();
  let position = initialPosition(partition);
  const reader = log.readPartitions({
    topic: 'journey-states', partitions: [partition], from: () => 'earliest',
    async onRecords(records) {
      await codec.prepare('journey-states', records.map(({ value }) => value));
      for (const { key: bytes, value, offset } of records) {
        const key = bytes?.toString('utf8') ?? '';
        if (value === null) {
          states.delete(key);
          continue;
        }
        const result = codec.decode('journey-states', value);
        if ('error' in result) throw new Error(`Cannot restore partition ${partition}: journey-states offset ${offset} is ${result.error.code}: ${result.error.message}`);
        if (isPositionKey(key)) {
          const found = result.decoded.value as JourneyPartition;
          if (!isBehind(found, position)) position = { ...found };
          continue;
        }
        const state = result.decoded.value as JourneyState;
        const known = states.get(key);
        if (known === undefined || !isBehind(state, known)) states.set(key, state);
      }
    },
  });
  try {
    await reader.caughtUp;
  } finally {
    await reader.close();
  }
  return new PartitionJourneys(position, new Map([...states].map(([raceId, state]) => [raceId, followedJourneyOf(state)])));
}
