import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileFilter, matchesGlob, parseClientFrame, parseServerFrame, serialiseFrame, type EtaFilter } from '../../../src/bridge/frames.ts';

describe('matchesGlob()', () => {
  test.each([
    ['*', '', true], ['*', 'any', true], ['ci/*', 'ci/', true], ['ci/*', 'c', false], ['a?c', 'abc', true], ['a?c', 'ac', false],
    ['*/api', 'x/y/api', true], ['a*b*c', 'a1b2b3c', true], ['a*b', 'a1c', false], ['', '', true], ['', 'a', false], ['[a]', 'a', false],
  ])('%s on %s is %s', (glob, text, expected) => {
    expect(matchesGlob(glob, text)).toBe(expected);
  });

  test('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
    fc.assert(fc.property(letters, text, (glob, value) => {
      const pattern = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect(matchesGlob(glob, value)).toBe(pattern.test(value));
    }));
  });

  test('does not take exponential time', () => {
    expect(matchesGlob(`${'*a'.repeat(80)}b`, 'a'.repeat(200))).toBe(false);
  });
});

describe('parseClientFrame()', () => {
  test('gives back what serialiseFrame wrote', () => {
    const filter: EtaFilter = { race_ids: ['a'], source: 'ci/*', states: ['running'], metadata: { branch: 'main' } };
    expect(parseClientFrame(serialiseFrame({ type: 'subscribe', filter, resume: 't' }))).toEqual({ frame: { type: 'subscribe', filter, resume: 't' } });
  });

  test.each([
    ['{', 'JSON'], ['7', 'object'], ['{"type":"publish"}', 'subscribe'],
    ['{"type":"subscribe","filter":{"race_ids":["' + 'x'.repeat(201) + '"]}}', 'race_ids'],
    [JSON.stringify({ type: 'subscribe', filter: { race_ids: Array.from({ length: 1_001 }, (_, i) => `r${i}`) } }), 'race_ids'],
    ['{"type":"subscribe","filter":{"source":""}}', 'source'], ['{"type":"subscribe","filter":{"states":["done"]}}', 'states'],
    ['{"type":"subscribe","filter":{"metadata":{"a":1}}}', 'metadata'], ['{"type":"subscribe","filter":{"sources":"x"}}', 'sources'],
    ['{"type":"subscribe","filter":{},"resume":7}', 'resume'],
  ])('refuses %.60s', (text, word) => {
    expect(parseClientFrame(text)).toEqual({ error: expect.stringContaining(word) });
  });

  test('never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseClientFrame(text)).toBeTypeOf('object');
    }));
  });
});

test('parseServerFrame() knows its frames', () => {
  expect(parseServerFrame('{"type":"delta","seq":2,"races":[],"removed":[]}')).toMatchObject({ type: 'delta', seq: 2 });
  for (const text of ['{', 'null', '{"type":"delta"}', '{"type":"odd","seq":1}']) expect(parseServerFrame(text)).toBeNull();
});

test('compileFilter() asks for every part', () => {
  const race = { race_id: 'r', source: 'ci/api', state: 'running' as const, metadata: { branch: 'main', os: 'linux' } };
  expect(compileFilter({})(race)).toBe(true);
  expect(compileFilter({ race_ids: ['r'], source: 'ci/*', states: ['running'], metadata: { branch: 'main' } })(race)).toBe(true);
  for (const filter of [{ race_ids: ['x'] }, { source: 'ci' }, { states: ['passed' as const] }, { metadata: { branch: 'x' } }, { metadata: { toString: 'x' } }]) expect(compileFilter(filter)(race)).toBe(false);
});
