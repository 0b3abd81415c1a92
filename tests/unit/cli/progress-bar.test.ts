import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fit, formatClock, formatDuration, textWidth } from '../../../src/cli/format.ts';
import { describeEta, progressAt, renderBar, renderPercent, renderRaceLine } from '../../../src/cli/progress-bar.ts';
import { stateOf } from '../../../src/cli/run.ts';
import { NOON, etaView, raceView } from './race-view.ts';

const at = (sec: number): number => NOON + sec * 1_000;

describe('progressAt()', () => {
  test('extrapolates by time over what was reported, and says so', () => {
    expect(progressAt(raceView({ progress: 20 }), at(50))).toEqual({ known: 20, shown: 50, estimated: true });
    expect(progressAt(raceView({ progress: 60 }), at(50))).toEqual({ known: 60, shown: 60, estimated: false });
    expect(progressAt(raceView({ eta: etaView({ progress: { current: 70, confidence: 1, predicted_next: null, next_update_at: null, source: 'interpolated' } }) }), at(50)).shown).toBe(70);
  });

  test('never shows 100 before the end, and 100 only when passed', () => {
    expect(progressAt(raceView({ progress: 100 }), at(1)).shown).toBe(99);
    expect(progressAt(raceView(), at(5_000)).shown).toBe(99);
    expect(progressAt(raceView({ state: 'passed', completed_at: at(10) }), at(10)).shown).toBe(100);
    expect(progressAt(raceView({ state: 'failed', completed_at: at(10) }), at(90)).shown).toBe(10);
  });

  test('never goes backwards when the forecast gets longer', () => {
    fc.assert(fc.property(fc.array(fc.record({ sec: fc.integer({ min: 0, max: 1_000 }), total: fc.double({ min: 0, max: 1e6, noNaN: true }), progress: fc.option(fc.integer({ min: 0, max: 100 })) }), { minLength: 1 }), (steps) => {
      let shown = 0;
      for (const { sec, total, progress } of steps) {
        const next = progressAt(raceView({ progress, eta: etaView({ eta_sec: total }) }), at(sec), shown).shown;
        expect(next).toBeGreaterThanOrEqual(shown);
        expect(next).toBeLessThanOrEqual(99);
        shown = next;
      }
    }));
  });

  test('knows nothing of a race that waits or has no estimate', () => {
    expect(progressAt(raceView({ state: 'queued', started_at: null }), at(50)).shown).toBe(0);
    expect(progressAt(raceView({ eta: null }), at(50))).toEqual({ known: 0, shown: 0, estimated: false });
  });
});

describe('renderBar()', () => {
  test('tells the known from the estimated', () => {
    expect(renderBar({ known: 30, shown: 55, estimated: true }, 10)).toBe('███▒▒░░░░░');
    expect(renderBar({ known: 100, shown: 100, estimated: false }, 4)).toBe('████');
    expect(renderBar({ known: 99, shown: 99, estimated: false }, 10)).toBe('█████████░');
    expect(renderBar({ known: 50, shown: 50, estimated: false }, 0)).toBe('');
  });
  test('is exactly as wide as asked', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }), (width, a, b) => {
      expect(renderBar({ known: Math.min(a, b), shown: Math.max(a, b), estimated: true }, width)).toHaveLength(width);
    }));
  });
  test('renderPercent() marks estimates', () => {
    expect(renderPercent({ known: 0, shown: 43.9, estimated: true })).toBe('≈ 43 %');
    expect(renderPercent({ known: 43.9, shown: 43.9, estimated: false })).toBe('43 %');
  });
});

describe('describeEta()', () => {
  test.each([
    ['running', raceView(), 30, '1 min 10 s left, done ≈ 12:01:40'],
    ['late beyond its forecast', raceView(), 112, 'overdue by 12 s'],
    ['late with a new forecast', raceView({ eta: etaView({ display: { finish_at: NOON + 200_000, state: 'overdue' } }) }), 112, 'overdue, 1 min 28 s left, done ≈ 12:03:20'],
    ['stuck', raceView({ eta: etaView({ display: { finish_at: NOON + 100_000, state: 'stuck' } }) }), 40, 'stuck?, 1 min left, done ≈ 12:01:40'],
    ['queued', raceView({ state: 'queued', started_at: null }), 0, 'queued, takes ≈ 1 min 40 s'],
    ['unknown', raceView({ eta: null }), 0, 'no estimate yet'],
    ['passed', raceView({ state: 'passed', completed_at: NOON + 61_000, duration_sec: 61 }), 300, 'passed after 1 min 1 s'],
    ['canceled', raceView({ state: 'canceled', completed_at: NOON + 5_000 }), 300, 'canceled after 5 s'],
  ])('of a race %s', (_name, race, sec, words) => {
    expect(describeEta(race, at(sec))).toBe(words);
  });
});

describe('renderRaceLine()', () => {
  test('has a bar where there is room, words alone where there is not', () => {
    expect(renderRaceLine(raceView({ progress: 20 }), at(50), 0, 80)).toBe('████████▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░ ≈ 50 %  50 s left, done ≈ 12:01:40');
    expect(renderRaceLine(raceView({ progress: 20 }), at(50), 0, 39)).toBe('≈ 50 %  50 s left, done ≈ 12:01:40');
    expect(renderRaceLine(raceView({ progress: 20 }), at(50), 0, 20)).toBe('≈ 50 %  50 s left, …');
  });
  test('fits any width', () => {
    for (let width = 1; width <= 120; width++) expect(textWidth(renderRaceLine(raceView(), at(50), 0, width))).toBeLessThanOrEqual(width);
  });
});

test('stateOf() tells the interrupted from the killed', () => {
  expect([stateOf(0, false), stateOf(0, true), stateOf(3, false), stateOf(130, true), stateOf('SIGINT', true), stateOf('SIGKILL', false)])
    .toEqual(['passed', 'passed', 'failed', 'canceled', 'canceled', 'failed']);
});

describe('format', () => {
  test.each([[0, '0 s'], [59.4, '59 s'], [59.6, '1 min'], [125, '2 min 5 s'], [3_599.6, '1 h'], [3_660, '1 h 1 min'], [86_399, '1 d'], [93_600, '1 d 2 h'], [-12, '12 s']])('formatDuration(%d) is %j', (sec, text) => {
    expect(formatDuration(sec)).toBe(text);
  });
  test('formatClock() names the day only when it is another one', () => {
    expect(formatClock(NOON, NOON, false)).toBe('12:00');
    expect(formatClock(NOON + 86_400_000, NOON, true)).toBe('2026-01-16 12:00:00');
  });
  test('fit() gives exact widths, also for wide characters, and lets nothing steer the terminal', () => {
    expect(fit('abc', 5)).toBe('abc  ');
    expect(fit('abcdef', 4)).toBe('abc…');
    expect(fit('測試測試', 5)).toBe('測試…');
    expect(fit('測試測試', 4)).toBe('測… ');
    expect(fit('a\u001b[2Jb\n', 20)).toBe('a [2Jb '.padEnd(20));
    expect(fit('abc', 0)).toBe('');
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, width) => {
      expect(textWidth(fit(text, width))).toBe(width);
    }));
  });
});
