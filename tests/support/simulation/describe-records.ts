import type { TopicName } from '../../../topology/topics.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { NewRecord } from '../../../src/ports/record-log.ts';

/** Records in a few words, for the trace of a seed. */
export function describeRecords(codec: Codec, topic: TopicName, records: readonly NewRecord[]): string {
  return records.map(({ key, value }) => `${key?.toString() ?? 'no key'} ${value === null ? 'null' : describeValue(codec, topic, value)}`).join(', ');
}

function describeValue(codec: Codec, topic: TopicName, bytes: Buffer): string {
  const result = codec.decode(topic, bytes);
  if ('error' in result) return result.error.code;
  const { kind, value } = result.decoded as { kind: string; value: Record<string, unknown> };
  const fields = shown[topic]?.flatMap((field) => value[field] == null ? [] : `${field}=${JSON.stringify(value[field])}`) ?? [];
  return `${kind}(${fields.join(' ')})`;
}

const shown: Partial<Record<TopicName, readonly string[]>> = {
  'race-updates': ['state', 'progress', 'stage', 'started_at', 'completed_at'],
  'eta-updates': ['attempt', 'revision', 'state', 'reason', 'issued_at', 'started_at', 'eta_sec', 'p90_sec', 'basis'],
  'race-states': ['attempt', 'version', 'state', 'revision', 'epoch', 'applied_offset', 'history_index', 'wake_at', 'read', 'applied', 'late', 'duplicate', 'skipped'],
  'race-history': ['race_id', 'attempt', 'version', 'outcome', 'origin'],
};
