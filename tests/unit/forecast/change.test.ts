import { describe, expect, test } from 'vitest';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, encodeModel, LIMITS, type SourceModel } from '../../../src/forecast/model.ts';
import { finishedOf, finishedStageOf, raceOf } from './race-builder.ts';

const START = 1_000_000;
const modelOf = (races: readonly FinishedRace[]): SourceModel => {
  const model = createSourceModel('ci/acme');
  for (const value of races) learn(model, { kind: 'FinishedRace', value });
  return model;
};
/** Noise of a few percent that repeats. */
const around = (sec: number, i: number) => sec * (1 + 0.03 * Math.sin(2.4 * i));

describe('change', () => {
  test.each([5, 0.2])('durations times %s from one run to the next are followed within five runs after twenty', (factor) => {
    const races = [...Array.from({ length: 20 }, (_, i) => finishedOf(around(300, i))), ...Array.from({ length: 5 }, (_, i) => finishedOf(around(300 * factor, i)))];
    const { etaSec } = forecastRace(modelOf(races), raceOf(), START);
    expect(Math.abs(etaSec / (300 * factor) - 1)).toBeLessThan(0.2);
  });

  test('one outlier of five times is not followed', () => {
    const races = [...Array.from({ length: 20 }, (_, i) => finishedOf(around(300, i))), finishedOf(1500)];
    expect(Math.abs(forecastRace(modelOf(races), raceOf(), START).etaSec / 300 - 1)).toBeLessThan(0.2);
  });

  test('cache hit or miss: both are in the forecast, and once a hit would be over only the miss is left', () => {
    const model = modelOf(Array.from({ length: 60 }, (_, i) => finishedOf(around((i * 7) % 10 < 6 ? 60 : 600, i))));
    const submitted = forecastRace(model, raceOf(), START);
    expect(submitted.p10Sec).toBeLessThan(80);
    expect(submitted.p90Sec).toBeGreaterThan(500);
    expect(Math.abs(submitted.etaSec / 60 - 1)).toBeLessThan(0.2);
    const later = forecastRace(model, raceOf(), START + 100_000);
    expect(Math.abs(later.etaSec / 600 - 1)).toBeLessThan(0.2);
    expect(later.confidence).toBeGreaterThan(submitted.confidence);
    expect(later.overdue).toBe(false);
  });
});

describe('censored races', () => {
  test('runs canceled at six hours, one after another, raise what is expected; canceled early they say nothing', () => {
    const usual = Array.from({ length: 12 }, (_, i) => finishedOf(around(3600, i)));
    const canceled = (sec: number) => Array.from({ length: 6 }, () => finishedOf(sec, { outcome: 'canceled' }));
    expect(forecastRace(modelOf([...usual, ...canceled(21_600)]), raceOf(), START).p90Sec).toBeGreaterThan(21_600);
    expect(encodeModel(modelOf([...usual, ...canceled(600)]))).toEqual(encodeModel(modelOf(usual)));
  });
});

describe('memory', () => {
  test('10,000 titles with stages, progress, estimates and metadata stay within the limits', () => {
    const model = createSourceModel('ci/acme');
    for (let i = 0; i < 10_000; i++) {
      learn(model, { kind: 'FinishedRace', value: finishedOf(100, {
        title: `title ${i} of many`, metadata: { branch: `b${i % 50}`, commit: `c${i}` }, client_eta_sec: 90, client_eta_kind: null, client_eta_elapsed_sec: 0,
        progress_points: [{ progress: 50, at: START + 50_000 }], stages: [finishedStageOf('compile', START, START + 40_000)],
      }) });
    }
    expect(model.titles.size).toBe(LIMITS.titles);
    expect(model.curves.size).toBe(LIMITS.curves);
    expect(model.claims.size).toBe(LIMITS.claims);
    expect(model.states.size).toBeLessThanOrEqual(LIMITS.states);
    expect(encodeModel(model).length).toBeLessThan(12_000_000);
  });
});
