import type { Milestone } from '../forecast/eta-update.ts';
import type { StageState } from '../race/update.ts';

/** What a stage has done since the last revision: which one of its name (1 = the first), its state now, when it ended. */
export type StageMove = readonly [name: string, occurrence: number, state: StageState, endedAtMs: number | null];

/**
 * The milestones of a revision as they stand after the moves, which may have been applied before. A stage that the
 * revision did not know comes after those that have begun and those of its name. O(milestones x moves); the input itself if there are none.
 */
export function withMoves(milestones: Milestone[], moves: readonly StageMove[]): Milestone[] {
  if (moves.length === 0) return milestones;
  const next = [...milestones];
  for (const [name, occurrence, state, passed_at] of moves) {
    const at = indexOf(next, name, occurrence);
    const known = next[at];
    const isOpen = state === 'pending' || state === 'running';
    const moved: Milestone = isOpen && known !== undefined
      ? { ...known, state, passed_at: null }
      : { name, kind: known?.kind ?? 'stage', state, eta_at: null, p10_at: null, p90_at: null, passed_at, distance_m: null, eta_type: null };
    if (known !== undefined) next[at] = moved;
    else next.splice(state === 'pending' ? next.length : next.findLastIndex((milestone) => milestone.state !== 'pending' || milestone.name === name) + 1, 0, moved);
  }
  return next;
}

/** -1 = there is none. */
function indexOf(milestones: readonly Milestone[], name: string, occurrence: number): number {
  let seen = 0;
  return milestones.findIndex((milestone) => milestone.kind !== 'poi' && milestone.name === name && ++seen === occurrence);
}
