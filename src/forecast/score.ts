import { median } from './median.ts';
import { baselineNames, baselineTotals, type BaselineName } from './score-baselines.ts';
import { isWithin20 } from './within20.ts';

/** A race as it really went. Instants are seconds since 1970, so that a share of a life falls on the same instant wherever this rule is computed. */
export type ScoredRace = {
  readonly id: string; readonly source: string; readonly title: string;
  readonly startedAtSec: number; readonly durationSec: number;
  /** `canceled` and `abandoned` are censored: not scored. `failed` teaches some baselines nothing. */
  readonly outcome: string;
};

/** One published revision. Quantiles and point are totals in seconds from the start; without a point (null or 0) the median is judged. */
export type ScoredRevision = {
  readonly issuedAtSec: number; readonly pointSec: number | null; readonly p10Sec: number | null; readonly p50Sec: number; readonly p90Sec: number | null;
  /** 0..1: what it says of its own point; null = nothing. */
  readonly confidence: number | null;
};

export type ScoreOptions = {
  /** Races before this share of them (by start) only teach, 0..1; default 0.6. */
  readonly tailShare?: number | undefined;
  /** Score from this instant on (seconds since 1970), instead of the tail. */
  readonly sinceSec?: number | undefined;
  /** Longer races are left out: stale starts, not durations. Default 72. */
  readonly maxHours?: number | undefined;
  /** Score only these races. */
  readonly ids?: ReadonlySet<string> | undefined;
};

/**
 * Figures by the names they have on the wire. Percentages are 0..100, `_sec` seconds, ratios logarithms or shares of the
 * duration. null = there was nothing to measure it on; left out = it is not measured of this estimator.
 */
export type Score = {
  readonly n: number;
  readonly answered_at_submit_pct: number;
  readonly submit_within20_pct: number;
  readonly submit_mae_sec: number;
  readonly submit_mdape_pct: number | null;
  readonly submit_median_abs_log_ratio: number | null;
  readonly submit_bias_median_log_ratio: number | null;
  readonly life_within20_of_total_pct: number;
  readonly life_within20_of_remaining_pct: number;
  readonly life_nmae_pct: number;
  readonly p90_coverage_pct?: number;
  readonly p10_p90_coverage_pct?: number;
  readonly band_width_over_duration_median?: number;
  readonly pinball_mean_over_duration?: number;
  readonly revisions_per_race_mean?: number;
  readonly jitter_sum_moves_over_duration_median?: number;
  readonly jitter_sum_moves_over_duration_mean?: number;
  readonly later_moves_per_race_mean?: number;
};

/** Forecasts that promised about the same, held against what came true; confidence in [from, from + 0.1), the last with 1. */
export type ConfidenceBin = { readonly from: number; readonly forecasts: number; readonly mean_confidence: number; readonly came_true: number };

export type ScoreResult = {
  /** null = no race is left to score. */
  readonly project: Score | null;
  readonly baselines: Readonly<Record<BaselineName, Score | null>>;
  /** Of the forecasts in force at the ten shares of life; bins without forecasts are left out. */
  readonly confidence: readonly ConfidenceBin[];
};

export type ScoreSheet = {
  /** When a race started, seconds since 1970; undefined = it is not scored, and its revisions need not be added. */
  startOf(raceId: string): number | undefined;
  /** In the order of issue per race. Revisions of races that are not scored are passed over. @returns false when it is older than the one before it. */
  add(raceId: string, revision: ScoredRevision): boolean;
  /** Cost: O(n log n) in races and revisions. */
  result(): ScoreResult;
};

/** Looked at these fractions of a race's real life; 0 is the submission. */
const FRACTIONS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/** A revision up to this late still counts as made at submission. */
const SUBMISSION_GRACE_SEC = 1;
/** Below this, seconds, ratios of durations are those of rounding. */
const SHORTEST_SEC = 0.5;

type Estimate = { readonly point: number; readonly p10: number | null; readonly p50: number; readonly p90: number | null; readonly confidence: number | null };
type Calm = { readonly revisions: number; readonly movesOverDuration: number; readonly laterMoves: number };
type Item = { readonly durationSec: number; readonly inForce: readonly (Estimate | null)[]; readonly calm: Calm | null };

