import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { partitionCounts, topics } from '../topology/topics.ts';
import { createCodec } from './adapters/avro/codec.ts';
import { confluentRegistry } from './adapters/avro/confluent-registry.ts';
import { embeddedRegistry } from './adapters/avro/embedded-registry.ts';
import { openHistoryStore } from './adapters/clickhouse/history-store.ts';
import { openLocalLog } from './adapters/local-log/local-log.ts';
import { openRebuildPool } from './adapters/piscina/rebuild-pool.ts';
import { readRouteFile } from './adapters/route-files/read-route-file.ts';
import { sqliteStorage } from './adapters/local-log/sqlite-storage.ts';
import { readConfig, type Config, type KafkaConfig } from './config.ts';
import { AppError, messageOf } from './errors.ts';
import { startMonitor } from './gateway/monitor.ts';
import { startGateway } from './gateway/server.ts';
import { openTokens } from './gateway/tokens.ts';
import type { Clock } from './ports/clock.ts';
import type { Codec } from './ports/codec.ts';
import type { HistoryStore } from './ports/history-store.ts';
import type { Logger } from './ports/logger.ts';
import type { RecordLog, TopicDefinition } from './ports/record-log.ts';
import { examine, type DoctorReport, type Patient } from './runtime/doctor.ts';
import { runHistorian } from './runtime/historian.ts';
import { runJourneys } from './runtime/journeys.ts';
import { runLearner } from './runtime/learner.ts';
import { watchLog } from './runtime/log-watch.ts';
import { isLoopback } from './runtime/loopback.ts';
import { createMetrics, type Metrics } from './runtime/metrics.ts';
import { runPipeline } from './runtime/pipeline.ts';
import { readClusterModels } from './runtime/cluster-models.ts';
import { readRoutes } from './runtime/route-store.ts';
import { runRebuilder, type Rebuilder } from './runtime/rebuilder.ts';
import { createReadiness, type Readiness } from './runtime/readiness.ts';
import { whileUnavailable } from './runtime/while-unavailable.ts';

type Env = Readonly<Record<string, string | undefined>>;

export type Service = {
  /** `http://host:port` of the gateway; without one, of the probes and metrics. */
  readonly address: string;
  /** Where the gateway speaks gRPC; null = nowhere. */
  readonly grpcPort: number | null;
  /** Stops fetching, finishes what is in hand, closes the engines. Idempotent. */
  close(): Promise<void>;
};

/** A rebuild of 100,000 distinct races takes some 200. */
const REBUILD_HEAP_MB = 1_024;
const systemClock: Clock = { nowMs: () => Date.now() };

/**
 * Starts every configured role in this process; resolves when each of them runs. The registry and ClickHouse are waited
 * for without end; `stopping` ends that: what was started is closed, and the promise rejects with the signal's reason.
 */
