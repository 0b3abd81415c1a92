import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildBoundTree } from '../../../src/cluster/bound-tree.ts';
import { editsBetween, type RaceFacts } from '../../../src/cluster/distance.ts';
import { collapseRaces, pointDistance } from '../../../src/cluster/point.ts';
import { stemEdits } from '../../../src/cluster/stems.ts';
import { createTreeSearch } from '../../../src/cluster/tree-search.ts';
import { createWork } from '../../../src/cluster/work.ts';
import { packRaces, tangledRaces } from '../../support/cluster-sets.ts';
import { raceFleet } from '../../support/race-fleet.ts';

const sets: readonly (readonly [string, readonly RaceFacts[]])[] = [
  ['tangled races', tangledRaces({ seed: 1, races: 150, keys: 6, values: 3 })],
  ['races of many keys', tangledRaces({ seed: 2, races: 100, keys: 45, values: 2 })],
  ['races without metadata', tangledRaces({ seed: 3, races: 150, keys: 0, values: 1 })],
  ['a fleet', raceFleet({ seed: 4, races: 200 })],
  ['titles of one character over and over, beyond what 8 bits count', Array.from({ length: 60 }, (_, i) => ({ title: 'a'.repeat(10 * i) + 'b'.repeat(i % 7), metadata: { k: String(i % 3) } }))],
];

describe('createTreeSearch()', () => {
  it.each(sets)('never keeps apart what is near, among %s', (_, races) => {
    const { points } = collapseRaces(packRaces(races), { keys: 'all', mask: false });
    const tree = buildBoundTree(points);
    const search = createTreeSearch(tree, createWork(Infinity, () => true));
    let kept = 0;
    for (const limit of [0.1, 0.3, 0.5]) {
      for (let a = 0; a < points.count; a++) {
        for (let b = 0; b < points.count; b++) {
          const truth = pointDistance(points, tree.order[a]!, tree.order[b]!);
          const found = search.distanceWithin(a, b, limit);
          if (found !== (truth > limit ? Infinity : truth)) throw new Error(`Places ${a} and ${b} are ${truth} apart, found ${found} within ${limit}`);
          if (truth > limit) {
            if (!search.mayReach(a, tree.leafOf[b]!, limit)) kept++;
            continue;
          }
          for (let node = tree.leafOf[b]!; node >= 0; node = tree.parent[node]!) {
            if (!search.mayReach(a, node, limit)) throw new Error(`Place ${a} is ${truth} from ${b} in node ${node}, which it is said not to reach`);
            if (!search.mayMeet(tree.leafOf[a]!, node, limit) || !search.mayMeet(node, tree.leafOf[a]!, limit)) throw new Error(`Leaf of ${a} is said not to meet node ${node}, ${b} is ${truth} away`);
          }
        }
      }
    }
    expect(kept).toBeGreaterThan(0);
  });
});

describe('buildBoundTree()', () => {
  it.each(sets)('has every point in one leaf and every node in its parent, among %s', (_, races) => {
    const tree = buildBoundTree(collapseRaces(packRaces(races), { keys: 'all', mask: false }).points);
    expect([...tree.order].sort((a, b) => a - b)).toEqual(Array.from({ length: tree.points.count }, (__, point) => point));
    for (let node = 0; node < tree.nodeCount; node++) {
      expect(tree.end[node]).toBeGreaterThan(tree.start[node]!);
      if (tree.left[node]! < 0) continue;
      expect([tree.start[tree.left[node]!], tree.end[tree.left[node]!], tree.end[tree.right[node]!]]).toEqual([tree.start[node], tree.start[tree.right[node]!], tree.end[node]]);
    }
  });
});

describe('stemEdits()', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 9 });

  it('is never above the edits of titles with these stems, and reached by some', () => {
    fc.assert(fc.property(text, text, text, text, (a, b, x, y) => {
      expect(stemEdits(a, b)).toBeLessThanOrEqual(editsBetween(a + x, b + y));
      expect(stemEdits(a, b)).toBe(stemEdits(b, a));
    }), { numRuns: 1_000 });
    expect(stemEdits('build / linux', 'build / macos')).toBe(5);
    expect(stemEdits('build', 'build / macos')).toBe(0);
  });
});
