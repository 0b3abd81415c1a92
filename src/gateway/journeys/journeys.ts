import type { JourneyState } from '../../journey/journey-record.ts';
import { smoothedMps } from '../../journey/speed.ts';
import type { Codec } from '../../ports/codec.ts';
import type { Logger } from '../../ports/logger.ts';
import type { RecordLog } from '../../ports/record-log.ts';
import { isPositionKey } from '../../race/position-key.ts';
import { isBehind } from '../../runtime/changelog-headers.ts';
import { followTopic } from '../../runtime/follow-topic.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { beginTurn } from '../../runtime/turns.ts';

/** What is shown of a vehicle that is followed: its state without what only following needs. */
export type SeenJourney = Pick<JourneyState, 'race_id' | 'source' | 'attempt' | 'route_id' | 'route_version' | 'at' | 'lat' | 'lon' | 'along_m' | 'off_m' | 'off_route' | 'next' | 'delay_sec' | 'phase' | 'moves' | 'heading_deg' | 'departed_at' | 'arrived_at' | 'passages' | 'epoch' | 'applied_offset'> & {
  /** Mean of the last 120 s; null = never heard. */
  readonly speed_mps: number | null;
};

/** The topic journey-states as this gateway has read it. */
export type SeenJourneys = {
  isCaughtUp(): boolean;
  get(raceId: string): SeenJourney | undefined;
  all(): Iterable<SeenJourney>;
  close(): Promise<void>;
};

/** Memory: about 200 bytes a vehicle, and as much for each ten waypoints that it has passed. */
export function followJourneys({ log, codec, logger, partitions }: { readonly log: RecordLog; readonly codec: Codec; readonly logger: Logger; readonly partitions: number }): SeenJourneys {
  const journeys = new Map<string, SeenJourney>();
  const follower = followTopic({
    log, topic: 'journey-states', partitions: Array.from({ length: partitions }, (_, partition) => partition), logger,
    async onRecords(records) {
      await codec.prepare('journey-states', records.map(({ value }) => value));
      const turn = beginTurn(systemTimers);
      for (const { key: bytes, value, partition, offset } of records) {
        if (turn.isOver()) await turn.next();
        const key = bytes?.toString('utf8') ?? '';
        if (isPositionKey(key)) continue;
        if (value === null) {
          journeys.delete(key);
          continue;
        }
        const result = codec.decode('journey-states', value);
        if ('error' in result) {
          logger.error({ partition, offset, ...result.error }, 'A journey that cannot be read is not shown');
          continue;
        }
        const seen = seenOf(result.decoded.value as JourneyState);
        const known = journeys.get(key);
        // A former owner's late send must not undo a newer state.
        if (known === undefined || !isBehind(seen, known)) journeys.set(key, seen);
      }
    },
  });
  return { isCaughtUp: () => follower.isCaughtUp(), get: (raceId) => journeys.get(raceId), all: () => journeys.values(), close: () => follower.close() };
}

function seenOf(state: JourneyState): SeenJourney {
  const { race_id, source, attempt, route_id, route_version, at, lat, lon, along_m, off_m, off_route, next, delay_sec, phase, moves, heading_deg, departed_at, arrived_at, passages, epoch, applied_offset } = state;
  return {
    race_id, source, attempt, route_id, route_version, at, lat, lon, along_m, off_m, off_route, next, delay_sec, phase, moves, heading_deg, departed_at, arrived_at, passages, epoch, applied_offset,
    speed_mps: smoothedMps(state.speeds.map(({ at: atMs, mps }) => ({ atMs, mps }))),
  };
}
