import { byHandOf, toldByHand } from '../journey/by-hand.ts';
import type { KnownRace } from '../operators/follow-route.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, RecordLog } from '../ports/record-log.ts';
import { isPositionKey } from '../race/position-key.ts';
import { isFinished, type RaceState } from '../race/state.ts';
import { followTopic } from './follow-topic.ts';
import type { Timers } from './timers.ts';

export type JourneyRaces = {
  /** Resolves when what was there at the start is known. */
  readonly caughtUp: Promise<void>;
  find(raceId: string): KnownRace | undefined;
  /** Races of which something was said that a journey must learn of without a position, or that are over or gone, since the last call. */
  takeNews(): readonly string[];
  close(): Promise<void>;
};

/** The races of one partition that have a route, as race-states tells them. Memory: those alone. */
export function readJourneyRaces({ log, codec, logger, partition, timers }: { readonly log: RecordLog; readonly codec: Codec; readonly logger: Logger; readonly partition: number; readonly timers: Timers }): JourneyRaces {
  const races = new Map<string, KnownRace>();
  const news = new Set<string>();

  function take({ key, value }: LogRecord): void {
    const raceId = key?.toString('utf8') ?? '';
    if (isPositionKey(raceId)) return;
    const result = value === null ? null : codec.decode('race-states', value);
    if (result !== null && 'error' in result) {
      logger.error({ partition, ...result.error }, 'Cannot read the state of a race');
      return;
    }
    const race = result?.decoded.value as RaceState | undefined;
    if (race === undefined || race.route_id === null) {
      if (races.delete(raceId)) news.add(raceId);
      return;
    }
    const known = knownRace(race, race.route_id);
    races.set(raceId, known);
    if (known.isOver || known.byHand.departedAtMs !== null || known.byHand.arrivedAtMs !== null) news.add(raceId);
  }

  const follower = followTopic({
    log, topic: 'race-states', partitions: [partition], logger, timers,
    async onRecords(records) {
      await codec.prepare('race-states', records.map(({ value }) => value));
      for (const record of records) take(record);
    },
  });
  return {
    caughtUp: follower.caughtUp, find: (raceId) => races.get(raceId), close: () => follower.close(),
    takeNews() {
      const raceIds = [...news];
      news.clear();
      return raceIds;
    },
  };
}

/** Of a race's state only this is kept. */
function knownRace(race: RaceState, routeId: string): KnownRace {
  const { race_id, source, first_offset, attempt, state } = race;
  const byHand = byHandOf(race.events);
  return {
    routeId, isOver: isFinished(state), byHand, told: toldByHand(race),
    ofRace: (routeVersion) => ({ identity: { race_id, source, first_offset, attempt, route_id: routeId, route_version: routeVersion }, byHand }),
  };
}
