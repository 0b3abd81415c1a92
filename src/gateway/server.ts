import fastifyRateLimit from '@fastify/rate-limit';
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastifyWebsocket from '@fastify/websocket';
import fastify from 'fastify';
import { AppError, messageOf } from '../errors.ts';
import type { MeasuredJourney } from '../runtime/journey-gauges.ts';
import { isLoopback } from '../runtime/loopback.ts';
import { systemTimers } from '../runtime/timers.ts';
import { refuseChanges, requireTokens, SOCKET_PROTOCOL } from './access.ts';
import type { App } from './app.ts';
import { createAppender } from './appender.ts';
import { limitConnections } from './connection-limit.ts';
import type { GatewayContext, GatewayDeps } from './context.ts';
import { crossOriginHeaders, isOwnOrigin, originRefused, preflightHeaders } from './cross-origin.ts';
import { answerErrors, answerUnknown } from './errors-to-answers.ts';
import { eventStreamRoutes } from './live/event-stream.ts';
import { createFanout } from './live/fanout.ts';
import { failure } from './failures.ts';
import { firstEtas } from './live/first-eta.ts';
import { requireKnownHost } from './known-host.ts';
import { readClusterModels } from '../runtime/cluster-models.ts';
import { readRoutes } from '../runtime/route-store.ts';
import { startGrpc, type GrpcServer } from './grpc/grpc-server.ts';
import { followJourneys } from './journeys/journeys.ts';
import { withTiles } from './journeys/map-tiles.ts';
import { measuredJourneys } from './journeys/measured-journeys.ts';
import { knownRoutes } from './known-routes.ts';
import { openApiInfo, withOptionalBodies } from './openapi.ts';
import { pendingWrites } from './live/pending.ts';
import { accuracyRoutes } from './routes/accuracy.ts';
import { adapterRoutes } from './routes/adapters.ts';
import { adminRoutes } from './routes/admin.ts';
import { badgeRoutes } from './routes/badges.ts';
import { boardRoutes } from './routes/board.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { historicRoutes } from './routes/historic.ts';
import { journeyRoutes } from './routes/journeys.ts';
import { flightStatusRoutes } from './routes/flight-status.ts';
import { liveRoutes } from './routes/live.ts';
import { mapRoutes } from './routes/map.ts';
import { originEtaMetricRoutes } from './routes/origin-eta-metrics.ts';
import { originPoiRecordRoutes } from './routes/origin-poi-records.ts';
import { originPoiRoutes } from './routes/origin-pois.ts';
import { originRouteRoutes } from './routes/origin-routes.ts';
import { raceRoutes } from './routes/races.ts';
import { rebuildRoutes } from './routes/rebuilds.ts';
import { serviceRoutes } from './routes/service.ts';
import { sqlRoutes } from './routes/sql.ts';
import { telemetryRoutes } from './routes/telemetry.ts';
import { travelRoutes } from './routes/travel-routes.ts';
import { updateRoutes } from './routes/updates.ts';
import { createRouteEditor } from './journeys/route-editor.ts';
import { securityHeaders } from './security-headers.ts';
import { MAX_PAYLOAD_BYTES, socketRoutes } from './live/socket.ts';
import { validatorCompiler } from './validation.ts';
import { openView } from './live/view.ts';

export type Gateway = {
  /** `http://host:port`. */
  readonly address: string;
  /** null = no gRPC. */
  readonly grpcPort: number | null;
  /** Vehicles as its API shows them, for gauges. O(vehicles x milestones). */
  measuredJourneys(): MeasuredJourney[];
  /** Closes streams with 1001, lets requests in hand finish, stops reading. Idempotent. */
  close(): Promise<void>;
};

const BODY_LIMIT = 1024 * 1024;
const SWEEP_MS = 30_000;
const PAGE_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";
const CLOSE_LIMIT_MS = 5_000;

/**
 * Starts the gateway; resolves when it listens. The live view is restored meanwhile: until then the routes that need it
 * answer 503 `not_ready`, and so does /readyz.
 */
