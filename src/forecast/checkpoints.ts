import { appended } from '../race/appended.ts';
import { MAX_CHECKPOINTS, type Checkpoint } from '../race/state.ts';

/**
 * The checkpoints with one more. Beyond 32 the one goes whose neighbours are nearest in time (the older on a tie), so
 * that they stay spread over the race's life; the first and the last always stay, as do those of versions that did not serve.
 */
export function withCheckpoint(checkpoints: readonly Checkpoint[], added: Checkpoint): Checkpoint[] {
  const all = appended(checkpoints, added);
  if (all.length <= MAX_CHECKPOINTS) return all;
  let closest = 1;
  let gap = Infinity;
  for (let i = 1; i < all.length - 1; i++) {
    if (all[i]!.role !== 'served') continue;
    const around = all[i + 1]!.issued_at - all[i - 1]!.issued_at;
    if (around < gap) [gap, closest] = [around, i];
  }
  return all.toSpliced(closest, 1);
}
