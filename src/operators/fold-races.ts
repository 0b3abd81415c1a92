import { filter, map, pipe, type OperatorFunction } from 'rxjs';
import type { RaceStore } from '../ports/state-store.ts';
import { evolve } from '../race/evolve.ts';
import type { RaceState } from '../race/state.ts';
import type { RaceUpdate } from '../race/update.ts';
import type { FoldedItem, NormalizedItem } from './items.ts';

export type FoldOptions = {
  readonly store: RaceStore;
  /** An update appended more than this after its `at` is history. Milliseconds. */
  readonly graceMs: number;
};

/** Folds updates into the store `races`: each input becomes applied, late, duplicate, forgotten or rejected. */
export function foldRaces({ store, graceMs }: FoldOptions): OperatorFunction<NormalizedItem, FoldedItem> {
  return pipe(
    filter((item): item is Exclude<NormalizedItem, { kind: 'rejected' }> => item.kind !== 'rejected'),
    map((item): FoldedItem => {
      const { record } = item;
      if (item.kind === 'forget') {
        const race = store.get(item.raceId);
        if (race !== undefined) store.delete(item.raceId);
        return { kind: 'forgotten', record, raceId: item.raceId, race };
      }
      const { epoch } = store.position;
      const known = store.get(item.update.race_id);
      // A slice whose changelog was cut in two by a crash: the race has it, the totals do not.
      if (known !== undefined && known.epoch === epoch && known.applied_offset >= record.offset) return { kind: 'skipped', record };
      if (known === undefined && isStray(item.update)) return { kind: 'late', record };
      const result = evolve(known, item.update, { epoch, offset: record.offset, appendedAtMs: record.appendedAtMs });
      switch (result.outcome) {
        case 'applied':
          store.put(result.race);
          return {
            kind: 'changed', record, race: result.race, change: result.change, asOfMs: item.update.at,
            isHistory: isHistory(result.race, item.update.at, record.appendedAtMs, graceMs),
          };
        case 'rejected':
          return { kind: 'rejected', record, rejection: result.rejection };
        default:
          return { kind: result.outcome, record };
      }
    }),
  );
}

/** What may come after a finished race has left the store: it must not open a new race. */
function isStray(update: RaceUpdate): boolean {
  return update.state === null && update.started_at === null && update.queued_at === null;
}

function isHistory(race: RaceState, at: number, appendedAtMs: number, graceMs: number): boolean {
  return race.revision === 0 && appendedAtMs - at > graceMs;
}
