import { describe, expect, it } from 'vitest';
import { raceDistance, type RaceFacts } from '../../../src/cluster/distance.ts';
import { DIMENSIONS, embed } from '../../../src/cluster/embedding.ts';
import { assignRace, openModel, type ClusterModel, type Exemplar } from '../../../src/cluster/model.ts';
import { createExactIndex, createProposals, createProposedIndex } from '../../../src/cluster/neighbours.ts';
import { loadHnsw } from '../../../workers/hnsw.ts';
import { tangledRaces } from '../../support/cluster-sets.ts';
import { raceFleet } from '../../support/race-fleet.ts';

function nearestByDefinition(items: readonly RaceFacts[], race: RaceFacts, limit: number): { item: number; distance: number } | null {
  let best: { item: number; distance: number } | null = null;
  for (const [item, other] of items.entries()) {
    const distance = raceDistance(race, other);
    if (distance <= limit && (best === null || distance < best.distance)) best = { item, distance };
  }
  return best;
}

describe('createExactIndex()', () => {
  it('finds the nearest of every pair compared, the first of equals, within the limit only', () => {
    const items = tangledRaces({ seed: 1, races: 80, keys: 5, values: 3 });
    const index = createExactIndex(items);
    for (const race of tangledRaces({ seed: 2, races: 60, keys: 6, values: 3 })) {
      for (const limit of [0, 0.2, 0.5, 1]) expect(index.nearest(race, limit)).toEqual(nearestByDefinition(items, race, limit));
    }
  });

  it('finds nothing among nothing', () => {
    expect(createExactIndex([]).nearest({ title: 'a', metadata: {} }, 1)).toBeNull();
  });
});

describe('createProposals() over HNSW', () => {
  const createVectors = loadHnsw();
  if (createVectors === null) throw new Error('hnswlib-node is not installed');

  it('proposes the true nearest in 19 of 20 cases, and the same at every run', () => {
    const fleet = raceFleet({ seed: 21, races: 2_000 });
    const order = Uint32Array.from(fleet.keys());
    const propose = createProposals(order, (item) => fleet[item]!, createVectors(fleet.length));
    const again = createProposals(order, (item) => fleet[item]!, createVectors(fleet.length));
    let same = 0;
    for (let item = 0; item < 200; item++) {
      const others = propose(fleet[item]!).filter((other) => other !== item);
      expect(again(fleet[item]!).filter((other) => other !== item)).toEqual(others);
      const nearest = Math.min(...others.map((other) => raceDistance(fleet[item]!, fleet[other]!)));
      if (nearest === Math.min(...fleet.filter((_, other) => other !== item).map((other) => raceDistance(fleet[item]!, other)))) same++;
    }
    expect(same / 200).toBeGreaterThanOrEqual(0.95);
  });

  it('assigns as an index by itself: never nearer than the nearest, by the true distance, within the limit, and mostly the nearest', () => {
    const fleet = raceFleet({ seed: 22, races: 800 });
    const [items, races] = [fleet.slice(0, 600), fleet.slice(600)];
    const [exact, proposed] = [createExactIndex(items), createProposedIndex(items, createVectors(items.length))];
    let same = 0;
    for (const race of races) {
      const [nearest, found] = [exact.nearest(race, 0.35), proposed.nearest(race, 0.35)];
      if (found !== null) {
        expect(found.distance).toBe(raceDistance(race, items[found.item]!));
        expect(found.distance).toBeGreaterThanOrEqual(nearest!.distance);
      }
      if (found?.distance === nearest?.distance) same++;
    }
    expect(same / races.length).toBeGreaterThanOrEqual(0.9);
    expect(createProposedIndex([], createVectors(0)).nearest(races[0]!, 1)).toBeNull();
  });

  it('refuses what the library would take without a word', () => {
    const vectors = createVectors(4);
    const zero = Array.from({ length: DIMENSIONS }, () => 0);
    expect(() => vectors.add([...zero.slice(1), Number.NaN], 0)).toThrow('finite');
    expect(() => vectors.add(zero.slice(1), 0)).toThrow('finite');
    expect(() => vectors.add(zero, -1)).toThrow('whole number');
    expect(() => vectors.add(zero, 2 ** 33)).toThrow('whole number');
  });
});

describe('embed()', () => {
  it('is finite and of length 1 at most, whatever the race', () => {
    for (const race of [{ title: '', metadata: {} }, { title: 'a', metadata: {} }, { title: '', metadata: { a: 'b' } }, ...tangledRaces({ seed: 4, races: 50, keys: 5, values: 3 })]) {
      const vector = embed(race);
      expect(vector.length).toBe(DIMENSIONS);
      expect(vector.every(Number.isFinite)).toBe(true);
      expect(Math.hypot(...vector)).toBeLessThanOrEqual(1 + 1e-9);
    }
  });
});

describe('assignRace()', () => {
  const metadata = { project: 'p', tool: 'cargo' };
  const exemplar = (clusterId: string, title: string): Exemplar => ({ clusterId, title, metadata, weight: 3 });
  const model: ClusterModel = { eps: 0.3, mask: true, droppedKeys: ['run'], exemplars: [exemplar('a', 'cargo build'), exemplar('b', 'cargo publish <n>')] };

  it('puts a race that is met again into its cluster, metadata and all', () => {
    // The origin's clusters lost their metadata: the same title and any metadata found none.
    expect(assignRace(openModel(model), { title: 'cargo build', metadata })).toEqual({ clusterId: 'a', distance: 0 });
  });

  it('masks the title and leaves out what is unique per race', () => {
    expect(assignRace(openModel(model), { title: 'cargo publish 4711', metadata: { ...metadata, run: '99' } })).toEqual({ clusterId: 'b', distance: 0 });
  });

  it('puts a race into no cluster where none is within eps', () => {
    expect(assignRace(openModel(model), { title: 'make coffee', metadata: {} })).toBeNull();
    const [found, at] = [assignRace(openModel(model), { title: 'cargo test', metadata }), raceDistance({ title: 'cargo test', metadata }, { title: 'cargo build', metadata })];
    expect(found).toEqual({ clusterId: 'a', distance: at });
    expect(assignRace(openModel({ ...model, eps: at - 0.01 }), { title: 'cargo test', metadata })).toBeNull();
  });
});
