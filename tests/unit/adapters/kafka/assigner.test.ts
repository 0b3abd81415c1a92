import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharePartitions } from '../../../../src/adapters/kafka/assigner.ts';

describe('sharePartitions()', () => {
  it('gives everything to a single member', () => {
    expect(sharePartitions([{ id: 'a', owned: [] }], 3)).toEqual(new Map([['a', [0, 1, 2]]]));
  });

  it('moves no more than a newcomer needs', () => {
    expect(sharePartitions([{ id: 'b', owned: [0, 1, 2, 3] }, { id: 'a', owned: [] }], 4)).toEqual(new Map([['a', [2, 3]], ['b', [0, 1]]]));
  });

  it('gives nothing where there are no members', () => {
    expect(sharePartitions([], 4)).toEqual(new Map());
  });

  const membersOf = fc.uniqueArray(fc.record({ id: fc.string({ minLength: 1 }), owned: fc.array(fc.integer({ min: -1, max: 40 })) }), { minLength: 1, maxLength: 8, selector: (member) => member.id });

  it('gives every partition to exactly one member, in shares that differ by one at most', () => {
    fc.assert(fc.property(membersOf, fc.integer({ min: 0, max: 40 }), (members, partitions) => {
      const shares = [...sharePartitions(members, partitions).values()];
      expect(shares.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, partition) => partition));
      const sizes = shares.map((share) => share.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }));
  });

  it('changes nothing when asked again with its own answer, in any order of the members', () => {
    fc.assert(fc.property(membersOf, fc.integer({ min: 0, max: 40 }), (members, partitions) => {
      const shares = sharePartitions(members, partitions);
      const again = sharePartitions(members.map(({ id }) => ({ id, owned: shares.get(id) ?? [] })).toReversed(), partitions);
      expect(again).toEqual(shares);
    }));
  });

  it('takes from a member only what exceeds a fair share when nobody claims the same', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 24 }), (ownerOf) => {
      const members = [0, 1, 2, 3].map((member) => ({ id: `m${member}`, owned: ownerOf.flatMap((owner, partition) => (owner === member ? [partition] : [])) }));
      const shares = sharePartitions(members, ownerOf.length);
      for (const { id, owned } of members) {
        const kept = (shares.get(id) ?? []).filter((partition) => owned.includes(partition)).length;
        expect(kept).toBeGreaterThanOrEqual(Math.min(owned.length, Math.floor(ownerOf.length / 4)));
      }
    }));
  });
});
