import { readFileSync } from 'node:fs';
import kafkajs, { type Kafka, type KafkaConfig as KafkajsConfig, type RetryOptions, type SASLOptions } from 'kafkajs';
import type { KafkaConfig } from '../../config.ts';
import { AppError, messageOf } from '../../errors.ts';
import type { Logger } from '../../ports/logger.ts';
import { registerCodecs } from './codecs.ts';
import { installFastBatches } from './fast-batches.ts';
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from './limits.ts';
import { bridgeLogs } from './log-bridge.ts';
import { repairRequestTimer } from './request-timer.ts';

/** Of consumers and admin: short waits, many tries; a broker's death costs about three seconds. */
export const clientRetry: RetryOptions = { initialRetryTime: 50, multiplier: 1.3, factor: 0.2, maxRetryTime: 500, retries: 40 };

/** A kafkajs client from the settings. Reads the TLS files; `config_invalid` where one cannot be read. */
export function createClient(config: KafkaConfig, clientId: string, logger: Logger): Kafka {
  registerCodecs();
  repairRequestTimer();
  installFastBatches();
  const options: KafkajsConfig = {
    clientId,
    brokers: [...config.brokers],
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: CONNECT_TIMEOUT_MS * 2,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: clientRetry,
    logLevel: kafkajs.logLevel.WARN,
    logCreator: bridgeLogs(logger, config.sasl === null ? [] : [config.sasl.password]),
    ssl: config.tls === null ? false : readTls(config.tls),
  };
  if (config.sasl !== null) options.sasl = saslOptions(config.sasl);
  return new kafkajs.Kafka(options);
}

function readTls(tls: NonNullable<KafkaConfig['tls']>): NonNullable<KafkajsConfig['ssl']> {
  const options: { ca?: string[]; cert?: string; key?: string } = {};
  if (tls.caFile !== '') options.ca = [readPem('KAFKA_TLS_CA_FILE', tls.caFile)];
  if ((tls.certFile === '') !== (tls.keyFile === '')) {
    throw new AppError('config_invalid', 'Cannot start: KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE must be given together');
  }
  if (tls.certFile !== '') {
    options.cert = readPem('KAFKA_TLS_CERT_FILE', tls.certFile);
    options.key = readPem('KAFKA_TLS_KEY_FILE', tls.keyFile);
  }
  return Object.keys(options).length === 0 ? true : options;
}

function readPem(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('config_invalid', `Cannot start: ${setting} must be a readable PEM file, got "${path}": ${messageOf(error)}`, { cause: error });
  }
}

function saslOptions({ mechanism, username, password }: NonNullable<KafkaConfig['sasl']>): SASLOptions {
  switch (mechanism) {
    case 'plain': return { mechanism: 'plain', username, password };
    case 'scram-sha-256': return { mechanism: 'scram-sha-256', username, password };
    case 'scram-sha-512': return { mechanism: 'scram-sha-512', username, password };
  }
}
