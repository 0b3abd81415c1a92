/** What a rebuild has cost so far, what it may cost, and whether somebody still wants it. */
export type Work = {
  /** Distances for which two titles had to be compared. */
  distanceCalls: number;
  /** Pairs of nodes or points that were looked at, most of them only by their bounds. */
  checks: number;
  /** `distanceCalls` at most; past it `tick` throws `OverBudget`. */
  readonly budget: number;
  /** Says how far a stage is (0..1), and hears whether to go on. Called some hundred times a second. */
  readonly report: (stage: Stage, ratio: number) => boolean;
};

/** In this order; `knee` only where eps is not given. */
export const stages = ['collapse', 'index', 'knee', 'cores', 'connect', 'measure', 'assign'] as const;
export type Stage = (typeof stages)[number];

/** Thrown inside a rebuild, caught at its edge. */
export class OverBudget extends Error {}
/** Thrown inside a rebuild that nobody wants any more, caught at its edge. */
export class Cancelled extends Error {}

/** A look at a pair by bounds costs about a fortieth of a true distance (measured on fleets of 20,000, 2026-11). */
const CHECKS_PER_CALL = 40;
const CHECKS_PER_TICK = 65_536;

export function createWork(budget: number, report: Work['report']): Work {
  return { distanceCalls: 0, checks: 0, budget, report };
}

/** Begins a stage, and looks at its budget and its readers every so much work. Call it once per node or point: it is nearly free. */
export function createTicker(work: Work, stage: Stage): (ratio: number) => void {
  if (!work.report(stage, 0)) throw new Cancelled();
  let next = work.checks + CHECKS_PER_TICK;
  return (ratio) => {
    if (work.checks + work.distanceCalls * CHECKS_PER_CALL < next) return;
    next = work.checks + work.distanceCalls * CHECKS_PER_CALL + CHECKS_PER_TICK;
    if (work.distanceCalls + work.checks / CHECKS_PER_CALL > work.budget) throw new OverBudget();
    if (!work.report(stage, ratio)) throw new Cancelled();
  };
}
