import { describe, expect, test } from 'vitest';
import { conditionOn, distributionOf, massBelow } from '../../../src/forecast/distribution.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, type SourceModel } from '../../../src/forecast/model.ts';
import type { Place } from '../../../src/forecast/stages.ts';
import { voicesOf, type Voice } from '../../../src/forecast/voices.ts';
import { finishedOf, finishedStageOf } from './race-builder.ts';

const DAY_MS = 86_400_000;
/** A race whose first stage takes `first` seconds, and which then takes `rest` more; one a day. */
const raceOn = (day: number, first: number, rest: number, title = 'build'): FinishedRace => {
  const start = day * DAY_MS;
  return finishedOf(first + rest, { title, started_at: start, stages: [finishedStageOf('first', start, start + 1000 * first)] });
};
const modelOf = (races: readonly FinishedRace[]): SourceModel => {
  const model = createSourceModel('ci/acme');
  for (const value of races) learn(model, { kind: 'FinishedRace', value });
  return model;
};
const after = (firstSec: number, day: number): Place => ({ state: 'first#1:done', stage: 'first#1', entrySec: firstSec, atMs: day * DAY_MS + 1000 * firstSec });
const HISTORY = distributionOf([60, 600], [1, 1]);
const heard = (model: SourceModel, place: Place, title = 'build', elapsedSec = place.entrySec): Voice[] =>
  voicesOf(model, title, place, elapsedSec, { stage: place.stage ?? '', elapsedSec: place.entrySec, legSec: place.entrySec }, null, conditionOn(HISTORY, elapsedSec), 1 - massBelow(HISTORY, elapsedSec), 300);
const meanOf = (voices: readonly Voice[], sec: number) => voices.reduce((sum, { weight, distribution }) => sum + weight * massBelow(distribution, sec), 0);

describe('voicesOf()', () => {
  test('the history is alone at the start, and where nobody has been', () => {
    const model = modelOf(Array.from({ length: 5 }, (_, day) => raceOn(day, 20, 40)));
    expect(heard(model, { state: '', stage: null, entrySec: 0, atMs: 0 })).toHaveLength(1);
    expect(heard(model, { ...after(20, 9), state: 'nowhere#1:done', stage: 'nowhere#1' })).toEqual([{ distribution: conditionOn(HISTORY, 20), weight: 1 }]);
  });

  test('weights sum to 1, and no voice has mass before the age', () => {
    const model = modelOf(Array.from({ length: 12 }, (_, day) => raceOn(day, 20 + day, 40 + 3 * day)));
    const voices = heard(model, after(25, 30), 'build', 40);
    expect(voices.length).toBeGreaterThan(1);
    expect(voices.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1);
    for (const { distribution } of voices) expect(massBelow(distribution, 40)).toBeLessThan(1e-9);
  });

  test('who was as old when it came here tells what remains: a hit from a miss', () => {
    const model = modelOf(Array.from({ length: 40 }, (_, day) => (day % 2 === 0 ? raceOn(day, 10, 50 + (day % 5)) : raceOn(day, 200, 400 + (day % 7)))));
    expect(meanOf(heard(model, after(10, 50)), 100)).toBeGreaterThan(0.8);
    expect(meanOf(heard(model, after(200, 50)), 400)).toBeLessThan(0.2);
  });

  test('a voice that was right before is believed more', () => {
    // The first stage tells a hit from a miss, which the history at submission cannot.
    const both = (days: number) => modelOf(Array.from({ length: days }, (_, day) => ((day * 7) % 10 < 5 ? raceOn(day, 10, 50 + (day % 5)) : raceOn(day, 200, 400 + (day % 7)))));
    const historyWeight = (days: number) => heard(both(days), after(200, 90))[0]!.weight;
    expect(historyWeight(80)).toBeLessThan(0.7 * historyWeight(6));
  });

  test('a title that never was in a state hears of others that were', () => {
    const model = modelOf(Array.from({ length: 20 }, (_, day) => raceOn(day, 20, 280, `title ${day % 4}`)));
    expect(heard(model, after(20, 90), 'newcomer').length).toBeGreaterThan(1);
  });

  test('those who began together and have ended were the fast ones: they hardly count', () => {
    const start = 5 * DAY_MS;
    const together = Array.from({ length: 20 }, (_, i) => finishedOf(1000 + i, { started_at: start, stages: [finishedStageOf('first', start, start + 400_000)] }));
    const apart = Array.from({ length: 20 }, (_, i) => raceOn(i, 400, 600 + i));
    const place = after(450, 5);
    const legs = (model: SourceModel) => {
      for (let i = 0; i < 10; i++) learn(model, { kind: 'StageFacts', value: { origin: { epoch: 0, partition: 0, offset: 0, index: 0 }, source: 'ci/acme', facts: [{ race_id: `r${i}`, title: 'build', stage: 'first', occurrence: 1, previous_stage: '', started_at: start, completed_at: start + 400_000, elapsed_sec: 400 + i, previous_elapsed_sec: 0, previous_leg_sec: 0, planned_sec: null }] } });
      return model;
    };
    // The history, the chain, then all visits as one.
    const chainWeight = (races: readonly FinishedRace[]) => heard(legs(modelOf(races)), place, 'build', 460)[1]!.weight;
    expect(chainWeight(together)).toBeGreaterThan(2 * chainWeight(apart));
  });
});
