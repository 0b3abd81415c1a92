import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LogRecord, RecordBatch, RecordLog } from '../../../src/ports/record-log.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { PartitionTask } from '../../../src/runtime/partition-task.ts';
import { initialPosition, PartitionStore } from '../../../src/runtime/race-store.ts';
import { systemTimers } from '../../../src/runtime/timers.ts';
import { embeddedCodec, HOUR_MS } from '../../support/graph-driver.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const T0 = 1_767_225_600_000;
const codec = await embeddedCodec();

function record(offset: number, raceId: string, appendedAtMs = T0): LogRecord {
  const update = { ...emptyUpdate(raceId, 'ci/acme', appendedAtMs), title: 'build', state: 'running' as const, started_at: appendedAtMs };
  return { topic: 'race-updates', partition: 0, offset, key: Buffer.from(raceId), value: codec.encode('race-updates', update), headers: [], appendedAtMs };
}

const batch = (records: readonly LogRecord[], endOffset: number): RecordBatch => ({ topic: 'race-updates', partition: 0, records, endOffset, signal: new AbortController().signal });

/** A task on a log that refuses what it is told to; what it took is in `appended`, by topic. */
function makeTask() {
  const appended: string[] = [];
  const refused = new Set<string>();
  const time = { nowMs: T0 };
  const lease = { isHeld: true };
  const append = async (topic: string): Promise<number> => {
    if (refused.has(topic)) throw new Error(`${topic} refused`);
    return appended.push(topic);
  };
  const task = new PartitionTask({
    partition: 0, partitionCount: 1, historyPartitions: 1, log: { append } as unknown as RecordLog, codec, clock: { nowMs: () => time.nowMs }, logger: silentLogger,
    timers: systemTimers, hooks: noHooks, store: new PartitionStore(initialPosition(0)), writerId: 'w', endOffset: 0, commit: async () => {}, isHeld: () => lease.isHeld,
    models: { modelOf: () => undefined, versionOf: () => '0@0' }, graceMs: HOUR_MS, finishedTtlMs: 24 * HOUR_MS,
  });
  return { task, appended, refused, time, lease };
}

describe('PartitionTask', () => {
  it('wants to be woken while a slice is unsent, though no race is due, and sends it then', async () => {
    const { task, appended, refused, time } = makeTask();
    await task.process(batch([record(0, 'r1')], 1));
    time.nowMs = T0 + 10 * 60_000;
    refused.add('race-states');
    await expect(task.runWakeUps()).rejects.toThrow('race-states refused');
    expect(task.store.nextDueMs()).toBeGreaterThan(time.nowMs);
    expect(task.hasDueWakeUps).toBe(true);
    refused.clear();
    appended.length = 0;
    await task.runWakeUps();
    expect(appended).toEqual(['race-states']);
    expect(task.hasDueWakeUps).toBe(false);
  });

  it('begins a new epoch when a batch shows that the topic was made anew, and applies what is in it', async () => {
    const { task } = makeTask();
    await task.process(batch([record(0, 'r1'), record(1, 'r2'), record(2, 'r3')], 3));
    await task.process(batch([record(0, 'r4')], 1));
    expect(task.store.position).toMatchObject({ epoch: 1, applied_offset: 0, read: 4, applied: 4, skipped: 0 });
    expect(task.store.get('r4')).toMatchObject({ epoch: 1, applied_offset: 0 });
  });

  it('skips what is delivered again', async () => {
    const { task } = makeTask();
    await task.process(batch([record(0, 'r1'), record(1, 'r2')], 2));
    await task.process(batch([record(0, 'r1'), record(1, 'r2'), record(2, 'r3')], 3));
    expect(task.store.position).toMatchObject({ epoch: 0, applied_offset: 2, read: 3, applied: 3, skipped: 2 });
  });

  it('sends nothing while it is not sure that the partition is its own: goes on when it is, gives up when it is lost', async () => {
    const kept = makeTask();
    kept.lease.isHeld = false;
    const processed = kept.task.process(batch([record(0, 'r1')], 1));
    await sleep(120);
    expect(kept.appended).toEqual([]);
    kept.lease.isHeld = true;
    await processed;
    expect(kept.appended).toEqual(['eta-updates', 'race-states']);

    const lost = makeTask();
    lost.lease.isHeld = false;
    const refused = lost.task.process(batch([record(0, 'r1')], 1)).then(() => 'processed', (error: { code: string }) => error.code);
    await sleep(20);
    lost.task.stop();
    expect(await refused).toBe('partition_lost');
    expect(lost.appended).toEqual([]);
  });

  it('sends nothing after its loss', async () => {
    const { task, appended } = makeTask();
    task.stop();
    await task.process(batch([record(0, 'r1')], 1)).catch(() => {});
    await expect(task.assertOwnership(['r1'])).rejects.toMatchObject({ code: 'partition_lost' });
    expect(appended).toEqual([]);
  });
});
