import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeResume, encodeResume, hashFilter } from '../../../../src/gateway/live/resume-token.ts';

const offsets = fc.array(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), { minLength: 4, maxLength: 4 });

test('decodeResume() gives back what encodeResume() was given', () => {
  fc.assert(fc.property(offsets, offsets, fc.integer({ min: 0, max: 1e13 }), (etaOffsets, stateOffsets, issuedAtMs) => {
    const point = { etaOffsets, stateOffsets, issuedAtMs };
    expect(decodeResume(encodeResume(point, 'h'), 'h', 4)).toEqual(point);
  }));
});

test('decodeResume() refuses other filters, other partition counts and other texts', () => {
  const token = encodeResume({ etaOffsets: [1, 2], stateOffsets: [3, 4], issuedAtMs: 5 }, 'h');
  expect(decodeResume(token, 'other', 2)).toBeNull();
  expect(decodeResume(token, 'h', 3)).toBeNull();
  expect(decodeResume(`${token}.x`, 'h', 2)).toBeNull();
  expect(decodeResume(token.replace('1.', '2.'), 'h', 2)).toBeNull();
  fc.assert(fc.property(fc.string(), (text) => {
    expect(decodeResume(text, 'h', 2)).toBeNull();
  }));
});

test('hashFilter() does not depend on order, and does on content', () => {
  expect(hashFilter({ race_ids: ['a', 'b'], metadata: { x: '1', y: '2' } })).toBe(hashFilter({ metadata: { y: '2', x: '1' }, race_ids: ['b', 'a', 'a'] }));
  expect(new Set([{}, { source: 'a' }, { source: 'b' }, { race_ids: ['a'] }, { metadata: { a: 'b' } }, { states: ['running' as const] }].map(hashFilter)).size).toBe(6);
});
