import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openKafkaLog } from '../../../src/adapters/kafka/kafka-log.ts';
import type { RecordBatch, RecordLog, TopicDefinition } from '../../../src/ports/record-log.ts';
import { sharedKafka, whyNoEngines } from '../../support/engines/engines.ts';
import { allMembers, evict, membersOf } from '../../support/engines/evict.ts';
import { kafkaConfig, quietLogger } from '../../support/engines/kafka-client.ts';
import { waitUntil } from '../../support/wait-until.ts';

const TOPIC = 'race-updates';
const definition: TopicDefinition = { name: TOPIC, partitions: 2, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const prefix = `membership-${randomUUID()}.`;
const GROUP = `${prefix}members`;
const DEADLINE_MS = 30_000;
const KafkajsBroker = createRequire(import.meta.url)('kafkajs/src/broker') as { prototype: { joinGroup(): Promise<unknown> } };

describe.skipIf(whyNoEngines() !== null)('a member that its coordinator has thrown out', { timeout: 90_000 }, () => {
  let broker: string;
  let log: RecordLog;

  beforeAll(async () => {
    broker = await sharedKafka();
    log = await openKafkaLog({ config: kafkaConfig([broker]), topicPrefix: prefix, clientId: 'membership', logger: quietLogger });
    await log.ensureTopics([definition]);
  });
  afterAll(async () => { await log.close(); });

  it('loses all that it held before it takes anything anew, though it is given the same again', async () => {
    const append = (partition: number, text: string): Promise<number> => log.append(TOPIC, partition, [{ key: null, value: Buffer.from(text) }]);
    const events: string[] = [];
    const delivered: string[] = [];
    const held = Promise.withResolvers<RecordBatch>();
    const finish = Promise.withResolvers<void>();
    const commits: Promise<string>[] = [];
    const subscription = await log.subscribe({
      group: 'members', topics: [TOPIC],
      handler: {
        onAssigned: async (ids) => { events.push(`assigned ${ids.map(({ partition }) => partition).sort().join(' ')}`); },
        onRevoked: async (ids) => { events.push(`revoked ${ids.map(({ partition }) => partition).sort().join(' ')}`); },
        async onBatch(batch) {
          const texts = batch.records.map(({ value }) => String(value));
          if (texts.includes('in hand') && !events.includes('revoked 0 1')) {
            held.resolve(batch);
            await finish.promise;
            commits.push(subscription.commit(batch, batch.records.at(-1)!.offset + 1).then(() => 'committed', (error: { code: string }) => error.code));
            return;
          }
          delivered.push(...texts);
          await subscription.commit(batch, batch.records.at(-1)!.offset + 1);
        },
      },
    });
    await append(0, 'before');
    await waitUntil('the first is there', () => delivered.length === 1, DEADLINE_MS);
    await append(0, 'in hand');
    const { signal } = await held.promise;
    const [before] = await allMembers(broker, GROUP);
    // What the end of its session does. Its next heartbeat is answered with UNKNOWN_MEMBER_ID.
    await evict(broker, GROUP, [before!]);
    await waitUntil('it has lost all', () => events.includes('revoked 0 1'), DEADLINE_MS);
    expect(signal.aborted).toBe(true);
    finish.resolve();
    await waitUntil('what was in hand comes again', () => delivered.includes('in hand'), DEADLINE_MS);
    expect(events).toEqual(['assigned 0 1', 'revoked 0 1', 'assigned 0 1']);
    // Decided under the former holding, it must not be taken for one of the present.
    expect(await commits[0]).toBe('partition_lost');
    const after = [...(await membersOf(broker, GROUP, prefix + TOPIC)).keys()];
    expect(after).toHaveLength(1);
    expect(after).not.toEqual([before]);
    await append(1, 'after');
    await waitUntil('it goes on', () => delivered.length === 3, DEADLINE_MS);
    expect(delivered).toEqual(['before', 'in hand', 'after']);
    await subscription.close();
  });

  // As when the connection to a coordinator that is shut down closes between a join and its answer.
  it('is replaced when its join is never answered', async () => {
    const group = `${prefix}unanswered`;
    const delivered: string[] = [];
    const subscription = await log.subscribe({
      group: 'unanswered', topics: [TOPIC],
      handler: {
        onAssigned: async () => undefined,
        onRevoked: async () => undefined,
        async onBatch(batch) {
          await subscription.commit(batch, batch.records.at(-1)!.offset + 1);
          delivered.push(...batch.records.map(({ value }) => String(value)));
        },
      },
    });
    await log.append(TOPIC, 0, [{ key: null, value: Buffer.from('answered') }]);
    await waitUntil('the first is there', () => delivered.includes('answered'), DEADLINE_MS);
    const unanswered = vi.spyOn(KafkajsBroker.prototype, 'joinGroup').mockImplementationOnce(() => new Promise(() => undefined));
    await evict(broker, group, (await allMembers(broker, group)).slice(0, 1));
    await waitUntil('it joins again', () => unanswered.mock.calls.length > 0, DEADLINE_MS);
    await log.append(TOPIC, 0, [{ key: null, value: Buffer.from('behind it') }]);
    await waitUntil('another consumer has taken over', () => delivered.includes('behind it'), 60_000);
    unanswered.mockRestore();
    await subscription.close();
  });
});
