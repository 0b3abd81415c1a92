import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { predictProgress, updateIntervalHintSec } from '../../../src/race/progress.ts';
import type { RaceState } from '../../../src/race/state.ts';
import type { ReportedState } from '../../../src/race/update.ts';
import { raceAfter, sec, updateAt } from './updates.ts';

// The source of these races reports every 10 s.
const started = updateAt(0, { state: 'running', started_at: sec(0) });
const at = (race: RaceState, seconds: number, etaSec: number | null = 100): ReturnType<typeof predictProgress> => predictProgress(race, { etaSec, nowMs: sec(seconds) });

describe('predictProgress()', () => {
  const half = raceAfter(started, updateAt(40, { progress: 50 }));

  test('shows the report itself until the next one is due', () => {
    expect(at(half, 40)).toMatchObject({ current: 50, source: 'reported', confidence: 1, next_update_at: sec(50) });
    expect(at(half, 50)).toMatchObject({ current: 50, source: 'reported', confidence: 0.8, next_update_at: sec(60) });
  });

  test('says what the next report should be', () => {
    // From 50 at 40 s to 100 at 100 s: 8.33 points in 10 s.
    expect(at(half, 40)?.predicted_next).toBe(58.3);
  });

  test('goes on towards the predicted end when the report is older than that', () => {
    expect(at(half, 52)).toMatchObject({ current: 60, source: 'interpolated', next_update_at: sec(60) });
    expect(at(half, 61)?.confidence).toBeLessThan(at(half, 52)!.confidence);
  });

  test('runs at most 20 points ahead of the report', () => {
    expect(at(half, 64)?.current).toBe(70);
    expect(at(half, 99)?.current).toBe(70);
    expect(at(half, 500)?.current).toBe(70);
  });

  test('does not run ahead of a report below 5 %', () => {
    const race = raceAfter(started, updateAt(40, { progress: 4 }));
    expect(at(race, 90)).toMatchObject({ current: 4, source: 'reported' });
    expect(at(raceAfter(started, updateAt(40, { progress: 5 })), 90)).toMatchObject({ current: 25, source: 'interpolated' });
  });

  test('takes a report of 0 for a sign of life only', () => {
    const race = raceAfter(started, updateAt(10, { progress: 0 }));
    expect(at(race, 15)).toMatchObject({ current: 0, source: 'reported' });
    expect(at(race, 21)).toMatchObject({ source: 'estimated' });
    expect(at(race, 90)).toMatchObject({ current: 20, source: 'estimated' });
  });

  test('without a report is the elapsed share of the ETA, at most 95', () => {
    const race = raceAfter(started);
    expect(at(race, 25)).toMatchObject({ current: 25, source: 'estimated', confidence: 0.2, next_update_at: sec(30), predicted_next: 30 });
    expect(at(race, 99)?.current).toBe(95);
    expect(at(race, 900)?.current).toBe(95);
  });

  test('trusts an estimate as far as the forecast behind it', () => {
    const race: RaceState = {
      ...raceAfter(started),
      published: {
        issued_at: sec(0), event_at: sec(0), eta_sec: 100, p10_sec: 80, p50_sec: 100, p90_sec: 130, confidence: 0.7, basis: 'key', reason: 'started',
        model_version: 'm', cluster_id: null, next_at: null,
      },
    };
    expect(at(race, 25)?.confidence).toBe(0.7);
  });

  test('is null when nothing is known', () => {
    expect(at(raceAfter(updateAt(0, { state: 'queued' })), 25)).toBeNull();
    expect(at(raceAfter(started), 25, null)).toBeNull();
  });

  test('without an ETA stays with the report', () => {
    expect(at(half, 90, null)).toMatchObject({ current: 50, source: 'reported', predicted_next: null });
  });

  test('never goes back in an attempt', () => {
    const race = { ...raceAfter(started, updateAt(40, { progress: 50 }), updateAt(62, { progress: 55 })), shown_progress: 68 };
    expect(at(race, 63)).toMatchObject({ current: 68, source: 'interpolated' });
    expect(at(race, 63)?.predicted_next).toBeGreaterThanOrEqual(68);
  });

  test('is never 100 before the end, whatever was reported', () => {
    expect(at(raceAfter(started, updateAt(40, { progress: 100 })), 41)?.current).toBe(99);
  });

  test.each<[ReportedState, number]>([['passed', 100], ['failed', 50], ['canceled', 50]])('after %s is %d for good', (state, current) => {
    const race = raceAfter(started, updateAt(40, { progress: 50 }), updateAt(60, { state }));
    expect(at(race, 61)).toEqual({ current, confidence: 1, predicted_next: null, next_update_at: null, source: 'reported' });
  });

  test('is monotone in time and stays in its ranges', () => {
    const steps = fc.array(fc.record({ wait: fc.integer({ min: 1, max: 40 }), progress: fc.option(fc.integer({ min: 0, max: 100 })), eta: fc.option(fc.integer({ min: 1, max: 400 })) }), { maxLength: 20 });
    fc.assert(fc.property(steps, (list) => {
      let race = raceAfter(started);
      let now = 0;
      for (const { wait, progress, eta } of list) {
        now += wait;
        if (progress !== null) race = { ...raceAfter(started, updateAt(now, { progress })), shown_progress: race.shown_progress };
        const shown = at(race, now + 3, eta);
        if (shown === null) continue;
        expect(shown.current).toBeGreaterThanOrEqual(race.shown_progress);
        expect(shown.current).toBeLessThanOrEqual(99);
        expect(shown.confidence).toBeGreaterThanOrEqual(0);
        expect(shown.confidence).toBeLessThanOrEqual(1);
        expect(shown.next_update_at).toBeGreaterThan(sec(now + 3));
        if (shown.predicted_next !== null) expect(shown.predicted_next).toBeGreaterThanOrEqual(shown.current);
        race = { ...race, shown_progress: shown.current };
      }
    }));
  });
});

describe('updateIntervalHintSec()', () => {
  const from = (source: string, fields: Partial<RaceState> = {}): number => updateIntervalHintSec({ ...raceAfter(started), source, ...fields });

  test.each([
    ['github-actions/acme/api', 10], ['gitlab', 10], ['ci/gitlab-ci/acme', 10], ['cmd', 5], ['cmd/host', 5], ['claude-code', 15], ['google-calendar', 60],
    ['calendar/work', 60], ['jenkins/deploy', 10], ['cmdline', 10], ['github-actions/acme/cmd', 10],
  ])('of %s is %d', (source, expected) => {
    expect(from(source)).toBe(expected);
  });

  test('is what the producer says, over all else', () => {
    expect(from('cmd', { update_interval_hint_sec: 3, gap_count: 50, gap_mean_sec: 8 })).toBe(3);
    expect(from('cmd', { update_interval_hint_sec: 0 })).toBe(5);
  });

  test('is learned from 20 gaps on, between 1 s and 1 h', () => {
    expect(from('cmd', { gap_count: 19, gap_mean_sec: 8 })).toBe(5);
    expect(from('cmd', { gap_count: 20, gap_mean_sec: 8 })).toBe(8);
    expect(from('cmd', { gap_count: 20, gap_mean_sec: 0.01 })).toBe(1);
    expect(from('cmd', { gap_count: 20, gap_mean_sec: 90_000 })).toBe(3600);
  });
});
