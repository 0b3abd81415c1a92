import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conditionOn, distributionOf, kernelBelow, massAfter, massBelow, massWithin, mix, point, quantile, shiftBy, tailFrom, tailMass } from '../../../src/forecast/distribution.ts';

const seconds = fc.array(fc.double({ min: 1e-3, max: 3e8, noNaN: true }), { minLength: 1, maxLength: 100 });
const elapsed = fc.double({ min: 0, max: 1e9, noNaN: true });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const even = (values: readonly number[]) => distributionOf(values, values.map(() => 1));

describe('quantile()', () => {
  test('is finite and never falls as q rises, whatever the samples and the age', () => {
    fc.assert(fc.property(seconds, elapsed, fc.array(share, { minLength: 2, maxLength: 8 }), (samples, sec, shares) => {
      const left = conditionOn(even(samples), sec);
      const values = shares.sort((a, b) => a - b).map((q) => quantile(left, q));
      expect(values.every(Number.isFinite)).toBe(true);
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }));
  });

  test('is the inverse of massBelow()', () => {
    fc.assert(fc.property(seconds, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (samples, q) => {
      const all = even(samples);
      expect(massBelow(all, quantile(all, q))).toBeCloseTo(q, 6);
    }));
  });

  test('puts the median of equal samples at them, and the quartiles near', () => {
    const all = even([100, 100, 100, 100]);
    expect(quantile(all, 0.5)).toBeGreaterThan(97);
    expect(quantile(all, 0.5)).toBeLessThan(103);
    expect(quantile(all, 0.25)).toBeGreaterThan(85);
    expect(quantile(all, 0.75)).toBeLessThan(118);
  });

  test('follows the weights', () => {
    expect(quantile(distributionOf([10, 1000], [9, 1]), 0.5)).toBeLessThan(15);
    expect(quantile(distributionOf([10, 1000], [1, 9]), 0.5)).toBeGreaterThan(700);
  });
});

describe('distributionOf()', () => {
  test('does not depend on the order of the samples nor on the sum of the weights', () => {
    const a = distributionOf([5, 50, 500], [1, 2, 3]);
    const b = distributionOf([500, 5, 50], [30, 10, 20]);
    for (const q of [0.1, 0.5, 0.9]) expect(quantile(a, q)).toBeCloseTo(quantile(b, q), 9);
  });

  test('refuses no samples', () => {
    expect(() => distributionOf([], [])).toThrow(RangeError);
  });

  test('has the mass of a Laplace mixture around one sample', () => {
    // One sample at e^0: P(T <= e^x) = sum of weight * (1 - exp(-x / width) / 2).
    const one = distributionOf([1], [1]);
    for (const x of [0.05, 0.2, 0.5, 1]) {
      const exactly = 0.1 * (1 - Math.exp(-x / 0.015) / 2) + 0.55 * (1 - Math.exp(-x / 0.04) / 2) + 0.3 * (1 - Math.exp(-x / 0.15) / 2) + 0.05 * (1 - Math.exp(-x / 0.6) / 2);
      expect(massBelow(one, Math.exp(x))).toBeCloseTo(exactly, 1.9);
    }
  });
});

/** The kernel around samples in closed form, without a grid. */
function exactly(samples: readonly number[], sec: number): number {
  const widths = [[0.015, 0.1], [0.04, 0.55], [0.15, 0.3], [0.6, 0.05]] as const;
  const below = (away: number, width: number) => (away < 0 ? Math.exp(away / width) / 2 : 1 - Math.exp(-away / width) / 2);
  return samples.reduce((sum, sample) => sum + widths.reduce((part, [width, weight]) => part + weight * below(Math.log(sec / sample), width), 0), 0) / samples.length;
}

