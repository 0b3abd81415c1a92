import { reject, type Rejection } from '../errors.ts';
import { phaseByHand, type ByHand } from '../journey/by-hand.ts';
import { isSameRace } from '../journey/journey-record.ts';
import { takeTelemetry, type JourneyOfRace } from '../journey/take-position.ts';
import { normalizeTelemetry } from '../journey/telemetry.ts';
import type { Codec } from '../ports/codec.ts';
import type { JourneyStore } from '../ports/journey-store.ts';
import type { LogRecord } from '../ports/record-log.ts';
import type { RaceUpdate } from '../race/update.ts';
import { saidAtMs } from './original-time.ts';
import type { KnownRoute } from './vehicles.ts';

/** What is known of the race that a vehicle stands for. */
export type KnownRace = {
  readonly routeId: string;
  readonly isOver: boolean;
  readonly byHand: ByHand;
  /** What the race is to be told of it. */
  readonly told: readonly RaceUpdate[];
  readonly ofRace: (routeVersion: number) => JourneyOfRace;
};

export type FollowRouteOptions = {
  readonly codec: Codec;
  readonly partitionOf: (key: Buffer) => number;
  readonly store: JourneyStore;
  /** undefined = no such race here, or one without a route. */
  readonly raceOf: (raceId: string) => KnownRace | undefined;
  /** undefined = no such route, or one that is not active. */
  readonly routeOf: (routeId: string) => KnownRoute | undefined;
};

/** What became of a position: each ends as exactly one. */
export type PositionItem =
  | { readonly kind: 'applied'; readonly updates: readonly RaceUpdate[] }
  | { readonly kind: 'late' | 'outlier' | 'unrouted' | 'skipped' }
  | { readonly kind: 'rejected'; readonly record: LogRecord; readonly rejection: Rejection }
  | { readonly kind: 'rerouted'; readonly record: LogRecord; readonly partition: number };

/** Follows a vehicle by one record of telemetry; counts it in the totals. */
export function followRoute(record: LogRecord, options: FollowRouteOptions): PositionItem {
  const item = follow(record, options);
  options.store.position[item.kind] += 1;
  return item;
}

function follow(record: LogRecord, { codec, partitionOf, store, raceOf, routeOf }: FollowRouteOptions): PositionItem {
  const refuse = (rejection: Rejection): PositionItem => ({ kind: 'rejected', record, rejection });
  if (record.key === null || record.key.length === 0) return refuse(reject('key_missing', 'Cannot take a position without a key: the key must be the race_id'));
  const partition = partitionOf(record.key);
  if (partition !== record.partition) return { kind: 'rerouted', record, partition };
  if (record.value === null) return refuse(reject('undecodable', 'Cannot take a position without a value'));
  const result = codec.decode('telemetry', record.value);
  if ('error' in result) return refuse(result.error);
  const normalized = normalizeTelemetry(result.decoded.value, saidAtMs(record));
  if ('rejection' in normalized) return refuse(normalized.rejection);
  const { point } = normalized;
  const key = record.key.toString('utf8');
  if (key !== point.race_id) return refuse(reject('key_mismatch', `Cannot take a position of race ${JSON.stringify(point.race_id.slice(0, 80))} under the key ${JSON.stringify(key.slice(0, 80))}: they must be equal`));

  const { epoch } = store.position;
  const before = store.get(point.race_id);
  // Read again after a crash: the journey was logged, the offset was not committed.
  if (before !== undefined && before.epoch === epoch && before.appliedOffset >= record.offset) return { kind: 'skipped' };
  const race = raceOf(point.race_id);
  if (race === undefined || race.isOver) {
    if (before !== undefined) store.delete(point.race_id);
    return { kind: race === undefined ? 'unrouted' : 'late' };
  }
  const known = routeOf(race.routeId);
  if (known === undefined) return { kind: 'unrouted' };
  const { followed, outcome, updates } = takeTelemetry(before, race.ofRace(known.version), known.route, point, { epoch, offset: record.offset });
  store.put(followed);
  return outcome === 'followed' ? { kind: 'applied', updates } : { kind: outcome };
}

/**
 * Brings a journey to what was said of its race, without any position: a departure or an arrival by hand, or that the race is gone, and its
 * journey with it. Returns what race-updates is to be told, also of a race that no position has come of.
 */
export function settleJourney(raceId: string, { store, raceOf }: Pick<FollowRouteOptions, 'store' | 'raceOf'>): readonly RaceUpdate[] {
  const [before, race] = [store.get(raceId), raceOf(raceId)];
  if (race === undefined) {
    if (before !== undefined) store.delete(raceId);
    return [];
  }
  const isOfRace = before !== undefined && isSameRace(before.identity, race.ofRace(before.identity.route_version).identity);
  const phase = isOfRace ? phaseByHand(before.phase, race.byHand) : undefined;
  if (before !== undefined && phase !== undefined && phase !== before.phase) store.put({ ...before, phase });
  return race.told;
}
