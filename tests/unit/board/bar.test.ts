import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { barOf } from '../../../src/board/live/bar.ts';
import { etaView, NOW_MS, raceView } from './view.ts';

describe('barOf()', () => {
  test('without a report shows the elapsed share of the finish, at most 95', () => {
    expect(barOf(raceView(), NOW_MS, 0)).toEqual({ solid: 0, shown: 50, isTrusted: true });
    expect(barOf(raceView(), NOW_MS + 3_600_000, 0).shown).toBe(95);
  });

  test('goes on from a report towards the finish, at most 20 points', () => {
    const race = raceView({ progress: 40, updated_at: NOW_MS });
    expect(barOf(race, NOW_MS, 0)).toEqual({ solid: 40, shown: 40, isTrusted: true });
    expect(barOf(race, NOW_MS + 15_000, 0).shown).toBe(55);
    expect(barOf({ ...race, updated_at: NOW_MS, update_interval_hint_sec: 60 }, NOW_MS + 59_000, 0).shown).toBe(60);
  });

  test('stands still when the report is three intervals old', () => {
    const race = raceView({ progress: 40, updated_at: NOW_MS - 31_000 });
    expect(barOf(race, NOW_MS, 44)).toEqual({ solid: 40, shown: 44, isTrusted: false });
  });

  test('predicts nothing from a report below five percent', () => {
    expect(barOf(raceView({ progress: 3, updated_at: NOW_MS - 5_000 }), NOW_MS, 0).shown).toBe(3);
  });

  test.each(['cold', 'unknown', 'stuck'] as const)('predicts nothing when the display says %s', (state) => {
    const race = raceView({ eta: etaView({ display: { finish_at: NOW_MS + 60_000, state } }) });
    expect(barOf(race, NOW_MS, 0)).toEqual({ solid: 0, shown: 0, isTrusted: true });
  });

  test('is full once passed, and only then', () => {
    expect(barOf(raceView({ state: 'passed', completed_at: NOW_MS }), NOW_MS, 10)).toEqual({ solid: 100, shown: 100, isTrusted: true });
    expect(barOf(raceView({ state: 'failed', completed_at: NOW_MS, progress: 30 }), NOW_MS, 45).shown).toBe(45);
    expect(barOf(raceView({ progress: 100, updated_at: NOW_MS }), NOW_MS, 0).shown).toBe(99);
  });

  test('never goes back, whatever the reports and forecasts say', () => {
    fc.assert(fc.property(
      fc.array(fc.record({ progress: fc.option(fc.double({ min: 0, max: 100, noNaN: true })), afterMs: fc.nat(120_000), finishMs: fc.integer({ min: -60_000, max: 600_000 }), agoMs: fc.nat(60_000) }), { minLength: 1, maxLength: 30 }),
      (steps) => {
        let nowMs = NOW_MS;
        let shown = 0;
        for (const { progress, afterMs, finishMs, agoMs } of steps) {
          nowMs += afterMs;
          const bar = barOf(raceView({ progress, updated_at: nowMs - agoMs, eta: etaView({ issued_at: nowMs - agoMs, display: { finish_at: nowMs + finishMs, state: 'correcting' } }) }), nowMs, shown);
          expect(bar.shown).toBeGreaterThanOrEqual(shown);
          expect(bar.shown).toBeLessThan(100);
          expect(bar.solid).toBeLessThanOrEqual(bar.shown);
          shown = bar.shown;
        }
      },
    ));
  });
});
