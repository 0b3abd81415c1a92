import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { makePartitionTail } from '../../../../src/adapters/local-log/partition-tail.ts';
import { sqliteStorage } from '../../../../src/adapters/local-log/sqlite-storage.ts';
import type { NewRecord } from '../../../../src/ports/record-log.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const record = (bytes: number, name = 'k'): NewRecord => ({ key: Buffer.from(name), value: Buffer.alloc(bytes), headers: [['h', Buffer.from(name)]] });

it('hands out what was appended, or says that it does not have it', () => {
  const step = fc.oneof(
    fc.record({ push: fc.array(fc.oneof(fc.nat(50), fc.integer({ min: 100_000, max: 300_000 })), { minLength: 1, maxLength: 900 }) }),
    fc.record({ forgetTo: fc.nat(3_000) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 8 }), fc.nat(3_000), fc.integer({ min: 1, max: 1_000 }), (steps, from, most) => {
    const tail = makePartitionTail('race-updates', 1);
    const all: { readonly offset: number; readonly value: Buffer | null }[] = [];
    let forgotten = -1;
    for (const one of steps) {
      if ('push' in one) {
        const added = one.push.map((bytes) => record(bytes));
        tail.push(added, all.length, 7);
        all.push(...added.map(({ value }, i) => ({ offset: all.length + i, value })));
      } else {
        tail.forgetTo(one.forgetTo);
        forgotten = Math.max(forgotten, Math.min(one.forgetTo, all.length - 1));
      }
    }
    const read = tail.read(from, most, Number.POSITIVE_INFINITY);
    if (read === null) return;
    expect(from).toBeGreaterThan(forgotten);
    const expected = all.slice(from, from + most);
    expect(read.length).toBe(expected.length);
    expect(read.every(({ offset, value }, i) => offset === expected[i]!.offset && value === expected[i]!.value)).toBe(true);
  }), { numRuns: 60 });
});

it('keeps the newest 2,000 records and 512 KB', () => {
  const many = makePartitionTail('race-updates', 0);
  many.push(Array.from({ length: 5_000 }, () => record(1)), 0, 0);
  expect(many.read(2_999, 1, 1)).toBeNull();
  expect(many.read(3_000, 1, 1)?.[0]?.offset).toBe(3_000);
  const large = makePartitionTail('race-updates', 0);
  for (let offset = 0; offset < 12; offset += 1) large.push([record(100_000)], offset, 0);
  expect(large.read(6, 1, 1)).toBeNull();
  expect(large.read(7, 9, Number.POSITIVE_INFINITY)?.map(({ offset }) => offset)).toEqual([7, 8, 9, 10, 11]);
  expect(large.read(7, 9, 150_000)?.length).toBe(2);
});

it('hands out nothing that a rolled back transaction appended, nor what was expired or compacted away', () => {
  using directory = temporaryDirectory();
  const storage = sqliteStorage({ path: `${directory.path}/log.db` });
  storage.transaction(() => storage.saveTopic({ name: 'race-states', partitions: 1, cleanup: 'compact,delete', retentionMs: null, minCompactionLagMs: 0 }));
  const [partition] = storage.partitions('race-states');
  const read = (): number[] => partition!.read(0, 100, Number.POSITIVE_INFINITY).map(({ offset }) => offset);
  storage.transaction(() => partition!.append([record(1, 'a'), record(1, 'b'), record(1, 'a')], 0));
  expect(() => storage.transaction(() => {
    partition!.append([record(1, 'c')], 0);
    throw new Error('full');
  })).toThrow('full');
  expect(read()).toEqual([0, 1, 2]);
  storage.transaction(() => partition!.compact(partition!.heads(0, 10, 1)));
  expect(read()).toEqual([1, 2]);
  storage.transaction(() => partition!.append([record(1, 'd')], 0));
  storage.transaction(() => partition!.expire(partition!.heads(0, 1, 1)));
  expect(read()).toEqual([2, 3]);
  storage.close();
});
