import { closeCodes, HEARTBEAT_MS, serialiseFrame, type EtaFilter } from '../../bridge/frames.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Timers } from '../../runtime/timers.ts';
import { ENCODED_RACE_BYTES, type FrameSink } from './frame-sink.ts';
import { frameTurns, type Waiting } from './frame-turns.ts';
import { decodeResume, encodeResume } from './resume-token.ts';
import { subscriptionOf, type Subscription } from './subscription.ts';
import { changeJsonOf, jsonOf, type RaceLiveView, type ViewedRace } from './view.ts';

export type Subscriber = {
  /** Replaces the subscription. `withChanges` = revisions that were sent need not be sent again. `complaint` = why it was refused. */
  subscribe(filter: EtaFilter, resume: string | null, withChanges?: boolean): { readonly complaint: string | null };
  /** Ends the subscription; the connection stays. */
  unsubscribe(): void;
  /** Sends an error frame; the connection stays. */
  complain(code: string, message: string): void;
  close(): void;
};

export type Fanout = {
  open(sink: FrameSink): Subscriber;
  size(): number;
  /** Tells all sinks to go: the service stops. */
  close(): void;
};

export type FanoutOptions = {
  readonly view: RaceLiveView;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onSlowClose: () => void;
};

/** Chosen with measurements of ws: a paused client otherwise takes any amount of memory. */
export const SKIP_BYTES = 256 * 1024;
export const CLOSE_BYTES = 1024 * 1024;
export const SLOW_MS = 5_000;
const FRAME_BYTES = 128 * 1024;
/** Tokens cost bytes; an older one only makes a resume send more. */
const TOKEN_EVERY_MS = 5_000;
const MAX_SUBSCRIBES = 10;
const SUBSCRIBE_WINDOW_MS = 10_000;

type Connection = Waiting & {
  readonly sink: FrameSink;
  seq: number;
  subscription: Subscription | null;
  /** Races to send, each with whether its revision is to be sent too, and ids to remove, at the next frame; what is sent is the state at that moment. */
  readonly changed: Map<string, boolean>;
  readonly removed: Set<string>;
  /** The snapshot is not through yet: `first` until its first part has gone. */
  snapshot: 'first' | 'rest' | null;
  lastTokenAtMs: number;
  slowSinceMs: number | null;
  subscribes: number[];
  closed: boolean;
};

/**
 * Spreads changes of the view over connections.
 *
 * A change marks its race for the connections that want it (an index by id for subscriptions by id, a test for the
 * others). A connection that was idle is served at once, at the end of the event-loop turn; then at most every 250 ms,
 * with the latest state of what was marked. A race's JSON is made once per change for all of them.
 *
 * **Slow clients.** Above 256 KB unsent nothing more is written (marks go on to coalesce, bounded by the number of
 * races); above 1 MB, or 5 s without coming below 256 KB, the client is told and closed with 1013.
 */
