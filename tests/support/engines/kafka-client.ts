import type { KafkaConfig } from '../../../src/config.ts';
import type { Logger } from '../../../src/ports/logger.ts';

export function kafkaConfig(brokers: readonly string[]): KafkaConfig {
  return { brokers, tls: null, sasl: null, partitions: 4, replication: 0, sessionTimeoutSec: 6 };
}

const silent = (): void => {};
/** RACELINE_TEST_LOG=1 prints what the adapter says. */
const print = process.env['RACELINE_TEST_LOG'] === '1' ? (details: object, message: string): void => console.log(new Date().toISOString(), message, JSON.stringify(details)) : silent;

export const quietLogger: Logger = { debug: print, info: print, warn: print, error: print };
