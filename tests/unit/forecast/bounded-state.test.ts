import { expect, test } from 'vitest';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, encodeModel, LIMITS, type SourceModel } from '../../../src/forecast/model.ts';
import { finishedOf } from './race-builder.ts';

type Race = { readonly title: string; readonly metadata: Record<string, string> };

function teach(model: SourceModel, from: number, to: number, raceOf: (index: number) => Race): number {
  for (let index = from; index < to; index++) {
    const { title, metadata } = raceOf(index);
    const startedAt = 1_000_000 + index * 1_000;
    learn(model, { kind: 'FinishedRace', value: finishedOf(60 + (index % 50), { race_id: `r${index}`, title, metadata, started_at: startedAt, completed_at: startedAt + 60_000 }) });
  }
  return encodeModel(model).length;
}

// A snapshot holds all that is learned and nothing else. What a million values leave in the heap: `npm run bench -- forecast`.
test('a source of ever new titles keeps the newest 5,000; those before leave a few bytes in the mixture, which has its own limit', () => {
  const model = createSourceModel('s');
  const race = (index: number): Race => ({ title: `job ${index}`, metadata: { os: 'linux' } });
  const full = teach(model, 0, 5_500, race);
  expect(model.titles.size).toBe(LIMITS.titles);
  const later = teach(model, 5_500, 7_000, race);
  expect(model.titles.size).toBe(LIMITS.titles);
  expect(model.titles.has('job 6999')).toBe(true);
  expect(model.titles.has('job 1999')).toBe(false);
  // Twelve of them say which race a sample is of.
  expect((later - full) / 1_500).toBeLessThan(60);
  expect(full / LIMITS.titles).toBeLessThan(250);
});

test('a value that is never seen again costs less than eleven bytes, four of which name its race, even before its place is taken', () => {
  const model = createSourceModel('s');
  const race = (index: number): Race => ({ title: `job ${index % 20}`, metadata: { commit: `c${index}`, os: 'linux' } });
  const early = teach(model, 0, 2_000, race);
  const later = teach(model, 2_000, 5_000, race);
  expect((later - early) / 3_000).toBeLessThan(11);
});