export function createFanout(options: FanoutOptions): Fanout {
  const { view, clock, timers, onSlowClose } = options;
  const connections = new Set<Connection>();
  const byRace = new Map<string, Set<Connection>>();
  const wide = new Set<Connection>();
  const turns = frameTurns<Connection>(timers, serve);

  const mark = (connection: Connection, raceId: string, race: ViewedRace | null, source: string, isRevised: boolean): void => {
    const subscription = connection.subscription;
    if (subscription === null) return;
    if (race !== null && (subscription.isByIdAlone || subscription.fits(race.facts))) {
      const wasRemoved = connection.removed.size > 0 && connection.removed.delete(raceId);
      const holds = subscription.withChanges && connection.snapshot === null && !wasRemoved && subscription.shown?.has(raceId) !== false;
      connection.changed.set(raceId, isRevised || !holds || connection.changed.get(raceId) === true);
    } else {
      const wasPending = connection.changed.delete(raceId);
      const holds = subscription.shown === null ? subscription.fitsForEver(raceId, source) : subscription.shown.has(raceId);
      if (!holds && !wasPending) return;
      if (holds) connection.removed.add(raceId);
    }
    turns.schedule(connection);
  };

  const stopListening = view.onChange((raceId, race, source, isRevised) => {
    for (const connection of byRace.get(raceId) ?? []) mark(connection, raceId, race, source, isRevised);
    for (const connection of wide) mark(connection, raceId, race, source, isRevised);
  });

  function serve(connection: Connection, slot: number): void {
    connection.scheduled = false;
    const { subscription } = connection;
    if (connection.closed || subscription === null) return;
    if (isSlow(connection)) return;
    if (connection.changed.size === 0 && connection.removed.size === 0 && connection.snapshot === null) return;

    const { sink } = connection;
    const parts: Buffer[] = [];
    const changes: string[] = [];
    const races: ViewedRace[] = [];
    let bytes = 0;
    for (const [raceId, isWhole] of connection.changed) {
      if (bytes >= FRAME_BYTES) break;
      connection.changed.delete(raceId);
      const race = view.get(raceId);
      if (race === undefined) continue;
      if (sink.sendRaces !== undefined) {
        races.push(race);
        bytes += ENCODED_RACE_BYTES;
      } else if (isWhole) {
        const json = jsonOf(race);
        bytes += json.length;
        parts.push(json);
      } else {
        const json = changeJsonOf(race);
        bytes += json.length;
        changes.push(json);
      }
      subscription.shown?.add(raceId);
    }
    const nowMs = clock.nowMs();
    const isThrough = connection.changed.size === 0;
    // A token says that everything up to it has been sent: not while removals wait for the delta after a snapshot.
    const withToken = isThrough && (connection.snapshot === null ? nowMs - connection.lastTokenAtMs >= TOKEN_EVERY_MS : connection.removed.size === 0);
    const resume = withToken ? encodeResume(view.position(), subscription.hash) : null;
    if (withToken) connection.lastTokenAtMs = nowMs;
    connection.seq++;
    const isSnapshot = connection.snapshot !== null;
    const first = connection.snapshot === 'first';
    // What was removed after its part of the snapshot had gone is in the delta that follows.
    const removed = isSnapshot ? [] : [...connection.removed];
    for (const raceId of removed) subscription.shown?.delete(raceId);
    if (isSnapshot) connection.snapshot = isThrough ? null : 'rest';
    else connection.removed.clear();
    if (sink.sendRaces !== undefined) sink.sendRaces({ kind: isSnapshot ? 'snapshot' : 'delta', first, complete: isThrough, races, removed, resume });
    else {
      const head = isSnapshot
        ? `{"type":"snapshot","seq":${connection.seq},"first":${first},"complete":${isThrough},"races":[`
        : `{"type":"delta","seq":${connection.seq},"removed":${removed.length === 0 ? '[]' : JSON.stringify(removed)},${changes.length === 0 ? '' : `"changes":[${changes.join(',')}],`}"races":[`;
      const tail = resume === null ? ']}' : `],"resume":"${resume}"}`;
      if (sink.sendParts === undefined) sink.send(`${head}${parts.map(String).join(',')}${tail}`, resume);
      else sink.sendParts(head, parts, tail, resume);
    }
    connection.lastSlot = slot;
    if (!isThrough && !connection.closed) {
      // The rest of a snapshot need not keep to 4 Hz: the client's own speed paces it.
      turns.soon(connection);
    } else if (connection.removed.size > 0) turns.schedule(connection);
  }

  /** Whether the client is too far behind to be written to; it is asked again at the next tick, or closed. */
  function isSlow(connection: Connection): boolean {
    const buffered = connection.sink.bufferedBytes();
    if (buffered <= SKIP_BYTES) {
      connection.slowSinceMs = null;
      return false;
    }
    const nowMs = clock.nowMs();
    connection.slowSinceMs ??= nowMs;
    if (buffered > CLOSE_BYTES || nowMs - connection.slowSinceMs >= SLOW_MS) {
      onSlowClose();
      connection.seq++;
      const message = `The client left ${buffered} bytes unread for ${nowMs - connection.slowSinceMs} ms`;
      connection.sink.send(serialiseFrame({ type: 'error', seq: connection.seq, code: 'slow_client', message }), null);
      connection.sink.close(closeCodes.tryAgainLater, 'slow_client');
      drop(connection);
      return true;
    }
    turns.later(connection);
    return true;
  }

  function drop(connection: Connection): void {
    if (connection.closed) return;
    connection.closed = true;
    unindex(connection);
    connection.changed.clear();
    connection.removed.clear();
    turns.forget(connection);
    connections.delete(connection);
  }

  function index(connection: Connection, filter: EtaFilter): void {
    if (filter.race_ids === undefined) {
      wide.add(connection);
      return;
    }
    for (const raceId of filter.race_ids) {
      const group = byRace.get(raceId);
      if (group === undefined) byRace.set(raceId, new Set([connection]));
      else group.add(connection);
    }
  }

  function unindex(connection: Connection): void {
    wide.delete(connection);
    for (const raceId of connection.subscription?.filter.race_ids ?? []) {
      const group = byRace.get(raceId);
      if (group?.delete(connection) === true && group.size === 0) byRace.delete(raceId);
    }
  }

  /** All races that may fit the filter. */
  function candidates(filter: EtaFilter): Iterable<ViewedRace> {
    if (filter.race_ids === undefined) return view.races();
    return [...new Set(filter.race_ids)].map((raceId) => view.get(raceId)).filter((race) => race !== undefined);
  }

  /** Marks what changed since the token; false = the token cannot be served. */
  function resumeFrom(connection: Connection, subscription: Subscription, token: string): boolean {
    const point = decodeResume(token, subscription.hash, view.partitions);
    if (point === null) return false;
    const now = view.position();
    // Offsets ahead of ours: another log, or a view that has not come so far.
    if (point.etaOffsets.some((offset, p) => offset > now.etaOffsets[p]!) || point.stateOffsets.some((offset, p) => offset > now.stateOffsets[p]!)) return false;
    const removals = view.removalsSince(point);
    if (removals === null) return false;
    for (const removal of removals) {
      // The source of a race that this view never held is not known: the client drops ids it does not hold anyway.
      if (removal.source === '' || subscription.fitsForEver(removal.raceId, removal.source)) connection.removed.add(removal.raceId);
    }
    for (const race of candidates(subscription.filter)) {
      const { race_id: raceId, source } = race.facts;
      const isChanged = race.etaOffset >= point.etaOffsets[race.partition]! || race.stateOffset >= point.stateOffsets[race.partition]!;
      const fits = subscription.fits(race.facts);
      if (fits) subscription.shown?.add(raceId);
      if (!isChanged) continue;
      connection.removed.delete(raceId);
      if (fits) connection.changed.set(raceId, true);
      else if (subscription.fitsForEver(raceId, source)) connection.removed.add(raceId);
    }
    return true;
  }

  const heartbeat = setInterval(() => {
    for (const connection of connections) {
      if (connection.sink.bufferedBytes() > SKIP_BYTES) {
        if (!connection.scheduled) isSlow(connection);
        continue;
      }
      connection.sink.ping();
      connection.seq++;
      const nowMs = clock.nowMs();
      const isThrough = connection.changed.size === 0 && connection.removed.size === 0 && connection.snapshot === null;
      const resume = isThrough && connection.subscription !== null ? encodeResume(view.position(), connection.subscription.hash) : null;
      if (resume !== null) connection.lastTokenAtMs = nowMs;
      if (connection.sink.mark !== undefined) connection.sink.mark('heartbeat', resume);
      else connection.sink.send(serialiseFrame({ type: 'heartbeat', seq: connection.seq, at: nowMs, ...(resume === null ? {} : { resume }) }), resume);
    }
  }, HEARTBEAT_MS);

  return {
    open(sink) {
      const connection: Connection = {
        sink, seq: 0, subscription: null, changed: new Map(), removed: new Set(), snapshot: null, scheduled: false, lastSlot: -Infinity,
        lastTokenAtMs: 0, slowSinceMs: null, subscribes: [], closed: false,
      };
      connections.add(connection);
      return {
        subscribe(filter, resume, withChanges = false) {
          const nowMs = clock.nowMs();
          connection.subscribes = connection.subscribes.filter((atMs) => nowMs - atMs < SUBSCRIBE_WINDOW_MS);
          if (connection.subscribes.length >= MAX_SUBSCRIBES) {
            return { complaint: `At most ${MAX_SUBSCRIBES} subscribe frames in ${SUBSCRIBE_WINDOW_MS / 1_000} s` };
          }
          connection.subscribes.push(nowMs);
          unindex(connection);
          connection.changed.clear();
          connection.removed.clear();
          const subscription = subscriptionOf(filter, withChanges);
          connection.subscription = subscription;
          index(connection, filter);
          if (resume !== null && resumeFrom(connection, subscription, resume)) {
            connection.snapshot = null;
            connection.seq++;
            if (connection.sink.mark !== undefined) connection.sink.mark('resumed', null);
            else connection.sink.send(serialiseFrame({ type: 'resumed', seq: connection.seq }), null);
          } else {
            connection.removed.clear();
            connection.snapshot = 'first';
            for (const race of candidates(filter)) if (subscription.fits(race.facts)) connection.changed.set(race.facts.race_id, true);
          }
          if (!connection.scheduled) turns.soon(connection);
          return { complaint: null };
        },
        unsubscribe() {
          unindex(connection);
          connection.subscription = null;
          connection.changed.clear();
          connection.removed.clear();
          connection.snapshot = null;
        },
        complain(code, message) {
          if (connection.closed) return;
          connection.seq++;
          connection.sink.send(serialiseFrame({ type: 'error', seq: connection.seq, code, message }), null);
        },
        close: () => drop(connection),
      };
    },
    size: () => connections.size,
    close() {
      clearInterval(heartbeat);
      turns.stop();
      stopListening();
      for (const connection of connections) {
        connection.sink.close(closeCodes.goingAway, 'The service stops');
        drop(connection);
      }
    },
  };
}
