/** Numbers of the metadata that are looked at. */
export const REGRESSED_NUMBERS = 7;
/** Coefficients of the regression: one, what is expected, the last run's distance from it, the hour (two), and of each number what lies above and below 0. */
const FIRST_NUMBER = 5;
const REGRESSORS = FIRST_NUMBER + 2 * REGRESSED_NUMBERS;
/** A coefficient is believed to be within about 1 until races say otherwise. */
const PRIOR_VARIANCE = 1;
/** Half is forgotten in some 1,400 races. */
const MEMORY = 0.9995;
/** A race further off than this pulls no harder, in log duration. */
const MOST_PULL = 1;
const DAY_MS = 86_400_000;

/**
 * Recursive least squares for log duration minus what is expected, on standardised inputs. A number is taken as
 * log(1 + number / what is expected): in the unit of the duration it is what it adds to it (who starts early waits as long),
 * in another, about its logarithm; and apart on either side of 0, since late does not undo what early does. Alone it is a
 * poor forecaster; as one voice among many it finds what no context holds.
 */
export type Regression = {
  count: number;
  readonly coefficients: Float64Array;
  readonly covariance: Float64Array;
  /** Running mean and variance of each input that has no scale of its own. */
  readonly means: Float64Array;
  readonly variances: Float64Array;
};

export function createRegression(): Regression {
  const covariance = new Float64Array(REGRESSORS * REGRESSORS);
  for (let i = 0; i < REGRESSORS; i++) covariance[i * REGRESSORS + i] = PRIOR_VARIANCE;
  return { count: 0, coefficients: new Float64Array(REGRESSORS), covariance, means: new Float64Array(REGRESSORS), variances: new Float64Array(REGRESSORS).fill(1) };
}

const inputs = new Float64Array(REGRESSORS);
const gains = new Float64Array(REGRESSORS);

/**
 * Log duration minus `centre`, as expected.
 * @param centre what is expected, log seconds. @param last the title's last run, log. @param numbers NaN = unknown.
 */
export function regress(regression: Regression, centre: number, last: number, startedAtMs: number, numbers: ArrayLike<number>): number {
  readInputs(regression, centre, last, startedAtMs, numbers);
  let sum = 0;
  for (let i = 0; i < REGRESSORS; i++) sum += regression.coefficients[i]! * inputs[i]!;
  return Math.min(Math.max(sum, -3), 3);
}

/** Learns what it was in truth. O(regressors squared). */
export function learnRegression(regression: Regression, truth: number, centre: number, last: number, startedAtMs: number, numbers: ArrayLike<number>): void {
  const { coefficients, covariance } = regression;
  const expected = regress(regression, centre, last, startedAtMs, numbers);
  const error = Math.min(Math.max(truth - centre - expected, -MOST_PULL), MOST_PULL);
  let scale = MEMORY;
  for (let i = 0; i < REGRESSORS; i++) {
    let sum = 0;
    for (let j = 0; j < REGRESSORS; j++) sum += covariance[i * REGRESSORS + j]! * inputs[j]!;
    gains[i] = sum;
    scale += sum * inputs[i]!;
  }
  // Forgetting lets what is never excited grow: it is kept within the prior.
  for (let i = 0; i < REGRESSORS; i++) {
    coefficients[i] = coefficients[i]! + (gains[i]! * error) / scale;
    for (let j = 0; j < REGRESSORS; j++) covariance[i * REGRESSORS + j] = (covariance[i * REGRESSORS + j]! - (gains[i]! * gains[j]!) / scale) / MEMORY;
  }
  for (let i = 0; i < REGRESSORS; i++) if (covariance[i * REGRESSORS + i]! > PRIOR_VARIANCE) resetVariance(covariance, i);
  learnScales(regression, centre, numbers);
}

function resetVariance(covariance: Float64Array, i: number): void {
  const shrink = Math.sqrt(PRIOR_VARIANCE / covariance[i * REGRESSORS + i]!);
  for (let j = 0; j < REGRESSORS; j++) {
    covariance[i * REGRESSORS + j] = covariance[i * REGRESSORS + j]! * shrink;
    covariance[j * REGRESSORS + i] = covariance[j * REGRESSORS + i]! * shrink;
  }
}

function learnScales(regression: Regression, centre: number, numbers: ArrayLike<number>): void {
  regression.count += 1;
  const rate = Math.max(0.005, 1 / (regression.count + 1));
  const note = (i: number, value: number) => {
    const away = value - regression.means[i]!;
    regression.means[i] = regression.means[i]! + rate * away;
    regression.variances[i] = (1 - rate) * (regression.variances[i]! + rate * away * away);
  };
  note(1, centre);
  const perSec = Math.exp(-centre);
  for (let i = 0; i < REGRESSED_NUMBERS; i++) {
    const number = numbers[i]!;
    if (Number.isNaN(number)) continue;
    note(FIRST_NUMBER + 2 * i, aboveZero(number * perSec));
    note(FIRST_NUMBER + 2 * i + 1, aboveZero(-number * perSec));
  }
}

function readInputs(regression: Regression, centre: number, last: number, startedAtMs: number, numbers: ArrayLike<number>): void {
  const turn = (2 * Math.PI * (startedAtMs % DAY_MS)) / DAY_MS;
  inputs[0] = 1;
  inputs[1] = standard(regression, 1, centre);
  inputs[2] = Math.min(Math.max(last - centre, -1), 1);
  inputs[3] = Math.sin(turn);
  inputs[4] = Math.cos(turn);
  const perSec = Math.exp(-centre);
  for (let i = 0; i < REGRESSED_NUMBERS; i++) {
    const at = FIRST_NUMBER + 2 * i;
    const number = numbers[i]!;
    const isUnknown = Number.isNaN(number);
    inputs[at] = isUnknown ? 0 : standard(regression, at, aboveZero(number * perSec));
    inputs[at + 1] = isUnknown ? 0 : standard(regression, at + 1, aboveZero(-number * perSec));
  }
}

function aboveZero(ratio: number): number {
  return ratio > 0 ? Math.log1p(ratio) : 0;
}

function standard({ means, variances }: Regression, i: number, value: number): number {
  return Math.min(Math.max((value - means[i]!) / Math.sqrt(variances[i]! + 1e-4), -3), 3);
}
