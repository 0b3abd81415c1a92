import { randomUUID } from 'node:crypto';
import { describe } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import { sharedKafka, whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { recordLogContract } from './suite.ts';

describe.skipIf(whyNoEngines() !== null)('with a real broker', () => {
  recordLogContract('Kafka', async () => {
    const log = await openKafkaLog({ config: kafkaConfig([await sharedKafka()]), topicPrefix: `contract-${randomUUID()}.`, clientId: 'contract', logger: quietLogger });
    return { log, slow: true, cleanup: () => log.close() };
  });
});
