import { describe, expect, it } from 'vitest';
import { openLocalLog } from '../../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../../src/adapters/local-log/memory-storage.ts';
import type { SubscriptionHandler, TopicDefinition } from '../../../../src/ports/record-log.ts';

const TOPICS: readonly TopicDefinition[] = [
  { name: 'race-updates', partitions: 2, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 },
  { name: 'race-states', partitions: 2, cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0 },
];
const quiet: SubscriptionHandler = { async onAssigned() {}, async onRevoked() {}, async onBatch() {} };

async function openLog() {
  const log = openLocalLog({ storage: memoryStorage(), retryDelayMs: 1 });
  await log.ensureTopics(TOPICS);
  return log;
}

describe('openLocalLog()', () => {
  it('says which topic or partition there is not', async () => {
    const log = await openLog();
    const missing = { code: 'log_unavailable', message: expect.stringContaining('telemetry') };
    await expect(log.append('telemetry', 0, [])).rejects.toMatchObject(missing);
    await expect(log.partitionCount('telemetry')).rejects.toMatchObject(missing);
    await expect(log.endOffsets('telemetry')).rejects.toMatchObject(missing);
    await expect(log.groupOffsets('g', 'telemetry')).rejects.toMatchObject(missing);
    await expect(log.subscribe({ group: 'g', topics: ['race-updates', 'telemetry'], handler: quiet })).rejects.toMatchObject(missing);
    await expect(log.readPartitions({ topic: 'telemetry', partitions: [0], from: () => 0, onRecords: () => {} }).caughtUp).rejects.toMatchObject(missing);
    await expect(log.append('race-updates', 2, [])).rejects.toMatchObject({ code: 'log_unavailable', message: 'There is no partition 2 of race-updates: it has 0..1' });
    await log.close();
  });

  it('creates none of the topics when one has another count', async () => {
    const log = await openLog();
    await expect(log.ensureTopics([{ ...TOPICS[0]!, name: 'telemetry' }, { ...TOPICS[0]!, partitions: 3 }])).rejects.toMatchObject({ code: 'partition_count_changed' });
    await expect(log.partitionCount('telemetry')).rejects.toMatchObject({ code: 'log_unavailable' });
    await log.close();
  });

  it('takes no record without a key into a compacted topic', async () => {
    const log = await openLog();
    await expect(log.append('race-states', 0, [{ key: null, value: Buffer.from('v') }])).rejects.toThrow('race-states is compacted, so its records need keys');
    await log.close();
  });

  it('counts keys and headers towards the limit', async () => {
    const log = await openLog();
    const half = Buffer.alloc(450_000);
    await log.append('race-updates', 0, [{ key: half, value: null, headers: [['', half]] }]);
    await expect(log.append('race-updates', 0, [{ key: half, value: null, headers: [['h', half]] }])).rejects.toMatchObject({ code: 'record_too_large' });
    await log.close();
  });

  it('resolves subscribe() before the first onAssigned', async () => {
    const log = await openLog();
    const events: string[] = [];
    const assigned = Promise.withResolvers<void>();
    await log.subscribe({ group: 'g', topics: ['race-updates'], handler: { ...quiet, async onAssigned() {
      events.push('assigned');
      assigned.resolve();
    } } });
    events.push('subscribed');
    await assigned.promise;
    expect(events).toEqual(['subscribed', 'assigned']);
    await log.close();
  });

  it('tries onAssigned again when it fails', async () => {
    const log = await openLog();
    await log.append('race-updates', 0, [{ key: null, value: Buffer.from('v') }]);
    let attempts = 0;
    const delivered = Promise.withResolvers<number>();
    await log.subscribe({ group: 'g', topics: ['race-updates'], handler: {
      ...quiet,
      async onAssigned() {
        attempts += 1;
        if (attempts < 3) throw new Error('The test refuses the assignment');
      },
      async onBatch() {
        delivered.resolve(attempts);
      },
    } });
    expect(await delivered.promise).toBe(3);
    await log.close();
  });

  it('starts a partition that comes back only behind the handler that still runs for it', async () => {
    const log = await openLog();
    for (const partition of [0, 1]) await log.append('race-updates', partition, [{ key: null, value: Buffer.from('v') }]);
    const events: string[] = [];
    const release = Promise.withResolvers<void>();
    const stayer = await log.subscribe({ group: 'g', topics: ['race-updates'], handler: {
      async onAssigned(partitions) {
        events.push(...partitions.map(({ partition }) => `assigned ${partition}`));
      },
      async onRevoked(partitions) {
        events.push(...partitions.map(({ partition }) => `revoked ${partition}`));
      },
      async onBatch({ partition }) {
        events.push(`begin ${partition}`);
        await release.promise;
        events.push(`end ${partition}`);
      },
    } });
    await expect.poll(() => events).toContain('begin 1');
    const visitor = await log.subscribe({ group: 'g', topics: ['race-updates'], handler: quiet });
    await expect.poll(() => visitor.assigned()).toEqual([{ topic: 'race-updates', partition: 1 }]);
    await visitor.close();
    await expect.poll(() => stayer.assigned().length).toBe(2);
    release.resolve();
    await expect.poll(() => events.filter((event) => event === 'end 1').length).toBe(2);
    expect(events.filter((event) => event.endsWith('1'))).toEqual(['assigned 1', 'begin 1', 'revoked 1', 'end 1', 'assigned 1', 'begin 1', 'end 1']);
    await log.close();
  });

  it('delivers nothing of a partition that was lost during onAssigned', async () => {
    const log = await openLog();
    for (const partition of [0, 1]) await log.append('race-updates', partition, [{ key: null, value: Buffer.from('v') }]);
    const restored = Promise.withResolvers<void>();
    const delivered: number[] = [];
    const stayer = await log.subscribe({ group: 'g', topics: ['race-updates'], handler: {
      ...quiet,
      onAssigned: () => restored.promise,
      async onBatch({ partition }) {
        delivered.push(partition);
      },
    } });
    await expect.poll(() => stayer.assigned().length).toBe(2);
    const visitor = await log.subscribe({ group: 'g', topics: ['race-updates'], handler: quiet });
    await expect.poll(() => visitor.assigned().length).toBe(1);
    restored.resolve();
    await expect.poll(() => delivered.length).toBeGreaterThan(0);
    await stayer.close();
    expect(delivered).toEqual([0]);
    await log.close();
  });

  it('revokes what is held when it closes, after the batches in hand', async () => {
    const log = await openLog();
    await log.append('race-updates', 0, [{ key: null, value: Buffer.from('v') }]);
    const events: string[] = [];
    const inHand = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    await log.subscribe({ group: 'g', topics: ['race-updates'], handler: {
      async onAssigned() {},
      async onRevoked(partitions) {
        events.push(`revoked ${partitions.length}`);
      },
      async onBatch() {
        inHand.resolve();
        await release.promise;
        await log.append('race-states', 0, [{ key: Buffer.from('k'), value: null }]);
        events.push('handled');
      },
    } });
    await inHand.promise;
    const closed = log.close();
    release.resolve();
    await closed;
    expect(events).toEqual(['handled', 'revoked 2']);
    await expect(log.append('race-updates', 0, [])).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(log.subscribe({ group: 'g', topics: ['race-updates'], handler: quiet })).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  it('rejects caughtUp of a reader that is closed before', async () => {
    const log = await openLog();
    await log.append('race-updates', 0, [{ key: null, value: Buffer.from('v') }]);
    const reader = log.readPartitions({ topic: 'race-updates', partitions: [0], from: () => 'earliest', onRecords: () => {} });
    await log.close();
    await expect(reader.caughtUp).rejects.toMatchObject({ code: 'log_unavailable' });
    await reader.done;
  });

  it('holds at most a megabyte of a backlog of large records in one batch', async () => {
    const log = await openLog();
    for (let index = 0; index < 6; index += 1) await log.append('race-updates', 0, [{ key: null, value: Buffer.alloc(400_000) }]);
    const sizes: number[] = [];
    const all = Promise.withResolvers<void>();
    await log.subscribe({ group: 'g', topics: ['race-updates'], handler: { ...quiet, async onBatch(batch) {
      sizes.push(batch.records.length);
      if (sizes.reduce((sum, size) => sum + size, 0) === 6) all.resolve();
    } } });
    await all.promise;
    expect(sizes).toEqual([3, 3]);
    await log.close();
  });

  it('goes on over the same storage as after a restart', async () => {
    const storage = memoryStorage();
    const before = openLocalLog({ storage });
    await before.ensureTopics(TOPICS);
    await before.append('race-updates', 1, [{ key: null, value: Buffer.from('v') }]);
    await before.close();
    const after = openLocalLog({ storage });
    expect(await after.endOffsets('race-updates')).toEqual([0, 1]);
    await after.close();
  });
});
