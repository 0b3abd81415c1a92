import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { openWithTables } from './embedded-history.ts';
import { startClickHouse, type ClickHouseProcess } from './start-clickhouse.ts';

export type ServedHistory = {
  readonly store: HistoryStore;
  readonly server: ClickHouseProcess;
  /** The server's folder goes with it. */
  close(): Promise<void>;
};

/** A ClickHouse server with all tables, in a folder of its own. Rows are kept for ever: tests write old ones. */
export async function openServedHistory(): Promise<ServedHistory> {
  const dataDir = await mkdtemp(join(tmpdir(), 'raceline-history-'));
  const server = await startClickHouse({ dir: dataDir });
  const store = await openWithTables(server.url, dataDir);
  return {
    store,
    server,
    async close() {
      await store.close();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
