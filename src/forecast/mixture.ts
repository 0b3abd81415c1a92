import { createCells, dropSamples, type Cells } from './cells.ts';
import { emptyChoice, type Choice } from './choose-keys.ts';
import { startingKernel } from './distribution.ts';
import { createRecentRaces, dropRecent, type RecentRaces } from './recent-races.ts';
import { createRegression, type Regression } from './regression.ts';
import { createTraits, type Traits } from './traits.ts';

/** Cells of a source and samples in each: about 100 bytes a full one. What is older says nothing that these do not. */
export const MOST_CELLS = 65_536;
export const CELL_SAMPLES = 20;
/** Titles (and the source) with a long memory: 400 bytes a full one. */
export const MOST_LONG_CELLS = 1_000;
export const LONG_SAMPLES = 100;

/**
 * What is learned of a source for forecasts at submission: samples of log duration under many contexts, and how far
 * each context is to be believed.
 */
export type Mixture = {
  taught: number;
  cells: Cells;
  long: Cells;
  traits: Traits;
  recent: RecentRaces;
  choice: Choice;
  /** Log weights by (context, support, memory), of the source and of titles. */
  weights: Float32Array;
  /** Log weights of races that a cluster speaks for, beside those of the source. */
  clusterWeights: Float32Array;
  /** What clusters have added to the log of the truth's density of late, a mean over the races that they speak for: below 0 they are not heard. */
  clusterGain: number;
  /** Weights of the kernel's widths, summing to 1. */
  kernel: Float64Array;
  titles: Map<number, Float32Array>;
  regression: Regression;
  /** How much less the ratio to a number of the metadata has been off than the title's median, of late, in log duration: above 0 it is the centre. */
  ratioLead: number;
};

export function createMixture(): Mixture {
  return {
    taught: 0, cells: createCells(MOST_CELLS, CELL_SAMPLES), long: createCells(MOST_LONG_CELLS, LONG_SAMPLES), traits: createTraits(), recent: createRecentRaces(), choice: emptyChoice(),
    weights: new Float32Array(0), clusterWeights: new Float32Array(0), clusterGain: 0, kernel: startingKernel(), titles: new Map(), regression: createRegression(), ratioLead: 0,
  };
}

/**
 * Drops the samples of the races that were taught as the first (0), second... of the source. Weights and regressions that
 * they have moved stay as they are: they are sums over all races and tell of none.
 */
export function forgetTaught(mixture: Mixture, ordinals: ReadonlySet<number>): void {
  dropSamples(mixture.cells, ordinals);
  dropSamples(mixture.long, ordinals);
  dropRecent(mixture.recent, ordinals);
}
