import { describe, expect, test } from 'vitest';
import { conditionOn, distributionOf, massBelow, quantile } from '../../../src/forecast/distribution.ts';
import { byShareOfLife } from '../../../src/forecast/share-of-life.ts';

const wide = distributionOf([10, 30, 100, 300, 1000, 3000], [1, 2, 3, 3, 2, 1]);
const narrow = distributionOf([95, 98, 100, 102, 105], [1, 2, 3, 2, 1]);

describe('byShareOfLife()', () => {
  test('leaves a submission as it is', () => {
    expect(byShareOfLife(wide, 0)).toBe(wide);
  });

  test('draws in what is wide, hardly what is narrow', () => {
    const [before, after] = [conditionOn(wide, 60), byShareOfLife(conditionOn(wide, 60), 60)];
    expect(quantile(after, 0.5)).toBeLessThan(0.75 * quantile(before, 0.5));
    const near = conditionOn(narrow, 50);
    expect(quantile(byShareOfLife(near, 50), 0.5) / quantile(near, 0.5)).toBeGreaterThan(0.99);
  });

  test('is what looks at equal shares of every life find', () => {
    // Of races that last 100 or 400 s, equally many, a look at an age of 50 s comes four times as often, by share of life, on a short one.
    const both = byShareOfLife(conditionOn(distributionOf([100, 400], [1, 1]), 50), 50);
    expect(massBelow(both, 200)).toBeGreaterThan(0.75);
    expect(massBelow(both, 200)).toBeLessThan(0.85);
  });

  test('is a distribution beyond the age, also of the tail alone', () => {
    for (const age of [1, 60, 2_900, 50_000]) {
      const set = byShareOfLife(conditionOn(wide, age), age);
      expect(set.cumulative.at(-1)).toBe(1);
      expect(massBelow(set, age)).toBeLessThan(1e-9);
      for (let i = 1; i < set.cumulative.length; i++) expect(set.cumulative[i]!).toBeGreaterThanOrEqual(set.cumulative[i - 1]!);
    }
  });
});
