import { describe, expect, it } from 'vitest';
import { buildBoundTree } from '../../../src/cluster/bound-tree.ts';
import { raceDistance, type RaceFacts } from '../../../src/cluster/distance.ts';
import { FARTHEST, kDistances } from '../../../src/cluster/k-distance.ts';
import { chooseEps, EPS_DEFAULT, EPS_MAX, EPS_MIN, findKnee } from '../../../src/cluster/knee.ts';
import { collapseRaces } from '../../../src/cluster/point.ts';
import { createTreeSearch } from '../../../src/cluster/tree-search.ts';
import { createWork } from '../../../src/cluster/work.ts';
import { packRaces, shuffled, tangledRaces } from '../../support/cluster-sets.ts';
import { seededRandom } from '../../support/random.ts';

function curveOf(races: readonly RaceFacts[], k: number): Float64Array {
  const { points } = collapseRaces(packRaces(races), { keys: 'all', mask: false });
  const work = createWork(Infinity, () => true);
  return kDistances(createTreeSearch(buildBoundTree(points), work), k, work);
}

describe('findKnee()', () => {
  it('finds the greatest distance to the diagonal of the origin\'s curve, where it found another', () => {
    const values = [0.1, 0.15, 0.2, 0.22, 0.25, 0.28, 0.3, 0.35, 0.4, 0.5, 0.65, 0.8, 0.95, 1.1, 1.3, 1.5];
    expect(findKnee(values)).toEqual({ index: 8, value: 0.4 });
  });

  it('finds the corner of two straight lines, however many points they have', () => {
    for (const count of [11, 101, 2_001]) {
      const values = Array.from({ length: count }, (_, i) => Math.max((0.1 * i) / (count - 1), (10 * i) / (count - 1) - 7.92));
      const knee = findKnee(values);
      expect(knee?.value, `${count} points`).toBeCloseTo(0.08, 1);
      expect((knee?.index ?? 0) / (count - 1)).toBeCloseTo(0.8, 1);
    }
  });

  it.each([
    ['no values', []],
    ['two values', [0, 1]],
    ['a flat curve', [0.2, 0.2, 0.2, 0.2, 0.2]],
    ['a straight line', [0, 0.25, 0.5, 0.75, 1]],
    ['a curve that bends the other way', [0, 0.7, 0.85, 0.95, 1]],
  ])('has no knee for %s', (_, values) => {
    expect(findKnee(values)).toBeNull();
  });

  it('is not moved by scale', () => {
    const random = seededRandom(3);
    const values = Array.from({ length: 500 }, () => random() ** 6).sort((a, b) => a - b);
    const knee = findKnee(values)!;
    expect(findKnee(values.map((value) => 3 * value + 2))?.value).toBeCloseTo(3 * knee.value + 2, 9);
  });
});

describe('chooseEps()', () => {
  const bent = (corner: number): number[] => Array.from({ length: 100 }, (_, i) => (i < 90 ? (corner * i) / 90 : corner + (i - 90) / 10));

  it('records which rule fired and holds eps in its range', () => {
    expect(chooseEps(bent(0.2), null)).toMatchObject({ rule: 'knee' });
    expect(chooseEps(bent(0.2), null).eps).toBeCloseTo(0.2, 1);
    expect(chooseEps(bent(0.02), null)).toMatchObject({ rule: 'below_range', eps: EPS_MIN });
    expect(chooseEps(bent(0.48), null)).toMatchObject({ rule: 'above_range', eps: EPS_MAX });
    expect(chooseEps([0.2, 0.2, 0.2], null)).toEqual({ rule: 'no_knee', eps: EPS_DEFAULT, knee: null });
  });

  it('goes above a knee that would leave more than 15 % of the races without neighbours', () => {
    const steps = [...Array.from({ length: 60 }, () => 0.05), ...Array.from({ length: 30 }, () => 0.22), ...Array.from({ length: 10 }, () => 0.5)];
    expect(chooseEps(steps, null)).toMatchObject({ rule: 'noise_limit', eps: 0.22 });
  });

  it('moves from the eps before by a fifth of the way, and not at all without a knee', () => {
    const fresh = chooseEps(bent(0.2), null).eps;
    expect(chooseEps(bent(0.2), 0.3).eps).toBeCloseTo(0.8 * 0.3 + 0.2 * fresh, 12);
    expect(chooseEps([], 0.17)).toMatchObject({ rule: 'no_knee', eps: 0.17 });
  });

  it('stays at the plateau of three families with outliers, where the origin took the largest distance', () => {
    const metadata = { tool: 'x' };
    const family = (stem: string): RaceFacts[] => Array.from({ length: 20 }, (_, i) => ({ title: `${stem} ${String(i).padStart(2, '0')}`, metadata }));
    const outliers = ['q', 'zzzzzzzzzzzz', 'one two three four five', '%%%%%%%', 'another thing altogether', 'mn'].map((title) => ({ title, metadata }));
    const { eps, knee } = chooseEps(curveOf([...family('compile kernel modules'), ...family('archive nightly dataset'), ...family('synthesize waveform bank'), ...outliers], 2), null);
    expect(knee).toBeLessThan(0.1);
    expect(eps).toBe(EPS_MIN);
  });
});

describe('kDistances()', () => {
  it.each([1, 2, 4])('are those of every pair compared, k = %d', (k) => {
    for (const keys of [0, 3, 30]) {
      const races = tangledRaces({ seed: 7, races: 120, keys, values: 3 });
      const distinct = [...new Map(races.map((race) => [JSON.stringify([race.title, Object.entries(race.metadata)]), race])).values()];
      const expected = distinct.map((race) => Math.min(FARTHEST, distinct.filter((other) => other !== race).map((other) => raceDistance(race, other)).sort((a, b) => a - b)[k - 1] ?? Infinity));
      const curve = curveOf(races, k);
      expect(curve.length).toBe(distinct.length);
      for (const [i, value] of expected.sort((a, b) => a - b).entries()) expect(curve[i]).toBeCloseTo(value, 12);
    }
  });

  it('do not hang on the order of the races, sampled or not', () => {
    const races = tangledRaces({ seed: 2, races: 3_000, keys: 8, values: 9 });
    expect(curveOf(shuffled(races, 5), 2)).toEqual(curveOf(races, 2));
  });
});
