// Opens the embedded ClickHouse in a process of its own and tells its parent how that went.
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import { silentLogger } from '../silent-logger.ts';

try {
  await openHistoryStore({
    config: { url: null, database: 'raceline', username: 'default', password: '' }, dataDir: process.argv[2] ?? '', historyTtlDays: 30, logger: silentLogger,
  });
  process.send?.({ code: 'opened', message: '' });
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  process.send?.({ code, message });
}
process.disconnect();
