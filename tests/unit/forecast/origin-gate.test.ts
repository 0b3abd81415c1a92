import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advance, createOriginGate, decodeOriginGate, encodeOriginGate, isNew } from '../../../src/forecast/origin-gate.ts';

const origin = fc.record({ epoch: fc.nat(2), partition: fc.nat(3), offset: fc.nat(20), index: fc.nat(3) });

describe('the origin gate', () => {
  test('takes each origin once, however often its batch is sent again', () => {
    fc.assert(fc.property(fc.array(origin), (origins) => {
      const inOrder = origins.toSorted((a, b) => a.epoch - b.epoch || a.offset - b.offset || a.index - b.index);
      const gate = createOriginGate();
      const taken = [...inOrder, ...inOrder].filter((each) => {
        const fresh = isNew(gate, each);
        advance(gate, each);
        return fresh;
      });
      expect(taken.length).toBe(new Set(inOrder.map((each) => JSON.stringify([each.partition, each.epoch, each.offset, each.index]))).size);
    }));
  });

  test('orders by epoch, then offset, then index, apart for each partition', () => {
    const gate = createOriginGate();
    advance(gate, { epoch: 1, partition: 0, offset: 5, index: 1 });
    expect(isNew(gate, { epoch: 1, partition: 0, offset: 5, index: 1 })).toBe(false);
    expect(isNew(gate, { epoch: 1, partition: 0, offset: 5, index: 2 })).toBe(true);
    expect(isNew(gate, { epoch: 0, partition: 0, offset: 99, index: 0 })).toBe(false);
    expect(isNew(gate, { epoch: 2, partition: 0, offset: 0, index: 0 })).toBe(true);
    expect(isNew(gate, { epoch: 0, partition: 1, offset: 0, index: 0 })).toBe(true);
    advance(gate, { epoch: 0, partition: 0, offset: 99, index: 0 });
    expect(isNew(gate, { epoch: 1, partition: 0, offset: 5, index: 1 })).toBe(false);
  });

  test('equal gates have equal bytes, whatever the order they were filled in, and come back', () => {
    const [a, b] = [createOriginGate(), createOriginGate()];
    const rows = [{ epoch: 0, partition: 2, offset: 7, index: 0 }, { epoch: 1, partition: 0, offset: 3, index: 1 }];
    for (const row of rows) advance(a, row);
    for (const row of rows.toReversed()) advance(b, row);
    expect(encodeOriginGate(a)).toEqual(encodeOriginGate(b));
    expect(decodeOriginGate(encodeOriginGate(a))).toEqual(b);
  });
});
