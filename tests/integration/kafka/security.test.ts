import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { KafkaConfig } from '../../../src/config.ts';
import type { RecordLog, TopicDefinition } from '../../../src/ports/record-log.ts';
import { makeCertificates, whyNoOpenssl, type Certificates } from '../../support/engines/certificates.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { startKafka, type KafkaCluster } from '../../support/engines/kafka.ts';
import { kafkaConfig } from '../../support/engines/kafka-client.ts';

const definition: TopicDefinition = { name: 'race-updates', partitions: 1, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const USER = 'raceline';
const PASSWORD = 'open-sesame-7c1d';

describe.skipIf(whyNoEngines() !== null || whyNoOpenssl() !== null)('with TLS, client certificates and SASL', { timeout: 120_000 }, () => {
  let dir: string;
  let certificates: Certificates;
  let cluster: KafkaCluster;
  const said: string[] = [];
  const keep = (details: object, message: string): void => { said.push(`${message} ${JSON.stringify(details)}`); };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'raceline-tls-'));
    certificates = await makeCertificates(dir);
    cluster = await startKafka({
      brokers: 1,
      scramUsers: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((mechanism) => `${mechanism}=[name=${USER},password=${PASSWORD}]`),
      settings: ({ port, controllerPort }) => ({
        'listeners': `SASL_SSL://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        'advertised.listeners': `SASL_SSL://127.0.0.1:${port}`,
        'listener.security.protocol.map': 'SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name': 'SASL_SSL',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="b" user_broker="b" user_${USER}="${PASSWORD}";`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': certificates.serverFile,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': certificates.caFile,
        'ssl.client.auth': 'required',
      }),
    });
  });

  afterAll(async () => {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  function open(changes: Partial<KafkaConfig>, topicPrefix: string): Promise<RecordLog> {
    const config: KafkaConfig = {
      ...kafkaConfig(cluster.brokers),
      tls: { caFile: certificates.caFile, certFile: certificates.clientCertFile, keyFile: certificates.clientKeyFile },
      sasl: { mechanism: 'plain', username: USER, password: PASSWORD },
      ...changes,
    };
    return openKafkaLog({ config, topicPrefix, clientId: 'secure', logger: { debug: keep, info: keep, warn: keep, error: keep } });
  }

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('logs in by %s, writes and reads', async (mechanism) => {
    const log = await open({ sasl: { mechanism, username: USER, password: PASSWORD } }, `${mechanism}.`);
    await log.ensureTopics([definition]);
    expect(await log.append('race-updates', 0, [{ key: null, value: Buffer.from('a') }])).toBe(0);
    const read: string[] = [];
    const reader = log.readPartitions({ topic: 'race-updates', partitions: [0], from: () => 'earliest', onRecords: (records) => { read.push(...records.map((record) => String(record.value))); } });
    await reader.caughtUp;
    expect(read).toEqual(['a']);
    await log.close();
  });

  it('refuses a wrong password at once and never says it, nor the right one', async () => {
    await expect(open({ sasl: { mechanism: 'scram-sha-512', username: USER, password: 'wrong-9d2e' } }, 'x.')).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(open({ sasl: { mechanism: 'plain', username: USER, password: 'wrong-9d2e' } }, 'x.')).rejects.toSatisfy((error: Error) => !error.message.includes('wrong-9d2e'));
    expect(said.join('\n')).not.toMatch(/wrong-9d2e|open-sesame/);
  });

  it('names the setting of a file that cannot be read', async () => {
    await expect(open({ tls: { caFile: join(dir, 'missing.pem'), certFile: '', keyFile: '' } }, 'x.')).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('KAFKA_TLS_CA_FILE') });
    await expect(open({ tls: { caFile: certificates.caFile, certFile: certificates.clientCertFile, keyFile: '' } }, 'x.')).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
