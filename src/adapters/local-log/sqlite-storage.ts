import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError, messageOf } from '../../errors.ts';
import { sqlitePartition } from './sqlite-partition.ts';
import { compacts } from './storage.ts';
import type { LogStorage } from './storage.ts';
import type { SqlitePartition } from './sqlite-partition.ts';
import type { TopicDefinition } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

const SCHEMA_VERSION = 1;
const SQLITE_BUSY = 5;

type TopicRow = { name: TopicName; partitions: number; cleanup: TopicDefinition['cleanup']; retention_ms: number | null; min_compaction_lag_ms: number };
type PartitionRow = { id: number; topic: TopicName; partition: number };

/**
 * A storage in one SQLite file (with `-wal` beside it), whose directory is created.
 *
 * **Durability.** WAL with synchronous=NORMAL: what a finished transaction wrote survives the death of the process
 * (kill -9 too), but not a power cut or a crash of the machine: then the last transactions may be missing. The file
 * stays sound, and what is missing is a tail of everything: no commit outlives the record that it stands for.
 *
 * **One process.** The file is locked for as long as the storage is open. A second opener, in this process or
 * another, gets `log_unavailable` at once. The lock dies with its process.
 *
 * The file does not shrink; space of removed records is used again.
 */
export function sqliteStorage({ path }: { readonly path: string }): LogStorage {
  const database = openDatabase(path);
  const definitions = new Map<TopicName, TopicDefinition>();
  const partitions = new Map<TopicName, SqlitePartition[]>();

  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const saveTopicRow = database.prepare(`
    INSERT INTO topics (name, partitions, cleanup, retention_ms, min_compaction_lag_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET cleanup = excluded.cleanup, retention_ms = excluded.retention_ms, min_compaction_lag_ms = excluded.min_compaction_lag_ms`);
  const sizeOfFile = database.prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()');
  const insertPartition = database.prepare('INSERT INTO partitions (topic, partition) VALUES (?, ?) RETURNING id');

  const open = ({ id, topic, partition }: PartitionRow): SqlitePartition =>
    sqlitePartition({ database, id, topic, partition, isCompacted: () => compacts(definitions.get(topic)!) });

  const loadDefinitions = (): void => {
    definitions.clear();
    for (const row of database.prepare('SELECT * FROM topics').all() as TopicRow[]) {
      definitions.set(row.name, { name: row.name, partitions: row.partitions, cleanup: row.cleanup, retentionMs: row.retention_ms, minCompactionLagMs: row.min_compaction_lag_ms });
    }
  };

  const restoreFromFile = (): void => {
    loadDefinitions();
    for (const [topic, some] of partitions) {
      if (!definitions.has(topic)) partitions.delete(topic);
      else for (const partition of some) partition.reload();
    }
  };

  loadDefinitions();
  for (const row of database.prepare('SELECT id, topic, partition FROM partitions ORDER BY topic, partition').all() as PartitionRow[]) {
    partitions.set(row.topic, [...(partitions.get(row.topic) ?? []), open(row)]);
  }

  return {
    topics: () => [...definitions.values()],
    saveTopic(topic) {
      saveTopicRow.run(topic.name, topic.partitions, topic.cleanup, topic.retentionMs, topic.minCompactionLagMs);
      definitions.set(topic.name, topic);
      if (partitions.has(topic.name)) return;
      partitions.set(topic.name, Array.from({ length: topic.partitions }, (_, partition) => {
        const { id } = insertPartition.get(topic.name, partition) as { id: number };
        createPartitionTables(database, id);
        return open({ id, topic: topic.name, partition });
      }));
    },
    partitions: (topic) => partitions.get(topic) ?? [],
    transaction(work) {
      begin.run();
      try {
        const result = work();
        for (const some of partitions.values()) for (const partition of some) partition.saveEnd();
        commit.run();
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some failures, such as a full disk.
        if (database.isTransaction) database.exec('ROLLBACK');
        restoreFromFile();
        throw error;
      }
    },
    bytes() {
      const { bytes } = sizeOfFile.get() as { bytes: number };
      return bytes;
    },
    close() {
      if (database.isOpen) database.close();
    },
  };
}

function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    // No waiting: whoever has the file keeps it.
    database = new DatabaseSync(path, { timeout: 0 });
    // Exclusive before WAL: the lock is taken with the first access, and the index of the WAL needs no shared memory.
    database.exec(`
      PRAGMA page_size = 8192;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA journal_size_limit = 67108864;
      BEGIN IMMEDIATE;`);
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > SCHEMA_VERSION) throw new AppError('log_unavailable', `Cannot open the record log ${path}: a newer version of Raceline has written it (format ${version}, this one reads ${SCHEMA_VERSION}). Use that version, or another RACELINE_DATA_DIR`);
    database.exec(`
      CREATE TABLE IF NOT EXISTS topics (
        name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, cleanup TEXT NOT NULL, retention_ms INTEGER, min_compaction_lag_ms INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS partitions (
        id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        end_offset INTEGER NOT NULL DEFAULT 0, cleaned_offset INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, partition)
      ) STRICT;
      CREATE TABLE IF NOT EXISTS commits (
        partition_id INTEGER NOT NULL, consumer_group TEXT NOT NULL, next_offset INTEGER NOT NULL, metadata TEXT NOT NULL,
        PRIMARY KEY (partition_id, consumer_group)
      ) STRICT, WITHOUT ROWID;
      PRAGMA user_version = ${SCHEMA_VERSION};
      COMMIT;`);
    return database;
  } catch (error) {
    if (database?.isOpen === true) database.close();
    if (error instanceof AppError) throw error;
    throw new AppError('log_unavailable', isBusy(error)
      ? `Cannot open the record log ${path}: another process has it open. Stop that process, or give this one another RACELINE_DATA_DIR`
      : `Cannot open the record log ${path}: ${messageOf(error)}`, { cause: error });
  }
}

// A table a partition: appends go to the right end of their own B-tree, so its pages are filled whole.
function createPartitionTables(database: DatabaseSync, id: number): void {
  database.exec(`
    CREATE TABLE records_${id} (offset INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL, key BLOB, value BLOB, headers BLOB) STRICT;
    CREATE TABLE newest_${id} (key BLOB PRIMARY KEY, offset INTEGER NOT NULL, tombstone_at INTEGER) STRICT, WITHOUT ROWID;
    CREATE INDEX tombstones_${id} ON newest_${id} (tombstone_at) WHERE tombstone_at IS NOT NULL;`);
}

function isBusy(error: unknown): boolean {
  // The low byte is the primary code, the rest says which kind.
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === SQLITE_BUSY;
}
