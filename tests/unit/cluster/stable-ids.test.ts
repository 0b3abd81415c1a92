import { describe, expect, it } from 'vitest';
import { stableIds } from '../../../src/cluster/stable-ids.ts';

function idsOf(rows: readonly (readonly [previous: string | null, label: number])[], version = 'v2'): string[] {
  const labels = rows.map(([, label]) => label);
  return stableIds({ labels, clusterCount: Math.max(-1, ...labels) + 1, previous: rows.map(([previous]) => previous), version });
}

const repeated = (previous: string | null, label: number, count: number): (readonly [string | null, number])[] => Array.from({ length: count }, () => [previous, label] as const);

describe('stableIds()', () => {
  it('keeps ids whatever the numbers are', () => {
    expect(idsOf([...repeated('a', 1, 3), ...repeated('b', 0, 2)])).toEqual(['b', 'a']);
  });

  it('keeps the id of a cluster that lost one and won one of three', () => {
    expect(idsOf([['a', 0], ['a', 0], ['a', -1], [null, 0]])).toEqual(['a']);
  });

  it('leaves the id of a split cluster to one part and loses neither', () => {
    expect(idsOf([...repeated('a', 0, 2), ...repeated('a', 1, 2)])).toEqual(['a', 'v2.1']);
    expect(idsOf([...repeated('a', 0, 2), ...repeated('a', 1, 3)])).toEqual(['v2.0', 'a']);
  });

  it('gives merged clusters the id of the larger one', () => {
    expect(idsOf([...repeated('a', 0, 2), ...repeated('b', 0, 5)])).toEqual(['b']);
  });

  it('makes ids that no model of the source has had', () => {
    const first = idsOf([...repeated(null, 0, 2), ...repeated(null, 1, 2)], 'v1');
    expect(first).toEqual(['v1.0', 'v1.1']);
    // The cluster numbered 0 now is not the one that was numbered 0 then.
    const second = idsOf([...repeated(null, 0, 5), ...repeated('v1.1', 1, 2)]);
    expect(second).toEqual(['v2.0', 'v1.1']);
    expect(new Set([...first, ...second]).size).toBe(3);
  });

  it('does not pass the id of a vanished cluster on for a stray race', () => {
    expect(idsOf([['a', 0], ...repeated('a', -1, 4), ...repeated('b', 0, 3), ...repeated('b', 1, 5)])).toEqual(['v2.0', 'b']);
  });

  it('has no ids without clusters', () => {
    expect(idsOf([['a', -1]])).toEqual([]);
  });
});
