import type { StoredPartition } from './storage.ts';

/** A stored partition, and who wants to hear of its appends. */
export type LogPartition = StoredPartition & {
  /** Calls the listener after every append, once stored; returns how to stop that. */
  onAppended(listener: () => void): () => void;
  announce(): void;
};

export function logPartition(stored: StoredPartition): LogPartition {
  const listeners = new Set<() => void>();
  return {
    ...stored,
    onAppended(listener) {
      listeners.add(listener);
      return () => { listeners.delete(listener); };
    },
    announce() {
      for (const listener of listeners) listener();
    },
  };
}
