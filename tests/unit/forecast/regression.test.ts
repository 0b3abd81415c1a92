import { describe, expect, test } from 'vitest';
import { createRegression, learnRegression, regress, REGRESSED_NUMBERS } from '../../../src/forecast/regression.ts';
import { seededRandom } from '../../support/random.ts';

const EXPECTED_LOG = Math.log(1000);
const numbersOf = (...numbers: number[]) => Float64Array.from({ length: REGRESSED_NUMBERS }, (_, i) => numbers[i] ?? Number.NaN);

/** Taught 400 races that take `secOf` of a number between -500 and 500 where 1,000 s are expected. */
function taughtBy(secOf: (number: number) => number) {
  const random = seededRandom(4);
  const regression = createRegression();
  for (let i = 0; i < 400; i++) {
    const number = 1000 * random() - 500;
    learnRegression(regression, Math.log(secOf(number) * Math.exp(0.05 * (random() - 0.5))), EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf(number));
  }
  return (number: number) => Math.exp(EXPECTED_LOG + regress(regression, EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf(number)));
}

describe('the regression on numbers of the metadata', () => {
  test('says what was expected before it has learned anything', () => {
    expect(regress(createRegression(), EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf(300))).toBe(0);
  });

  test('who starts early waits as long, and who starts late makes up for nothing', () => {
    const forecastOf = taughtBy((lateSec) => 1000 + Math.max(0, -lateSec));
    for (const lateSec of [-450, -200, -50, 50, 200, 450]) {
      expect(Math.abs(Math.log(forecastOf(lateSec) / (1000 + Math.max(0, -lateSec))))).toBeLessThan(0.03);
    }
  });

  test('a number of another unit counts by its factor', () => {
    const random = seededRandom(8);
    const regression = createRegression();
    const secOf = (files: number) => 100 * files ** 0.3;
    for (let i = 0; i < 400; i++) {
      const files = Math.exp(12 + 4 * random());
      learnRegression(regression, Math.log(secOf(files)), EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf(files));
    }
    for (const files of [3e5, 1e6, 5e6]) expect(Math.abs(EXPECTED_LOG + regress(regression, EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf(files)) - Math.log(secOf(files)))).toBeLessThan(0.1);
  });

  test('an unknown number changes nothing', () => {
    const regression = createRegression();
    learnRegression(regression, Math.log(1200), EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf());
    expect(regress(regression, EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf())).toBe(regress(regression, EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf(Number.NaN)));
    expect(regress(regression, EXPECTED_LOG, EXPECTED_LOG, 0, numbersOf())).toBeGreaterThan(0);
  });
});
