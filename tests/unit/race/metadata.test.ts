import { describe, expect, test } from 'vitest';
import { currentMetadata } from '../../../src/race/metadata.ts';
import { applied, fold, lastResult, raceAfter, updateAt } from './updates.ts';

const numbered = (from: number, count: number, value: string | null = 'v'): Record<string, string | null> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${from + i}`, value]));

describe('metadata', () => {
  test('is merged key by key', () => {
    const race = raceAfter(updateAt(0, { metadata: { a: '1', b: '1' } }), updateAt(1, { metadata: { b: '2', c: '2' } }));
    expect(currentMetadata(race)).toEqual({ a: '1', b: '2', c: '2' });
  });

  test('does not take an older value, but an older key that is new', () => {
    const race = raceAfter(updateAt(5, { metadata: { a: 'new' } }), updateAt(1, { metadata: { a: 'old', b: 'old' } }));
    expect(currentMetadata(race)).toEqual({ a: 'new', b: 'old' });
  });

  test('keeps a removed key from coming back with an older update', () => {
    const race = raceAfter(updateAt(0, { metadata: { a: '1' } }), updateAt(5, { metadata: { a: null } }), updateAt(3, { metadata: { a: '3' } }));
    expect(currentMetadata(race)).toEqual({});
    expect(currentMetadata(raceAfter(updateAt(5, { metadata: { a: null } }), updateAt(3, { metadata: { a: '3' } })))).toEqual({});
  });

  test('takes a removed key again when it is said later', () => {
    const race = raceAfter(updateAt(0, { metadata: { a: '1' } }), updateAt(5, { metadata: { a: null } }), updateAt(6, { metadata: { a: '6' } }));
    expect(currentMetadata(race)).toEqual({ a: '6' });
  });

  test('of more than 100 keys in force is refused, with what would have been', () => {
    const result = lastResult(updateAt(0, { metadata: numbered(0, 100) }), updateAt(1, { metadata: { extra: 'v' } }));
    expect(result).toMatchObject({ outcome: 'rejected', rejection: { code: 'metadata_too_large', message: expect.stringContaining('got 101') } });
  });

  test('counts removed keys apart, and forgets those removed longest ago', () => {
    const race = raceAfter(
      updateAt(0, { metadata: numbered(0, 100) }), updateAt(1, { metadata: numbered(0, 100, null) }),
      updateAt(2, { metadata: numbered(100, 100) }), updateAt(3, { metadata: numbered(100, 30, null) }),
    );
    expect(Object.keys(currentMetadata(race))).toHaveLength(70);
    expect(race.metadata.filter((entry) => entry.value === null)).toHaveLength(100);
    expect(race.metadata.filter((entry) => entry.value === null && entry.at === race.last_at)).toHaveLength(30);
  });

  test('finds keys that come in another order', () => {
    const { results } = fold([updateAt(0, { metadata: { a: '1', b: '2', c: '3' } }), updateAt(1, { metadata: { c: '3', a: '9', b: '2' } })]);
    expect(currentMetadata(applied(results[1]!).race)).toEqual({ a: '9', b: '2', c: '3' });
  });

  test('may have a key called __proto__', () => {
    const metadata = Object.fromEntries([['__proto__', 'x']]);
    expect(Object.entries(currentMetadata(raceAfter(updateAt(0, { metadata }))))).toEqual([['__proto__', 'x']]);
  });
});