export async function startGateway(deps: GatewayDeps): Promise<Gateway> {
  const { app, listenGrpc, measured, close } = await buildGateway(deps);
  let grpcPort: number | null = null;
  if (deps.options?.tokens === undefined && !isLoopback(deps.host)) {
    deps.logger.warn({ host: deps.host }, 'The gateway is open to everybody who can reach it: set RACELINE_TOKENS_FILE, or bind it to 127.0.0.1');
  }
  try {
    await app.listen({ host: deps.host, port: deps.port });
    if (deps.grpcPort !== undefined) grpcPort = await listenGrpc(deps.grpcPort);
  } catch (error) {
    await close();
    throw error;
  }
  const bound = app.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : deps.port;
  return { address: `http://${deps.host.includes(':') ? `[${deps.host}]` : deps.host}:${port}`, grpcPort, measuredJourneys: measured, close };
}

/** The gateway without its listener: what the OpenAPI document is made from. */
export async function buildGateway(deps: GatewayDeps): Promise<{ readonly app: App; listenGrpc(port: number): Promise<number>; measured(): MeasuredJourney[]; close(): Promise<void> }> {
  const { log, codec, clock, logger, hooks = {}, options = {} } = deps;
  const { rateLimitPerSec = 2_000, allowedOrigins = [], allowedHosts = [], maxConnections = 12_000, maxHttpConnections = 4_096, readOnly = false, mapTiles = null, tokens } = options;
  const view = await openView({ log, codec, clock, logger });
  const partitions = await log.partitionCount('race-updates');
  const pending = pendingWrites(view, clock);
  const waiting = firstEtas(view, () => clock.nowMs());
  const updates = createAppender(log, 'race-updates', partitions);
  const fanout = createFanout({ view, clock, timers: systemTimers, onSlowClose: () => hooks.onSlowClose?.() });
  const sweeper = setInterval(() => {
    view.sweep();
    pending.sweep();
  }, SWEEP_MS);
  const routes = deps.routes ?? readRoutes({ log, codec, logger });
  const routeEditor = createRouteEditor({ log, codec, routes });
  const journeys = followJourneys({ log, codec, logger, partitions });
  const clusterModels = deps.clusterModels ?? readClusterModels({ log, codec, logger });
  const context: GatewayContext = {
    clusterModels, pilotSource: deps.pilotSource ?? null,
    ...(deps.runningRebuilds === undefined ? {} : { runningRebuilds: deps.runningRebuilds }),
    log, codec, history: deps.history, clock, logger, ready: deps.ready, metricsText: deps.metricsText, readRouteFile: deps.readRouteFile, view, routes, routeEditor, journeys, pending, updates, firstEtas: waiting, partitions,
    dataDir: deps.dataDir ?? null, readOnly, mapTiles,
    ...(deps.examine === undefined ? {} : { examine: deps.examine }),
  };

  const app: App = fastify({
    bodyLimit: BODY_LIMIT,
    // A client that drips its request holds a socket no longer than this.
    requestTimeout: 60_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    // Elsewhere an upgrade is a request like any other. Taken out of the server's hands, its socket would stay open
    // after the answer, uncounted.
    http: { shouldUpgradeCallback: (request) => /^\/v1\/etas(?:\?|$)/.test(request.url ?? '') },
    routerOptions: { maxParamLength: 1_000, ignoreTrailingSlash: false },
    frameworkErrors: (error, _request, reply) => {
      const refused = failure('invalid_request', error.message);
      reply.raw.writeHead(refused.status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(refused.body));
      void reply.hijack();
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  // Answers are what the handlers return, field by field in their order; their schemas are for readers.
  app.setSerializerCompiler(() => (value) => typeof value === 'string' ? value : JSON.stringify(value));
  // What a page of any site may send without asking first must not be taken for JSON.
  app.removeContentTypeParser('text/plain');
  answerErrors(app, logger);
  const known = knownRoutes(app);

  // In front of every check: it is this plugin that closes the socket of an upgrade that one of them refuses.
  await app.register(fastifyWebsocket, {
    options: { maxPayload: MAX_PAYLOAD_BYTES, handleProtocols: (offered) => offered.has(SOCKET_PROTOCOL) && SOCKET_PROTOCOL },
    preClose: (done) => {
      // Before the listener closes: clients learn why, and go to another gateway.
      fanout.close();
      app.websocketServer.close(() => done());
    },
  });
  app.addHook('onRequest', async (request, reply) => {
    // Only a refused one is answered by this.
    if (request.ws) void reply.header('connection', 'close');
  });
  requireKnownHost(app, { host: deps.host, allowedHosts });
  app.addHook('onRequest', async (request, reply) => {
    if (request.headers.origin === undefined) return;
    const foreign = crossOriginHeaders(request.headers, allowedOrigins);
    if (foreign !== null) void reply.headers(foreign);
    if (request.method === 'OPTIONS' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      if (!isOwnOrigin(request.headers, allowedOrigins)) throw originRefused(request.headers);
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    hooks.onRequest?.(request.method, request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime);
  });

  // On a loopback address every client is this machine: there is nobody to keep apart.
  const isLimited = rateLimitPerSec > 0 && !isLoopback(deps.host);
  if (isLimited) {
    await app.register(fastifyRateLimit, {
      max: rateLimitPerSec,
      timeWindow: 1_000,
      allowList: (request) => isLoopback(request.ip),
      errorResponseBuilder: (_request, { max }) => failure('rate_limited', `At most ${max} requests a second from one address`),
    });
  }
  answerUnknown(app, known, isLimited);
  if (tokens !== undefined) requireTokens(app, tokens);
  if (readOnly) refuseChanges(app);
  const secure = await securityHeaders();
  app.addHook('onRequest', (_request, reply, done) => {
    for (const [name, value] of secure) reply.raw.setHeader(name, value);
    done();
  });
  await app.register(fastifySwagger, { openapi: openApiInfo, transformObject: (built) => ('openapiObject' in built ? withOptionalBodies(built.openapiObject) : built.swaggerObject) });
  await app.register(fastifySwaggerUi, { routePrefix: '/docs', staticCSP: PAGE_POLICY });
  app.options('/*', { schema: { hide: true } }, async (_request, reply) => reply.headers(preflightHeaders).code(204).send());
  for (const register of [raceRoutes, liveRoutes, badgeRoutes, historicRoutes, accuracyRoutes, updateRoutes, telemetryRoutes, travelRoutes, journeyRoutes, flightStatusRoutes, originRouteRoutes, originPoiRoutes, originPoiRecordRoutes, originEtaMetricRoutes, mapRoutes, sqlRoutes, deadLetterRoutes, adapterRoutes, rebuildRoutes, adminRoutes, serviceRoutes]) {
    await app.register(async (scope) => register(scope as App, context));
  }
  boardRoutes(app, { pagePolicy: withTiles(PAGE_POLICY, mapTiles) });
  const socketOptions = {
    fanout, view, maxConnections, allowedOrigins,
    onOpen: () => hooks.onSocketOpen?.(),
    onClose: () => hooks.onSocketClose?.(),
  };
  await app.register(async (scope) => {
    socketRoutes(scope as App, socketOptions);
    eventStreamRoutes(scope as App, socketOptions);
  });

  limitConnections(app.server, { max: maxHttpConnections, streams: () => fanout.size() });

  let grpc: GrpcServer | null = null;
  const listenGrpc = async (port: number): Promise<number> => {
    try {
      grpc = await startGrpc({ ...socketOptions, app, host: deps.host, port, allowedHosts, tokens: tokens ?? null });
    } catch (error) {
      throw new AppError('config_invalid', `Cannot listen on RACELINE_GRPC_PORT ${port}: ${messageOf(error)}`, { cause: error });
    }
    return grpc.port;
  };
  let closing: Promise<void> | null = null;
  const closeAll = async (): Promise<void> => {
    clearInterval(sweeper);
    waiting.close();
    fanout.close();
    await grpc?.close();
    // Requests in hand get this long; one that waits for its client's next byte would hold everything.
    const limit = setTimeout(() => app.server.closeAllConnections(), CLOSE_LIMIT_MS);
    await app.close();
    clearTimeout(limit);
    await updates.drain();
    await routeEditor.drain();
    await view.close();
    await journeys.close();
    if (deps.routes === undefined) await routes.close();
    if (deps.clusterModels === undefined) await clusterModels.close();
  };
  return { app, listenGrpc, measured: () => measuredJourneys(context, clock.nowMs()), close: () => closing ??= closeAll() };
}
