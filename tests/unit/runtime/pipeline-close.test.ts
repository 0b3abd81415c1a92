import { expect, it } from 'vitest';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { EtaUpdate } from '../../../src/forecast/eta-update.ts';
import type { LogRecord, RecordLog, SubscriptionHandler } from '../../../src/ports/record-log.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runLearner } from '../../../src/runtime/learner.ts';
import { runPipeline } from '../../../src/runtime/pipeline.ts';
import { restoreStore } from '../../../src/runtime/restore-store.ts';
import type { Timers } from '../../../src/runtime/timers.ts';
import { embeddedCodec, HOUR_MS } from '../../support/graph-driver.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { everyTopic } from '../../support/topics.ts';

const T0 = 1_767_225_600_000;
const ID = { topic: 'race-updates', partition: 0 } as const;
/** Three slices of wake-ups. */
const RACES = 600;

it.each(['eta-updates', 'race-states'] as const)('close() in the middle of slices of wake-ups loses nothing of them: %s under way', async (held) => {
  const codec = await embeddedCodec();
  const local = openLocalLog({ storage: memoryStorage() });
  await local.ensureTopics(everyTopic());
  const time = { nowMs: T0 };
  const clock = { nowMs: () => time.nowMs };
  const due: (() => void)[] = [];
  const timers: Timers = {
    monotonicMs: () => 0,
    after(_, call) {
      due.push(call);
      return () => { due.splice(due.indexOf(call), due.includes(call) ? 1 : 0); };
    },
  };
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const state = { isGated: false };
  const group = { handler: null as unknown as SubscriptionHandler, isClosed: false };
  const log: RecordLog = {
    ...local,
    async append(topic, partition, records) {
      expect(group.isClosed, 'nothing is sent once the group was left').toBe(false);
      if (state.isGated && topic === held) {
        reached.resolve();
        await gate.promise;
      }
      return local.append(topic, partition, records);
    },
    async subscribe({ handler }) {
      group.handler = handler;
      return {
        commit: async () => {}, committed: async () => ({ offset: null, metadata: '' }), assigned: () => [ID],
        close: async () => {
          await handler.onRevoked([ID]);
          group.isClosed = true;
        },
      };
    },
  };
  const learner = await runLearner({ log, codec, clock, logger: silentLogger });
  const pipeline = await runPipeline({ log, codec, learner, clock, logger: silentLogger, hooks: noHooks, finishedTtlMs: 24 * HOUR_MS, writerId: 'w', timers });
  await group.handler.onAssigned([ID]);
  const store = pipeline.tasks.get(0)!.store;
  const records = Array.from({ length: RACES }, (_, offset): LogRecord => ({
    ...ID, offset, key: Buffer.from(`r${offset}`), headers: [], appendedAtMs: T0,
    value: codec.encode('race-updates', { ...emptyUpdate(`r${offset}`, 'ci/acme', T0), state: 'running', started_at: T0 }),
  }));
  await group.handler.onBatch({ ...ID, records, endOffset: RACES, signal: new AbortController().signal });

  time.nowMs += HOUR_MS;
  state.isGated = true;
  for (const call of due.splice(0)) call();
  await reached.promise;
  const closing = pipeline.close();
  gate.resolve();
  await closing;

  const known = new Map([...store.values()].map((race) => [race.race_id, race.revision]));
  expect([...known.values()].filter((revision) => revision > 1)).not.toHaveLength(0);
  const restored = (await restoreStore(local, codec, 0)).store;
  expect(new Map([...restored.values()].map((race) => [race.race_id, race.revision]))).toEqual(known);
  const sent = new Map<string, number>();
  const reader = local.readPartitions({
    topic: 'eta-updates', partitions: [0], from: () => 'earliest',
    onRecords(etas) {
      for (const { value } of etas) {
        const result = codec.decode('eta-updates', value!);
        if ('error' in result) throw new Error(result.error.message);
        const { race_id: raceId, revision } = result.decoded.value as EtaUpdate;
        expect(revision).toBe((sent.get(raceId) ?? 0) + 1);
        sent.set(raceId, revision);
      }
    },
  });
  await reader.caughtUp;
  await reader.close();
  expect(sent).toEqual(known);
  await learner.close();
  await local.close();
});
