import { describe, expect, it } from 'vitest';
import { adjustedRandIndex } from '../../../src/cluster/agreement.ts';
import type { RaceFacts } from '../../../src/cluster/distance.ts';
import { defaultRebuildOptions, rebuildClusters, type RebuildControl, type RebuildOptions, type Rebuilt } from '../../../src/cluster/rebuild.ts';
import { stages, type Stage } from '../../../src/cluster/work.ts';
import { loadHnsw } from '../../../workers/hnsw.ts';
import { packRaces, shuffled } from '../../support/cluster-sets.ts';
import { raceFleet } from '../../support/race-fleet.ts';

const control: RebuildControl = { report: () => true, nowMs: () => 0 };

function rebuilt(races: readonly RaceFacts[], options: Partial<RebuildOptions> = {}, unseen: readonly RaceFacts[] | null = null, given: RebuildControl = control): Rebuilt {
  const outcome = rebuildClusters({ races: packRaces(races), unseen: unseen === null ? null : packRaces(unseen), options: { ...defaultRebuildOptions, ...options } }, given);
  if (outcome.kind !== 'rebuilt') throw new Error(JSON.stringify(outcome));
  return outcome.rebuilt;
}

const fleet = raceFleet({ seed: 8, races: 2_500 });

describe('rebuildClusters()', () => {
  it('says what it found', () => {
    const result = rebuilt(fleet, { eps: 0.3, keys: 'all', mask: false });
    expect(result).toMatchObject({ eps: 0.3, rule: 'given', exact: true, sampledPoints: null, races: 2_500, distinct: 2_500, minPts: 3, droppedKeys: [], mask: false, unseenLabels: null });
    expect(result.labels.length).toBe(2_500);
    expect(result.noise).toBe(result.labels.filter((label) => label === -1).length);
    expect(result.noiseRatio).toBeCloseTo(result.noise / 2_500, 12);
    expect(result.clusters.map(({ size }) => size)).toEqual(result.clusters.map((_, cluster) => result.labels.filter((label) => label === cluster).length));
    expect(result.cohesion).toBeGreaterThan(0.6);
    expect(result.silhouette).toBeGreaterThan(0.2);
    expect(result.distanceCalls).toBeGreaterThan(1_000);
    // Half of all pairs would be three million.
    expect(result.distanceCalls).toBeLessThan(100_000);
  });

  it('gives each cluster an exemplar that is a core of it, with its metadata, and no more in all than asked for', () => {
    for (const mostExemplars of [20, 200, 100_000]) {
      const { clusters, exemplars, labels } = rebuilt(fleet, { eps: 0.3, keys: 'all', mask: false, mostExemplars });
      expect(exemplars.length).toBeLessThanOrEqual(mostExemplars);
      expect(new Set(exemplars.map(({ cluster }) => cluster)).size).toBe(Math.min(mostExemplars, clusters.length));
      for (const { title, metadata, cluster, weight } of exemplars) {
        const row = fleet.findIndex((race) => race.title === title);
        expect(fleet[row]!.metadata).toEqual(metadata);
        expect(labels[row]).toBe(cluster);
        expect(weight).toBe(1);
      }
    }
  });

  it('leaves out keys that are unique per race, also those that a few jobs of one run share', () => {
    const races = fleet.map((race, row) => ({ title: race.title, metadata: { ...race.metadata, commit: `c${row}`, run: `r${row >> 2}`, attempt: '1' } }));
    const result = rebuilt(races);
    expect(result.droppedKeys).toContain('commit');
    expect(result.droppedKeys).toContain('run');
    expect(result.droppedKeys).not.toContain('attempt');
    expect(result.droppedKeys).not.toContain('repo');
    expect(result.exemplars.every(({ metadata }) => !('commit' in metadata) && 'repo' in metadata)).toBe(true);
    expect(rebuilt(races, { keys: 'all' }).droppedKeys).toEqual([]);
  });

  it('chooses eps at the knee, the same for any order of the races, and moves it a fifth of the way from the one before', () => {
    const { eps, rule, knee } = rebuilt(fleet);
    expect(['knee', 'noise_limit']).toContain(rule);
    expect(rebuilt(shuffled(fleet, 3))).toMatchObject({ eps, rule, knee });
    expect(rebuilt(fleet, { previousEps: 0.3 }).eps).toBeCloseTo(0.2 * eps + 0.8 * 0.3, 12);
  });

  it('assigns races that it has not clustered, by the exemplars', () => {
    const [seen, unseen] = [fleet.slice(0, 2_000), fleet.slice(2_000)];
    const options = { eps: 0.3, keys: 'all', mask: false } as const;
    const { unseenLabels, labels } = rebuilt(seen, options, unseen);
    const templateOf = new Map(seen.map((race, row) => [labels[row], race.template]));
    const assigned = unseen.filter((_, row) => unseenLabels![row] !== -1);
    expect(assigned.length / unseen.length).toBeGreaterThan(0.9);
    const right = unseen.filter((race, row) => templateOf.get(unseenLabels![row]!) === race.template);
    expect(right.length / assigned.length).toBeGreaterThan(0.9);
  });

  it('without HNSW, samples cores once the budget is spent, says so, and is the same for any order of the races', () => {
    const races = raceFleet({ seed: 4, races: 3_000, metadata: 'none' });
    const options = { eps: 0.15, keys: 'all', mask: false } as const;
    const exact = rebuilt(races, options);
    const sampled = rebuilt(races, { ...options, budget: 4_000 });
    expect(exact).toMatchObject({ exact: true, sampledPoints: null });
    expect(sampled.exact).toBe(false);
    expect(sampled.sampledPoints).toBeGreaterThanOrEqual(500);
    expect(sampled.sampledPoints).toBeLessThan(3_000);
    expect(adjustedRandIndex(sampled.labels, exact.labels)).toBeGreaterThan(0.8);
    const order = shuffled(races.map((race, row) => ({ ...race, row })), 6);
    const moved = rebuilt(order, { ...options, budget: 4_000 });
    expect(adjustedRandIndex(moved.labels, order.map(({ row }) => sampled.labels[row]!))).toBeGreaterThan(0.999);
  });

  it('clusters all by proposals of HNSW once the budget is spent: near the exact labels, the same for any order of the races', () => {
    const all = raceFleet({ seed: 4, races: 2_200, metadata: 'none' });
    const [races, unseen] = [all.slice(0, 2_000), all.slice(2_000)];
    const options = { eps: 0.15, keys: 'all', mask: false, budget: 4_000 } as const;
    const given = { ...control, createVectors: loadHnsw()! };
    const exact = rebuilt(races, { ...options, budget: 1e9 }, unseen, given);
    const proposed = rebuilt(races, options, unseen, given);
    expect(adjustedRandIndex(proposed.unseenLabels!, exact.unseenLabels!)).toBeGreaterThan(0.9);
    expect(exact.exact).toBe(true);
    expect(proposed).toMatchObject({ exact: false, sampledPoints: null });
    expect(proposed.noise).toBeGreaterThanOrEqual(exact.noise);
    expect(adjustedRandIndex(proposed.labels, exact.labels)).toBeGreaterThan(0.9);
    const order = shuffled(races.map((race, row) => ({ ...race, row })), 6);
    expect(adjustedRandIndex(rebuilt(order, options, null, given).labels, order.map(({ row }) => proposed.labels[row]!))).toBeGreaterThan(0.999);
  });

  it('takes the eps of the model before where even a small curve is over the budget', () => {
    const races = raceFleet({ seed: 4, races: 3_000, metadata: 'none' });
    expect(rebuilt(races, { budget: 1, previousEps: 0.22, mask: false })).toMatchObject({ rule: 'over_budget', eps: 0.22, exact: false });
  });

  it('ends at the next report once nobody wants the result', () => {
    const heard: Stage[] = [];
    const outcome = rebuildClusters({ races: packRaces(fleet), unseen: null, options: defaultRebuildOptions }, {
      nowMs: () => 0,
      report: (stage) => {
        heard.push(stage);
        return stage !== 'cores';
      },
    });
    expect(outcome).toEqual({ kind: 'cancelled' });
    expect(heard.at(-1)).toBe('cores');
  });

  it('reports its stages in their order, each from 0 to 1 at most', () => {
    const heard: { stage: Stage; ratio: number }[] = [];
    const { stageMs } = rebuilt(fleet, {}, fleet.slice(0, 10), { nowMs: () => heard.length, report: (stage, ratio) => heard.push({ stage, ratio }) > 0 });
    expect([...new Set(heard.map(({ stage }) => stage))]).toEqual([...stages]);
    expect(heard.every(({ ratio }) => ratio >= 0 && ratio <= 1)).toBe(true);
    expect(Object.keys(stageMs)).toEqual([...stages]);
  });

  it.each([
    [{ eps: 0 }, 'eps must be auto or in (0, 1], got 0'],
    [{ eps: 1.1 }, 'got 1.1'],
    [{ eps: Number.NaN }, 'got NaN'],
    [{ minPts: 0 }, 'min-pts must be a whole number of at least 1, got 0'],
    [{ budget: 0 }, 'budget must be above 0'],
    [{ mostExemplars: 0 }, 'exemplars must be whole'],
  ])('refuses %o', (options, message) => {
    const outcome = rebuildClusters({ races: packRaces([]), unseen: null, options: { ...defaultRebuildOptions, ...options } }, control);
    expect(outcome).toMatchObject({ kind: 'refused', message: expect.stringContaining(message) as string });
  });
});
