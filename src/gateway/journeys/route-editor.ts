import { isRefused, routeOf, type RouteRecord } from '../../journey/route.ts';
import type { Codec } from '../../ports/codec.ts';
import type { RecordLog } from '../../ports/record-log.ts';
import { refusalOfId } from '../../race/identity.ts';
import { oneAtATime } from '../../runtime/one-at-a-time.ts';
import type { RouteStore, StoredRoute } from '../../runtime/route-store.ts';
import { pause, systemTimers } from '../../runtime/timers.ts';
import { createAppender } from '../appender.ts';
import { failure, rejectionFailure } from '../failures.ts';

/** How long an answer waits until the change has come back from the log, ms. */
const READ_BACK_MS = 2_000;

export type RouteEditor = {
  /** Stores a route, over the one of its id where there is one. Rejects with the answer for one that cannot be driven. */
  put(record: RouteRecord): Promise<StoredRoute>;
  /** Stores a route under its id, or, where that is taken, under the next one with a number behind it that is free. */
  add(record: RouteRecord): Promise<StoredRoute>;
  /** Changes a route that is there; one change after another, so that none of this gateway undoes another of it. */
  change(routeId: string, edit: (record: RouteRecord) => RouteRecord): Promise<StoredRoute>;
  remove(routeId: string): Promise<void>;
  drain(): Promise<void>;
};

/** Writes to the topic routes and waits until the store has it: who asks next sees what was changed. */
export function createRouteEditor({ log, codec, routes }: { readonly log: RecordLog; readonly codec: Codec; readonly routes: RouteStore }): RouteEditor {
  const appender = createAppender(log, 'routes', 1);
  const inTurn = oneAtATime();

  async function append(routeId: string, value: Buffer | null): Promise<void> {
    const offset = await appender.append(0, [{ key: Buffer.from(routeId), value }]);
    const giveUp = new AbortController();
    await Promise.race([routes.reached(offset), pause(systemTimers, READ_BACK_MS, giveUp.signal)]);
    giveUp.abort();
  }

  function freeId(routeId: string): string {
    let free = routeId;
    for (let n = 1; routes.find(free) !== undefined; n++) free = `${routeId}-${n}`;
    return free;
  }

  async function store(record: RouteRecord): Promise<StoredRoute> {
    const refusedId = refusalOfId(record.route_id, 'route_id', 'id_missing', 'id_invalid');
    if (refusedId !== null) throw rejectionFailure(refusedId, record);
    const route = routeOf(record);
    if (isRefused(route)) throw rejectionFailure(route);
    await append(record.route_id, codec.encode('routes', record));
    const stored = routes.find(record.route_id);
    if (stored === undefined) throw failure('unavailable', 'The route is in the log but has not come back from it: ask again in a moment');
    return stored;
  }

  return {
    put: (record) => inTurn(() => store(record)),
    add: (record) => inTurn(() => store({ ...record, route_id: freeId(record.route_id) })),
    change: (routeId, edit) => inTurn(() => store(edit(knownRoute(routes, routeId).read().record))),
    remove: (routeId) => inTurn(async () => {
      knownRoute(routes, routeId);
      await append(routeId, null);
    }),
    drain: () => appender.drain(),
  };
}

/** Throws the answer for a route that is not there. */
export function knownRoute(routes: RouteStore, routeId: string): StoredRoute {
  const route = routes.find(routeId);
  if (route === undefined) throw failure('not_found', `No route has the id ${JSON.stringify(routeId.slice(0, 200))}`);
  return route;
}
