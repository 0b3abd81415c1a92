import { expect, test } from 'vitest';
import { BELL, BELL_WEIGHTS, createBells } from '../../../src/forecast/bells.ts';
import { blendLogs, logSec, quantile } from '../../../src/forecast/distribution.ts';

const bell = createBells();
const smoothedAnew = (centreSec: number, spread: number) => blendLogs(BELL.map((z) => logSec(centreSec) + z * spread), BELL_WEIGHTS, BELL.length);

test.each([[240, 0.03], [240.37, 0.11], [3.2, 0.5], [86_400, 1.3], [5e8, 0.25]])('a bell of %d s and a spread of %d is what smoothing it anew gives, but for its rounding', (centreSec, spread) => {
  const [moved, anew] = [bell(centreSec, spread), smoothedAnew(centreSec, spread)];
  for (const q of [0.05, 0.1, 0.5, 0.9, 0.95]) expect(Math.abs(Math.log(quantile(moved, q) / quantile(anew, q)))).toBeLessThan(0.001 + 0.02 * spread);
});

test.each([[0, 0.03], [0.002, 0.25], [9e12, 0.3], [60, 30], [60, Infinity]])('at the ends of the grid, as for %d s and a spread of %d, it is smoothed anew', (centreSec, spread) => {
  expect(bell(centreSec, spread)).toEqual(smoothedAnew(centreSec, spread));
});

test('a bell is smoothed once, wherever it lies', () => {
  const once = bell(100, 0.05);
  const tenTimes = bell(100 * Math.exp(115 * 0.02), 0.05);
  expect(tenTimes.cumulative).toBe(once.cumulative);
  expect(tenTimes.low - once.low).toBe(115);
});
