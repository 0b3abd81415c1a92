import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createContextKey, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { connectNodeAdapter } from '@connectrpc/connect-node';
import { parseFilter, type EtaFilter } from '../../bridge/frames.ts';
import type { App } from '../app.ts';
import { failure, type Failure, type HttpFailure } from '../failures.ts';
import type { Fanout } from '../live/fanout.ts';
import type { OriginRace } from '../origin/race.ts';
import type { RaceLiveView } from '../live/view.ts';
import { AdapterState, RaceListSchema, SystemStatusSchema, type RaceService, type RaceUpdate, type StreamRacesRequest } from './generated/race_pb.js';
import { changeBody, eventBody, instant, raceBody, raceMessage, stateOf } from './messages.ts';
import { raceQueue } from './race-queue.ts';

export type RaceServiceOptions = {
  /** Its routes hold the rules, the tokens and the limits of everything but streams. */
  readonly app: App;
  readonly view: RaceLiveView;
  readonly fanout: Fanout;
  readonly maxConnections: number;
  /** Why the request may not stream; null = it may. */
  readonly refuseStream: (request: NodeServerRequest) => HttpFailure | null;
  readonly onOpen: () => void;
  readonly onClose: () => void;
};

/** A request over HTTP/1.1 or HTTP/2. */
export type NodeServerRequest = Parameters<ReturnType<typeof connectNodeAdapter>>[0];

export const requestKey = createContextKey<NodeServerRequest | null>(null);

const codes: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument, 401: Code.Unauthenticated, 403: Code.PermissionDenied, 404: Code.NotFound, 409: Code.FailedPrecondition,
  413: Code.ResourceExhausted, 415: Code.InvalidArgument, 421: Code.PermissionDenied, 429: Code.ResourceExhausted, 503: Code.Unavailable,
};

/**
 * RaceService: a translation in front of the routes of the compatible API, and of the fan-out for streams. What a client
 * may do, and what a request must hold, is decided there alone.
 */