export async function startService(env: Env, stopping: AbortSignal = new AbortController().signal): Promise<Service> {
  const config = readConfig(env);
  const logger = createLogger(config);
  const metrics = createMetrics(config.maxSourceLabels);
  const readiness = createReadiness(config.roles);
  const closers: { readonly name: string; readonly close: () => Promise<void> }[] = [];
  const onClose = (name: string, close: () => Promise<void>): void => {
    closers.unshift({ name, close });
  };

  let closing: Promise<void> | null = null;
  async function closeAll(): Promise<void> {
    readiness.stopping();
    for (const { name, close } of closers) {
      await close().catch((error: unknown) => logger.error({ error: messageOf(error) }, `Could not close ${name}`));
    }
  }
  const close = (): Promise<void> => (closing ??= closeAll());

  try {
    let address = '';
    let grpcPort: number | null = null;
    if (!config.roles.includes('gateway')) {
      // Before the engines: a probe must see the start, and a start that hangs.
      const monitor = await startMonitor({ host: config.host, port: config.port, ready: () => readiness.report(), metricsText: () => metrics.registry.metrics(), logger });
      address = monitor.address;
      onClose('the monitor', () => monitor.close());
    }
    const { log, codec } = await openEngines(config, logger);
    onClose('the record log', () => log.close());
    await log.ensureTopics(topicDefinitions(config));
    await whileUnavailable(() => codec.register(), { code: 'registry_unavailable', logger, stopping });
    const watch = watchLog({ log, clock: systemClock, logger });
    onClose('the watch over the log', async () => watch.close());
    metrics.observe({ clock: systemClock, readiness: () => readiness.report(), watch });

    const history = await openHistory(config, logger, metrics, readiness);
    if (history !== null) onClose('ClickHouse', () => history.close());

    const clusterModels = readClusterModels({ log, codec, logger });
    onClose('the cluster models', () => clusterModels.close());
    const routes = (['gateway', 'pipeline', 'journeys'] as const).some((role) => config.roles.includes(role)) ? readRoutes({ log, codec, logger }) : null;
    if (routes !== null) onClose('the routes', () => routes.close());
    let rebuilder: Rebuilder | null = null;
    if (routes !== null && config.roles.includes('gateway')) {
      const gateway = await startGateway({
        host: config.host, port: config.port, grpcPort: config.grpcPort, log, codec, history, clock: systemClock, logger, clusterModels, routes,
        runningRebuilds: () => rebuilder?.running() ?? [],
        pilotSource: config.pilotSource,
        ready: () => readiness.report(),
        metricsText: () => metrics.registry.metrics(),
        readRouteFile,
        dataDir: config.kafka === null || config.clickhouse.url === null ? config.dataDir : null,
        examine: () => examine(patientOf(config, { log, codec, history: history ?? historyFailure(readiness) })),
        hooks: metrics.gatewayHooks,
        options: {
          rateLimitPerSec: config.rateLimitPerSec, allowedOrigins: config.allowedOrigins, allowedHosts: config.allowedHosts, maxConnections: config.maxConnections, maxHttpConnections: config.maxHttpConnections, readOnly: config.readOnly, mapTiles: config.mapTiles,
          ...(config.tokensFile === null ? {} : { tokens: openTokens({ path: config.tokensFile, clock: systemClock, logger }) }),
        },
      });
      address = gateway.address;
      grpcPort = gateway.grpcPort;
      metrics.observe({ journeys: () => gateway.measuredJourneys() });
      onClose('the gateway', () => gateway.close());
      readiness.running('gateway');
    }
    if (routes !== null && config.roles.includes('pipeline')) {
      const learner = await runLearner({ log, codec, clock: systemClock, logger, clusterModels });
      onClose('the learner', () => learner.close());
      const pipeline = await runPipeline({
        log, codec, learner, routes, clock: systemClock, logger, hooks: metrics.pipelineHooks,
        finishedTtlMs: config.finishedTtlHours * 3_600_000, writerId: randomUUID(),
      });
      watch.watch(pipeline);
      metrics.observe({ pipeline });
      onClose('the pipeline', () => pipeline.close());
      readiness.running('pipeline');
    }
    if (routes !== null && config.roles.includes('journeys')) {
      const journeys = await runJourneys({ log, codec, routes, clock: systemClock, logger, writerId: randomUUID() });
      onClose('the journeys', () => journeys.close());
      readiness.running('journeys');
    }
    if (history !== null && config.roles.includes('historian')) {
      // ETAs go on meanwhile: what is to be stored waits in the log.
      await whileUnavailable(() => history.migrate(), { code: 'history_unavailable', logger, stopping });
      const historian = await runHistorian({ log, codec, store: history, clock: systemClock, logger, hooks: metrics.historianHooks });
      onClose('the historian', () => historian.close());
      metrics.observe({ historian });
      readiness.running('historian');
    }
    if (history !== null && config.roles.includes('rebuilder')) {
      await whileUnavailable(() => history.migrate(), { code: 'history_unavailable', logger, stopping });
      rebuilder = await runRebuilder({
        log, codec, store: history, clusterModels, clock: systemClock, logger, hooks: metrics.rebuilderHooks, pilot: config.pilotSource,
        pool: openRebuildPool({ threads: 1, maxWaiting: 16, maxHeapMb: REBUILD_HEAP_MB }),
      });
      const { close: closeRebuilder } = rebuilder;
      onClose('the rebuilder', closeRebuilder);
      readiness.running('rebuilder');
    }
    return { address, grpcPort, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * ClickHouse where a role needs it. Without the optional package of the embedded one only history is missing: the
 * rest runs, and says so.
 */
async function openHistory(config: Config, logger: Logger, metrics: Metrics, readiness: Readiness): Promise<HistoryStore | null> {
  const { roles, clickhouse, dataDir, historyTtlDays } = config;
  // A gateway by itself cannot read the embedded store of another process.
  if (!roles.includes('historian') && !roles.includes('rebuilder') && !(roles.includes('gateway') && clickhouse.url !== null)) return null;
  try {
    return await openHistoryStore({ config: clickhouse, dataDir, historyTtlDays, logger, onInsert: metrics.onInsert });
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'optional_missing')) throw error;
    logger.error({ code: error.code }, `Running without history: ${error.message}`);
    for (const role of ['historian', 'rebuilder'] as const) if (roles.includes(role)) readiness.unavailable(role, error.message);
    return null;
  }
}

/** Looks at the engines of the settings from outside of a service, and closes them. Rejects with `config_invalid` only. */
export async function examineEngines(env: Env): Promise<DoctorReport> {
  const config = readConfig({ RACELINE_LOG_LEVEL: 'silent', ...env });
  const logger = createLogger(config);
  const opened = <T>(opening: Promise<T>): Promise<T | AppError> => opening.catch((error: unknown) => error instanceof AppError ? error : new AppError('internal', messageOf(error)));
  const log = await opened(openRecordLog(config, logger));
  const codec = await opened((async () => openCodec(config, logger))());
  const needsHistory = config.roles.includes('historian') || config.roles.includes('rebuilder') || config.clickhouse.url !== null;
  const history = needsHistory ? await opened(openHistoryStore({ config: config.clickhouse, dataDir: config.dataDir, historyTtlDays: config.historyTtlDays, logger })) : null;
  try {
    return await examine(patientOf(config, { log, codec, history }));
  } finally {
    if (history !== null && !(history instanceof AppError)) await history.close();
    if (!(log instanceof AppError)) await log.close();
  }
}

function patientOf(config: Config, engines: Pick<Patient, 'log' | 'codec' | 'history'>): Patient {
  const isOpen = config.roles.includes('gateway') && config.tokensFile === null && !isLoopback(config.host);
  return {
    ...engines,
    topics: topicDefinitions(config),
    clock: systemClock,
    dataDir: config.kafka === null || config.clickhouse.url === null ? config.dataDir : null,
    packages: [
      { name: 'chdb', missing: isInstalled('chdb/connection') || config.clickhouse.url !== null ? null : 'there is no history without it or CLICKHOUSE_URL' },
      { name: 'hnswlib-node', missing: isInstalled('hnswlib-node') ? null : 'where clusters are too dear to find exactly, only a sample of races is looked at' },
    ],
    openGateway: isOpen ? `Whoever can reach ${config.host}:${config.port} may read and change everything` : null,
    nodeVersion: process.versions.node,
  };
}

/** Why this instance has no history though it should. */
function historyFailure(readiness: Readiness): AppError | null {
  const state = readiness.report().roles['historian'];
  return state?.startsWith('unavailable') === true ? new AppError('optional_missing', state) : null;
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** Opens the configured log and registers the schemas, without starting a role: for commands that produce or look. */
export async function openLog(env: Env): Promise<{ readonly log: RecordLog; readonly codec: Codec; readonly topics: readonly TopicDefinition[] }> {
  const config = readConfig(env);
  const { log, codec } = await openEngines(config, createLogger(config));
  await codec.register();
  return { log, codec, topics: topicDefinitions(config) };
}

/** The codec without a registry: for commands that need no engine. */
export function embeddedCodec(): Codec {
  return createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
}

async function openEngines(config: Config, logger: Logger): Promise<{ log: RecordLog; codec: Codec }> {
  return { log: await openRecordLog(config, logger), codec: openCodec(config, logger) };
}

async function openRecordLog(config: Config, logger: Logger): Promise<RecordLog> {
  return config.kafka === null ? openEmbeddedLog(config, logger) : openKafka(config.kafka, config.topicPrefix, logger);
}

function openCodec(config: Config, logger: Logger): Codec {
  const registry = config.registry === null ? embeddedRegistry() : confluentRegistry({ ...config.registry, logger });
  return createCodec({ registry, etaFormat: config.etaFormat, topicPrefix: config.kafka === null ? '' : config.topicPrefix, logger });
}

/** Loaded only when it is configured: the embedded default needs neither kafkajs nor its codecs' native packages. */
async function openKafka(config: KafkaConfig, topicPrefix: string, logger: Logger): Promise<RecordLog> {
  const { openKafkaLog } = await import('./adapters/kafka/kafka-log.ts');
  return openKafkaLog({ config, topicPrefix, clientId: 'raceline', logger });
}

function openEmbeddedLog(config: Config, logger: Logger): RecordLog {
  mkdirSync(config.dataDir, { recursive: true });
  return openLocalLog({ storage: sqliteStorage({ path: join(config.dataDir, 'log.db') }), clock: systemClock, logger });
}

function topicDefinitions(config: Config): TopicDefinition[] {
  const counts = config.kafka === null ? partitionCounts.embedded : { ...partitionCounts.kafka, races: config.kafka.partitions };
  return topics.map(({ name, partitions, cleanup, retentionMs, minCompactionLagMs }) => ({ name, partitions: counts[partitions], cleanup, retentionMs, minCompactionLagMs }));
}

/** Structured logs on stderr, so that stdout stays for results; secrets are cut out wherever they stand. */
function createLogger(config: Config): Logger {
  return pino(
    { level: config.logLevel, redact: { paths: ['password', '*.password', 'sasl', '*.sasl', 'headers.authorization', '*.headers.authorization'], censor: '[redacted]' } },
    pino.destination({ dest: 2, sync: false }),
  );
}
