import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openLocalLog } from '../../src/adapters/local-log/local-log.ts';
import { sqliteStorage } from '../../src/adapters/local-log/sqlite-storage.ts';
import type { NewRecord } from '../../src/ports/record-log.ts';
import { temporaryDirectory } from '../support/service.ts';
import { rounded, type Figure } from './bench.ts';
import { jsonRecord, standardMix } from './mix.ts';

const RACES = 5_000;
const BATCH = 500;

/** The embedded log against bare SQLite: the same rows in the same transactions, then read back. */
export async function log(): Promise<Figure[]> {
  const records = standardMix(RACES).map(jsonRecord);
  const batches = Array.from({ length: Math.ceil(records.length / BATCH) }, (_, i) => records.slice(i * BATCH, (i + 1) * BATCH));
  const directory = temporaryDirectory();
  try {
    const own = await ownLog(join(directory.path, 'own.db'), batches, records.length);
    const bare = bareSqlite(join(directory.path, 'bare.db'), batches, records.length);
    return [
      { name: 'append_per_sec', value: Math.round(own.append), says: `records of ${Math.round(averageBytes(records))} bytes, ${BATCH} a call` },
      { name: 'bare_append_per_sec', value: Math.round(bare.append), says: 'INSERT by a prepared statement, the same transactions' },
      { name: 'append_ratio_to_bare', value: rounded(own.append / bare.append), says: '' },
      { name: 'read_per_sec', value: Math.round(own.read), says: 'a reader, from the start to the end' },
      { name: 'bare_read_per_sec', value: Math.round(bare.read), says: 'SELECT in slices of 1,000' },
      { name: 'read_ratio_to_bare', value: rounded(own.read / bare.read), says: '' },
    ];
  } finally {
    directory.remove();
  }
}

type Rates = { readonly append: number; readonly read: number };

async function ownLog(path: string, batches: readonly NewRecord[][], count: number): Promise<Rates> {
  const own = openLocalLog({ storage: sqliteStorage({ path }), maintenanceIntervalMs: null });
  await own.ensureTopics([{ name: 'race-updates', partitions: 1, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 }]);
  const append = await perSec(count, async () => {
    for (const batch of batches) await own.append('race-updates', 0, batch);
  });
  const read = await perSec(count, async () => {
    const reader = own.readPartitions({ topic: 'race-updates', partitions: [0], from: () => 'earliest', onRecords() {} });
    await reader.caughtUp;
    await reader.close();
  });
  await own.close();
  return { append, read };
}

async function perSec(count: number, work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - startedAtMs);
}

function bareSqlite(path: string, batches: readonly NewRecord[][], count: number): Rates {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA page_size = 8192; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
  database.exec('CREATE TABLE records (offset INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL, key BLOB, value BLOB, headers BLOB) STRICT');
  const insert = database.prepare('INSERT INTO records VALUES (?, ?, ?, ?, NULL)');
  const startedAtMs = performance.now();
  let offset = 0;
  for (const batch of batches) {
    database.exec('BEGIN IMMEDIATE');
    for (const { key, value } of batch) insert.run(offset++, 0, key, value);
    database.exec('COMMIT');
  }
  const appendedAtMs = performance.now();
  const select = database.prepare('SELECT * FROM records WHERE offset >= ? ORDER BY offset LIMIT 1000');
  for (let from = 0; from < count;) from += select.all(from).length;
  const readAtMs = performance.now();
  database.close();
  return { append: (count * 1_000) / (appendedAtMs - startedAtMs), read: (count * 1_000) / (readAtMs - appendedAtMs) };
}

function averageBytes(records: readonly NewRecord[]): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0) / records.length;
}
