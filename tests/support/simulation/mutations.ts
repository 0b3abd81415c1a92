import { originOf, type HistoryRecord } from '../../../src/forecast/history-record.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { RecordLog, Subscription } from '../../../src/ports/record-log.ts';
import { isPositionKey } from '../../../src/race/position-key.ts';
import type { PartitionState } from '../../../src/race/state.ts';

/** Defects put between the service and its engines, to see that the checks notice them. */
export type Mutation = 'none' | 'commit-before-changelog' | 'no-origin-check' | 'no-take-over' | 'drop-unsent';

export function mutate(mutation: Mutation, log: RecordLog, codec: Codec): { readonly log: RecordLog; readonly historyCodec: Codec } {
  switch (mutation) {
    case 'none': return { log, historyCodec: codec };
    case 'commit-before-changelog': return { log: commitBeforeChangelog(log, codec), historyCodec: codec };
    case 'no-origin-check': return { log, historyCodec: withoutOrigins(codec) };
    // The service believes that nobody else can write; the brokers know better.
    case 'no-take-over': return { log: { ...log, zombieWindowMs: 0 }, historyCodec: codec };
    case 'drop-unsent': return { log: dropUnsent(log), historyCodec: codec };
  }
}

function commitBeforeChangelog(log: RecordLog, codec: Codec): RecordLog {
  let subscription: Subscription | null = null;
  return {
    ...log,
    async subscribe(options) {
      const opened = await log.subscribe(options);
      if (options.group === 'pipeline') subscription = opened;
      return opened;
    },
    append(topic, partition, records) {
      const position = topic === 'race-states' ? records.find(({ key }) => key !== null && isPositionKey(key.toString()))?.value : null;
      if (position != null) {
        const result = codec.decode('race-states', position);
        if ('decoded' in result) subscription?.commit({ topic: 'race-updates', partition }, (result.decoded.value as PartitionState).applied_offset + 1).catch(() => {});
      }
      return log.append(topic, partition, records);
    },
  };
}

/** Every record seems to come from an input that nobody has seen yet. */
function withoutOrigins(codec: Codec): Codec {
  let epoch = 1_000;
  return {
    ...codec,
    decode(topic, bytes) {
      const result = codec.decode(topic, bytes);
      if (topic !== 'race-history' || 'error' in result) return result;
      const record = result.decoded as HistoryRecord;
      const origin = originOf(record);
      if (origin === null) return result;
      return { ...result, decoded: { kind: record.kind, value: { ...record.value, origin: { ...origin, epoch: epoch++ } } } };
    },
  };
}

function dropUnsent(log: RecordLog): RecordLog {
  return { ...log, append: (topic, partition, records) => log.append(topic, partition, records).catch(() => -1) };
}
