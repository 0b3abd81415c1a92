import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordLogContract } from './suite.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { sqliteStorage } from '../../../src/adapters/local-log/sqlite-storage.ts';

recordLogContract('The embedded log in SQLite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'raceline-log-'));
  const log = openLocalLog({ storage: sqliteStorage({ path: join(directory, 'log.db') }), retryDelayMs: 5 });
  return {
    log,
    slow: false,
    async cleanup() {
      await log.close();
      await rm(directory, { recursive: true });
    },
  };
});
