import { decodeHeaders, encodeHeaders } from './header-bytes.ts';
import { makePartitionTail } from './partition-tail.ts';
import type { DatabaseSync } from 'node:sqlite';
import type { RecordHead, StoredPartition } from './storage.ts';
import type { LogRecord } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

/** A partition that keeps its end offset in memory within a transaction. */
export type SqlitePartition = StoredPartition & {
  /** Writes the end offset if it has moved: before COMMIT. */
  saveEnd(): void;
  /** Reads the offsets again: after ROLLBACK. */
  reload(): void;
};

export type SqlitePartitionOptions = {
  readonly database: DatabaseSync;
  readonly id: number;
  readonly topic: TopicName;
  readonly partition: number;
  readonly isCompacted: () => boolean;
};

type RecordRow = [offset: number, appendedAtMs: number, key: Uint8Array | null, value: Uint8Array | null, headers: Uint8Array | null];
type HeadRow = [offset: number, appendedAtMs: number, key: Uint8Array | null, isTombstone: number];

/** The tables `records_<id>` and `newest_<id>`; the latter names the one record that compaction left of each key. */
export function sqlitePartition({ database, id, topic, partition, isCompacted }: SqlitePartitionOptions): SqlitePartition {
  const rows = (sql: string) => {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  const insert = database.prepare(`INSERT INTO records_${id} (offset, appended_at, key, value, headers) VALUES (?, ?, ?, ?, ?)`);
  const select = rows(`SELECT offset, appended_at, key, value, headers FROM records_${id} WHERE offset >= ? ORDER BY offset LIMIT ?`);
  const selectHeads = rows(`SELECT offset, appended_at, key, value IS NULL FROM records_${id} WHERE offset >= ? ORDER BY offset LIMIT ?`);
  const countRecords = database.prepare(`SELECT count(*) AS records FROM records_${id}`);
  const deleteRecord = database.prepare(`DELETE FROM records_${id} WHERE offset = ?`);
  const deleteUntil = database.prepare(`DELETE FROM records_${id} WHERE offset <= ?`);
  const selectNewest = database.prepare(`SELECT offset FROM newest_${id} WHERE key = ?`);
  const saveNewest = database.prepare(`INSERT INTO newest_${id} (key, offset, tombstone_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET offset = excluded.offset, tombstone_at = excluded.tombstone_at`);
  const deleteNewest = database.prepare(`DELETE FROM newest_${id} WHERE key = ? AND offset = ?`);
  const selectTombstones = database.prepare(`SELECT key, offset FROM newest_${id} WHERE tombstone_at IS NOT NULL AND tombstone_at <= ? ORDER BY tombstone_at LIMIT ?`);
  const selectOffsets = database.prepare('SELECT end_offset, cleaned_offset FROM partitions WHERE id = ?');
  const updateEnd = database.prepare('UPDATE partitions SET end_offset = ? WHERE id = ?');
  const updateCleaned = database.prepare('UPDATE partitions SET cleaned_offset = ? WHERE id = ?');
  const selectCommit = database.prepare('SELECT next_offset, metadata FROM commits WHERE partition_id = ? AND consumer_group = ?');
  const saveCommit = database.prepare('INSERT OR REPLACE INTO commits (partition_id, consumer_group, next_offset, metadata) VALUES (?, ?, ?, ?)');

  const tail = makePartitionTail(topic, partition);
  let endOffset = 0;
  let savedEndOffset = 0;
  let cleanedOffset = 0;
  const reload = (): void => {
    tail.clear();
    const stored = selectOffsets.get(id) as { end_offset: number; cleaned_offset: number };
    endOffset = stored.end_offset;
    savedEndOffset = endOffset;
    cleanedOffset = stored.cleaned_offset;
  };
  reload();

  return {
    topic, partition, isCompacted, reload,
    saveEnd() {
      if (endOffset === savedEndOffset) return;
      updateEnd.run(endOffset, id);
      savedEndOffset = endOffset;
    },
    count: () => (countRecords.get() as { records: number }).records,
    endOffset: () => endOffset,
    append(records, appendedAtMs) {
      const base = endOffset;
      for (const { key, value, headers } of records) {
        insert.run(endOffset, appendedAtMs, key, value, encodeHeaders(headers));
        endOffset += 1;
      }
      tail.push(records, base, appendedAtMs);
      return base;
    },
    read(from, maxRecords, maxBytes) {
      const recent = tail.read(from, maxRecords, maxBytes);
      if (recent !== null) return recent;
      const read: LogRecord[] = [];
      let bytes = 0;
      for (const row of select.iterate(from, maxRecords)) {
        const [offset, appendedAtMs, key, value, headers] = row as unknown as RecordRow;
        read.push({ topic, partition, offset, key: bufferOf(key), value: bufferOf(value), headers: decodeHeaders(bufferOf(headers)), appendedAtMs });
        bytes += (key?.length ?? 0) + (value?.length ?? 0);
        if (bytes >= maxBytes) break;
      }
      return read;
    },
    committed(group) {
      const row = selectCommit.get(id, group) as { next_offset: number; metadata: string } | undefined;
      return row === undefined ? { offset: null, metadata: '' } : { offset: row.next_offset, metadata: row.metadata };
    },
    commit(group, offset, metadata) {
      saveCommit.run(id, group, offset, metadata);
    },
    heads(from, limit, untilMs) {
      const heads: RecordHead[] = [];
      for (const row of selectHeads.iterate(from, limit)) {
        const [offset, appendedAtMs, key, isTombstone] = row as unknown as HeadRow;
        if (appendedAtMs > untilMs) break;
        heads.push({ offset, key: bufferOf(key), isTombstone: isTombstone === 1, appendedAtMs });
      }
      return heads;
    },
    expire(heads) {
      const last = heads.at(-1);
      if (last === undefined) return;
      deleteUntil.run(last.offset);
      tail.forgetTo(last.offset);
      if (!isCompacted()) return;
      for (const { key, offset } of heads) {
        if (key !== null) deleteNewest.run(key, offset);
      }
    },
    cleanedOffset: () => cleanedOffset,
    compact(heads) {
      if (heads.length === 0) return;
      // Most updates of a busy key fall within one slice: only the last of them needs the table.
      const newest = new Map<string, RecordHead>();
      for (const head of heads) {
        cleanedOffset = head.offset + 1;
        if (head.key === null) continue;
        const key = head.key.toString('latin1');
        const older = newest.get(key);
        if (older !== undefined) deleteRecord.run(older.offset);
        newest.set(key, head);
      }
      for (const head of newest.values()) {
        const older = selectNewest.get(head.key) as { offset: number } | undefined;
        if (older !== undefined) deleteRecord.run(older.offset);
        saveNewest.run(head.key, head.offset, head.isTombstone ? head.appendedAtMs : null);
      }
      updateCleaned.run(cleanedOffset, id);
      tail.forgetTo(cleanedOffset - 1);
    },
    dropTombstones(untilMs, limit) {
      const due = selectTombstones.all(untilMs, limit) as { key: Uint8Array; offset: number }[];
      for (const { key, offset } of due) {
        deleteRecord.run(offset);
        deleteNewest.run(key, offset);
      }
      return due.length;
    },
  };
}

function bufferOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
