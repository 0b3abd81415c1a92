import { expect, test } from 'vitest';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { PartitionTask } from '../../../src/runtime/partition-task.ts';
import { initialPosition, PartitionStore } from '../../../src/runtime/race-store.ts';
import { systemTimers } from '../../../src/runtime/timers.ts';
import { embeddedCodec, HOUR_MS } from '../../support/graph-driver.ts';
import { readAll } from '../../support/read-all.ts';
import { everyTopic } from '../../support/topics.ts';

const NOW = 1_700_000_000_000;
const silent = (): void => {};

async function openLog(): Promise<RecordLog> {
  const log = openLocalLog({ storage: memoryStorage(), clock: { nowMs: () => NOW } });
  await log.ensureTopics(everyTopic({ races: 1, sources: 1, single: 1 }));
  return log;
}

test('process() loses nothing of a slice that could not be encoded', async () => {
  const log = await openLog();
  const codec = await embeddedCodec();
  let failures = 1;
  const failing: Codec = {
    ...codec,
    encode(topic, value, kind) {
      if (topic === 'race-states' && failures-- > 0) throw new Error('Cannot encode it');
      return codec.encode(topic, value, kind);
    },
  };
  await log.append('race-updates', 0, [
    { key: Buffer.from('r'), value: codec.encode('race-updates', { ...emptyUpdate('r', 's', NOW), title: 't', state: 'running', started_at: NOW - 1_000 }) },
    { key: Buffer.from('r'), value: codec.encode('race-updates', { ...emptyUpdate('r', 's', NOW), state: 'passed', completed_at: NOW }) },
  ]);
  const records = await readAll(log, 'race-updates');
  const task = new PartitionTask({
    partition: 0, partitionCount: 1, historyPartitions: 1, log, codec: failing, clock: { nowMs: () => NOW }, store: new PartitionStore(initialPosition(0)), writerId: 'w', endOffset: 2,
    timers: systemTimers, logger: { debug: silent, info: silent, warn: silent, error: silent }, hooks: { onBatch: silent, onSlice: silent, onRestored: silent },
    models: { modelOf: () => undefined, versionOf: () => '0@0' }, graceMs: HOUR_MS, finishedTtlMs: 24 * HOUR_MS, commit: async () => {},
  });
  const batch = { topic: 'race-updates', partition: 0, records, endOffset: 2, signal: new AbortController().signal } as const;
  await expect(task.process(batch)).rejects.toThrow('Cannot encode it');
  await task.process(batch);
  await task.drain();

  expect(await readAll(log, 'race-history')).toHaveLength(1);
  const etas = (await readAll(log, 'eta-updates')).map((record) => codec.decode('eta-updates', record.value!));
  expect(etas).toMatchObject([{ decoded: { value: { revision: 1 } } }, { decoded: { value: { revision: 2, reason: 'finished' } } }]);
  const states = (await readAll(log, 'race-states')).map((record) => codec.decode('race-states', record.value!));
  expect(states).toContainEqual(expect.objectContaining({ decoded: { kind: 'RaceState', value: expect.objectContaining({ race_id: 'r', state: 'passed' }) as unknown } }));
  expect(states.at(-1)).toMatchObject({ decoded: { value: { read: 2, applied: 2, applied_offset: 1 } } });
  await log.close();
});
