// The answer of GET /v1/accuracy.

/** How right forecasts were. Shares are 0..1; null = there was none to measure it on. */
export type Figures = {
  /** How often was looked: once a race at each share of life; where there was no forecast yet, that is a miss. */
  readonly looks: number;
  readonly answered: number;
  readonly within20: number;
  readonly within20_of_remaining: number;
  readonly mean_confidence: number | null;
  readonly mean_abs_error_sec: number | null;
  readonly median_abs_error_sec: number | null;
  /** Mean error over mean duration. */
  readonly nmae: number | null;
  /** Mean of forecast less truth. */
  readonly bias_sec: number | null;
  /** Median of ln(forecast / truth). */
  readonly bias_log_ratio: number | null;
  readonly p90_coverage: number | null;
  readonly p10_p90_coverage: number | null;
  /** Mean loss of p10, p50 and p90 over the duration. */
  readonly pinball: number | null;
};

/** What the spread of like runs allows at submission: no constant per kind of run does better than within20. */
export type Ceiling = { readonly races: number; readonly kinds: number; readonly within20: number; readonly within20_learned: number; readonly log_sd: number };

export type Calm = { readonly races: number; readonly revisions_per_race: number; readonly median_jitter: number; readonly median_display_jitter: number; readonly later_moves_per_race: number };

type ConfidenceBin = { readonly from: number; readonly forecasts: number; readonly mean_confidence: number; readonly came_true: number };

export type SourceAccuracy = {
  /** '*' = all of them together. */
  readonly source: string;
  readonly races: number;
  readonly at_submission: Figures;
  readonly over_life: Figures;
  /** null = no kind of run had 10 of them. */
  readonly ceiling: Ceiling | null;
  readonly calm: Calm | null;
  readonly by_share: (Figures & { readonly share: number })[];
  readonly by_basis: (Figures & { readonly basis: string })[];
  readonly confidence: ConfidenceBin[];
};

export type Accuracy = { readonly days: number; readonly total: SourceAccuracy | null; readonly sources: SourceAccuracy[] };
