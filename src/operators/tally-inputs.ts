import { tap, type MonoTypeOperatorFunction } from 'rxjs';
import type { RaceStore } from '../ports/state-store.ts';
import type { DecodedItem, FoldedItem, NormalizedItem } from './items.ts';

/** Anything an operator says of an input; only the items that settle its fate are counted. */
export type Tallied = DecodedItem | NormalizedItem | FoldedItem;

/** Counts every input in exactly one class: the totals of the partition, which the audit adds up. */
export function tallyInputs(store: RaceStore): MonoTypeOperatorFunction<Tallied> {
  return tap((item) => {
    const { position } = store;
    switch (item.kind) {
      case 'changed': position.applied += 1; break;
      case 'late': position.late += 1; break;
      case 'duplicate': position.duplicate += 1; break;
      case 'forgotten': position.forgotten += 1; break;
      case 'rejected': position.rejected += 1; break;
      case 'misplaced': position.rerouted += 1; break;
      // Its race was logged, its totals were not: it had been applied.
      case 'skipped': position.applied += 1; break;
    }
  });
}
