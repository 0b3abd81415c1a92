import { describe, expect, test } from 'vitest';
import { abandon, silentTooLong } from '../../../src/race/abandon.ts';
import { raceAfter, sec, updateAt } from './updates.ts';

const DAY_SEC = 86_400;
const running = raceAfter(updateAt(0, { state: 'running', started_at: sec(0) }), updateAt(50, { progress: 30 }));

describe('abandon()', () => {
  test('closes the race at its last sign of life', () => {
    expect(abandon(running, sec(200_000))).toEqual({
      ...running, state: 'abandoned', completed_at: sec(50), completed_derived: true, version: 1, wake_at: null,
    });
  });

  test('keeps an end that was told', () => {
    const race = raceAfter(updateAt(0, { state: 'running' }), updateAt(50, { completed_at: sec(45) }));
    expect(abandon(race, sec(200_000))).toMatchObject({ completed_at: sec(45), completed_derived: false });
  });

  test('gives a race that never started the time it was queued, and no end before it', () => {
    const race = raceAfter(updateAt(10, { state: 'queued', queued_at: sec(5) }));
    expect(abandon(race, sec(200_000))).toMatchObject({ started_at: sec(5), started_derived: true, completed_at: sec(10) });
    expect(abandon(race, sec(7))).toMatchObject({ started_at: sec(5), completed_at: sec(7) });
  });

  test('leaves a finished race alone', () => {
    const race = raceAfter(updateAt(0, { state: 'passed' }));
    expect(abandon(race, sec(200_000))).toBe(race);
    expect(abandon(abandon(running, sec(9)), sec(10)).version).toBe(1);
  });
});

describe('silentTooLong()', () => {
  // The newest update was appended 100 ms after its time.
  const heard = 50.1;

  test('is more than a day', () => {
    expect(silentTooLong(running, null, sec(heard + DAY_SEC))).toBe(false);
    expect(silentTooLong(running, null, sec(heard + DAY_SEC) + 1)).toBe(true);
    expect(silentTooLong(running, 60, sec(heard + DAY_SEC) + 1)).toBe(true);
  });

  test('is more than ten times the p90, if that is longer', () => {
    expect(silentTooLong(running, DAY_SEC, sec(heard + 10 * DAY_SEC))).toBe(false);
    expect(silentTooLong(running, DAY_SEC, sec(heard + 10 * DAY_SEC) + 1)).toBe(true);
  });

  test('does not begin before an old update was appended', () => {
    const imported = { ...running, appended_at: sec(30 * DAY_SEC) };
    expect(silentTooLong(imported, null, sec(30 * DAY_SEC + 60))).toBe(false);
  });

  test('is no matter of finished races', () => {
    expect(silentTooLong(raceAfter(updateAt(0, { state: 'failed' })), null, sec(99 * DAY_SEC))).toBe(false);
  });
});
