// A process of its own: opens the log at argv[2], appends and commits until it is killed, and prints what was acknowledged.
import { writeSync } from 'node:fs';
import { openLocalLog } from '../../../../src/adapters/local-log/local-log.ts';
import { sqliteStorage } from '../../../../src/adapters/local-log/sqlite-storage.ts';

const log = openLocalLog({ storage: sqliteStorage({ path: process.argv[2]! }) });
await log.ensureTopics([{ name: 'race-updates', partitions: 2, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 }]);

async function appendForEver(partition: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    const values = Array.from({ length: 1 + (round % 20) }, (_, index) => `${partition}/${round}/${index}`);
    const base = await log.append('race-updates', partition, values.map((value) => ({ key: null, value: Buffer.from(value.padEnd(200)) })));
    for (const [index, value] of values.entries()) writeSync(1, `${partition} ${base + index} ${value}\n`);
  }
}

await Promise.all([appendForEver(0), appendForEver(1)]);
