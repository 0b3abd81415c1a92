import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { LogRecord, RecordBatch, RecordLog, SubscriptionHandler } from '../../../src/ports/record-log.ts';
import { positionKey } from '../../../src/race/position-key.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { changelogHeaders } from '../../../src/runtime/changelog-headers.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { initialPosition } from '../../../src/runtime/race-store.ts';
import { embeddedCodec, HOUR_MS } from '../../support/graph-driver.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { everyTopic } from '../../support/topics.ts';

const T0 = 1_767_225_600_000;
const ID = { topic: 'race-updates', partition: 0 } as const;
const clock = { nowMs: () => T0 };
const codec = await embeddedCodec();

/** A log whose group the test plays: what it calls the handler with, and what it says is committed. */
type Scene = { readonly log: RecordLog; readonly group: { handler: SubscriptionHandler; committed: number | null }; readonly pipeline: Pipeline; readonly learner: Learner };
let scene: Scene;

beforeEach(async () => {
  const local = openLocalLog({ storage: memoryStorage() });
  await local.ensureTopics(everyTopic());
  const group = { handler: null as unknown as SubscriptionHandler, committed: null as number | null };
  const log: RecordLog = {
    ...local,
    async subscribe({ handler }) {
      group.handler = handler;
      return {
        commit: async (_, nextOffset) => { group.committed = nextOffset; }, committed: async () => ({ offset: group.committed, metadata: '' }),
        assigned: () => [ID], close: async () => {},
      };
    },
  };
  const learner = await runLearner({ log, codec, clock, logger: silentLogger });
  const pipeline = await runPipeline({ log, codec, learner, clock, logger: silentLogger, hooks: noHooks, finishedTtlMs: 24 * HOUR_MS, writerId: 'w' });
  scene = { log, group, pipeline, learner };
});
afterEach(async () => {
  await scene.pipeline.close();
  await scene.learner.close();
  await scene.log.close();
});

function batchOf(offset: number): RecordBatch {
  const value = codec.encode('race-updates', { ...emptyUpdate('r1', 'ci/acme', T0 + offset), title: 'build', state: 'running' });
  const record: LogRecord = { ...ID, offset, key: Buffer.from('r1'), value, headers: [], appendedAtMs: T0 + offset };
  return { ...ID, records: [record], endOffset: offset + 1, signal: new AbortController().signal };
}

describe('runPipeline()', () => {
  it('makes no task of a partition that was lost while it was restored', async () => {
    const { group, pipeline } = scene;
    const assigning = group.handler.onAssigned([ID]);
    await group.handler.onRevoked([ID]);
    await assigning;
    expect(pipeline.tasks.size).toBe(0);
    await expect(group.handler.onBatch(batchOf(0))).rejects.toMatchObject({ code: 'partition_lost' });
  });

  it('restores again when delivery begins behind what another instance has committed since', async () => {
    const { log, group, pipeline } = scene;
    await group.handler.onAssigned([ID]);
    const position = { ...initialPosition(0), applied_offset: 4, read: 5, applied: 5 };
    await log.append('race-states', 0, [{ key: Buffer.from(positionKey(0)), value: codec.encode('race-states', position, 'PartitionState'), headers: changelogHeaders('other', position) }]);
    group.committed = 5;
    await group.handler.onBatch(batchOf(5));
    expect(pipeline.tasks.get(0)?.store.position).toMatchObject({ applied_offset: 5, read: 6, applied: 6 });
  });

  it('takes a gap that nobody has committed for what it is', async () => {
    const { group, pipeline } = scene;
    await group.handler.onAssigned([ID]);
    const task = pipeline.tasks.get(0);
    await group.handler.onBatch(batchOf(7));
    expect(pipeline.tasks.get(0)).toBe(task);
    expect(task?.store.position).toMatchObject({ applied_offset: 7, read: 1 });
  });
});
