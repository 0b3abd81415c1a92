/** A race as it really went. */
export type ScoredRace = { readonly id: string; readonly startedAtMs: number; readonly durationSec: number; readonly outcome: string };

/** One published revision. Quantiles and point are totals in seconds from the start; without a point the median is judged. */
export type ScoredRevision = {
  readonly issuedAtMs: number; readonly etaSec: number | null; readonly p10Sec: number | null; readonly p50Sec: number; readonly p90Sec: number | null;
};

export type ScoreOptions = {
  /** Races before this share of them (by start) only teach, 0..1. */
  readonly tailShare?: number;
  /** Score from this instant on, instead of the tail. */
  readonly sinceMs?: number;
  /** Longer races are left out: stale starts, not durations. */
  readonly maxHours?: number;
};

/** null = nothing to measure it on. Percentages in 0..100, durations in seconds. */
export type Score = {
  readonly n: number;
  readonly answeredAtSubmitPct: number;
  readonly submitWithin20Pct: number;
  readonly submitMaeSec: number;
  readonly submitMdapePct: number | null;
  readonly submitMedianAbsLogRatio: number | null;
  readonly submitBiasMedianLogRatio: number | null;
  readonly lifeWithin20OfTotalPct: number;
  readonly lifeWithin20OfRemainingPct: number;
  readonly lifeNmaePct: number;
  readonly p90CoveragePct: number | null;
  readonly p10P90CoveragePct: number | null;
  readonly bandWidthOverDurationMedian: number | null;
  readonly pinballMeanOverDuration: number | null;
  readonly revisionsPerRaceMean: number;
  readonly jitterSumMovesOverDurationMedian: number | null;
  readonly jitterSumMovesOverDurationMean: number;
  readonly laterMovesPerRaceMean: number;
};

/** Looked at these fractions of a race's real life; 0 is the submission. */
const FRACTIONS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/** A revision up to this late still counts as made at submission. */
const SUBMISSION_GRACE_MS = 1000;
const TOLERANCE = 0.2;

type Estimate = { readonly point: number; readonly p10: number | null; readonly p50: number; readonly p90: number | null };
type Scored = { readonly durationSec: number; readonly inForce: readonly (Estimate | null)[]; readonly moves: readonly number[]; readonly revisions: number };

/**
 * Scores revisions against what happened, prequentially: at a fraction of a race's life the estimate in force is its
 * last revision by then. Canceled and abandoned races are censored and not scored; a race without an estimate in force
 * counts as missed.
 * @param revisions by race id, in the order of issue.
 * @returns null when no race is left to score.
 */
export function scoreRevisions(races: readonly ScoredRace[], revisions: ReadonlyMap<string, readonly ScoredRevision[]>, options: ScoreOptions = {}): Score | null {
  const { tailShare = 0.6, maxHours = 72 } = options;
  const sorted = races.filter(({ durationSec }) => durationSec > 0).sort((a, b) => a.startedAtMs - b.startedAtMs);
  const sinceMs = options.sinceMs ?? sorted[Math.floor(sorted.length * (1 - tailShare))]?.startedAtMs ?? Infinity;
  const items = sorted
    .filter((race) => race.startedAtMs >= sinceMs && race.outcome !== 'canceled' && race.outcome !== 'abandoned' && race.durationSec <= maxHours * 3600)
    .map((race) => scored(race, revisions.get(race.id) ?? []));
  return items.length === 0 ? null : summary(items);
}

function scored({ startedAtMs, durationSec }: ScoredRace, revisions: readonly ScoredRevision[]): Scored {
  const estimates = revisions.map(({ issuedAtMs, etaSec, p10Sec, p50Sec, p90Sec }) => ({ issuedAtMs, point: etaSec === null || etaSec === 0 ? p50Sec : etaSec, p10: p10Sec, p50: p50Sec, p90: p90Sec }));
  const inForce = FRACTIONS.map((fraction) => {
    const atMs = fraction === 0 ? startedAtMs + SUBMISSION_GRACE_MS : startedAtMs + fraction * durationSec * 1000;
    return estimates.findLast(({ issuedAtMs }) => issuedAtMs <= atMs) ?? null;
  });
  const live = estimates.filter(({ issuedAtMs }) => issuedAtMs <= startedAtMs + durationSec * 1000);
  return { durationSec, inForce, moves: live.slice(1).map(({ point }, i) => point - live[i]!.point), revisions: live.length };
}

