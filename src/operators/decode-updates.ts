import { map, type OperatorFunction } from 'rxjs';
import { reject } from '../errors.ts';
import type { Codec } from '../ports/codec.ts';
import type { LogRecord } from '../ports/record-log.ts';
import { MAX_RECORD_BYTES, recordBytes } from '../race/record-size.ts';
import { giveUpIn } from './give-up.ts';
import type { DecodedItem } from './items.ts';

export type DecodeOptions = {
  readonly codec: Codec;
  /** Partition of a key, by the partitioner of the topic (murmur2). */
  readonly partitionOf: (key: Buffer) => number;
};

/**
 * Bytes to values. A record on a partition that is not its key's is `misplaced` before what it says is looked at:
 * whoever owns the right partition judges it. Only its size is judged here, since one that is too large could not be
 * sent on.
 */
export function decodeUpdates(options: DecodeOptions): OperatorFunction<LogRecord, DecodedItem> {
  return map((record) => decode(record, options));
}

function decode(record: LogRecord, { codec, partitionOf }: DecodeOptions): DecodedItem {
  if (record.key === null || record.key.length === 0) {
    return { kind: 'rejected', record, rejection: reject('key_missing', 'Cannot take a record without a key: the key must be the race_id') };
  }
  const bytes = recordBytes(record);
  if (bytes > MAX_RECORD_BYTES) {
    return { kind: 'rejected', record, rejection: reject('record_too_large', `Cannot take a record of ${bytes} bytes: at most ${MAX_RECORD_BYTES} are taken`) };
  }
  const partition = partitionOf(record.key);
  if (partition !== record.partition) return { kind: 'misplaced', record, partition };
  if (record.value === null) return { kind: 'forget', record, raceId: record.key.toString('utf8') };
  const heard = giveUpIn(record);
  if (heard !== null) return { kind: 'giving-up', record, raceId: record.key.toString('utf8'), heard };
  const result = codec.decode('race-updates', record.value);
  if ('error' in result) return { kind: 'rejected', record, rejection: result.error };
  return { kind: 'value', record, value: result.decoded.value };
}
