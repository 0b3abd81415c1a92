/** Time as the pipeline sees it: the wall clock in service, a hand-moved one in tests and backtests. */
export type Clock = {
  /** Epoch milliseconds. */
  nowMs(): number;
};
