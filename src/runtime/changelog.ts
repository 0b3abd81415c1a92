import type { Codec } from '../ports/codec.ts';
import type { LogRecord, RecordLog } from '../ports/record-log.ts';
import { isPositionKey, positionKey } from '../race/position-key.ts';
import { asOfOf, isBehind, writerOf, type AsOf } from './changelog-headers.ts';

/** The changelogs of stores that one instance owns a partition of. */
type ChangelogTopic = 'race-states' | 'journey-states';

/** What a changelog comes to. */
export type Changelog<State, Position> = {
  readonly states: Map<string, State>;
  readonly position: Position;
  /** First offset of the changelog that has not been read, where a later look for foreign writers begins. */
  readonly changelogEnd: number;
  /** Keys whose last record is not the one that stands: to be written again before compaction leaves that one only. */
  readonly contested: ReadonlySet<string>;
};

/**
 * Reads a partition of a changelog. Where two writers overlapped, what stands for the greatest input offset wins, a tombstone like a
 * state, and the later record on a tie. Undecodable rows are a defect of ours and stop the start. Cost: one read of the partition.
 */
export async function readChangelog<State extends AsOf, Position extends AsOf>(
  log: RecordLog, codec: Codec, topic: ChangelogTopic, partition: number, initial: Position,
): Promise<Changelog<State, Position>> {
  const states = new Map<string, State>();
  const asOfs = new Map<string, AsOf>();
  const contested = new Set<string>();
  let position = initial;
  let changelogEnd = 0;
  await readToEnd(log, codec, topic, partition, 0, (record) => {
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
      states.delete(key);
      if (said === null) asOfs.delete(key);
      else asOfs.set(key, said);
      return;
    }
    const result = codec.decode(topic, record.value);
    if ('error' in result) throw new Error(`Cannot restore partition ${partition}: ${topic} offset ${record.offset} is ${result.error.code}: ${result.error.message}`);
    if (isPositionKey(key)) {
      const found = result.decoded.value as Position;
      if (key !== positionKey(partition)) return;
      if (isBehind(found, position)) contested.add(key);
      else position = { ...found };
      return;
    }
    const state = result.decoded.value as State;
    const asOf = said ?? state;
    if (known !== undefined && isBehind(asOf, known)) {
      contested.add(key);
      return;
    }
    states.set(key, state);
    asOfs.set(key, asOf);
  });
  return { states, position, changelogEnd, contested };
}

export type ForeignWrites = {
  /** The partition's totals among them. */
  readonly keys: ReadonlySet<string>;
  /** The greatest input offset that they stand for; null = none says. */
  readonly asOf: AsOf | null;
};

/** What somebody else than `writerId` wrote to a partition of a changelog at or after `from`. */
export async function foreignWrites(log: RecordLog, codec: Codec, topic: ChangelogTopic, partition: number, from: number, writerId: string): Promise<ForeignWrites> {
  const keys = new Set<string>();
  let asOf: AsOf | null = null;
  await readToEnd(log, codec, topic, partition, from, (record) => {
    if (writerOf(record) === writerId) return;
    const key = record.key?.toString('utf8') ?? '';
    keys.add(key);
    const said = asOfOf(record);
    if (said !== null && (asOf === null || isBehind(asOf, said))) asOf = said;
  });
  return { keys, asOf };
}

async function readToEnd(log: RecordLog, codec: Codec, topic: ChangelogTopic, partition: number, from: number, onRecord: (record: LogRecord) => void): Promise<void> {
  const reader = log.readPartitions({
    topic,
    partitions: [partition],
    from: () => from,
    async onRecords(records) {
      await codec.prepare(topic, records.map((record) => record.value));
      for (const record of records) onRecord(record);
    },
  });
  try {
    await reader.caughtUp;
  } finally {
    await reader.close();
  }
}
