import type { KnownRoute } from '../operators/vehicles.ts';
import type { Codec } from '../ports/codec.ts';
import type { Logger } from '../ports/logger.ts';
import type { LogRecord, RecordLog } from '../ports/record-log.ts';
import { followTopic } from './follow-topic.ts';
import { readRoute, type ReadRoute } from './read-route.ts';
import { systemTimers, type Timers } from './timers.ts';
import { beginTurn } from './turns.ts';

/** Routes kept ready at most: some 20 KB each. Those beyond are made anew when they are driven. */
const MOST_READY = 5_000;

/** A route as it stands. Immutable: what changes it makes another one. */
export type StoredRoute = {
  readonly routeId: string;
  /** Offset of its record: another version, another number. */
  readonly version: number;
  /** When the log took it, epoch ms. */
  readonly storedAtMs: number;
  /** As it was stored, and ready to be driven. Made anew at each call: some 0.1 ms for 1,000 points to decode alone. */
  read(): ReadRoute;
};

/** The topic routes as this instance has read it (a global store). A record that holds no route counts as none, as it does once compaction took the one before. */
export type RouteStore = {
  /** Resolves when what was there at the start is known. */
  readonly caughtUp: Promise<void>;
  isCaughtUp(): boolean;
  find(routeId: string): StoredRoute | undefined;
  /** A route that vehicles are followed on, made ready once a version; undefined = there is none, or it is not active. */
  active(routeId: string): KnownRoute | undefined;
  /** In order of the last change. */
  all(): Iterable<StoredRoute>;
  size(): number;
  /** Resolves when the record at this offset is known. */
  reached(offset: number): Promise<void>;
  close(): Promise<void>;
};

/** Bytes stay as they came until somebody asks: a timetable has a route for each of its trips. */
export function readRoutes({ log, codec, logger, timers = systemTimers }: { readonly log: RecordLog; readonly codec: Codec; readonly logger: Logger; readonly timers?: Timers }): RouteStore {
  const routes = new Map<string, StoredRoute>();
  const ready = new Map<string, { readonly version: number; readonly route: KnownRoute | null }>();
  let awaited: { readonly offset: number; resolve(): void }[] = [];
  let next = 0;

  function take({ key, value, offset, appendedAtMs }: LogRecord): void {
    const routeId = key?.toString('utf8') ?? '';
    routes.delete(routeId);
    // Only to see whether it can be read; refuse-routes.ts says where not.
    if (value === null || 'code' in readRoute(codec, { key, value })) return;
    routes.set(routeId, {
      routeId, version: offset, storedAtMs: appendedAtMs,
      read() {
        const read = readRoute(codec, { key, value });
        if ('code' in read) throw new Error(read.message);
        return read;
      },
    });
  }

  function active(routeId: string): KnownRoute | undefined {
    const stored = routes.get(routeId);
    const known = ready.get(routeId);
    if (stored === undefined || known?.version === stored.version) return stored === undefined ? undefined : (known?.route ?? undefined);
    const { record, route } = stored.read();
    const made = { version: stored.version, route: record.active ? { version: stored.version, route } : null };
    ready.set(routeId, made);
    if (ready.size > MOST_READY) ready.delete(ready.keys().next().value!);
    return made.route ?? undefined;
  }

  const follower = followTopic({
    log, topic: 'routes', partitions: [0], logger, timers,
    async onRecords(records) {
      await codec.prepare('routes', records.map(({ value }) => value));
      const turn = beginTurn(timers);
      for (const record of records) {
        if (record.offset >= next) {
          take(record);
          next = record.offset + 1;
        }
        if (turn.isOver()) await turn.next();
      }
      for (const waiting of awaited) if (waiting.offset < next) waiting.resolve();
      awaited = awaited.filter(({ offset }) => offset >= next);
    },
  });
  return {
    caughtUp: follower.caughtUp,
    isCaughtUp: () => follower.isCaughtUp(),
    find: (routeId) => routes.get(routeId),
    active,
    all: () => routes.values(),
    size: () => routes.size,
    reached: (offset) => offset < next ? Promise.resolve() : new Promise((resolve) => { awaited.push({ offset, resolve }); }),
    close: () => follower.close(),
  };
}
