import type { OperatorFunction } from 'rxjs';
import { reject } from '../errors.ts';
import { normalizeUpdate } from '../race/normalize.ts';
import { emitEach } from './emit-each.ts';
import type { DecodedItem, NormalizedItem } from './items.ts';
import { saidAtMs } from './original-time.ts';

/** Values to checked updates. Refused and misplaced records have left for their sinks already. */
export function normalizeUpdates(): OperatorFunction<DecodedItem, NormalizedItem> {
  return emitEach((item, emit) => {
    if (item.kind === 'value' || item.kind === 'forget' || item.kind === 'giving-up') emit(normalize(item));
  });
}

function normalize(item: Exclude<DecodedItem, { kind: 'misplaced' | 'rejected' }>): NormalizedItem {
  if (item.kind !== 'value') return item;
  const { record } = item;
  const result = normalizeUpdate(item.value, record.appendedAtMs, saidAtMs(record));
  if ('rejection' in result) return { kind: 'rejected', record, rejection: result.rejection };
  // Ownership and compaction go by the key: a value that names another race would be stored under a stranger's key.
  const key = record.key?.toString('utf8') ?? '';
  if (key !== result.update.race_id) {
    return { kind: 'rejected', record, rejection: reject('key_mismatch', `Cannot take an update of race ${JSON.stringify(result.update.race_id.slice(0, 80))} under the key ${JSON.stringify(key.slice(0, 80))}: they must be equal`) };
  }
  return { kind: 'update', record, update: result.update };
}
