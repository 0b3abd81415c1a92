import { expect, test } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import { logTarget } from '../../../src/cli/update-target.ts';
import type { LogRecord } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';

test('logTarget() appends each race to its partition, in order, in appends that the log takes', async () => {
  const log = openLocalLog({ storage: memoryStorage() });
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  await log.ensureTopics([{ name: 'race-updates', partitions: 4, cleanup: 'delete', retentionMs: null, minCompactionLagMs: 0 }]);
  const target = logTarget(log, codec);
  // 2 MB in all: more than one append may hold.
  const updates = Array.from({ length: 2_000 }, (_, index): RaceUpdate => ({ ...emptyUpdate(`race ${index % 37}`, 's', 1_700_000_000_000 + index), metadata: { note: 'n'.repeat(1_000) } }));
  await target.send(updates);

  const records: LogRecord[] = [];
  const reader = log.readPartitions({ topic: 'race-updates', partitions: [0, 1, 2, 3], from: () => 'earliest', onRecords: (batch) => { records.push(...batch); } });
  await reader.caughtUp;
  await reader.close();
  await target.close();

  const read = records.map((record) => {
    const result = codec.decode('race-updates', record.value!);
    if ('error' in result) throw new Error(result.error.message);
    const update = result.decoded.value as RaceUpdate;
    expect(record.key?.toString()).toBe(update.race_id);
    expect(record.partition).toBe(partitionOf(update.race_id, 4));
    return update;
  });
  for (let race = 0; race < 37; race++) {
    const own = (list: readonly RaceUpdate[]): number[] => list.filter((update) => update.race_id === `race ${race}`).map((update) => update.at);
    expect(own(read)).toEqual(own(updates));
  }
  expect(read).toHaveLength(updates.length);
});
