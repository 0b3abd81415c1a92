import { beforeEach, describe, expect, it } from 'vitest';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { newRace } from '../../../src/race/attempt.ts';
import { positionKey } from '../../../src/race/position-key.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { changelogHeaders } from '../../../src/runtime/changelog-headers.ts';
import { initialPosition } from '../../../src/runtime/race-store.ts';
import { foreignWrites } from '../../../src/runtime/changelog.ts';
import { restoreStore } from '../../../src/runtime/restore-store.ts';
import { embeddedCodec } from '../../support/graph-driver.ts';
import { everyTopic } from '../../support/topics.ts';

const codec = await embeddedCodec();
let log: RecordLog;

beforeEach(async () => {
  log = openLocalLog({ storage: memoryStorage() });
  await log.ensureTopics(everyTopic());
});

/** A slice of one writer: a race with a title, or gone, and the totals, as of an input offset. */
async function write(writer: string, offset: number, raceId: string, title: string | null): Promise<void> {
  const headers = changelogHeaders(writer, { epoch: 0, applied_offset: offset });
  const race = { ...newRace(emptyUpdate(raceId, 'ci/acme', 1), 1, offset), title: title ?? '', applied_offset: offset };
  const position = { ...initialPosition(0), applied_offset: offset, read: offset + 1 };
  await log.append('race-states', 0, [
    { key: Buffer.from(raceId), value: title === null ? null : codec.encode('race-states', race, 'RaceState'), headers },
    { key: Buffer.from(positionKey(0)), value: codec.encode('race-states', position, 'PartitionState'), headers },
  ]);
}

describe('restoreStore()', () => {
  it('takes what stands for the greatest input offset, not what was written last, and says whose last record is not it', async () => {
    await write('new', 7, 'r1', 'as of 7');
    await write('new', 9, 'r2', 'as of 9');
    await write('old', 5, 'r1', 'as of 5');
    const { store, contested, changelogEnd } = await restoreStore(log, codec, 0);
    expect(store.get('r1')?.title).toBe('as of 7');
    expect(store.position).toMatchObject({ applied_offset: 9, read: 10 });
    expect(contested).toEqual(new Set(['r1', positionKey(0)]));
    expect(changelogEnd).toBe(6);
  });

  it('takes the later record where both stand for the same', async () => {
    await write('old', 5, 'r1', 'first');
    await write('new', 5, 'r1', 'second');
    const { store, contested } = await restoreStore(log, codec, 0);
    expect(store.get('r1')?.title).toBe('second');
    expect(contested.size).toBe(0);
  });

  it('lets no former owner bring a forgotten race back, nor take a newer one away', async () => {
    await write('new', 9, 'gone', null);
    await write('old', 5, 'gone', 'back again');
    await write('new', 12, 'kept', 'as of 12');
    await write('old', 6, 'kept', null);
    const { store, contested } = await restoreStore(log, codec, 0);
    expect(store.get('gone')).toBeUndefined();
    expect(store.get('kept')?.title).toBe('as of 12');
    expect(contested).toEqual(new Set(['gone', 'kept', positionKey(0)]));
  });
});

describe('foreignWrites()', () => {
  it('finds the keys of others and how far they had come', async () => {
    await write('old', 3, 'before', 'x');
    await write('mine', 4, 'r1', 'x');
    await write('old', 8, 'r2', 'x');
    await write('older', 2, 'r3', null);
    const { keys, asOf } = await foreignWrites(log, codec, 'race-states', 0, 2, 'mine');
    expect(keys).toEqual(new Set(['r2', 'r3', positionKey(0)]));
    expect(asOf).toEqual({ epoch: 0, applied_offset: 8 });
  });
});
