import type { Codec } from '../ports/codec.ts';
import type { LogRecord, RecordLog } from '../ports/record-log.ts';
import { compactRace } from '../race/compact.ts';
import { isPositionKey, positionKey } from '../race/position-key.ts';
import type { PartitionState, RaceState } from '../race/state.ts';
import { initialPosition, PartitionStore } from './race-store.ts';

export type Restored = {
  readonly store: PartitionStore;
  /** First offset of race-states that has not been read, where a later look for foreign writers begins. */
  readonly changelogEnd: number;
};

/**
 * Rebuilds a partition's store from its changelog. Where two writers overlapped, the greatest applied offset of a key
 * wins, the later record on a tie. Undecodable rows are a defect of ours and stop the start. Cost: one read of race-states.
 */
export async function restoreStore(log: RecordLog, codec: Codec, partition: number): Promise<Restored> {
  const races = new Map<string, RaceState>();
  let position: PartitionState = initialPosition(partition);
  let changelogEnd = 0;
  await readToEnd(log, codec, partition, 0, (record) => {
    changelogEnd = record.offset + 1;
    const key = record.key?.toString('utf8') ?? '';
    if (record.value === null) {
      races.delete(key);
      return;
    }
    const result = codec.decode('race-states', record.value);
    if ('error' in result) throw new Error(`Cannot restore partition ${partition}: race-states offset ${record.offset} is ${result.error.code}: ${result.error.message}`);
    if (isPositionKey(key)) {
      const found = result.decoded.value as PartitionState;
      if (key === positionKey(partition) && !isBehind(found, position)) position = { ...found };
      return;
    }
    const race = result.decoded.value as RaceState;
    const known = races.get(key);
    if (known === undefined || !isBehind(race, known)) races.set(key, race);
  });
  const store = new PartitionStore(position);
  for (const race of races.values()) store.load(compactRace(race));
  return { store, changelogEnd };
}

/** Keys of a partition's changelog that somebody else than `writerId` wrote at or after `from`. */
export async function foreignKeys(log: RecordLog, codec: Codec, partition: number, from: number, writerId: string, writerHeader: string): Promise<Set<string>> {
  const keys = new Set<string>();
  await readToEnd(log, codec, partition, from, (record) => {
    const writer = record.headers.find(([name]) => name === writerHeader)?.[1].toString('utf8');
    const key = record.key?.toString('utf8') ?? '';
    if (writer !== writerId && !isPositionKey(key)) keys.add(key);
  });
  return keys;
}

async function readToEnd(log: RecordLog, codec: Codec, partition: number, from: number, onRecord: (record: LogRecord) => void): Promise<void> {
  const reader = log.readPartitions({
    topic: 'race-states',
    partitions: [partition],
    from: () => from,
    async onRecords(records) {
      await codec.prepare('race-states', records.map((record) => record.value));
      for (const record of records) onRecord(record);
    },
  });
  try {
    await reader.caughtUp;
  } finally {
    await reader.close();
  }
}

function isBehind(a: { epoch: number; applied_offset: number }, b: { epoch: number; applied_offset: number }): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.applied_offset < b.applied_offset);
}
