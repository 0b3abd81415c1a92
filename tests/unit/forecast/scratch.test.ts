import { expect, test } from 'vitest';
import { room, withScratch } from '../../../src/forecast/scratch.ts';

test('what was taken outside stays as it was, whatever is taken inside', () => {
  const kept = room(100).fill(7);
  withScratch(() => {
    for (let i = 0; i < 2_000; i++) room(100).fill(9);
    const inner = room(10).fill(3);
    withScratch(() => room(50_000).fill(1));
    expect(inner.every((value) => value === 3)).toBe(true);
  });
  room(100).fill(5);
  expect(kept.every((value) => value === 7)).toBe(true);
});

test('rooms are free again when the work ends, also when it throws', () => {
  const first = withScratch(() => room(8));
  expect(() => withScratch(() => {
    room(8);
    throw new Error('on purpose');
  })).toThrow('on purpose');
  expect(withScratch(() => room(8)).byteOffset).toBe(first.byteOffset);
});
