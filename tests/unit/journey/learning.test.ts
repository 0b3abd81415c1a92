import { describe, expect, it } from 'vitest';
import { commonShiftMs, shiftMs, withVote } from '../../../src/journey/clock-shift.ts';
import { correctionSec, createCorrections, learnCorrection } from '../../../src/journey/corrections.ts';
import { createLegTimes, expectedSec, hourExcessSec, learnLeg, legKey, MOST_LEGS, recentExcessSec } from '../../../src/journey/legs.ts';
import { createRanges, learnRange, rangeSec } from '../../../src/journey/ranges.ts';
import { isMoving, MOVES_ABOVE_KN, STANDS_BELOW_KN } from '../../../src/journey/speed.ts';
import { KNOT_MPS } from '../../../src/journey/geodesy.ts';
import { MIN, T0 } from './routes.ts';

const HOUR = 60 * MIN;

describe('expectedSec()', () => {
  it('is the plan of a leg nobody drove, and what it takes once many did', () => {
    const times = createLegTimes();
    const key = legKey('A', 'B');
    expect(expectedSec(times, key, 100)).toBeCloseTo(100, 9);
    const seen: number[] = [];
    for (let n = 0; n < 60; n++) {
      learnLeg(times, key, 100, 150, 500, T0 + n * HOUR);
      seen.push(expectedSec(times, key, 100));
    }
    expect(seen[0]!).toBeGreaterThan(105);
    expect(seen[0]!).toBeLessThan(145);
    expect(seen.every((sec, n) => n === 0 || sec >= seen[n - 1]! - 1e-9)).toBe(true);
    expect(seen.at(-1)!).toBeCloseTo(150, 0);
  });

  it('follows a change within a few passages, and is not moved far by one break', () => {
    const times = createLegTimes();
    for (let n = 0; n < 60; n++) learnLeg(times, 'k', 100, 100, 500, T0 + n * HOUR);
    learnLeg(times, 'k', 100, 40_000, 500, T0 + 61 * HOUR);
    expect(expectedSec(times, 'k', 100)).toBeLessThan(125);
    for (let n = 0; n < 30; n++) learnLeg(times, 'k', 100, 200, 500, T0 + (62 + n) * HOUR);
    expect(expectedSec(times, 'k', 100)).toBeGreaterThan(170);
  });

  it('of an unknown leg goes by what all legs did', () => {
    const times = createLegTimes();
    for (let n = 0; n < 3000; n++) learnLeg(times, `k${n % 50}`, 100, 130, 500, T0 + n * MIN);
    expect(expectedSec(times, 'new', 60)).toBeGreaterThan(70);
  });

  it('knows what the vehicle in front met, for a while, and the time of day', () => {
    const times = createLegTimes();
    for (let day = 0; day < 20; day++) {
      learnLeg(times, 'k', 100, 100, 500, T0 + day * 24 * HOUR);
      learnLeg(times, 'k', 100, 160, 500, T0 + day * 24 * HOUR + 6 * HOUR);
    }
    const expected = expectedSec(times, 'k', 100);
    expect(hourExcessSec(times, 'k', expected, T0 + 30 * 24 * HOUR + 6 * HOUR)).toBeGreaterThan(10);
    expect(hourExcessSec(times, 'k', expected, T0 + 30 * 24 * HOUR)).toBeLessThan(-5);
    const last = T0 + 19 * 24 * HOUR + 6 * HOUR;
    const fresh = recentExcessSec(times, 'k', expected, last + MIN);
    expect(fresh).toBeGreaterThan(5);
    expect(recentExcessSec(times, 'k', expected, last + 6 * HOUR)).toBeLessThan(fresh / 10);
    expect(recentExcessSec(times, 'other', expected, last)).toBe(0);
  });

  it('keeps at most so many legs, those driven last', () => {
    const times = createLegTimes();
    learnLeg(times, 'first', 100, 100, 500, T0);
    for (let n = 0; n < MOST_LEGS - 1; n++) learnLeg(times, `k${n}`, 100, 100, 500, T0);
    learnLeg(times, 'first', 100, 100, 500, T0);
    learnLeg(times, 'one more', 100, 100, 500, T0);
    expect(times.legs.size).toBe(MOST_LEGS);
    expect(times.legs.has('first')).toBe(true);
    expect(times.legs.has('k0')).toBe(false);
  });
});

