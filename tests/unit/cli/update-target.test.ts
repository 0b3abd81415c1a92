import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunksOf, encodeLine } from '../../../src/cli/update-target.ts';
import { emptyUpdate } from '../../../src/race/update.ts';

describe('encodeLine()', () => {
  test('leaves out what says nothing, also inside a stage', () => {
    const update = { ...emptyUpdate('r', 's', 5), stage: { name: 'a', state: 'running' as const, seq: null, started_at: 5, completed_at: null, planned_sec: null } };
    expect(JSON.parse(encodeLine(update))).toEqual({ race_id: 'r', source: 's', at: 5, stage: { name: 'a', state: 'running', started_at: 5 } });
  });

  test('keeps the null that removes a metadata key, and stays on one line', () => {
    const line = encodeLine({ ...emptyUpdate('r', 's', 5), title: 'a\nb', metadata: { gone: null, kept: 'v' } });
    expect(JSON.parse(line)).toMatchObject({ title: 'a\nb', metadata: { gone: null, kept: 'v' } });
    expect(line).not.toContain('\n');
  });
});

test('chunksOf() keeps all items in order within both limits', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 50 })), fc.integer({ min: 1, max: 10 }), fc.integer({ min: 50, max: 120 }), (sizes, maxItems, maxBytes) => {
    const chunks = [...chunksOf(sizes, (size) => size, maxItems, maxBytes)];
    expect(chunks.flat()).toEqual(sizes);
    for (const chunk of chunks) {
      expect(chunk.length).toBeGreaterThan(0);
      expect(chunk.length).toBeLessThanOrEqual(maxItems);
      expect(chunk.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(maxBytes);
    }
  }));
  expect([...chunksOf([500, 1], (size) => size, 10, 100)]).toEqual([[500], [1]]);
});
