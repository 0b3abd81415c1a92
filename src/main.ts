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
import { sqliteStorage } from './adapters/local-log/sqlite-storage.ts';
import { readConfig, type Config, type KafkaConfig } from './config.ts';
import { AppError, messageOf } from './errors.ts';
import { startGateway } from './gateway/server.ts';
import type { Clock } from './ports/clock.ts';
import type { Codec } from './ports/codec.ts';
import type { HistoryStore } from './ports/history-store.ts';
import type { Logger } from './ports/logger.ts';
import type { RecordLog, TopicDefinition } from './ports/record-log.ts';
import { runHistorian } from './runtime/historian.ts';
import { runLearner } from './runtime/learner.ts';
import { createMetrics, type Metrics } from './runtime/metrics.ts';
import { runPipeline } from './runtime/pipeline.ts';
import { createReadiness, type Readiness } from './runtime/readiness.ts';
import { whileUnavailable } from './runtime/while-unavailable.ts';

type Env = Readonly<Record<string, string | undefined>>;

export type Service = {
  /** Of the gateway, `http://host:port`; empty when this instance has no gateway. */
  readonly address: string;
  /** Stops fetching, finishes what is in hand, closes the engines. Idempotent. */
  close(): Promise<void>;
};

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
    const { log, codec } = await openEngines(config, logger);
    onClose('the record log', () => log.close());
    await log.ensureTopics(topicDefinitions(config));
    await whileUnavailable(() => codec.register(), { code: 'registry_unavailable', logger, stopping });

    const history = await openHistory(config, logger, metrics, readiness);
    if (history !== null) onClose('ClickHouse', () => history.close());

    let address = '';
    if (config.roles.includes('gateway')) {
      const gateway = await startGateway({
        host: config.host, port: config.port, log, codec, history, clock: systemClock, logger,
        ready: () => readiness.report(),
        metricsText: () => metrics.registry.metrics(),
        hooks: metrics.gatewayHooks,
        options: { rateLimitPerSec: config.rateLimitPerSec, allowedOrigins: config.allowedOrigins, maxConnections: config.maxConnections },
      });
      address = gateway.address;
      onClose('the gateway', () => gateway.close());
      readiness.running('gateway');
    }
    if (config.roles.includes('pipeline')) {
      const learner = await runLearner({ log, codec, clock: systemClock, logger, onFolded: metrics.onHistory });
      onClose('the learner', () => learner.close());
      const pipeline = await runPipeline({
        log, codec, learner, clock: systemClock, logger, hooks: metrics.pipelineHooks,
        finishedTtlMs: config.finishedTtlHours * 3_600_000, writerId: randomUUID(),
      });
      metrics.observePipeline(pipeline);
      onClose('the pipeline', () => pipeline.close());
      readiness.running('pipeline');
    }
    if (history !== null && config.roles.includes('historian')) {
      // ETAs go on meanwhile: what is to be stored waits in the log.
      await whileUnavailable(() => history.migrate(), { code: 'history_unavailable', logger, stopping });
      const historian = await runHistorian({ log, codec, store: history, clock: systemClock, logger, hooks: metrics.historianHooks });
      onClose('the historian', () => historian.close());
      metrics.observeGauge('raceline_history_lag_records', 'Records of the log that are not in ClickHouse yet', () => historian.lag().reduce((sum, { records }) => sum + records, 0));
      readiness.running('historian');
    }
    return { address, close };
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
  if (!roles.includes('historian') && !(roles.includes('gateway') && clickhouse.url !== null)) return null;
  try {
    return await openHistoryStore({ config: clickhouse, dataDir, historyTtlDays, logger, onInsert: metrics.onInsert });
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'optional_missing')) throw error;
    logger.error({ code: error.code }, `Running without history: ${error.message}`);
    readiness.unavailable('historian', error.message);
    return null;
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
  const log = config.kafka === null ? openEmbeddedLog(config, logger) : await openKafka(config.kafka, config.topicPrefix, logger);
  const registry = config.registry === null ? embeddedRegistry() : confluentRegistry({ ...config.registry, logger });
  return { log, codec: createCodec({ registry, etaFormat: config.etaFormat, topicPrefix: config.kafka === null ? '' : config.topicPrefix, logger }) };
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