describe('against the kernel in closed form', () => {
  const usual = fc.array(fc.double({ min: 10, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 30 });
  const factor = fc.double({ min: 1.001, max: 50, noNaN: true });

  test('the grid is right to within three hundredths of mass or two of time', () => {
    fc.assert(fc.property(usual, fc.double({ min: 5, max: 2e5, noNaN: true }), (samples, sec) => {
      const mass = massBelow(even(samples), sec);
      expect(mass).toBeLessThanOrEqual(exactly(samples, sec * 1.02) + 0.03);
      expect(mass).toBeGreaterThanOrEqual(exactly(samples, sec / 1.02) - 0.03);
    }));
  });

  test('so it is after conditioning, as long as there is anything to condition on', () => {
    fc.assert(fc.property(usual, fc.double({ min: 5, max: 1e5, noNaN: true }), factor, (samples, age, times) => {
      const left = 1 - exactly(samples, age);
      fc.pre(left > 0.1);
      const after = (sec: number) => (exactly(samples, Math.max(age, sec)) - exactly(samples, age)) / left;
      const mass = massBelow(conditionOn(even(samples), age), age * times);
      expect(mass).toBeLessThanOrEqual(after(age * times * 1.03) + 0.06 / left);
      expect(mass).toBeGreaterThanOrEqual(after((age * times) / 1.03) - 0.06 / left);
    }));
  });

  test('kernelBelow() is the mass of one sample', () => {
    for (const away of [-5, -1, -0.1, -0.02, 0, 0.02, 0.1, 1, 5]) expect(Math.abs(kernelBelow(away) - exactly([1], Math.exp(away)))).toBeLessThan(0.01);
  });
});

describe('without making a distribution', () => {
  test('massAfter() is the mass of conditionOn(), the tail law’s too', () => {
    fc.assert(fc.property(seconds, elapsed, share, share, (samples, age, a, b) => {
      const all = even(samples);
      const left = conditionOn(all, age);
      const [low, high] = [Math.min(a, b), Math.max(a, b)].map((q) => Math.max(age, quantile(left, q))) as [number, number];
      expect(Math.abs(massAfter(all, age, low, high) - massWithin(left, low, high))).toBeLessThan(0.06);
    }));
  });

  test('the tail law has half of its mass below twice the age', () => {
    expect(tailMass(100, 100, 200)).toBeCloseTo(0.5, 2);
    expect(tailMass(100, 100, 1e9)).toBeCloseTo(1, 9);
    expect(massBelow(tailFrom(100), 200)).toBeCloseTo(0.5, 2);
  });
});

describe('conditionOn()', () => {
  test('a later age never makes any time more likely to be reached sooner', () => {
    fc.assert(fc.property(seconds, elapsed, elapsed, (samples, a, b) => {
      const [early, late] = [Math.min(a, b), Math.max(a, b)];
      const all = even(samples);
      const [first, second] = [conditionOn(all, early), conditionOn(all, late)];
      fc.pre(!second.overdue);
      for (const q of [0.1, 0.5, 0.9]) expect(quantile(second, q) * 1.03).toBeGreaterThanOrEqual(quantile(first, q) * 0.999 - 1e-3);
    }));
  });

  test('its mass sums to one and never falls', () => {
    fc.assert(fc.property(seconds, elapsed, (samples, age) => {
      const { cumulative } = conditionOn(even(samples), age);
      expect(cumulative.at(-1)).toBe(1);
      cumulative.forEach((mass, i) => expect(mass).toBeGreaterThanOrEqual((cumulative[i - 1] ?? 0) - 1e-12));
    }));
  });

  test('leaves nothing below the age, at any age', () => {
    fc.assert(fc.property(seconds, elapsed, (samples, sec) => {
      const left = conditionOn(even(samples), sec);
      expect(quantile(left, 0)).toBeGreaterThanOrEqual(sec);
      expect(massBelow(left, sec)).toBeLessThan(1e-12);
      expect(quantile(left, 0.01)).toBeGreaterThanOrEqual(sec);
    }));
  });

  test('is P(T <= t | T > a): the masses of what is left, over their sum', () => {
    const all = even([30, 30, 300]);
    const left = conditionOn(all, 60);
    for (const sec of [100, 200, 250, 290, 310, 400]) expect(Math.abs(massBelow(left, sec) - massWithin(all, 60, sec) / (1 - massBelow(all, 60)))).toBeLessThan(0.01);
    expect(left.overdue).toBe(false);
  });

  test('tells the slow mode of a bimodal source once the fast one has passed', () => {
    const left = conditionOn(even([30, 31, 29, 300, 310]), 60);
    expect(quantile(left, 0.5)).toBeGreaterThan(200);
    expect(point(left).sec).toBeGreaterThan(240);
  });

  test('beyond all samples it follows the tail law, growing with age, and says overdue', () => {
    const all = even([100, 110, 120, 90]);
    const left = conditionOn(all, 1000);
    expect(left.overdue).toBe(true);
    expect(quantile(left, 0.5)).toBeCloseTo(2000, -2);
    expect(quantile(left, 0.9)).toBeGreaterThan(9000);
    expect(quantile(conditionOn(all, 5000), 0.5)).toBeGreaterThan(9000);
  });

  test('nothing known of the age changes nothing', () => {
    const all = even([100, 200]);
    expect(conditionOn(all, 0)).toBe(all);
  });
});

describe('shiftBy() and mix()', () => {
  test('a shift moves every quantile by itself', () => {
    const all = even([10, 20, 40]);
    for (const q of [0.1, 0.5, 0.9]) expect(quantile(shiftBy(all, 1000), q)).toBeCloseTo(quantile(all, q) + 1000, 9);
  });

  test('a mixture has the weighted mass of its parts everywhere', () => {
    fc.assert(fc.property(seconds, seconds, fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.double({ min: 1e-3, max: 1e9, noNaN: true }), elapsed, (a, b, weight, sec, age) => {
      const [first, second] = [shiftBy(even(a), age), shiftBy(even(b), age)];
      const both = mix([{ distribution: first, weight }, { distribution: second, weight: 1 - weight }]);
      expect(massBelow(both, age + sec)).toBeCloseTo(weight * massBelow(first, age + sec) + (1 - weight) * massBelow(second, age + sec), 6);
    }));
  });

  test('parts of different origins are as exact as the grid of the least', () => {
    fc.assert(fc.property(seconds, seconds, fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 1e-2, max: 1e9, noNaN: true }), (a, b, age, sec) => {
      const [first, second] = [even(a), shiftBy(even(b), age)];
      const both = mix([{ distribution: first, weight: 1 }, { distribution: second, weight: 1 }]);
      const oneBin = 1.0203;
      expect(massBelow(both, sec)).toBeLessThanOrEqual((massBelow(first, sec * oneBin) + massBelow(second, sec * oneBin)) / 2 + 0.02);
      expect(massBelow(both, sec)).toBeGreaterThanOrEqual((massBelow(first, sec / oneBin) + massBelow(second, sec / oneBin)) / 2 - 0.03);
    }));
  });

  test('parts without weight do not count', () => {
    const a = even([10]);
    expect(mix([{ distribution: a, weight: 1 }, { distribution: even([99]), weight: 0 }])).toBe(a);
    expect(() => mix([])).toThrow(RangeError);
  });
});

describe('point()', () => {
  test('no other point has much more mass within 20 % of the truth', () => {
    fc.assert(fc.property(seconds, (samples) => {
      const all = even(samples);
      const { sec, mass } = point(all);
      expect(mass).toBeCloseTo(massWithin(all, sec / 1.2, sec / 0.8), 3);
      for (const other of samples) expect(massWithin(all, other / 1.2, other / 0.8)).toBeLessThanOrEqual(mass / 0.95 + 0.01);
    }));
  });

  test('takes the heavier of two modes, not the median between them', () => {
    const { sec } = point(distributionOf([30, 31, 32, 300, 310], [1, 1, 1, 1, 1]));
    expect(sec).toBeGreaterThan(27);
    expect(sec).toBeLessThan(36);
  });

  test('stays finite in the tail', () => {
    const { sec, mass } = point(conditionOn(even([10]), 1e8));
    expect(sec).toBeGreaterThanOrEqual(1e8);
    expect(Number.isFinite(sec)).toBe(true);
    expect(mass).toBeGreaterThan(0);
    expect(mass).toBeLessThanOrEqual(1);
  });
});
