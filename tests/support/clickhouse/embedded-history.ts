import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { silentLogger } from '../silent-logger.ts';

export type EmbeddedHistory = {
  readonly store: HistoryStore;
  readonly dataDir: string;
  /** Its folder goes with it. */
  close(): Promise<void>;
};

/** chDB with all tables, in a folder of its own. Rows are kept for ever: tests write old ones. Once in a process. */
export async function openEmbeddedHistory(): Promise<EmbeddedHistory> {
  const dataDir = await mkdtemp(join(tmpdir(), 'raceline-history-'));
  const store = await openWithTables(null, dataDir);
  return {
    store,
    dataDir,
    async close() {
      await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A store with all tables: of a server, or (null) embedded in `dataDir`. */
export async function openWithTables(url: string | null, dataDir: string): Promise<HistoryStore> {
  const store = await openHistoryStore({
    config: { url, database: 'raceline', username: 'default', password: '' }, dataDir, historyTtlDays: 36_500, logger: silentLogger,
  });
  await store.migrate();
  return store;
}
