import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from './temporary-directory.ts';
import { openLocalLog } from '../../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../../src/adapters/local-log/memory-storage.ts';
import { sqliteStorage } from '../../../../src/adapters/local-log/sqlite-storage.ts';
import type { LocalLog } from '../../../../src/adapters/local-log/local-log.ts';
import type { LogStorage } from '../../../../src/adapters/local-log/storage.ts';
import type { LogRecord, TopicDefinition } from '../../../../src/ports/record-log.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_AT_MS = 1_700_000_000_000;
const TOPIC = 'race-states';

const storages: readonly { name: string; open: (directory: string) => LogStorage }[] = [
  { name: 'memory', open: () => memoryStorage() },
  { name: 'SQLite', open: (directory) => sqliteStorage({ path: join(directory, 'log.db') }) },
];

describe.each(storages)('runMaintenance() over $name', ({ open }) => {
  /** A log with one partition and a clock that the test moves. */
  async function withLog(definition: Partial<TopicDefinition>, use: (log: LocalLog, clock: { atMs: number }) => Promise<void>): Promise<void> {
    using directory = temporaryDirectory();
    const clock = { atMs: START_AT_MS };
    const log = openLocalLog({ storage: open(directory.path), clock: { nowMs: () => clock.atMs }, maintenanceIntervalMs: null });
    try {
      await log.ensureTopics([{ name: TOPIC, partitions: 1, cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0, ...definition }]);
      await use(log, clock);
    } finally {
      await log.close();
    }
  }

  async function append(log: LocalLog, ...pairs: readonly [key: string, value: string | null][]): Promise<void> {
    await log.append(TOPIC, 0, pairs.map(([key, value]) => ({ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) })));
  }

  async function readAll(log: LocalLog, from = 0): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    const reader = log.readPartitions({ topic: TOPIC, partitions: [0], from: () => from, onRecords: (some) => { records.push(...some); } });
    await reader.caughtUp;
    await reader.close();
    return records;
  }

  const textsOf = (records: readonly LogRecord[]): string[] => records.map((record) => `${record.offset} ${record.key!.toString()}=${record.value?.toString() ?? 'null'}`);

  it('keeps the newest record of each key', () => withLog({}, async (log) => {
    await append(log, ['a', '1'], ['b', '1'], ['a', '2'], ['c', '1'], ['b', '2']);
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['2 a=2', '3 c=1', '4 b=2']);
    await append(log, ['a', '3'], ['d', '1']);
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['3 c=1', '4 b=2', '5 a=3', '6 d=1']);
  }));

  it('reads over holes from any offset', () => withLog({}, async (log) => {
    await append(log, ['a', '1'], ['b', '1'], ['a', '2'], ['a', '3'], ['a', '4']);
    log.runMaintenance();
    expect(textsOf(await readAll(log, 2))).toEqual(['4 a=4']);
    expect(textsOf(await readAll(log, 5))).toEqual([]);
  }));

  it('tells keys apart byte by byte', () => withLog({}, async (log) => {
    await log.append(TOPIC, 0, [[0xc3, 0xa9], [0xe9], [0], [0, 0], [0xff]].map((key) => ({ key: Buffer.from(key), value: Buffer.from('v') })));
    log.runMaintenance();
    expect(await readAll(log)).toHaveLength(5);
  }));

  it('keeps a tombstone for a day as the newest of its key, then leaves nothing of it', () => withLog({}, async (log, clock) => {
    await append(log, ['a', '1'], ['b', '1'], ['a', null]);
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 b=1', '2 a=null']);
    clock.atMs += DAY_MS - 1;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 b=1', '2 a=null']);
    clock.atMs += 1;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 b=1']);
  }));

  it('is done at once by compact(), and counted by usage()', () => withLog({}, async (log) => {
    await append(log, ['a', '1'], ['b', '1'], ['a', '2']);
    const records = async (): Promise<number | undefined> => (await log.usage([TOPIC])).topics[0]?.records;
    expect(await records()).toBe(3);
    await expect(log.compact()).resolves.toBe(true);
    expect(textsOf(await readAll(log))).toEqual(['1 b=1', '2 a=2']);
    expect(await records()).toBe(2);
  }));

  it('forgets a tombstone whose key was written again', () => withLog({}, async (log, clock) => {
    await append(log, ['a', null]);
    log.runMaintenance();
    await append(log, ['a', '2']);
    log.runMaintenance();
    clock.atMs += 2 * DAY_MS;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 a=2']);
    await append(log, ['a', '3']);
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['2 a=3']);
  }));

  it('leaves records alone that are younger than minCompactionLagMs', () => withLog({ minCompactionLagMs: HOUR_MS }, async (log, clock) => {
    await append(log, ['a', '1'], ['a', '2']);
    clock.atMs += HOUR_MS / 2;
    await append(log, ['a', '3']);
    log.runMaintenance();
    expect(await readAll(log)).toHaveLength(3);
    clock.atMs += HOUR_MS / 2;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 a=2', '2 a=3']);
    clock.atMs += HOUR_MS / 2;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['2 a=3']);
  }));

  it('expires records of a delete topic by the time of their append, and compacts none', () => withLog({ cleanup: 'delete', retentionMs: DAY_MS }, async (log, clock) => {
    await append(log, ['a', '1'], ['a', '2']);
    clock.atMs += HOUR_MS;
    await append(log, ['a', '3']);
    clock.atMs = START_AT_MS + DAY_MS - 1;
    log.runMaintenance();
    expect(await readAll(log)).toHaveLength(3);
    clock.atMs += 1;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['2 a=3']);
  }));

  it('keeps records for ever where retentionMs is null', () => withLog({ cleanup: 'delete' }, async (log, clock) => {
    await append(log, ['a', '1']);
    clock.atMs += 1_000 * DAY_MS;
    log.runMaintenance();
    expect(await readAll(log)).toHaveLength(1);
  }));

  it('does both for compact,delete', () => withLog({ cleanup: 'compact,delete', retentionMs: 7 * DAY_MS, minCompactionLagMs: 2 * DAY_MS }, async (log, clock) => {
    await append(log, ['a', '1'], ['b', '1'], ['a', '2']);
    clock.atMs += 2 * DAY_MS;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 b=1', '2 a=2']);
    clock.atMs += 4 * DAY_MS;
    await append(log, ['b', '2']);
    clock.atMs += DAY_MS;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['3 b=2']);
    await append(log, ['a', '3']);
    clock.atMs += 2 * DAY_MS;
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['3 b=2', '4 a=3']);
  }));

  it('never lets offsets go back, not even when every record is gone', () => withLog({ cleanup: 'delete', retentionMs: DAY_MS }, async (log, clock) => {
    await append(log, ...Array.from({ length: 2_500 }, (_, index): [string, string] => ['k', `${index}`]));
    clock.atMs += 2 * DAY_MS;
    log.runMaintenance();
    expect(await readAll(log)).toEqual([]);
    expect(await log.endOffsets(TOPIC)).toEqual([2_500]);
    expect(await log.append(TOPIC, 0, [{ key: Buffer.from('k'), value: null }])).toBe(2_500);
  }));

  it('applies a changed cleanup to what is stored already', () => withLog({ cleanup: 'delete' }, async (log) => {
    await append(log, ['a', '1'], ['a', '2']);
    await log.ensureTopics([{ name: TOPIC, partitions: 1, cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0 }]);
    log.runMaintenance();
    expect(textsOf(await readAll(log))).toEqual(['1 a=2']);
  }));

  it('agrees with a plain model of compaction, and hides no key from a reader', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), isTombstone: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('maintain' as const) }) },
    );
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 3 * HOUR_MS), async (steps, lagMs) => {
      await withLog({ minCompactionLagMs: lagMs }, async (log, clock) => {
        const all: { offset: number; key: string; value: string | null; atMs: number }[] = [];
        for (const one of steps) {
          if (one.kind === 'wait') clock.atMs += one.hours * HOUR_MS;
          else if (one.kind === 'maintain') log.runMaintenance();
          else {
            const offset = all.length;
            const value = one.isTombstone ? null : `v${offset}`;
            all.push({ offset, key: one.key, value, atMs: clock.atMs });
            await append(log, [one.key, value]);
          }
        }
        log.runMaintenance();
        const cleanable = all.filter((record) => record.atMs <= clock.atMs - lagMs);
        const expected = all.filter((record) => {
          if (!cleanable.includes(record)) return true;
          if (cleanable.findLast((other) => other.key === record.key) !== record) return false;
          return record.value !== null || record.atMs > clock.atMs - DAY_MS;
        });
        expect(textsOf(await readAll(log))).toEqual(expected.map(({ offset, key, value }) => `${offset} ${key}=${value ?? 'null'}`));
      });
    }), { numRuns: 100 });
  });
});

