import { describe, expect, it, test } from 'vitest';
import { normalizeUpdate } from '../../../src/race/normalize.ts';
import { emptyUpdate, type JourneyPosition } from '../../../src/race/update.ts';
import { fold, positionBefore, raceAfter, sec, START_MS, updateAt } from './updates.ts';

const position = positionBefore(2);
const at = (seconds: number, fields: Partial<JourneyPosition> = {}) => updateAt(seconds, { position: { ...position, ...fields } });
const normalized = (value: unknown) => normalizeUpdate({ ...emptyUpdate('bus', 'city', START_MS), position: value }, START_MS);

describe('a position on a route', () => {
  it('is taken as it is, what is absent as null, unknown fields dropped', () => {
    expect(normalized(position)).toMatchObject({ update: { position } });
    const { route_version, along_m, off_m, next, moves, moved_at } = position;
    const least = { route_version, along_m, off_m, next, moves, moved_at };
    expect(normalized({ ...least, colour: 'red' })).toMatchObject({
      update: { position: { ...least, own_mps: null, last_mps: null, usual_mps: null, trail_at: null, trail_m: null, passed: null, passed_at: null, delay_sec: null } },
    });
  });

  test.each<[string, unknown, RegExp]>([
    ['text', 'here', /position must be an object, got "here"/],
    ['a list', [position], /position must be an object, got an array of 1/],
    ['a negative length', { ...position, along_m: -1 }, /position\.along_m must be a number in 0\.\.400000000, got -1/],
    ['NaN', { ...position, off_m: Number.NaN }, /position\.off_m .* got NaN/],
    ['half a waypoint', { ...position, next: 1.5 }, /position\.next must be a whole number in 0\.\.400, got 1\.5/],
    ['a waypoint beyond all', { ...position, passed: 400 }, /position\.passed must be a whole number in 0\.\.399/],
    ['no version', { ...position, route_version: null }, /position\.route_version .* got null/],
    ['a speed below 0', { ...position, own_mps: -0.1 }, /position\.own_mps/],
    ['no instant', { ...position, moved_at: 'noon' }, /position\.moved_at must be an instant/],
    ['half a trail', { ...position, trail_m: null }, /position\.trail_at and position\.trail_m must be given together/],
    ['half a passage', { ...position, passed_at: null }, /position\.passed_at and position\.passed must be given together/],
    ['no answer', { ...position, moves: 'yes' }, /position\.moves must be true or false, got "yes"/],
  ])('is refused when it is %s, with the value and the range', (_name, value, message) => {
    const result = normalized(value);
    expect('rejection' in result && result.rejection).toMatchObject({ code: 'position_invalid', message: expect.stringMatching(message) });
  });

  it('is the newest by event time: an older one is late, the same again a duplicate, none comes after the end', () => {
    const { race, results } = fold([at(60), at(30, { along_m: 600 }), at(60), at(90, { along_m: 1500 }), updateAt(100, { state: 'passed' }), at(110, { along_m: 1900 })]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['applied', 'late', 'duplicate', 'applied', 'applied', 'late']);
    expect(race!.position).toEqual({ ...position, along_m: 1500 });
    expect(race!.field_at.position).toBe(sec(90));
  });

  it('is that of the present attempt', () => {
    const race = raceAfter(at(10), updateAt(20, { state: 'passed', started_at: sec(0), completed_at: sec(20) }), updateAt(40, { started_at: sec(40) }));
    expect(race).toMatchObject({ attempt: 2, position: null, field_at: { position: 0 } });
  });
});
