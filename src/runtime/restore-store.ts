import type { Codec } from '../ports/codec.ts';
import type { LogRecord, RecordLog } from '../ports/record-log.ts';
import { compactRace } from '../race/compact.ts';
import { isPositionKey, positionKey } from '../race/position-key.ts';
import type { PartitionState, RaceState } from '../race/state.ts';
import { asOfOf, isBehind, writerOf, type AsOf } from './changelog-headers.ts';
import { initialPosition, PartitionStore } from './race-store.ts';

export type Restored = {
  readonly store: PartitionStore;
  /** First offset of race-states that has not been read, where a later look for foreign writers begins. */
  readonly changelogEnd: number;
  /** Keys whose last record is not the one that stands: to be written again before compaction leaves that one only. */
  readonly contested: ReadonlySet<string>;
};

/**
 * Rebuilds a partition's store from its changelog. Where two writers overlapped, what stands for the greatest input
 * offset wins, a tombstone like a state, and the later record on a tie. Undecodable rows are a defect of ours and stop
 * the start. Cost: one read of race-states.
 */
export async function restoreStore(log: RecordLog, codec: Codec, partition: number): Promise<Restored> {
  const races = new Map<string, RaceState>();
  const asOfs = new Map<string, AsOf>();
  const contested = new Set<string>();
  let position: PartitionState = initialPosition(partition);
  let changelogEnd = 0;
  await readToEnd(log, codec, partition, 0, (record) => {
    changelogEnd = record.offset + 1;
    const key = record.key?.toString('utf8') ?? '';
    const said = asOfOf(record);
    const known = asOfs.get(key);
    contested.delete(key);
    if (record.value === null) {
      if (said !== null && known !== undefined && isBehind(said, known)) {
        contested.add(key);
        return;
      }
      races.delete(key);
      if (said === null) asOfs.delete(key);
      else asOfs.set(key, said);
      return;
    }
    const result = codec.decode('race-states', record.value);
    if ('error' in result) throw new Error(`Cannot restore partition ${partition}: race-states offset ${record.offset} is ${result.error.code}: ${result.error.message}`);
    if (isPositionKey(key)) {
      const found = result.decoded.value as PartitionState;
      if (key !== positionKey(partition)) return;
      if (isBehind(found, position)) contested.add(key);
      else position = { ...found };
      return;
    }
    const race = result.decoded.value as RaceState;
    const asOf = said ?? race;
    if (known !== undefined && isBehind(asOf, known)) {
      contested.add(key);
      return;
    }
    races.set(key, race);
    asOfs.set(key, asOf);
  });
  const store = new PartitionStore(position);
  for (const race of races.values()) store.load(compactRace(race));
  return { store, changelogEnd, contested };
}

export type ForeignWrites = {
  /** The partition's totals among them. */
  readonly keys: ReadonlySet<string>;
  /** The greatest input offset that they stand for; null = none says. */
  readonly asOf: AsOf | null;
};

/** What somebody else than `writerId` wrote to a partition's changelog at or after `from`. */
export async function foreignWrites(log: RecordLog, codec: Codec, partition: number, from: number, writerId: string): Promise<ForeignWrites> {
  const keys = new Set<string>();
  let asOf: AsOf | null = null;
  await readToEnd(log, codec, partition, from, (record) => {
    if (writerOf(record) === writerId) return;
    const key = record.key?.toString('utf8') ?? '';
    keys.add(key);
    const said = asOfOf(record);
    if (said !== null && (asOf === null || isBehind(asOf, said))) asOf = said;
  });
  return { keys, asOf };
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
