import { describe, expect, it } from 'vitest';
import { adjustedRandIndex } from '../../../src/cluster/agreement.ts';
import { clusterByDefinition } from '../../../src/cluster/brute-force.ts';
import { raceDistance, type RaceFacts } from '../../../src/cluster/distance.ts';
import { defaultRebuildOptions, rebuildClusters, type RebuildOptions } from '../../../src/cluster/rebuild.ts';
import { cargoNames, cargoTitles, npmNames, npmTitles, ofProject, packRaces, shuffled, tangledRaces } from '../../support/cluster-sets.ts';
import { raceFleet } from '../../support/race-fleet.ts';

const asTheyStand: RebuildOptions = { ...defaultRebuildOptions, keys: 'all', mask: false };

function labelsOf(races: readonly RaceFacts[], options: Partial<RebuildOptions>): Int32Array {
  const outcome = rebuildClusters({ races: packRaces(races), unseen: null, options: { ...asTheyStand, ...options } }, { report: () => true, nowMs: () => 0 });
  if (outcome.kind !== 'rebuilt') throw new Error(JSON.stringify(outcome));
  expect(outcome.rebuilt.exact).toBe(true);
  return outcome.rebuilt.labels;
}

/** Members of each cluster by name, and what is noise. */
function named(names: readonly string[], labels: Int32Array): Record<string, string[]> {
  return Object.groupBy(names, (_, row) => (labels[row] === -1 ? 'noise' : `cluster ${labels[row]}`)) as Record<string, string[]>;
}

describe('clusterPoints()', () => {
  const tangles = [
    { name: 'few values', races: 110, keys: 5, values: 2 },
    { name: 'many values', races: 110, keys: 7, values: 5 },
    { name: 'more keys than columns', races: 80, keys: 40, values: 2 },
    { name: 'hardly any metadata', races: 110, keys: 1, values: 2 },
    { name: 'no metadata', races: 80, keys: 0, values: 1 },
  ];
  for (const tangle of tangles) {
    for (const [eps, minPts] of [[0.2, 3], [0.3, 3], [0.3, 1], [0.35, 5], [0.6, 4], [1, 3]] as const) {
      it(`labels ${tangle.name} as the definition does, eps ${eps}, minPts ${minPts}`, () => {
        for (let seed = 1; seed <= 3; seed++) {
          const races = tangledRaces({ ...tangle, seed });
          expect([...labelsOf(races, { eps, minPts })], `seed ${seed}`).toEqual([...clusterByDefinition(races, { eps, minPts })]);
        }
      });
    }
  }

  it.each(['full', 'weak', 'none'] as const)('labels a fleet with %s metadata as the definition does', (metadata) => {
    for (const eps of [0.15, 0.3]) {
      const races = raceFleet({ seed: 5, races: 300, metadata });
      const labels = labelsOf(races, { eps, minPts: 3 });
      expect([...labels]).toEqual([...clusterByDefinition(races, { eps, minPts: 3 })]);
      expect(Math.max(...labels)).toBeGreaterThan(0);
    }
  });

  it('finds the templates that a fleet was made from', () => {
    const races = raceFleet({ seed: 3, races: 3_000 });
    expect(adjustedRandIndex(labelsOf(races, { eps: 0.3 }), races.map((race) => race.template))).toBeGreaterThan(0.9);
  });

  it('gives the same labels again, and for another order of the races others only in number', () => {
    const races = tangledRaces({ seed: 9, races: 200, keys: 6, values: 3 }).map((race, row) => ({ ...race, row }));
    const labels = labelsOf(races, { eps: 0.25 });
    expect([...labelsOf(races, { eps: 0.25 })]).toEqual([...labels]);
    const moved = shuffled(races, 4);
    const movedLabels = labelsOf(moved, { eps: 0.25 });
    const cores = moved.filter((race) => races.filter((other) => raceDistance(race, other) <= 0.25 + 1e-9).length >= 3);
    const there = cores.map((race) => movedLabels[moved.indexOf(race)]!);
    expect(adjustedRandIndex(there, cores.map((race) => labels[race.row]!))).toBe(1);
    expect(moved.map((_, at) => movedLabels[at] === -1)).toEqual(moved.map((race) => labels[race.row] === -1));
    // Numbered by first core.
    expect([...new Set(there)]).toEqual(Array.from({ length: Math.max(...there) + 1 }, (_, cluster) => cluster));
  });

  it('takes a pair at exactly eps for neighbours, rounding or not', () => {
    // One of four pairs in common and the same title: 0.4 · 3/4 = 0.30000000000000004.
    const at = [{ title: 't', metadata: { a: '1', b: '1' } }, { title: 't', metadata: { a: '1', c: '1', d: '1' } }];
    expect([...labelsOf(at, { eps: 0.3, minPts: 2 })]).toEqual([0, 0]);
    const beyond = [at[0]!, { title: 't', metadata: { a: '1', c: '1', d: '1', e: '1' } }];
    expect([...labelsOf(beyond, { eps: 0.3, minPts: 2 })]).toEqual([-1, -1]);
  });

  it('counts a race itself, and each of its repetitions, towards minPts', () => {
    const twice = [{ title: 'same', metadata: {} }, { title: 'same', metadata: {} }];
    expect([...labelsOf(twice, { eps: 0.1, minPts: 2 })]).toEqual([0, 0]);
    expect([...labelsOf(twice, { eps: 0.1, minPts: 3 })]).toEqual([-1, -1]);
  });

  it('puts a border race into the lowest of the clusters that it touches', () => {
    // One edit apart from step to step; 5 is within eps of a core on either side and none itself.
    const step = (as: number): RaceFacts => ({ title: 'a'.repeat(as) + 'b'.repeat(10 - as), metadata: {} });
    const [border, above, below] = [step(5), [6, 7, 7, 7, 8].map(step), [4, 3, 3, 3, 2].map(step)];
    expect([...labelsOf([...above, ...below, border], { eps: 0.06, minPts: 5 })]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0]);
    expect([...labelsOf([border, ...below, ...above], { eps: 0.06, minPts: 5 })]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  // min_samples 2 of the origin counts others only. At .40 it asked for two clusters; by the definition it is one.
  it.each([
    [0.2, { 'cluster 0': ['r6', 'r7', 'r9'], noise: ['r1', 'r2', 'r3', 'r4', 'r5', 'r8', 'r14', 'r16'] }],
    [0.25, { 'cluster 0': ['r2', 'r3', 'r5'], 'cluster 1': ['r6', 'r7', 'r8', 'r9'], noise: ['r1', 'r4', 'r14', 'r16'] }],
    [0.3, { 'cluster 0': ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9'], noise: ['r14', 'r16'] }],
    [0.35, { 'cluster 0': ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r14'], noise: ['r16'] }],
    [0.4, { 'cluster 0': [...cargoNames] }],
  ])('clusters the cargo jobs of the origin at eps %d as it did where it was exact', (eps, expected) => {
    expect(named(cargoNames, labelsOf(ofProject(cargoTitles), { eps, minPts: 3 }))).toEqual(expected);
  });

  it.each([[0.3, { noise: [...npmNames] }], [0.35, { 'cluster 0': [...npmNames] }]])('clusters the npm jobs of the origin at eps %d as it did', (eps, expected) => {
    expect(named(npmNames, labelsOf(ofProject(npmTitles), { eps, minPts: 3 }))).toEqual(expected);
  });

  it('has no clusters where there are no races', () => {
    expect([...labelsOf([], { eps: 0.3 })]).toEqual([]);
    expect([...labelsOf([], { eps: 'auto' })]).toEqual([]);
  });
});
