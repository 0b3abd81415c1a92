/**
 * What became of the fields of one update while it was merged into a race: the four classes of an update follow from it.
 * `changed` a value is another one; `facts` such a value is taught and stored (title, times, state, metadata, stages);
 * `touched` a known value was said again, later; `same` fields that repeat what was said at the same `at`;
 * `older` fields that lost against something newer.
 */
export type Tally = { changed: boolean; facts: boolean; touched: boolean; same: number; older: number };

export function newTally(): Tally {
  return { changed: false, facts: false, touched: false, same: 0, older: 0 };
}

/** Whether a changed value matters to what was taught and stored of a finished race. */
export type Weight = 'fact' | 'note';

/**
 * Last writer wins by event time; on a tie the record in hand, whose offset is the greater one. True = write the value
 * and `at`. `equal` says whether the value is the known one already. `knownAt` 0 = never set.
 */
export function wins(tally: Tally, at: number, knownAt: number, equal: boolean, weight: Weight): boolean {
  if (at < knownAt) {
    tally.older += 1;
    return false;
  }
  if (!equal) {
    noteChange(tally, weight);
    return true;
  }
  if (at === knownAt) {
    tally.same += 1;
    return false;
  }
  tally.touched = true;
  return true;
}

export function noteChange(tally: Tally, weight: Weight): void {
  tally.changed = true;
  if (weight === 'fact') tally.facts = true;
}
