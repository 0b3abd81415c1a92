import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { confluentRegistry } from '../../../src/adapters/avro/confluent-registry.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { emptyUpdate, type RaceUpdate } from '../../../src/race/update.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { freePort } from '../../support/free-port.ts';
import { enter } from '../../support/faults/audit.ts';
import { openCampaign } from '../../support/faults/campaign.ts';
import { isLong, report } from '../../support/faults/report.ts';
import { openTcpProxy, type TcpProxy } from '../../support/faults/tcp-proxy.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { MARKER_SOURCE } from '../../support/load.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const schemaText = readFileSync(new URL('../../../schemas/avro/race-update.avsc', import.meta.url), 'utf8');

describe.skipIf(whyNoEngines() !== null)('a service whose registry fails', { timeout: 180_000 }, () => {
  const directory = temporaryDirectory();
  let kafka: KafkaSetting;
  let log: RecordLog;
  let link: TcpProxy;
  let env: Record<string, string>;
  let service: RunningService;

  beforeAll(async () => {
    kafka = await kafkaSetting();
    log = await kafka.openLog();
    const registry = new URL(kafka.registry);
    link = await openTcpProxy({ port: Number(registry.port) });
    registry.port = String(link.port);
    env = { ...kafka.env, SCHEMA_REGISTRY_URL: registry.href, RACELINE_DATA_DIR: directory.path };
  }, 120_000);

  afterAll(async () => {
    await service?.kill();
    await log?.close();
    await link?.close();
    directory.remove();
  });

  test('a service that starts while the registry is away waits for it, and says so', async () => {
    link.become({ kind: 'refuse' });
    const starting = startService(env, { deadlineMs: 150_000 });
    starting.catch(() => undefined);
    // One look-up is four tries; then it says that it waits.
    await waitUntil('it has asked more than once', () => link.refusals() > 4, 60_000);
    if (isLong) await delay(60_000);
    link.become({ kind: 'open' });
    const backAtMs = performance.now();
    service = await starting;
    expect(service.logs()).toContain('Waiting for an engine');
    report({ fault: `Registry: away for ${isLong ? '60 s' : 'some tries'} when the service starts`, seen: 'it waits, says so once for each try, and starts by itself', etaMs: performance.now() - backAtMs, historyMs: null, audit: 'nothing to lose yet' });
  });

  test('known schemas need no registry; unknown ids hold up their partition until it is back: then one is read, the other a dead letter', async () => {
    const campaign = openCampaign({ url: () => service.url, partitions: kafka.partitions, endOffset: kafka.endOffset });
    const codec = createCodec({ registry: confluentRegistry({ url: kafka.registry, username: '', password: '' }), etaFormat: 'avro', topicPrefix: kafka.prefix });
    await codec.register();
    await campaign.endure({
      name: `Registry: away for ${isLong ? 60 : 3} s in flight, with records of a schema that only it knows and of one that nobody knows`,
      load: isLong ? { liveSpanMs: 40_000, liveRaces: 200 } : {},
      async act({ ledger, etaOfNewRaces }) {
        const foreignId = await registerForeignSchema(kafka.registry, kafka.prefix);
        link.become({ kind: 'refuse' });
        link.reset();
        const etaMs = await etaOfNewRaces();
        const nowMs = Date.now();
        const update: RaceUpdate = { ...emptyUpdate('foreign-schema', MARKER_SOURCE, nowMs), title: 'marker', state: 'passed', started_at: nowMs - 1_000, completed_at: nowMs };
        const own = codec.encode('race-updates', update);
        const partition = partitionOf(update.race_id, kafka.partitions);
        await log.append('race-updates', partition, [framed(update.race_id, own, foreignId), framed(update.race_id, own, 0x7ffffff0)]);
        enter(ledger, { items: [{ dueMs: nowMs, update }], history: new Set(), live: new Set([update.race_id]), endings: new Map([[update.race_id, update]]) }, { resent: 0, repeated: 0 });
        ledger.refused += 1;
        await delay(isLong ? 60_000 : 3_000);
        expect(await deadLetters('unknown_schema')).toEqual([]);
        link.become({ kind: 'open' });
        await waitUntil('the unknown one is a dead letter', async () => (await deadLetters('unknown_schema')).length === 1, 30_000);
        return `ETAs of known schemas went on (${Math.round(etaMs)} ms); the partition with the unknown ids waited; then one was applied, the other is a dead letter (unknown_schema)`;
      },
    });
  });

  test('an incompatible schema in the registry ends the start with its code', async () => {
    const prefix = `${kafka.prefix}other.`;
    const incompatible = JSON.stringify({ type: 'record', name: 'RaceUpdate', namespace: 'raceline', fields: [{ name: 'race_id', type: 'int' }, { name: 'weight', type: 'bytes' }] });
    await registerSchema(kafka.registry, `${prefix}race-updates-value`, incompatible);
    const failed = startService({ ...env, RACELINE_TOPIC_PREFIX: prefix, RACELINE_ROLES: 'gateway' }, { port: await freePort() });
    await expect(failed).rejects.toThrow(/schema_incompatible: .*race-updates-value/);
    report({ fault: 'Registry: holds an incompatible schema when the service starts', seen: 'ends at once with schema_incompatible and the subject', etaMs: null, historyMs: null, audit: 'nothing written' });
  });

  async function deadLetters(code: string): Promise<unknown[]> {
    const answer = await fetch(`${service.url}/v1/dead-letters?code=${code}`);
    expect(answer.status).toBe(200);
    return (await answer.json() as { items: unknown[] }).items;
  }
});

function framed(key: string, value: Buffer, schemaId: number): { key: Buffer; value: Buffer } {
  const bytes = Buffer.from(value);
  bytes.writeInt32BE(schemaId, 1);
  return { key: Buffer.from(key), value: bytes };
}

/** The same layout under another id, as of a producer with a schema file of its own. */
function registerForeignSchema(registry: string, prefix: string): Promise<number> {
  const schema = JSON.parse(schemaText) as { doc?: string };
  return registerSchema(registry, `${prefix}foreign-value`, JSON.stringify({ ...schema, doc: `Of a foreign producer, ${prefix}` }));
}

async function registerSchema(registry: string, subject: string, schema: string): Promise<number> {
  const answer = await fetch(`${registry}/subjects/${encodeURIComponent(subject)}/versions`, { method: 'POST', headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' }, body: JSON.stringify({ schema }) });
  const body = await answer.json() as { id?: number };
  if (body.id === undefined) throw new Error(`The registry did not take ${subject}: ${JSON.stringify(body)}`);
  return body.id;
}