/**
 * Scores revisions against what happened, prequentially: at a fraction of a race's life the estimate in force is its
 * last revision by then; a race without one counts as missed. Beside them rules that other tools use, fed with the same
 * completions in the same order. The figures are those of the project's reference scorer (Python), to the last digits:
 * sums and products are taken in its order.
 */
export function createScoreSheet(races: readonly ScoredRace[], options: ScoreOptions = {}): ScoreSheet {
  const { tailShare = 0.6, maxHours = 72, ids } = options;
  const rows = races.filter(({ durationSec }) => durationSec > 0).sort((a, b) => a.startedAtSec - b.startedAtSec);
  const sinceSec = options.sinceSec ?? rows[Math.floor(rows.length * (1 - tailShare))]?.startedAtSec ?? Infinity;
  const isScored = (race: ScoredRace): boolean => race.startedAtSec >= sinceSec && race.outcome !== 'canceled' && race.outcome !== 'abandoned'
    && race.durationSec <= maxHours * 3600 && (ids === undefined || ids.has(race.id));
  const scored = rows.flatMap((race, index) => (isScored(race) ? [{ race, index }] : []));
  const starts = new Map(scored.map(({ race }) => [race.id, race.startedAtSec]));
  const revisions = new Map<string, ScoredRevision[]>();
  return {
    startOf: (raceId) => starts.get(raceId),
    add(raceId, revision) {
      if (!starts.has(raceId)) return true;
      const before = revisions.get(raceId);
      if (before === undefined) revisions.set(raceId, [revision]);
      else if (before.at(-1)!.issuedAtSec > revision.issuedAtSec) return false;
      else before.push(revision);
      return true;
    },
    result() {
      const items = scored.map(({ race }) => itemOf(race, revisions.get(race.id) ?? []));
      const totals = baselineTotals(rows);
      const constantItems = (name: BaselineName): Item[] => scored.map(({ race: { durationSec }, index }) => {
        const total = totals[name][index]!;
        return { durationSec, calm: null, inForce: FRACTIONS.map((fraction) => pointEstimate(Math.max(total, fraction * durationSec))) };
      });
      return {
        project: summary(items),
        baselines: Object.fromEntries(baselineNames.map((name) => [name, summary(constantItems(name))])) as ScoreResult['baselines'],
        confidence: confidenceBins(items),
      };
    },
  };
}

function pointEstimate(point: number): Estimate {
  return { point, p10: null, p50: point, p90: null, confidence: null };
}

function itemOf({ startedAtSec, durationSec }: ScoredRace, revisions: readonly ScoredRevision[]): Item {
  const estimates = revisions.map(({ pointSec, p10Sec, p50Sec, p90Sec, confidence }): Estimate => ({ point: pointSec === null || pointSec === 0 ? p50Sec : pointSec, p10: p10Sec, p50: p50Sec, p90: p90Sec, confidence }));
  const lastBy = (atSec: number): number => {
    let last = revisions.length - 1;
    while (last >= 0 && revisions[last]!.issuedAtSec > atSec) last--;
    return last;
  };
  const inForce = FRACTIONS.map((fraction) => estimates[lastBy(startedAtSec + (fraction === 0 ? SUBMISSION_GRACE_SEC : fraction * durationSec))] ?? null);
  const live = lastBy(startedAtSec + durationSec) + 1;
  let moved = 0;
  let laterMoves = 0;
  for (let i = 1; i < live; i++) {
    const move = estimates[i]!.point - estimates[i - 1]!.point;
    moved += Math.abs(move);
    if (move > 0) laterMoves++;
  }
  return { durationSec, inForce, calm: { revisions: live, movesOverDuration: moved / durationSec, laterMoves } };
}

