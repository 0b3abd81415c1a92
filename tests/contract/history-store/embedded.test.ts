import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { historyStoreContract } from './suite.ts';

historyStoreContract('embedded chDB', async (dataDir) => {
  const store = await openHistoryStore({
    config: { url: null, database: 'raceline', username: 'default', password: '' }, dataDir, historyTtlDays: 36_500, logger: silentLogger,
  });
  return { store, close: () => store.close() };
});
