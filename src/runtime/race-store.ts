import TinyQueue from 'tinyqueue';
import type { RaceStore } from '../ports/state-store.ts';
import type { PartitionState, RaceState } from '../race/state.ts';

type DueTime = { readonly atMs: number; readonly raceId: string };

export function initialPosition(partition: number): PartitionState {
  return {
    partition, epoch: 0, applied_offset: -1, history_index: 0, read: 0, applied: 0, late: 0, duplicate: 0,
    forgotten: 0, rejected: 0, rerouted: 0, skipped: 0, at: 0,
  };
}

/**
 * The store `races` of one partition: a Map, the keys that changed since the changelog was written, a heap of
 * due times, and an undo list that takes back a record whose processing failed half-way.
 */
export class PartitionStore implements RaceStore {
  position: PartitionState;
  readonly #races = new Map<string, RaceState>();
  readonly #changed = new Set<string>();
  /** For each race that wants to be woken an entry at its due time or before; updates mostly move that time later. */
  #dueTimes = new TinyQueue<DueTime>([], (a, b) => a.atMs - b.atMs);
  /** Races whose entry was taken from the heap: the next due time is armed even if it is later. */
  readonly #handedOut = new Set<string>();
  /** Of the record in hand the first `#undoCount`; an emptied list would ask for room again with each record. */
  readonly #undo: { raceId: string; before: RaceState | undefined }[] = [];
  #undoCount = 0;
  #positionBefore: PartitionState | null = null;

  constructor(position: PartitionState) {
    this.position = position;
  }

  get size(): number {
    return this.#races.size;
  }

  get(raceId: string): RaceState | undefined {
    return this.#races.get(raceId);
  }

  values(): IterableIterator<RaceState> {
    return this.#races.values();
  }

  put(race: RaceState): void {
    const before = this.#races.get(race.race_id);
    this.#undo[this.#undoCount++] = { raceId: race.race_id, before };
    this.#races.set(race.race_id, race);
    this.#changed.add(race.race_id);
    const isDisarmed = this.#handedOut.delete(race.race_id);
    const { wake_at: dueMs } = race;
    if (dueMs === null) return;
    if (isDisarmed || before === undefined || before.wake_at === null || dueMs < before.wake_at) this.#arm(dueMs, race.race_id);
  }

  delete(raceId: string): void {
    this.#handedOut.delete(raceId);
    this.#undo[this.#undoCount++] = { raceId, before: this.#races.get(raceId) };
    this.#races.delete(raceId);
    this.#changed.add(raceId);
  }

  /** Takes a restored row: not a change. */
  load(race: RaceState): void {
    this.#races.set(race.race_id, race);
    if (race.wake_at !== null) this.#arm(race.wake_at, race.race_id);
  }

  /** Marks a key to be logged again as it stands. */
  touch(raceId: string): void {
    this.#changed.add(raceId);
  }

  begin(): void {
    this.#undoCount = 0;
    this.#positionBefore = { ...this.position };
  }

  /** Takes back everything since `begin`. */
  rollback(): void {
    while (this.#undoCount > 0) {
      const { raceId, before } = this.#undo[--this.#undoCount]!;
      if (before === undefined) this.#races.delete(raceId);
      else this.load(before);
    }
    if (this.#positionBefore !== null) Object.assign(this.position, this.#positionBefore);
  }

  /** The keys to log, with null for those that are gone; forgets that they changed. */
  takeChanges(): { raceId: string; race: RaceState | null }[] {
    const changes = [...this.#changed].map((raceId) => ({ raceId, race: this.#races.get(raceId) ?? null }));
    this.#changed.clear();
    return changes;
  }

  get changedCount(): number {
    return this.#changed.size;
  }

  nextDueMs(): number | null {
    return this.#nextDue()?.atMs ?? null;
  }

  /** Race ids whose wake-up is due, at most `limit`; each is handed out once. */
  takeDue(nowMs: number, limit: number): string[] {
    const due: string[] = [];
    while (due.length < limit) {
      const top = this.#nextDue();
      if (top === undefined || top.atMs > nowMs) break;
      this.#dueTimes.pop();
      this.#handedOut.add(top.raceId);
      due.push(top.raceId);
    }
    return due;
  }

  /** The first entry of the heap once those before it that lie are put right. */
  #nextDue(): DueTime | undefined {
    for (let top = this.#dueTimes.peek(); top !== undefined; top = this.#dueTimes.peek()) {
      const dueMs = this.#handedOut.has(top.raceId) ? null : (this.#races.get(top.raceId)?.wake_at ?? null);
      if (dueMs === top.atMs) return top;
      this.#dueTimes.pop();
      // Moved later since. Moved earlier, it has another entry.
      if (dueMs !== null && dueMs > top.atMs) this.#dueTimes.push({ atMs: dueMs, raceId: top.raceId });
    }
    return undefined;
  }

  #arm(atMs: number, raceId: string): void {
    this.#dueTimes.push({ atMs, raceId });
    if (this.#dueTimes.length > 1_000 + 2 * this.#races.size) this.#dropStale();
  }

  #dropStale(): void {
    const live: DueTime[] = [];
    for (const race of this.#races.values()) {
      if (race.wake_at !== null) live.push({ atMs: race.wake_at, raceId: race.race_id });
    }
    this.#dueTimes = new TinyQueue(live, (a, b) => a.atMs - b.atMs);
  }
}
