import type { Reason, Stage } from './state.ts';

/** What an applied update changed, in the words that forecasts and history need. */
export type Change = {
  /** What a revision issued because of it says. */
  readonly reason: Reason;
  /** A state, stage, plan or attempt change: worth a look however little the ETA moves. */
  readonly significant: boolean;
  readonly started: boolean;
  /** A new attempt was opened. */
  readonly restarted: boolean;
  /** The race reached a terminal state with this update. */
  readonly finished: boolean;
  /** Facts of an already finished attempt changed. */
  readonly corrected: boolean;
  /** Stages that ended with this update. */
  readonly finishedStages: readonly Stage[];
};
