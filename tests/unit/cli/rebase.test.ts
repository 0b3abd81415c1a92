import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinDays, rebaseUpdate } from '../../../src/cli/rebase.ts';
import type { RecordedRace } from '../../../src/cli/recording.ts';
import { emptyUpdate } from '../../../src/race/update.ts';

const options = { originMs: 1_000_000, nowMs: 50_000_000, speed: 60, runId: '7' };

describe('rebaseUpdate()', () => {
  test('moves every instant and divides every duration', () => {
    const update = {
      ...emptyUpdate('r', 'ci', 1_060_000), queued_at: 1_000_000, started_at: 1_030_000, completed_at: 1_120_000, deadline_at: 1_600_000,
      eta_sec: 120, update_interval_hint_sec: 30, progress: 40, title: 't',
      stage: { name: 'a', state: 'passed' as const, seq: 1, started_at: 1_030_000, completed_at: 1_060_000, planned_sec: 60 },
      plan: [{ name: 'a', planned_sec: 6, planned_at: 1_060_000 }], event: { type: 'e', at: 1_060_000, data: null },
    };
    expect(rebaseUpdate(update, options)).toEqual({
      ...update, race_id: 'r~run7', source: 'ci@live', at: 50_001_000, queued_at: 50_000_000, started_at: 50_000_500, completed_at: 50_002_000, deadline_at: 50_010_000,
      eta_sec: 2, update_interval_hint_sec: 0.5,
      stage: { ...update.stage, started_at: 50_000_500, completed_at: 50_001_000, planned_sec: 1 },
      plan: [{ name: 'a', planned_sec: 0.1, planned_at: 50_001_000 }], event: { type: 'e', at: 50_001_000, data: null },
    });
  });

  test('leaves what was not said unsaid', () => {
    expect(rebaseUpdate(emptyUpdate('r', 's', 1_000_000), options)).toEqual(emptyUpdate('r~run7', 's@live', 50_000_000));
  });

  test('keeps the order, keeps equal instants equal, and is never later than the exact time', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 4e11 }), fc.integer({ min: 0, max: 4e11 }), fc.integer({ min: 1, max: 100_000 }), (a, b, speed) => {
      const at = (atMs: number): number => rebaseUpdate(emptyUpdate('r', 's', options.originMs + atMs), { ...options, speed }).at;
      expect(Math.sign(at(a) - at(b)) * Math.sign(a - b)).toBeGreaterThanOrEqual(0);
      expect(at(a)).toBeLessThanOrEqual(options.nowMs + a / speed);
      expect(Number.isInteger(at(a))).toBe(true);
    }));
  });
});

test('joinDays() takes the days in between out and moves races as a whole', () => {
  const DAY = 86_400_000;
  const race = (id: string, startedAtMs: number): RecordedRace => ({ id, source: 's', title: 't', startedAtMs, endedAtMs: startedAtMs + DAY, state: 'passed', metadata: {} });
  const joined = joinDays({
    races: [race('a', 10 * DAY + 5), race('b', 17 * DAY + 6), race('c', 40 * DAY + 7)],
    stages: new Map([['b', [{ name: 'x', seq: 0, startedAtMs: 17 * DAY + 8, completedAtMs: 18 * DAY, state: 'passed' as const }, { name: 'y', seq: 1, startedAtMs: 18 * DAY, completedAtMs: null, state: 'passed' as const }]]]),
    progress: new Map([['c', [{ atMs: 40 * DAY + 9, event: 'e', epoch: '', value: '' }]]]),
    skipped: { invalid: 0, otherRaces: 0 },
  });
  expect(joined.races.map(({ startedAtMs, endedAtMs }) => [startedAtMs, endedAtMs])).toEqual([[10 * DAY + 5, 11 * DAY + 5], [11 * DAY + 6, 12 * DAY + 6], [12 * DAY + 7, 13 * DAY + 7]]);
  expect(joined.stages.get('b')).toMatchObject([{ startedAtMs: 11 * DAY + 8, completedAtMs: 12 * DAY }, { startedAtMs: 12 * DAY, completedAtMs: null }]);
  expect(joined.progress.get('c')?.[0]?.atMs).toBe(12 * DAY + 9);
});
