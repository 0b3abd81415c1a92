import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignPartitions } from '../../../../src/adapters/local-log/assign-partitions.ts';
import type { TopicName } from '../../../../topology/topics.ts';

const NAMES: readonly TopicName[] = ['race-updates', 'telemetry', 'eta-updates'];

describe('assignPartitions()', () => {
  it('gives every partition of a topic to exactly one of its readers, evenly', () => {
    fc.assert(fc.property(fc.array(fc.subarray([...NAMES], { minLength: 1 }), { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 24 }), (topicSets, count) => {
      const members = topicSets.map((topics) => ({ topics }));
      const assignment = assignPartitions(members, () => count);
      for (const topic of NAMES) {
        const readers = members.filter((member) => member.topics.includes(topic));
        const byReader = readers.map((member) => assignment.get(member)!.filter((id) => id.topic === topic).map((id) => id.partition));
        expect(byReader.flat().toSorted((a, b) => a - b)).toEqual(readers.length === 0 ? [] : Array.from({ length: count }, (_, index) => index));
        const sizes = byReader.map((some) => some.length);
        if (sizes.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
      for (const member of members) expect(assignment.get(member)!.every((id) => member.topics.includes(id.topic))).toBe(true);
    }));
  });

  it('gives members that read the same topics the same partition numbers of each', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 24 }), (memberCount, count) => {
      const members = Array.from({ length: memberCount }, () => ({ topics: NAMES }));
      for (const ids of assignPartitions(members, () => count).values()) {
        const numbers = NAMES.map((topic) => ids.filter((id) => id.topic === topic).map((id) => id.partition));
        expect(numbers[1]).toEqual(numbers[0]);
        expect(numbers[2]).toEqual(numbers[0]);
      }
    }));
  });
});
