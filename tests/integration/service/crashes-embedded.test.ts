import { join } from 'node:path';
import { partitionCounts } from '../../../topology/topics.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { sqliteStorage } from '../../../src/adapters/local-log/sqlite-storage.ts';
import { describeCrashes } from './crash-scenario.ts';

describeCrashes('killed on the embedded engines', async () => ({
  partitions: partitionCounts.embedded.races,
  env: {},
  beforeKill: async () => {},
  afterKill: async () => {},
  async endOffsets(dataDir) {
    const log = openLocalLog({ storage: sqliteStorage({ path: join(dataDir, 'log.db') }) });
    try {
      return await log.endOffsets('race-updates');
    } finally {
      await log.close();
    }
  },
}));
