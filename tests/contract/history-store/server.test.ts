import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { startClickHouse } from '../../support/clickhouse/start-clickhouse.ts';
import { historyStoreContract } from './suite.ts';

historyStoreContract('ClickHouse over HTTP', async (dir) => {
  const server = await startClickHouse({ dir, password: 'pass:wörd' });
  const store = await openHistoryStore({
    config: { url: server.url, database: 'history_of_tests', username: 'default', password: 'pass:wörd' }, dataDir: dir, historyTtlDays: 36_500, logger: silentLogger,
  });
  return {
    store,
    async close() {
      await store.close();
      await server.stop();
    },
  };
});
