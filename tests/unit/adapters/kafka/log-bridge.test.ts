import kafkajs, { type LogEntry } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { createRequire } from 'node:module';
import { bridgeLogs } from '../../../../src/adapters/kafka/log-bridge.ts';
import type { Logger } from '../../../../src/ports/logger.ts';

const { errorCodes } = createRequire(import.meta.url)('kafkajs/src/protocol/error.js') as { errorCodes: { type: string; message: string }[] };

function recorded(secrets: readonly string[], entries: readonly Pick<LogEntry, 'level' | 'log'>[]): string[] {
  const lines: string[] = [];
  const write = (level: string) => (details: object, message: string): void => { lines.push(`${level} ${message} ${JSON.stringify(details)}`); };
  const logger: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const log = bridgeLogs(logger, secrets)(kafkajs.logLevel.WARN);
  for (const entry of entries) log({ namespace: 'Connection', label: '', ...entry });
  return lines;
}

const timestamp = '2026-01-01T00:00:00.000Z';

describe('bridgeLogs()', () => {
  it('makes warnings of errors, passes on known fields only and cuts out secrets', () => {
    const [line] = recorded(['hunter2'], [{
      level: kafkajs.logLevel.ERROR,
      log: { timestamp, message: 'Login of bob:hunter2 failed', logger: 'kafkajs', broker: 'b:9092', error: 'bad hunter2', payload: 'hunter2', stack: 'at hunter2' },
    }]);
    expect(line).toBe('warn Login of bob:*** failed {"from":"kafkajs Connection","broker":"b:9092","error":"bad ***"}');
  });

  it('says quietly what passes by itself, but not other answers', () => {
    const answer = (error: string) => ({ level: kafkajs.logLevel.ERROR, log: { timestamp, message: 'Response ListOffsets(key: 2, version: 3)', logger: 'kafkajs', error } });
    // As kafkajs words it: where it changes its words, this is to be seen.
    const passing = ['NOT_LEADER_FOR_PARTITION', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS', 'NOT_COORDINATOR_FOR_GROUP', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION', 'REBALANCE_IN_PROGRESS']
      .map((type) => errorCodes.find((one) => one.type === type)!.message);
    expect(recorded([], passing.map(answer)).map((line) => line.split(' ')[0])).toEqual(passing.map(() => 'debug'));
    expect(recorded([], [answer('Topic authorization failed')])).toEqual(['warn Response ListOffsets(key: 2, version: 3) {"from":"kafkajs Connection","error":"Topic authorization failed"}']);
  });

  it('says the rest quietly, and nothing about bounded retries', () => {
    expect(recorded([''], [
      { level: kafkajs.logLevel.INFO, log: { timestamp, message: 'Starting', logger: 'kafkajs' } },
      { level: kafkajs.logLevel.WARN, log: { timestamp, message: 'Limiting retries for the idempotent producer may invalidate EoS guarantees', logger: 'kafkajs' } },
    ])).toEqual(['debug Starting {"from":"kafkajs Connection"}']);
  });
});
