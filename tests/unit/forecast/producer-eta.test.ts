import { describe, expect, test } from 'vitest';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, type SourceModel } from '../../../src/forecast/model.ts';
import { createClaims, learnClaims, readClaim } from '../../../src/forecast/producer-eta.ts';
import { finishedOf, raceOf } from './race-builder.ts';

const START = 1_000_000;
const modelOf = (races: readonly FinishedRace[]): SourceModel => {
  const model = createSourceModel('ci/acme');
  for (const value of races) learn(model, { kind: 'FinishedRace', value });
  return model;
};
/** Durations that the history alone cannot tell. */
const SECONDS = [40, 900, 130, 2400, 300, 60, 1500, 220, 700, 90, 3000, 450, 50, 1100, 170, 2000, 350, 75, 1300, 260];
const said = (sec: number, etaSec: number, overrides: Partial<FinishedRace> = {}) => finishedOf(sec, { client_eta_sec: etaSec, client_eta_kind: null, client_eta_elapsed_sec: 0, ...overrides });
const telling = (etaSec: number, saidAtSec = 0) => raceOf({ eta_sec: etaSec, field_at: { ...raceOf().field_at, eta: START + 1000 * saidAtSec } });

describe('a producer’s own estimate', () => {
  test('an agent that overshoots five times is divided by five', () => {
    const forecast = forecastRace(modelOf(SECONDS.map((sec) => said(sec, 5 * sec))), telling(3000), START);
    expect(forecast.basis).toBe('client');
    expect(Math.abs(forecast.etaSec / 600 - 1)).toBeLessThan(0.15);
  });

  test('one that has nothing to do with the truth hardly counts', () => {
    const races = SECONDS.map((_, i) => said(300 + i, SECONDS[i]!));
    const forecast = forecastRace(modelOf(races), telling(9000), START);
    expect(forecast.basis).toBe('key');
    expect(Math.abs(forecast.etaSec / 310 - 1)).toBeLessThan(0.15);
  });

  test('whether it is the total or what remains is learned from how it went', () => {
    const total = SECONDS.map((sec) => said(sec, sec, { client_eta_elapsed_sec: 0.5 * sec }));
    const remaining = SECONDS.map((sec) => said(sec, 0.5 * sec, { client_eta_elapsed_sec: 0.5 * sec }));
    // Said 400 at 300 s.
    expect(Math.abs(forecastRace(modelOf(total), telling(400, 300), START + 300_000).etaSec / 400 - 1)).toBeLessThan(0.1);
    const varied = SECONDS.map((sec, i) => said(sec, sec * (1 - (i % 4) / 5), { client_eta_elapsed_sec: (sec * (i % 4)) / 5 }));
    for (const races of [varied, [...remaining, ...varied]]) expect(Math.abs(forecastRace(modelOf(races), telling(400, 300), START + 300_000).etaSec / 700 - 1)).toBeLessThan(0.1);
  });

  test('a kind that is said is believed over what fits better', () => {
    const claims = createClaims();
    for (const sec of SECONDS) learnClaims(claims, said(sec, sec, { client_eta_elapsed_sec: 0.5 * sec }));
    expect(readClaim(claims, 100, 'total', 50)?.totalSec).toBeCloseTo(100);
    expect(readClaim(claims, 100, 'remaining', 50)?.totalSec).toBeCloseTo(100);
  });

  test('without a record, or from what was said at the end, nothing is read', () => {
    const claims = createClaims();
    learnClaims(claims, said(100, 5, { client_eta_elapsed_sec: 100 }));
    learnClaims(claims, finishedOf(100));
    expect(readClaim(claims, 100, null, 0)).toBeNull();
  });
});
