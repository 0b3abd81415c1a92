import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rejectionCodes, type RejectionCode } from '../../../src/errors.ts';
import { normalizeUpdate } from '../../../src/race/normalize.ts';
import { emptyUpdate, type RaceUpdate } from '../../../src/race/update.ts';
import { sec, stage, START_MS, updateAt } from './updates.ts';

function accepted(fields: Record<string, unknown>): RaceUpdate {
  const result = normalizeUpdate({ race_id: 'r', source: 's', ...fields }, START_MS);
  if ('rejection' in result) throw new Error(result.rejection.message);
  return result.update;
}

function refused(raw: unknown): { code: RejectionCode; message: string } {
  const result = normalizeUpdate(raw, START_MS);
  if ('update' in result) throw new Error(`Expected a rejection, got ${JSON.stringify(result.update)}`);
  return result.rejection;
}

const long = (length: number): string => 'x'.repeat(length);
const keys = (count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

/** [what is wrong, its fields over a good update, the code, a part of the message] */
const faults: [string, Record<string, unknown>, RejectionCode, string][] = [
  ['no race_id', { race_id: undefined }, 'id_missing', 'got nothing'],
  ['an empty race_id', { race_id: '' }, 'id_missing', '1..200'],
  ['a number as race_id', { race_id: 17 }, 'type_invalid', 'got 17'],
  ['a race_id of 201 characters', { race_id: long(201) }, 'id_invalid', '(201 characters)'],
  ['NUL in race_id', { race_id: 'a\u0000b' }, 'id_invalid', '"a\\u0000b"'],
  ['a lone surrogate in race_id', { race_id: 'a\ud800' }, 'id_invalid', 'lone surrogates'],
  ['no source', { source: null }, 'source_missing', 'got null'],
  ['a line break in source', { source: 'a\nb' }, 'source_invalid', '"a\\u000ab"'],
  ['a source of 201 characters', { source: long(201) }, 'source_invalid', '1..200'],
  ['a local time', { at: '2026-01-01T00:00:00' }, 'at_invalid', '2026-01-01T00:00:00'],
  ['a bare date', { at: '2026-01-01' }, 'at_invalid', 'with an offset'],
  ['at 0', { at: 0 }, 'at_invalid', 'got 0'],
  ['at NaN', { at: Number.NaN }, 'at_invalid', 'got NaN'],
  ['at in 2100', { at: Date.UTC(2100, 0, 1) }, 'at_invalid', '1970..2100'],
  ['at 5 min and 1 ms after the append', { at: START_MS + 300_001 }, 'at_in_future', '5 min'],
  ['a start in the future', { started_at: sec(3600) }, 'at_in_future', 'started_at'],
  ['an end in the future', { completed_at: sec(3600) }, 'at_in_future', 'completed_at'],
  ['30 February', { started_at: '2025-02-30T00:00:00Z' }, 'instant_invalid', 'started_at'],
  ['hour 25', { queued_at: '2025-02-03T25:00:00Z' }, 'instant_invalid', 'queued_at'],
  ['an instant of another type', { deadline_at: true }, 'instant_invalid', 'got true'],
  ['an end before the start', { started_at: sec(-10), completed_at: sec(-11) }, 'finish_before_start', String(sec(-11))],
  ['a blank title', { title: ' \n ' }, 'title_invalid', '1..1000'],
  ['a title of 1,001 characters', { title: long(1001) }, 'title_invalid', '(1001 characters)'],
  ['a title of 1 MB', { title: long(1_000_000) }, 'title_invalid', '(1000000 characters)'],
  ['a title that is no text', { title: 5 }, 'type_invalid', 'title'],
  ['a state that is none', { state: 'cancelled' }, 'state_invalid', '"cancelled"'],
  ['abandoned, which is never reported', { state: 'abandoned' }, 'state_invalid', '"abandoned"'],
  ['progress 140', { progress: 140 }, 'progress_out_of_range', '0..100, got 140'],
  ['progress -1', { progress: -1 }, 'progress_out_of_range', 'got -1'],
  ['progress NaN', { progress: Number.NaN }, 'progress_out_of_range', 'got NaN'],
  ['progress as text', { progress: '50' }, 'progress_out_of_range', '"50"'],
  ['a negative eta_sec', { eta_sec: -50 }, 'eta_out_of_range', 'got -50'],
  ['an infinite eta_sec', { eta_sec: Infinity }, 'eta_out_of_range', 'got Infinity'],
  ['a kind of ETA that is none', { eta_kind: 'left' }, 'enum_invalid', '"left"'],
  ['a hint of eleven years', { update_interval_hint_sec: 347_000_000 }, 'duration_out_of_range', 'update_interval_hint_sec'],
  ['metadata that is an array', { metadata: ['a'] }, 'type_invalid', 'an array of 1'],
  ['metadata with an object inside', { metadata: { a: {} } }, 'type_invalid', 'an object'],
  ['101 metadata keys', { metadata: keys(101) }, 'metadata_too_large', 'got 101'],
  ['a metadata key of 201 characters', { metadata: { [long(201)]: 'v' } }, 'metadata_too_large', '200'],
  ['a metadata value of 2,001 characters', { metadata: { a: long(2001) } }, 'metadata_too_large', '2000'],
  ['a stage that is text', { stage: 'build' }, 'type_invalid', '"build"'],
  ['a stage without a name', { stage: { state: 'running' } }, 'stage_invalid', 'stage.name'],
  ['a stage name of 201 characters', { stage: stage(long(201), 'running') }, 'stage_invalid', '1..200'],
  ['a stage with half a seq', { stage: stage('build', 'running', { seq: 1.5 }) }, 'stage_invalid', 'got 1.5'],
  ['a stage with seq 1,000,001', { stage: stage('build', 'running', { seq: 1_000_001 }) }, 'stage_invalid', '0..1000000'],
  ['a stage state that is none', { stage: { name: 'build', state: 'queued' } }, 'enum_invalid', '"queued"'],
  ['a stage that ends before it starts', { stage: stage('b', 'passed', { started_at: sec(-1), completed_at: sec(-2) }) }, 'finish_before_start', 'stage.completed_at'],
  ['a stage planned to take -1 s', { stage: stage('b', 'pending', { planned_sec: -1 }) }, 'duration_out_of_range', 'stage.planned_sec'],
  ['a plan that is an object', { plan: {} }, 'type_invalid', 'plan'],
  ['a plan of 501 stages', { plan: Array.from({ length: 501 }, () => 'x') }, 'plan_too_large', 'got 501'],
  ['a planned stage without a name', { plan: [{ planned_sec: 1 }] }, 'stage_invalid', 'plan.name'],
  ['a planned stage that is a number', { plan: [4] }, 'type_invalid', 'got 4'],
  ['an event without a type', { event: { data: 1 } }, 'type_invalid', 'event.type'],
  ['an event type of 201 characters', { event: { type: long(201) } }, 'event_too_large', 'event.type'],
  ['event data of 16 KB and 1 byte', { event: { type: 'log', data: `${long(16_383)}` } }, 'event_too_large', '16384 bytes, got 16385'],
  ['event data of many bytes a character', { event: { type: 'log', data: '走'.repeat(6000) } }, 'event_too_large', 'got 18002'],
  ['event data of pairs', { event: { type: 'log', data: '🚌'.repeat(5000) } }, 'event_too_large', 'got 20002'],
  ['a link that runs script', { deeplink: 'JavaScript://%0aalert(1)' }, 'link_invalid', 'JavaScript'],
  ['a link without a scheme', { deeplink: '/runs/1' }, 'link_invalid', '"/runs/1"'],
  ['a link of 2,001 characters', { deeplink: `https://${long(1993)}` }, 'link_invalid', '2000'],
  ['an empty route_id', { route_id: '' }, 'id_invalid', 'route_id'],
];

describe('normalizeUpdate() refuses', () => {
  test.each(faults)('%s', (_, fields, code, part) => {
    const rejection = refused({ race_id: 'r', source: 's', at: START_MS, ...fields });
    expect(rejection.code).toBe(code);
    expect(rejection.message).toContain(part);
    expect(rejection.message.length).toBeLessThan(320);
  });

  test.each([[null], [undefined], ['text'], [17], [[]]])('%s, which is no object', (raw) => {
    expect(refused(raw).code).toBe('type_invalid');
  });

  test('data nested deeper than the stack', () => {
    let data: unknown = 0;
    for (let i = 0; i < 100_000; i++) data = [data];
    expect(refused({ race_id: 'r', source: 's', event: { type: 'log', data } }).code).toBe('event_too_large');
  });

  test('the first fault of several', () => {
    expect(refused({ race_id: 'r', source: 's', title: '', progress: 140 }).code).toBe('title_invalid');
  });
});

describe('normalizeUpdate() accepts', () => {
  test('what Avro decoded, as it is', () => {
    const update = updateAt(0, {
      title: 'Build', state: 'running', progress: 45.5, eta_sec: 120, eta_kind: 'total', queued_at: sec(-9), started_at: sec(-5),
      metadata: { branch: 'main', gone: null }, stage: stage('build', 'running', { seq: 2, planned_sec: 30 }),
      plan: [{ name: 'build', planned_sec: 30, planned_at: null }], update_interval_hint_sec: 5, deeplink: 'https://ci/1',
      event: { type: 'log', at: sec(-1), data: '{"line":1}' }, deadline_at: sec(900), route_id: 'route-1',
    });
    expect(normalizeUpdate(update, START_MS)).toEqual({ update });
  });

  test('an update without `at` as of its append time', () => {
    expect(accepted({}).at).toBe(START_MS);
    expect(accepted({ at: null }).at).toBe(START_MS);
  });

  test('null as unchanged, and drops unknown fields', () => {
    expect(accepted({ title: null, progress: null, metadata: null, stage: null, plan: null, event: null, colour: 'red' }))
      .toEqual(emptyUpdate('r', 's', START_MS));
  });

  test.each([
    ['2026-01-01T00:00:00Z', 0], ['2026-01-01T01:30:00+01:30', 0], ['2025-12-31T16:00:00-0800', 0], ['2026-01-01t00:00z', 0],
    ['2026-01-01 00:00:00.1239Z', 123], ['2026-01-01T00:00:00,5+00', 500], ['2025-12-31T23:59:60Z', 0], [START_MS + 0.75, 0],
    [START_MS + 300_000, 300_000],
  ])('the instant %s', (at, offsetMs) => {
    expect(accepted({ at }).at).toBe(START_MS + offsetMs);
  });

  test.each([['1970-01-01T00:00:00.001Z'], ['2024-02-29T12:00:00Z'], ['1999-12-31T23:59:59.999Z']])('%s as Date does', (text) => {
    expect(accepted({ started_at: text }).started_at).toBe(Date.parse(text));
  });

  test('every instant that toISOString can write, until 2100', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: Date.UTC(2100, 0, 1) - 1 }), (ms) => {
      expect(accepted({ deadline_at: new Date(ms).toISOString() }).deadline_at).toBe(ms);
    }));
  });

  test('metadata numbers and booleans as text, null as a removal', () => {
    const metadata = { count: 3, half: 0.5, dirty: false, gone: null, kept: 'yes', absent: undefined };
    expect(accepted({ metadata }).metadata).toEqual({ count: '3', half: '0.5', dirty: 'false', gone: null, kept: 'yes' });
    expect(metadata.count).toBe(3);
  });

  test('a metadata key that is called __proto__', () => {
    const { metadata } = accepted({ metadata: JSON.parse('{"__proto__": 1, "a": 2}') as unknown });
    expect(Object.entries(metadata!)).toEqual([['__proto__', '1'], ['a', '2']]);
  });

  test('100 keys, keys of 200 and values of 2,000 characters', () => {
    const metadata = { ...keys(98), [long(200)]: 'v', ['走'.repeat(200)]: '🚌'.repeat(2000) };
    expect(accepted({ metadata }).metadata).toEqual(metadata);
  });

  test('200 characters of an id however many units they take, but not 201', () => {
    expect(accepted({ race_id: '🚌'.repeat(200) }).race_id).toHaveLength(400);
    expect(refused({ race_id: `${'🚌'.repeat(200)}x`, source: 's' }).code).toBe('id_invalid');
  });

  test('ids exactly, blanks included', () => {
    expect(accepted({ race_id: ' r ', source: ' s' })).toMatchObject({ race_id: ' r ', source: ' s' });
  });

  test('a title on one line, trimmed', () => {
    expect(accepted({ title: '  Build\n\tand \u009btest\ud800 ' }).title).toBe('Build  and  test\ufffd');
  });

  test('progress and seq at both ends of their range', () => {
    expect(accepted({ progress: 0, stage: stage('b', 'running', { seq: 0 }) }).progress).toBe(0);
    expect(accepted({ progress: 100, stage: stage('b', 'running', { seq: 1_000_000 }) }).stage?.seq).toBe(1_000_000);
  });

  test('any JSON as event data, and text that is JSON unchanged', () => {
    const dataOf = (data: unknown): string | null | undefined => accepted({ event: { type: 'log', data } }).event?.data;
    expect(dataOf({ a: [1, null] })).toBe('{"a":[1,null]}');
    expect(dataOf('{"a": 1}')).toBe('{"a": 1}');
    expect(dataOf('plain words')).toBe('"plain words"');
    expect(dataOf(false)).toBe('false');
    expect(dataOf(undefined)).toBeNull();
  });

  test('a plan of names and of stages', () => {
    expect(accepted({ plan: ['build', { name: 'test', planned_sec: 9, colour: 'red' }] }).plan).toEqual([
      { name: 'build', planned_sec: null, planned_at: null }, { name: 'test', planned_sec: 9, planned_at: null },
    ]);
  });

  test.each([['https://ci.example/1?x=2#3'], ['vscode://file/a'], ['HTTP://x']])('the link %s', (deeplink) => {
    expect(accepted({ deeplink }).deeplink).toBe(deeplink);
  });
});

