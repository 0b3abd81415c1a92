import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from './temporary-directory.ts';
import { openLocalLog } from '../../../../src/adapters/local-log/local-log.ts';
import { sqliteStorage } from '../../../../src/adapters/local-log/sqlite-storage.ts';
import type { LogRecord, TopicDefinition } from '../../../../src/ports/record-log.ts';

const TOPIC: TopicDefinition = { name: 'race-updates', partitions: 2, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 };
const CHILD = new URL('append-process.ts', import.meta.url).pathname;

/** Starts the appending process; `acknowledged` fills while it runs. */
function startAppending(path: string) {
  const child = spawn(process.execPath, [CHILD, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => { acknowledged.push(line); });
  return {
    acknowledged,
    async first(count: number): Promise<void> {
      while (acknowledged.length < count) await once(lines, 'line');
    },
    async kill(): Promise<void> {
      const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('sqliteStorage()', () => {
  it('has every acknowledged record after kill -9, and each batch whole', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'data', 'log.db');
    for (const enough of [500, 3_000]) {
      const appending = startAppending(path);
      await appending.first(enough);
      await appending.kill();

      const storage = sqliteStorage({ path });
      const stored = new Map<string, string>();
      for (const partition of storage.partitions('race-updates')) {
        const records = partition.read(0, 1_000_000, Number.POSITIVE_INFINITY);
        expect(records.map((record) => record.offset)).toEqual(records.map((_, index) => index));
        expect(partition.endOffset()).toBe(records.length);
        for (const record of records) stored.set(`${record.partition} ${record.offset}`, record.value!.toString().trimEnd());
        // The last batch of a run is there in full or not at all: round r has 1 + r mod 20 records.
        const [, round, index] = records.at(-1)!.value!.toString().trimEnd().split('/').map(Number);
        expect(index).toBe(round! % 20);
      }
      storage.close();
      expect(appending.acknowledged.length).toBeGreaterThanOrEqual(enough);
      for (const line of appending.acknowledged) {
        const [partition, offset, value] = line.split(' ');
        expect(stored.get(`${partition} ${offset}`)).toBe(value);
      }
    }
  });

  it('refuses a file that another process has open, and opens it when that one is dead', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.db');
    const appending = startAppending(path);
    await appending.first(1);
    expect(() => sqliteStorage({ path })).toThrow(expect.objectContaining({ code: 'log_unavailable', message: expect.stringMatching(/another process has it open\. Stop that process/) }));
    await appending.kill();
    const storage = sqliteStorage({ path });
    expect(storage.partitions('race-updates')).toHaveLength(2);
    storage.close();
  });

  it('refuses a file that this process has open already', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.db');
    const storage = sqliteStorage({ path });
    expect(() => sqliteStorage({ path })).toThrow(expect.objectContaining({ code: 'log_unavailable' }));
    storage.close();
    sqliteStorage({ path }).close();
  });

  it('refuses a file that is no log, and leaves it alone', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.db');
    writeFileSync(path, 'This is a text of somebody else, long enough to be no empty database. '.repeat(20));
    expect(() => sqliteStorage({ path })).toThrow(expect.objectContaining({ code: 'log_unavailable', message: expect.stringContaining(path) }));
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it('refuses a file of a newer format', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.db');
    sqliteStorage({ path }).close();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => sqliteStorage({ path })).toThrow(expect.objectContaining({ code: 'log_unavailable', message: expect.stringContaining('newer version') }));
  });

  it('keeps topics, records, commits and end offsets over a restart', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.db');
    const before = openLocalLog({ storage: sqliteStorage({ path }), clock: { nowMs: () => 1_700_000_000_000 } });
    await before.ensureTopics([TOPIC]);
    await before.append('race-updates', 1, [{ key: Buffer.from('k'), value: Buffer.from('v'), headers: [['h', Buffer.from([1, 2])]] }, { key: null, value: null }]);
    const subscription = await before.subscribe({ group: 'g', topics: ['race-updates'], handler: { async onAssigned() {}, async onRevoked() {}, async onBatch() {} } });
    await expect.poll(() => subscription.assigned().length).toBe(2);
    await subscription.commit({ topic: 'race-updates', partition: 1 }, 2, 'm');
    await before.close();

    const after = openLocalLog({ storage: sqliteStorage({ path }) });
    expect(await after.partitionCount('race-updates')).toBe(2);
    expect(await after.endOffsets('race-updates')).toEqual([0, 2]);
    expect(await after.groupOffsets('g', 'race-updates')).toEqual([{ offset: null, metadata: '' }, { offset: 2, metadata: 'm' }]);
    await expect(after.ensureTopics([{ ...TOPIC, partitions: 3 }])).rejects.toMatchObject({ code: 'partition_count_changed' });
    const records: LogRecord[] = [];
    const reader = after.readPartitions({ topic: 'race-updates', partitions: [1], from: () => 'earliest', onRecords: (some) => { records.push(...some); } });
    await reader.caughtUp;
    expect(records).toEqual([
      { topic: 'race-updates', partition: 1, offset: 0, key: Buffer.from('k'), value: Buffer.from('v'), headers: [['h', Buffer.from([1, 2])]], appendedAtMs: 1_700_000_000_000 },
      { topic: 'race-updates', partition: 1, offset: 1, key: null, value: null, headers: [], appendedAtMs: 1_700_000_000_000 },
    ]);
    expect(await after.append('race-updates', 1, [{ key: null, value: null }])).toBe(2);
    await after.close();
  });

  it('leaves nothing of a transaction that fails', () => {
    using directory = temporaryDirectory();
    const storage = sqliteStorage({ path: join(directory.path, 'log.db') });
    storage.transaction(() => { storage.saveTopic(TOPIC); });
    const [partition] = storage.partitions('race-updates');
    storage.transaction(() => partition!.append([{ key: null, value: Buffer.from('kept') }], 1));
    expect(() => storage.transaction(() => {
      partition!.append([{ key: null, value: Buffer.from('lost') }], 2);
      partition!.commit('g', 2, '');
      storage.saveTopic({ ...TOPIC, name: 'telemetry' });
      throw new Error('The test breaks off');
    })).toThrow('The test breaks off');
    expect(partition!.endOffset()).toBe(1);
    expect(partition!.committed('g').offset).toBeNull();
    expect(storage.topics().map((topic) => topic.name)).toEqual(['race-updates']);
    expect(storage.partitions('telemetry')).toEqual([]);
    storage.transaction(() => partition!.append([{ key: null, value: Buffer.from('next') }], 3));
    expect(partition!.read(0, 10, 1_000).map((record) => [record.offset, record.value!.toString()])).toEqual([[0, 'kept'], [1, 'next']]);
    storage.close();
  });

  it('refuses the appends of a turn whose transaction fails with log_unavailable', async () => {
    using directory = temporaryDirectory();
    const storage = sqliteStorage({ path: join(directory.path, 'log.db') });
    const log = openLocalLog({ storage });
    await log.ensureTopics([TOPIC]);
    const appends = [0, 1].map((partition) => log.append('race-updates', partition, [{ key: null, value: Buffer.from('x') }]));
    storage.close();
    for (const append of appends) await expect(append).rejects.toMatchObject({ code: 'log_unavailable' });
    await log.close();
  });
});