export function raceService(options: RaceServiceOptions): ServiceImpl<typeof RaceService> {
  const call = async <T>(context: HandlerContext, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, body?: unknown): Promise<T> => {
    const request = requestOf(context);
    const { headers } = request;
    const answer = await options.app.inject({
      method, url,
      ...(request.socket.remoteAddress === undefined ? {} : { remoteAddress: request.socket.remoteAddress }),
      headers: {
        host: hostOf(request) ?? '',
        ...(headers.authorization === undefined ? {} : { authorization: headers.authorization }),
        ...(headers.origin === undefined ? {} : { origin: headers.origin }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    if (answer.statusCode >= 400) throw errorOf(answer.statusCode, answer.json<Failure>());
    return answer.json<T>();
  };
  const race = async (...request: Parameters<typeof call>) => raceMessage(await call<OriginRace>(...request));
  const path = (id: string): string => `/race/${encodeURIComponent(id)}`;

  return {
    getRace: ({ id }, context) => race(context, 'GET', path(id)),
    createRace: (request, context) => race(context, 'POST', '/race', raceBody(request)),
    async updateRace(request, context) {
      const { source } = request;
      if (source !== undefined) {
        const known = await call<OriginRace>(context, 'GET', path(request.id));
        if (known.source !== source) throw new ConnectError(`The race ${request.id} has the source ${JSON.stringify(known.source)}, which stands`, Code.InvalidArgument);
      }
      return await race(context, 'PATCH', path(request.id), changeBody(request));
    },
    addEvent: ({ raceId, event }, context) => race(context, 'POST', `${path(raceId)}/event`, eventBody(event)),
    async listRaces(_request, context) {
      const races = await call<OriginRace[]>(context, 'GET', '/races');
      return create(RaceListSchema, { races: races.map((each) => raceMessage(each)) });
    },
    async deleteRace({ id }, context) {
      await call(context, 'DELETE', path(id));
      return create(EmptySchema);
    },
    async getSystemStatus(_request, context) {
      return statusMessage(await call<AdapterStatusBody>(context, 'GET', '/adapter/status'), options.view.size());
    },
    streamRaces: (request, context) => streamRaces(options, request, context),
  };
}

async function* streamRaces(options: RaceServiceOptions, request: StreamRacesRequest, context: HandlerContext): AsyncGenerator<RaceUpdate> {
  const { fanout, view, maxConnections } = options;
  const refusal = options.refuseStream(requestOf(context))
    ?? (view.isRestored() ? null : failure('not_ready', 'The live view is still being restored from the log'))
    ?? (fanout.size() < maxConnections ? null : failure('unavailable', `All ${maxConnections} connections are taken`));
  if (refusal !== null) throw errorOf(refusal.status, refusal.body);
  const parsed = parseFilter(filterOf(request));
  if ('error' in parsed) throw new ConnectError(parsed.error, Code.InvalidArgument);
  const queue = raceQueue(request.marks);
  const subscriber = fanout.open(queue.sink);
  options.onOpen();
  try {
    subscriber.subscribe(parsed.filter, request.resume ?? null);
    for (;;) {
      const updates = await queue.next(context.signal);
      if (updates === null) break;
      for (const update of updates) yield update;
    }
    const end = queue.ended();
    if (end !== null) throw new ConnectError(end.reason, end.reason === 'slow_client' ? Code.ResourceExhausted : Code.Unavailable);
  } finally {
    subscriber.close();
    options.onClose();
  }
}

function filterOf({ raceIds, source, states, metadata }: StreamRacesRequest): { [K in keyof EtaFilter]: unknown } {
  return {
    ...(raceIds.length === 0 ? {} : { race_ids: raceIds }),
    ...(source === undefined ? {} : { source }),
    ...(states.length === 0 ? {} : { states: states.map(stateOf) }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: { ...metadata } }),
  };
}

function errorOf(status: number, { message, code }: Failure): ConnectError {
  return new ConnectError(message, codes[status] ?? (status >= 500 ? Code.Internal : Code.InvalidArgument), { 'raceline-code': code });
}

function requestOf(context: HandlerContext): NodeServerRequest {
  const request = context.values.get(requestKey);
  if (request === null) throw new ConnectError('The request is not known', Code.Internal);
  return request;
}

export function hostOf({ headers }: NodeServerRequest): string | undefined {
  const authority = headers[':authority'];
  return typeof authority === 'string' ? authority : headers.host;
}

type AdapterStatusBody = {
  readonly adapters: readonly {
    readonly id: string; readonly type: string; readonly instance: string; readonly display_name: string; readonly version: string; readonly pid: number | null;
    readonly registered_at: string; readonly last_report: string | null; readonly seconds_since_report: number | null; readonly state: keyof typeof adapterStates;
    readonly metrics: Readonly<Record<string, unknown>>;
  }[];
  readonly summary: { readonly total: number; readonly healthy: number; readonly unhealthy: number; readonly operational: boolean; readonly races_created: number; readonly races_updated: number; readonly last_update: string };
};

const adapterStates = {
  REGISTERED: AdapterState.REGISTERED, HEALTHY: AdapterState.HEALTHY, UNHEALTHY: AdapterState.UNHEALTHY, UNKNOWN: AdapterState.UNKNOWN, STOPPED: AdapterState.STOPPED, EXEMPT: AdapterState.EXEMPT,
} as const;

function statusMessage({ adapters, summary }: AdapterStatusBody, activeRaces: number) {
  const count = (value: unknown): bigint => (typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : 0n);
  return create(SystemStatusSchema, {
    adapters: adapters.map((adapter) => ({
      id: adapter.id, adapterType: adapter.type, instanceId: adapter.instance, displayName: adapter.display_name, version: adapter.version, state: adapterStates[adapter.state],
      registeredAt: instant(Date.parse(adapter.registered_at)), racesCreated: count(adapter.metrics['races_created']), racesUpdated: count(adapter.metrics['races_updated']),
      ...(adapter.last_report === null ? {} : { lastReport: instant(Date.parse(adapter.last_report)) }),
      ...(adapter.seconds_since_report === null ? {} : { secondsSinceReport: count(adapter.seconds_since_report) }),
      ...(adapter.pid === null ? {} : { pid: count(adapter.pid) }),
    })),
    totalAdapters: summary.total, healthyCount: summary.healthy, unhealthyCount: summary.unhealthy, stoppedCount: adapters.filter(({ state }) => state === 'STOPPED').length,
    allOperational: summary.operational, totalRacesCreated: count(summary.races_created), totalRacesUpdated: count(summary.races_updated),
    lastUpdate: instant(Date.parse(summary.last_update)), activeRaces: BigInt(activeRaces),
  });
}