function summary(items: readonly Scored[]): Score {
  const n = items.length;
  const submitted = items.flatMap(({ durationSec, inForce: [first] }) => (first === null || first === undefined ? [] : [{ durationSec, point: first.point }]));
  const logRatios = submitted.map(({ durationSec, point }) => Math.log(Math.max(point, 0.5) / Math.max(durationSec, 0.5)));
  const life = items.flatMap(({ durationSec, inForce }) => inForce.map((estimate, i) => ({ durationSec, fraction: FRACTIONS[i]!, estimate })));
  const answered = life.flatMap(({ durationSec, fraction, estimate }) => (estimate === null ? [] : [{ durationSec, fraction, estimate }]));
  const isWithin = (sec: number, point: number, tolerance: number) => Math.abs(point - sec) <= tolerance * sec;
  const jitters = items.map(({ durationSec, moves }) => sum(moves.map(Math.abs)) / durationSec);
  return {
    n,
    answeredAtSubmitPct: percent(submitted.length, n),
    submitWithin20Pct: percent(submitted.filter(({ durationSec, point }) => isWithin(durationSec, point, TOLERANCE)).length, n),
    submitMaeSec: sum(submitted.map(({ durationSec, point }) => Math.abs(point - durationSec))) / Math.max(1, submitted.length),
    submitMdapePct: scaled(median(submitted.map(({ durationSec, point }) => Math.abs(point - durationSec) / durationSec)), 100),
    submitMedianAbsLogRatio: median(logRatios.map(Math.abs)),
    submitBiasMedianLogRatio: median(logRatios),
    lifeWithin20OfTotalPct: percent(answered.filter(({ durationSec, estimate }) => isWithin(durationSec, estimate.point, TOLERANCE)).length, life.length),
    lifeWithin20OfRemainingPct: percent(answered.filter(({ durationSec, fraction, estimate }) => isWithin(durationSec, estimate.point, TOLERANCE * (1 - fraction))).length, life.length),
    lifeNmaePct: (100 * sum(answered.map(({ durationSec, estimate }) => Math.abs(estimate.point - durationSec)))) / Math.max(1e-9, sum(answered.map(({ durationSec }) => durationSec))),
    ...bandSummary(answered),
    revisionsPerRaceMean: sum(items.map(({ revisions }) => revisions)) / n,
    jitterSumMovesOverDurationMedian: median(jitters),
    jitterSumMovesOverDurationMean: sum(jitters) / n,
    laterMovesPerRaceMean: sum(items.map(({ moves }) => moves.filter((move) => move > 0).length)) / n,
  };
}

function bandSummary(answered: readonly { durationSec: number; estimate: Estimate }[]): Pick<Score, 'p90CoveragePct' | 'p10P90CoveragePct' | 'bandWidthOverDurationMedian' | 'pinballMeanOverDuration'> {
  const band = answered.flatMap(({ durationSec, estimate: { p10, p50, p90 } }) => (p10 === null || p90 === null ? [] : [{ durationSec, p10, p50, p90 }]));
  if (band.length === 0) return { p90CoveragePct: null, p10P90CoveragePct: null, bandWidthOverDurationMedian: null, pinballMeanOverDuration: null };
  return {
    p90CoveragePct: percent(band.filter(({ durationSec, p90 }) => durationSec <= p90).length, band.length),
    p10P90CoveragePct: percent(band.filter(({ durationSec, p10, p90 }) => p10 <= durationSec && durationSec <= p90).length, band.length),
    bandWidthOverDurationMedian: median(band.map(({ durationSec, p10, p90 }) => (p90 - p10) / durationSec)),
    pinballMeanOverDuration: sum(band.map(({ durationSec, p10, p50, p90 }) => (pinball(durationSec, p10, 0.1) + pinball(durationSec, p50, 0.5) + pinball(durationSec, p90, 0.9)) / durationSec)) / (3 * band.length),
  };
}

/** The loss whose expectation the q-quantile minimises. */
function pinball(truth: number, predicted: number, q: number): number {
  return Math.max(q * (truth - predicted), (q - 1) * (truth - predicted));
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function percent(part: number, whole: number): number {
  return (100 * part) / whole;
}

function scaled(value: number | null, factor: number): number | null {
  return value === null ? null : value * factor;
}