function summary(items: readonly Item[]): Score | null {
  const n = items.length;
  if (n === 0) return null;
  const submitted = items.flatMap(({ durationSec, inForce: [first] }) => (first === null || first === undefined ? [] : [{ durationSec, point: first.point }]));
  const logRatios = submitted.map(({ durationSec, point }) => Math.log(Math.max(point, SHORTEST_SEC) / Math.max(durationSec, SHORTEST_SEC)));
  const answered: { readonly durationSec: number; readonly estimate: Estimate }[] = [];
  let ofTotal = 0;
  let ofRemaining = 0;
  for (const { durationSec, inForce } of items) {
    for (const [i, estimate] of inForce.entries()) {
      if (estimate === null) continue;
      answered.push({ durationSec, estimate });
      if (isWithin20(estimate.point, durationSec)) ofTotal++;
      if (isWithin20(estimate.point, durationSec, 1 - FRACTIONS[i]!)) ofRemaining++;
    }
  }
  const relative = median(submitted.map(({ durationSec, point }) => Math.abs(point - durationSec) / durationSec));
  return {
    n,
    answered_at_submit_pct: percent(submitted.length, n),
    submit_within20_pct: percent(submitted.filter(({ durationSec, point }) => isWithin20(point, durationSec)).length, n),
    submit_mae_sec: sum(submitted, ({ durationSec, point }) => Math.abs(point - durationSec)) / Math.max(1, submitted.length),
    submit_mdape_pct: relative === null ? null : 100 * relative,
    submit_median_abs_log_ratio: median(logRatios.map(Math.abs)),
    submit_bias_median_log_ratio: median(logRatios),
    life_within20_of_total_pct: percent(ofTotal, n * FRACTIONS.length),
    life_within20_of_remaining_pct: percent(ofRemaining, n * FRACTIONS.length),
    life_nmae_pct: (100 * sum(answered, ({ durationSec, estimate }) => Math.abs(estimate.point - durationSec))) / Math.max(1e-9, sum(answered, ({ durationSec }) => durationSec)),
    ...bandSummary(answered),
    ...calmSummary(items.flatMap(({ calm }) => (calm === null ? [] : [calm]))),
  };
}

function bandSummary(answered: readonly { readonly durationSec: number; readonly estimate: Estimate }[]): Partial<Score> {
  const band = answered.flatMap(({ durationSec, estimate: { p10, p50, p90 } }) => (p10 === null || p90 === null ? [] : [{ durationSec, p10, p50, p90 }]));
  if (band.length === 0) return {};
  let loss = 0;
  for (const { durationSec, p10, p50, p90 } of band) {
    loss += pinball(durationSec, p10, 0.1);
    loss += pinball(durationSec, p50, 0.5);
    loss += pinball(durationSec, p90, 0.9);
  }
  return {
    p90_coverage_pct: percent(band.filter(({ durationSec, p90 }) => durationSec <= p90).length, band.length),
    p10_p90_coverage_pct: percent(band.filter(({ durationSec, p10, p90 }) => p10 <= durationSec && durationSec <= p90).length, band.length),
    band_width_over_duration_median: median(band.map(({ durationSec, p10, p90 }) => (p90 - p10) / durationSec))!,
    pinball_mean_over_duration: loss / (3 * band.length),
  };
}

/** The loss whose expectation the q-quantile minimises, over the truth. */
function pinball(truth: number, predicted: number, q: number): number {
  return Math.max(q * (truth - predicted), (q - 1) * (truth - predicted)) / truth;
}

function calmSummary(calm: readonly Calm[]): Partial<Score> {
  if (calm.length === 0) return {};
  return {
    revisions_per_race_mean: sum(calm, ({ revisions }) => revisions) / calm.length,
    jitter_sum_moves_over_duration_median: median(calm.map(({ movesOverDuration }) => movesOverDuration))!,
    jitter_sum_moves_over_duration_mean: sum(calm, ({ movesOverDuration }) => movesOverDuration) / calm.length,
    later_moves_per_race_mean: sum(calm, ({ laterMoves }) => laterMoves) / calm.length,
  };
}

const BINS = 10;

function confidenceBins(items: readonly Item[]): ConfidenceBin[] {
  const bins = Array.from({ length: BINS }, () => ({ forecasts: 0, confidence: 0, cameTrue: 0 }));
  for (const { durationSec, inForce } of items) {
    for (const estimate of inForce) {
      if (estimate === null || estimate.confidence === null) continue;
      const bin = bins[Math.min(BINS - 1, Math.max(0, Math.floor(estimate.confidence * BINS)))]!;
      bin.forecasts++;
      bin.confidence += estimate.confidence;
      if (isWithin20(estimate.point, durationSec)) bin.cameTrue++;
    }
  }
  return bins.flatMap(({ forecasts, confidence, cameTrue }, i) => (forecasts === 0 ? [] : [{ from: i / BINS, forecasts, mean_confidence: confidence / forecasts, came_true: cameTrue / forecasts }]));
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += valueOf(item);
  return total;
}

function percent(part: number, whole: number): number {
  return (100 * part) / whole;
}
