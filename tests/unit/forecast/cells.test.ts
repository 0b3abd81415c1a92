import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cellsOf, columnsOf, createCells, findCell, pushSample, readCell, type Cells } from '../../../src/forecast/cells.ts';

const WIDTH = 3;
const samplesOf = (cells: Cells, key: number): number[] | null => {
  const slot = findCell(cells, key);
  if (slot < 0) return null;
  const out = new Float64Array(WIDTH);
  return Array.from(out.subarray(0, readCell(cells, slot, out, 0)));
};

test('cells hold the newest samples of each key, the newest first, as a map of arrays would', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: -40, max: 40 }), fc.integer({ min: 0, max: 1000 })), { maxLength: 300 }), (pushes) => {
    const cells = createCells(100, WIDTH);
    const oracle = new Map<number, number[]>();
    pushes.forEach(([key, value], now) => {
      pushSample(cells, key, value, now);
      oracle.set(key, [value, ...(oracle.get(key) ?? [])].slice(0, WIDTH));
    });
    for (let key = -41; key <= 41; key++) expect(samplesOf(cells, key)).toEqual(oracle.get(key) ?? null);
  }));
});

test('stored and restored they go on as if never stored, evictions included', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 400 }), fc.nat(400), (keys, cut) => {
    const straight = createCells(16, WIDTH);
    let restored = createCells(16, WIDTH);
    keys.forEach((key, now) => {
      if (now === cut) restored = cellsOf(16, WIDTH, columnsOf(restored));
      pushSample(straight, key, now, now);
      pushSample(restored, key, now, now);
    });
    expect(columnsOf(restored)).toEqual(columnsOf(straight));
    expect(straight.count).toBeLessThanOrEqual(16);
    for (const key of keys) expect(samplesOf(restored, key)).toEqual(samplesOf(straight, key));
  }));
});

test('what was taught longest ago leaves first', () => {
  const cells = createCells(8, WIDTH);
  for (let key = 1; key <= 8; key++) pushSample(cells, key, key, key);
  pushSample(cells, 1, 1, 9);
  pushSample(cells, 99, 1, 10);
  expect(findCell(cells, 2)).toBe(-1);
  expect(findCell(cells, 3)).toBe(-1);
  expect(findCell(cells, 1)).toBeGreaterThanOrEqual(0);
  expect(findCell(cells, 99)).toBeGreaterThanOrEqual(0);
});