describe('runMaintenance() over a SQLite file', () => {
  const topic: TopicDefinition = { name: TOPIC, partitions: 1, cleanup: 'compact,delete', retentionMs: DAY_MS, minCompactionLagMs: 0 };

  it('goes on after a restart where it was, and leaves no row of what expired', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.db');
    const clock = { atMs: START_AT_MS };
    const open = () => openLocalLog({ storage: sqliteStorage({ path }), clock: { nowMs: () => clock.atMs }, maintenanceIntervalMs: null });
    const append = async (log: LocalLog, ...keys: readonly string[]): Promise<void> => {
      await log.append(TOPIC, 0, keys.map((key) => ({ key: Buffer.from(key), value: Buffer.from('v') })));
    };
    const count = (table: string): unknown => {
      const database = new DatabaseSync(path);
      const row = database.prepare(`SELECT count(*) AS count FROM ${table}`).get();
      database.close();
      return row?.['count'];
    };

    const first = open();
    await first.ensureTopics([topic]);
    await append(first, 'a', 'b', 'a');
    first.runMaintenance();
    await first.close();
    expect(count('records_1')).toBe(2);

    const second = open();
    second.runMaintenance();
    await append(second, 'b', 'c');
    second.runMaintenance();
    await second.close();
    expect(count('records_1')).toBe(3);
    expect(count('newest_1')).toBe(3);

    clock.atMs += DAY_MS;
    const third = open();
    third.runMaintenance();
    expect(await third.endOffsets(TOPIC)).toEqual([5]);
    await third.close();
    expect(count('records_1')).toBe(0);
    expect(count('newest_1')).toBe(0);
  });
});

describe('the maintenance timer', () => {
  it('compacts by itself', async () => {
    const log = openLocalLog({ storage: memoryStorage(), maintenanceIntervalMs: 1 });
    await log.ensureTopics([{ name: TOPIC, partitions: 1, cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0 }]);
    await log.append(TOPIC, 0, Array.from({ length: 3_000 }, () => ({ key: Buffer.from('k'), value: Buffer.from('v') })));
    await expect.poll(async () => {
      let count = 0;
      const reader = log.readPartitions({ topic: TOPIC, partitions: [0], from: () => 'earliest', onRecords: (records) => { count += records.length; } });
      await reader.caughtUp;
      await reader.close();
      return count;
    }, { timeout: 10_000 }).toBe(1);
    await log.close();
  });
});
