import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAlphabet, editsBetween, mixDistance, raceDistance } from '../../../src/cluster/distance.ts';

const project = { project: 'p' };
const between = (a: string, b: string): number => raceDistance({ title: a, metadata: project }, { title: b, metadata: project });

/** The edit matrix as the textbook has it, over characters. */
function textbookEdits(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  let row = y.map((_, j) => j + 1);
  for (let i = 0; i < x.length; i++) {
    const next: number[] = [];
    for (let j = 0; j < y.length; j++) {
      const diagonal = j === 0 ? i : row[j - 1]!;
      next.push(Math.min(diagonal + (x[i] === y[j] ? 0 : 1), row[j]! + 1, (j === 0 ? i + 1 : next[j - 1]!) + 1));
    }
    row = next;
  }
  return y.length === 0 ? x.length : row.at(-1)!;
}

describe('raceDistance()', () => {
  it.each([
    ['cargo build', 'cargo build release', 0.252_632],
    ['cargo build', 'cargo build features foo', 0.325],
    ['cargo build', 'cargo build', 0],
    ['cargo test', 'cargo test all', 0.171_429],
    ['cargo build', 'cargo test', 0.272_727],
  ])('of %s and %s with the same metadata is %d', (a, b, expected) => {
    expect(between(a, b)).toBeCloseTo(expected, 6);
    expect(between(b, a)).toBe(between(a, b));
  });

  it('takes a missing side of metadata as nothing in common, two missing sides as the same', () => {
    expect(raceDistance({ title: 'a', metadata: {} }, { title: 'a', metadata: project })).toBeCloseTo(0.4, 12);
    expect(raceDistance({ title: 'a', metadata: {} }, { title: 'a', metadata: {} })).toBe(0);
    expect(raceDistance({ title: '', metadata: {} }, { title: '', metadata: {} })).toBe(0);
    expect(raceDistance({ title: '', metadata: {} }, { title: 'abc', metadata: {} })).toBeCloseTo(0.6, 12);
  });

  it('compares pairs, not keys', () => {
    const [a, b] = [{ title: 't', metadata: { x: '1', y: '2' } }, { title: 't', metadata: { y: '2', z: '3' } }];
    expect(raceDistance(a, b)).toBeCloseTo(0.4 * (1 - 1 / 3), 12);
    expect(raceDistance(a, { title: 't', metadata: { x: '2', y: '1' } })).toBeCloseTo(0.4, 12);
  });

  it('counts characters, not UTF-16 units', () => {
    expect(raceDistance({ title: '🚀🚀', metadata: {} }, { title: '🚀🛰', metadata: {} })).toBeCloseTo(0.3, 12);
    // A character of the private area is not taken for one that was moved there.
    expect(raceDistance({ title: '🚀', metadata: {} }, { title: '\ue000', metadata: {} })).toBeCloseTo(0.6, 12);
    expect(raceDistance({ title: '🚀', metadata: {} }, { title: '\ud7ff', metadata: {} })).toBeCloseTo(0.6, 12);
  });

  it('is in 0..1 whatever its parts', () => {
    expect(mixDistance(5, 5, 0, 3, 4)).toBe(1);
    expect(mixDistance(0, 0, 0, 0, 0)).toBe(0);
  });
});

describe('editsBetween()', () => {
  it.each([['kitten', 'sitting', 3], ['saturday', 'sunday', 3], ['', '', 0], ['a', '', 1], ['abcabc', 'abc', 3], ['aa', 'aaa', 1]])('of %s and %s is %d', (a, b, edits) => {
    expect(editsBetween(a, b)).toBe(edits);
  });

  it('is what the textbook says of encoded titles', () => {
    const title = fc.array(fc.constantFrom('a', 'b', 'ab', ' ', '🚀', '🛰', 'é', '#1', 'x'.repeat(40)), { maxLength: 30 }).map((parts) => parts.join(''));
    fc.assert(fc.property(title, title, (a, b) => {
      const alphabet = createAlphabet();
      expect(editsBetween(alphabet.encode(a), alphabet.encode(b))).toBe(textbookEdits(a, b));
    }), { numRuns: 300 });
  });
});

describe('createAlphabet()', () => {
  it('says when it has no unit left for a rare character', () => {
    const alphabet = createAlphabet();
    for (let i = 0; i < 8_448; i++) alphabet.encode(String.fromCodePoint(0x1_0000 + i));
    expect(alphabet.isComplete()).toBe(true);
    alphabet.encode(String.fromCodePoint(0x2_0000));
    expect(alphabet.isComplete()).toBe(false);
  });
});
