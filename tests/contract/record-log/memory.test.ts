import { recordLogContract } from './suite.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';

recordLogContract('The embedded log in memory', async () => {
  const log = openLocalLog({ storage: memoryStorage(), retryDelayMs: 5 });
  return { log, slow: false, cleanup: () => log.close() };
});
