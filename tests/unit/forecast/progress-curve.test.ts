import { describe, expect, test } from 'vitest';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel } from '../../../src/forecast/model.ts';
import { createCurve, curveError, learnCurve, shareAt } from '../../../src/forecast/progress-curve.ts';
import { finishedOf, raceOf } from './race-builder.ts';

const START = 1_000_000;
/** A bar that stands at 80 % when half of the time is over. */
const shareOf = (progress: number) => (progress <= 80 ? (0.5 * progress) / 80 : 0.5 + (0.5 * (progress - 80)) / 20);
const pointsOf = (sec: number) => [10, 30, 50, 70, 80, 90, 95].map((progress) => ({ progress, at: START + 1000 * sec * shareOf(progress) }));
const SECONDS = [100, 1000, 250, 3000, 500, 150, 2000, 400, 700, 1200];

describe('a progress curve', () => {
  test('is a straight line at first, and learns the bar’s shape', () => {
    const curve = createCurve();
    expect(shareAt(curve, 35)).toBeCloseTo(0.35);
    expect(curveError(curve, 50)).toBeNull();
    for (const sec of SECONDS) learnCurve(curve, pointsOf(sec), START, START + 1000 * sec);
    for (const progress of [10, 40, 80, 90]) expect(shareAt(curve, progress)).toBeCloseTo(shareOf(progress), 1);
    expect(curveError(curve, 50)).toBeLessThan(0.1);
    expect(curveError(curve, 20)).toBeNull();
    for (let p = 1; p <= 100; p++) expect(shareAt(curve, p)).toBeGreaterThanOrEqual(shareAt(curve, p - 1));
    expect([shareAt(curve, 0), shareAt(curve, 100)]).toEqual([0, 1]);
  });

  test('reports that go back, come early, late or say 100 are passed over', () => {
    const curve = createCurve();
    learnCurve(curve, [{ progress: 50, at: START - 1 }, { progress: 100, at: START + 10_000 }, { progress: 50, at: START + 100_000 }], START, START + 100_000);
    expect(curve).toEqual(createCurve());
    learnCurve(curve, [{ progress: 50, at: START + 20_000 }, { progress: 20, at: START + 60_000 }], START, START + 100_000);
    expect(shareAt(curve, 50)).toBeCloseTo(0.2);
  });

  test('tells a race at 80 % that half of the time is still ahead, where a straight line says a fifth', () => {
    const model = createSourceModel('ci/acme');
    for (const sec of SECONDS) learn(model, { kind: 'FinishedRace', value: finishedOf(sec, { progress_points: pointsOf(sec) }) });
    const now = START + 400_000;
    const forecast = forecastRace(model, raceOf({ progress: 80, progress_points: [{ progress: 80, at: now }] }), now);
    expect(forecast.basis).toBe('progress');
    expect(Math.abs(forecast.etaSec / 800 - 1)).toBeLessThan(0.1);
  });
});
