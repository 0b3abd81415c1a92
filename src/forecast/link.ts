/** Inputs of a leg's regression: one, log of the leg before, log of the age when it began. */
export const LINK_INPUTS = 3;
/** Coefficients and what is known of them; then the variance of the error, races, votes; the longest leg before, the highest age and the longest leg that were seen. */
export const LINK_NUMBERS = LINK_INPUTS + LINK_INPUTS * LINK_INPUTS + 6;

/** From the end of one stage to that of the next: which is next, and how long that takes. */
export type Link = {
  next: string;
  /** Coefficients, what is known of them (inverse covariance), variance of the error, races, how sure it is which is next; logs of the longest leg before, the highest age and the longest leg that were seen. */
  readonly numbers: Float64Array;
};
