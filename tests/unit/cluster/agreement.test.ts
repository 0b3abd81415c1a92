import { describe, expect, it } from 'vitest';
import { adjustedRandIndex, cohesion, noiseRatio, silhouette } from '../../../src/cluster/agreement.ts';
import { collapseRaces, type PointSet } from '../../../src/cluster/point.ts';
import { cargoNames, cargoTitles, ofProject, packRaces } from '../../support/cluster-sets.ts';

/** The groups of a partition of 0..n-1 as labels. */
function partition(...groups: readonly number[][]): number[] {
  const labels: number[] = [];
  for (const [label, group] of groups.entries()) for (const item of group) labels[item] = label;
  return labels;
}

describe('adjustedRandIndex()', () => {
  it.each([
    ['itself', partition([0, 1, 2], [3, 4, 5]), partition([0, 1, 2], [3, 4, 5]), 1],
    ['a partition across', partition([0, 1, 2], [3, 4, 5]), partition([0, 1, 4], [2, 3, 5]), -0.111_111],
    ['one cluster', partition([0, 1, 2], [3, 4, 5]), partition([0, 1, 2, 3, 4, 5]), 0],
    ['a split', partition([0, 1], [2, 3]), partition([0, 1], [2], [3]), 0.571_429],
    ['pairs', partition([0, 1, 2], [3, 4, 5]), partition([0, 1], [2, 3], [4, 5]), 0.242_424],
    ['the same single cluster', [0, 0, 0], [7, 7, 7], 1],
    ['all alone, both', [0, 1, 2], [2, 0, 1], 1],
    ['nothing', [], [], 1],
    ['one item', [0], [3], 1],
  ])('is known for %s', (_, a, b, expected) => {
    expect(adjustedRandIndex(a, b)).toBeCloseTo(expected, 6);
    expect(adjustedRandIndex(b, a)).toBeCloseTo(expected, 6);
  });

  it('does not hang on names, and takes noise for a group', () => {
    expect(adjustedRandIndex([0, 0, 1, 1, -1], [5, 5, 2, 2, 9])).toBe(1);
    expect(adjustedRandIndex([0, 0, 1, 1, -1, -1], [0, 0, 1, 1, 2, 3])).toBeLessThan(1);
  });

  it('refuses labellings of different length', () => {
    expect(() => adjustedRandIndex([0], [0, 1])).toThrow('1 and 2 items');
  });
});

const cargo = collapseRaces(packRaces(ofProject(cargoTitles)), { keys: 'all', mask: false });

function labelled(points: PointSet, pointOf: Uint32Array, labelOf: (name: string) => number): Int32Array {
  const labels = new Int32Array(points.count).fill(-1);
  for (const [row, name] of cargoNames.entries()) labels[pointOf[row]!] = labelOf(name);
  return labels;
}

describe('silhouette()', () => {
  it('is that of two clusters of the origin\'s fixture', () => {
    // r4 repeats r1 and r5 repeats r2: as points of their own they would change the means.
    const names = ['r1', 'r2', 'r3', 'r6', 'r7', 'r8'];
    const { points } = collapseRaces(packRaces(ofProject(names.map((name) => cargoTitles[cargoNames.indexOf(name as 'r1')]!))), { keys: 'all', mask: false });
    expect(silhouette(points, Int32Array.from([0, 0, 0, 1, 1, 1]))).toBeCloseTo(0.245_864, 6);
  });

  it('counts repetitions as races of their own', () => {
    const twice = ofProject(['cargo build', 'cargo build', 'cargo test', 'cargo test']);
    const { points } = collapseRaces(packRaces(twice), { keys: 'all', mask: false });
    expect(points.count).toBe(2);
    expect(silhouette(points, Int32Array.from([0, 1]))).toBe(1);
  });

  it('has nothing to compare with fewer than two clusters', () => {
    expect(silhouette(cargo.points, labelled(cargo.points, cargo.pointOf, () => 0))).toBeNull();
    expect(silhouette(cargo.points, labelled(cargo.points, cargo.pointOf, () => -1))).toBeNull();
  });
});

describe('noiseRatio() and cohesion()', () => {
  it('weigh points by their races', () => {
    const labels = labelled(cargo.points, cargo.pointOf, (name) => (['r1', 'r4'].includes(name) ? 0 : -1));
    expect(noiseRatio(cargo.points, labels)).toBeCloseTo(9 / 11, 12);
    expect(cohesion(cargo.points, labels, [cargo.pointOf[0]!])).toBe(1);
    expect(cohesion(cargo.points, labels.map(() => -1), [])).toBeNull();
    const both = labelled(cargo.points, cargo.pointOf, (name) => (['r1', 'r4', 'r6'].includes(name) ? 0 : -1));
    expect(cohesion(cargo.points, both, [cargo.pointOf[0]!])).toBeCloseTo(1 - 0.272_727 / 3, 5);
  });
});
