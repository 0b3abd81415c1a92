import type { Checkpoint } from '../race/state.ts';

/** Shares of a life at which is looked: 0, 0.1 ... 0.9. */
export const LOOKS = 10;
/** A forecast up to this late still counts as made at submission. */
const SUBMISSION_GRACE_SEC = 1;

/**
 * The served forecast in force at each tenth of a race's life (0 = at submission): the last one made by then; null =
 * none was. The rule of v_forecasts_in_force in schemas/clickhouse. O(checkpoints).
 * @param checkpoints in the order of issue.
 */
export function inForce(checkpoints: readonly Checkpoint[], durationSec: number): (Checkpoint | null)[] {
  const served = checkpoints.filter(({ role }) => role === 'served');
  return Array.from({ length: LOOKS }, (_, tenth) => {
    const bySec = tenth === 0 ? SUBMISSION_GRACE_SEC : (tenth / LOOKS) * durationSec;
    return served.findLast(({ elapsed_sec }) => elapsed_sec <= bySec) ?? null;
  });
}