describe('normalizeUpdate() for any JSON', () => {
  const anything = fc.record({
    race_id: fc.oneof(fc.constant('r'), fc.anything()), source: fc.oneof(fc.constant('s'), fc.anything()),
  }, { requiredKeys: [] }).chain((base) => fc.dictionary(
    fc.constantFrom('at', 'title', 'state', 'progress', 'eta_sec', 'eta_kind', 'started_at', 'metadata', 'stage', 'plan', 'event', 'deeplink', 'route_id'),
    fc.jsonValue(),
  ).map((rest) => ({ ...rest, ...base })));

  test('never throws, and takes what it gave again unchanged', () => {
    fc.assert(fc.property(anything, (raw) => {
      const result = normalizeUpdate(raw, START_MS);
      if ('rejection' in result) expect(rejectionCodes).toHaveProperty(result.rejection.code);
      else expect(normalizeUpdate(result.update, START_MS)).toEqual(result);
    }), { numRuns: 2000 });
  });
});

test('-0 is taken for 0, which is what is stored: state in memory and state restored must be equal', () => {
  const result = normalizeUpdate({ race_id: 'r', source: 's', progress: -0, eta_sec: -0, stage: { name: 'a', state: 'running', seq: -0 } }, 1_772_366_400_000);
  expect(result).toMatchObject({ update: { progress: 0, eta_sec: 0, stage: { seq: 0 } } });
});