describe('corrections', () => {
  it('find what errors depend on, apart for near and far, and hold against outliers', () => {
    const corrections = createCorrections([0, 0, 0]);
    let state = 1;
    const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    for (let n = 0; n < 40_000; n++) {
      const horizon = random() < 0.5 ? 60 : 2400;
      const inputs = Float64Array.of(1, random() * 80 - 40, random() * 80 - 40);
      const truth = horizon === 60 ? 0.5 * inputs[1]! : 2 * inputs[2]!;
      learnCorrection(corrections, horizon, inputs, random() < 0.03 ? 5000 : truth + (random() - 0.5) * 4);
    }
    expect(correctionSec(corrections, 60, Float64Array.of(0, 20, 0))).toBeCloseTo(10, 0);
    expect(Math.abs(correctionSec(corrections, 60, Float64Array.of(0, 0, 20)))).toBeLessThan(2);
    expect(Math.abs(correctionSec(corrections, 2400, Float64Array.of(0, 0, 20)) - 40)).toBeLessThan(3);
    expect(Math.abs(correctionSec(corrections, 2400, Float64Array.of(0, 20, 0)))).toBeLessThan(3);
  });

  it('are their prior before anything is learned, at every horizon', () => {
    const corrections = createCorrections([2, 0]);
    for (const horizon of [-5, 0, 59, 120, 4000, 4200, 1e6]) expect(correctionSec(corrections, horizon, Float64Array.of(3, 9))).toBeCloseTo(6, 9);
  });
});

describe('ranges', () => {
  it('come to hold four of five errors, those outside on both sides', () => {
    const ranges = createRanges();
    let state = 5;
    const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const count = { low: 0, high: 0, all: 0 };
    for (let n = 0; n < 20_000; n++) {
      const horizon = 30 + random() * 3000;
      // Skewed: lateness has the longer tail.
      const error = (20 + 0.2 * horizon) * (-Math.log(random()) - 0.8);
      const [low, high] = rangeSec(ranges, horizon);
      expect(low).toBeLessThanOrEqual(0);
      expect(high).toBeGreaterThanOrEqual(0);
      if (n > 5000) {
        count.all++;
        if (error < low) count.low++;
        if (error > high) count.high++;
      }
      learnRange(ranges, horizon, error);
    }
    expect(count.low / count.all).toBeCloseTo(0.1, 1);
    expect(count.high / count.all).toBeCloseTo(0.1, 1);
  });
});

describe('clock shift', () => {
  it('is whole hours once most of the newest journeys agree on it, and none for a bus that is merely late', () => {
    let votes: readonly number[] = [];
    for (let n = 0; n < 9; n++) votes = withVote(votes, 4 * MIN);
    expect(commonShiftMs(votes)).toBe(0);
    votes = withVote(votes, HOUR + 3 * MIN);
    expect(shiftMs(votes, HOUR)).toBe(0);
    for (let n = 0; n < 5; n++) votes = withVote(votes, HOUR + n * MIN);
    expect(commonShiftMs(votes)).toBe(HOUR);
    expect(shiftMs(votes, HOUR + 5 * MIN)).toBe(HOUR);
    expect(shiftMs(votes, 6 * MIN)).toBe(0);
    expect(shiftMs(votes, null)).toBe(HOUR);
    for (let n = 0; n < 6; n++) votes = withVote(votes, 2 * MIN);
    expect(commonShiftMs(votes)).toBe(0);
    expect(votes).toHaveLength(9);
  });

  it('is no day', () => {
    expect(withVote([], 24 * HOUR)).toEqual([]);
    expect(commonShiftMs([])).toBe(0);
  });
});

describe('isMoving()', () => {
  it('does not flicker between its two limits', () => {
    const between = ((STANDS_BELOW_KN + MOVES_ABOVE_KN) / 2) * KNOT_MPS;
    expect(isMoving(between, true)).toBe(true);
    expect(isMoving(between, false)).toBe(false);
    expect(isMoving(0.49 * KNOT_MPS, true)).toBe(false);
    expect(isMoving(MOVES_ABOVE_KN * KNOT_MPS, false)).toBe(true);
    expect(isMoving(null, true)).toBe(true);
  });
});
