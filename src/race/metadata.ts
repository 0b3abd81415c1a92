import { reject, type Rejection } from '../errors.ts';
import { MAX_METADATA_KEYS } from './normalize.ts';
import { wins, type Tally } from './ordering.ts';
import { sharedText } from './shared-text.ts';
import type { MetadataEntry, RaceState } from './state.ts';

/** Removed keys that are remembered; beyond, those removed longest ago are forgotten. Chosen, not tuned. */
const MAX_REMOVED_KEYS = 100;

/** The metadata in force: removed keys left out. A new object on each call; O(keys). */
export function currentMetadata(race: Pick<RaceState, 'metadata'>): Record<string, string> {
  const current: Record<string, string> = {};
  for (const { key, value } of race.metadata) {
    if (value === null) continue;
    // Assigning to `__proto__` would set the prototype and lose the key.
    if (key === '__proto__') Object.defineProperty(current, key, { value, enumerable: true, writable: true, configurable: true });
    else current[key] = value;
  }
  return current;
}

/** Metadata in the order of its keys: a map has none, and what is learned must not hang on one. */
export function sortedEntries(metadata: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.keys(metadata).sort().map((key) => ({ key, value: metadata[key]! }));
}

export type MergedMetadata = { readonly entries: MetadataEntry[] } | { readonly rejection: Rejection };

/**
 * Merges the metadata of an update, last writer wins for each key. A removed key stays as a null entry, so that an older
 * update cannot bring it back. Returns `known` itself when nothing changes; copies otherwise. More than 100 keys in force
 * are refused (`metadata_too_large`). O(known + update) when keys come in their usual order, else O(known x update).
 */
export function mergeMetadata(
  known: MetadataEntry[], update: Readonly<Record<string, string | null>>, at: number, tally: Tally,
): MergedMetadata {
  let entries = known;
  let next = 0;
  for (const key in update) {
    const value = update[key]!;
    const index = indexOfKey(entries, key, next);
    if (index < 0) {
      wins(tally, at, 0, false, value === null ? 'note' : 'fact');
      if (entries === known) entries = known.slice();
      entries.push({ key: sharedText(key), value: value === null ? null : sharedText(value), at });
      continue;
    }
    next = index + 1;
    const entry = entries[index]!;
    if (!wins(tally, at, entry.at, entry.value === value, 'fact')) continue;
    if (entries === known) entries = known.slice();
    entries[index] = { key, value, at };
  }
  // A copy without the room to grow that `push` made.
  return entries === known ? { entries } : bounded(entries.slice());
}

/** Producers send their keys in one order: the key after the last one found is tried first. */
function indexOfKey(entries: readonly MetadataEntry[], key: string, hint: number): number {
  if (entries[hint]?.key === key) return hint;
  for (let i = 0; i < entries.length; i++) {
    if (entries[i]!.key === key) return i;
  }
  return -1;
}

function bounded(entries: MetadataEntry[]): MergedMetadata {
  if (entries.length <= MAX_METADATA_KEYS) return { entries };
  const removed = entries.filter((entry) => entry.value === null);
  const inForce = entries.length - removed.length;
  if (inForce > MAX_METADATA_KEYS) {
    const message = `Cannot take the update: a race must have at most ${MAX_METADATA_KEYS} metadata keys, got ${inForce} with it`;
    return { rejection: reject('metadata_too_large', message) };
  }
  if (removed.length <= MAX_REMOVED_KEYS) return { entries };
  const forgotten = new Set(removed.sort((a, b) => a.at - b.at).slice(0, removed.length - MAX_REMOVED_KEYS));
  return { entries: entries.filter((entry) => !forgotten.has(entry)) };
}
