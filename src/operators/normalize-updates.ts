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
  const { key } = record;
  const result = normalizeUpdate(item.value, record.appendedAtMs, saidAtMs(record));
  if ('rejection' in result) return { kind: 'rejected', record, rejection: result.rejection };
  // Ownership and compaction go by the key: a value that names another race would be stored under a stranger's key.
  if (key === null || !isText(key, result.update.race_id)) {
    const said = key?.toString('utf8') ?? '';
    return { kind: 'rejected', record, rejection: reject('key_mismatch', `Cannot take an update of race ${JSON.stringify(result.update.race_id.slice(0, 80))} under the key ${JSON.stringify(said.slice(0, 80))}: they must be equal`) };
  }
  return { kind: 'update', record, update: result.update };
}

/** Whether the bytes are this text in UTF-8. ASCII is compared as it lies: making a text of it takes ten times as long. */
function isText(bytes: Buffer, text: string): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte > 0x7f) return bytes.toString('utf8') === text;
    if (byte !== text.charCodeAt(i)) return false;
  }
  return bytes.length === text.length;
}
