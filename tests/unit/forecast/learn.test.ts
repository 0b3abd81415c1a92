import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FinishedRace, HistoryRecord } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { contextKey, createSourceModel, decodeModel, encodeModel, LIMITS, type SourceModel } from '../../../src/forecast/model.ts';
import { finishedOf, finishedStageOf } from './race-builder.ts';

const DAY_SEC = 86_400;
const taught = (...races: FinishedRace[]): SourceModel => {
  const model = createSourceModel('ci/acme');
  for (const value of races) learn(model, { kind: 'FinishedRace', value });
  return model;
};

const record: fc.Arbitrary<HistoryRecord> = fc.oneof(
  fc.record({ sec: fc.integer({ min: 0, max: 500_000 }), title: fc.constantFrom('a', 'b 1', 'b 2', 'c'), outcome: fc.constantFrom('passed', 'failed', 'canceled', 'abandoned'), stages: fc.nat(4), progress: fc.nat(100) })
    .map(({ sec, title, outcome, stages, progress }): HistoryRecord => ({
      kind: 'FinishedRace',
      value: finishedOf(sec, {
        title, outcome: outcome as FinishedRace['outcome'], progress_points: [{ at: 1_000_000 + sec * 500, progress }],
        stages: Array.from({ length: stages }, (_, i) => finishedStageOf(`s${i}`, 1_000_000 + i * sec * 100, 1_000_000 + (i + 1) * sec * 100)),
      }),
    })),
  fc.nat(100).map((sec): HistoryRecord => ({ kind: 'StageFacts', value: { origin: { epoch: 0, partition: 0, offset: 0, index: 0 }, source: 'ci/acme', facts: [{ race_id: 'r', title: 'a', stage: 's0', occurrence: 1, previous_stage: '', started_at: 0, completed_at: sec * 1000, elapsed_sec: sec, previous_elapsed_sec: 0, previous_leg_sec: 0, planned_sec: null }] } })),
  fc.record({ id: fc.nat(8), sec: fc.nat(2_000), title: fc.constantFrom('a', 'b 1') }).map(({ id, sec, title }): HistoryRecord => ({ kind: 'OverdueRace', value: { source: 'ci/acme', title, race_id: `r${id}`, started_at: 1_000_000 + sec, at: 1_000_000 + 2 * sec } })),
  fc.constantFrom('shadow', 'canary', 'active').map((stage): HistoryRecord => ({ kind: 'ModelSwap', value: { source: 'ci/acme', version: 'v2', stage: stage as 'shadow', share: 10, previous: null, at: 0 } })),
);

describe('learn()', () => {
  test('equal histories give equal bytes, and a model restored halfway goes on as if never stopped', () => {
    fc.assert(fc.property(fc.array(record, { maxLength: 80 }), fc.nat(80), (records, cut) => {
      const straight = createSourceModel('ci/acme');
      let restored = createSourceModel('ci/acme');
      records.forEach((each, i) => {
        if (i === cut) restored = decodeModel(encodeModel(restored));
        learn(straight, each);
        learn(restored, each);
      });
      expect(encodeModel(restored)).toEqual(encodeModel(straight));
      expect(encodeModel(decodeModel(encodeModel(straight)))).toEqual(encodeModel(straight));
    }));
  });

  test('passed and failed races teach; censored ones, corrections and empty durations do not', () => {
    expect(taught(finishedOf(10), finishedOf(20, { outcome: 'failed' })).taught).toBe(2);
    expect(encodeModel(taught(finishedOf(10, { outcome: 'canceled' }), finishedOf(10, { outcome: 'abandoned' }), finishedOf(10, { correction: true, version: 2 }), finishedOf(0))))
      .toEqual(encodeModel(createSourceModel('ci/acme')));
  });

  test('a model stays within its limits, whatever the titles', () => {
    const model = createSourceModel('ci/acme');
    for (let i = 0; i < LIMITS.titles + 500; i++) learn(model, { kind: 'FinishedRace', value: finishedOf(10, { title: `t${i}`, stages: ['a', 'b'].map((name) => finishedStageOf(name, 1_001_000, 1_002_000)) }) });
    for (let i = 0; i < 200; i++) learn(model, { kind: 'FinishedRace', value: finishedOf(10 + i, { title: 'same' }) });
    expect(model.titles.size).toBe(LIMITS.titles);
    expect(model.states.size).toBeLessThanOrEqual(LIMITS.states);
    expect(model.titles.get('same')?.durations.size).toBe(LIMITS.durations);
    expect(model.titles.has('t0')).toBe(false);
    expect(model.titles.has(`t${LIMITS.titles + 499}`)).toBe(true);
    expect(encodeModel(model).length).toBeLessThan(3_000_000);
  });

  test('a title in use is not evicted by others that came once', () => {
    const model = createSourceModel('ci/acme');
    for (let i = 0; i < LIMITS.titles * 2; i++) {
      learn(model, { kind: 'FinishedRace', value: finishedOf(10, { title: `t${i}` }) });
      if (i % 1000 === 0) learn(model, { kind: 'FinishedRace', value: finishedOf(10, { title: 'daily' }) });
    }
    expect(model.titles.get('daily')?.durations.size).toBe(10);
  });

  test('a visit of each state is kept with what remained, also for the whole source', () => {
    const model = taught(finishedOf(100, { stages: [finishedStageOf('test', 1_010_000, 1_060_000)] }));
    // Ordinal, age at entry; as logarithms the age (and 5 s), how long it stayed, what remained, what was expected.
    const visitOf = (state: string) => {
      const [ordinal, entrySec, ...logs] = model.states.get(contextKey('build', state))!.values;
      return [ordinal, entrySec, ...logs.map((log) => Math.round(Math.exp(log) * 1000) / 1000)];
    };
    expect(visitOf('test#1:done')).toEqual([1, 60, 65, 40, 40, 100]);
    expect(visitOf('test#1:started')).toEqual([1, 10, 15, 50, 90, 100]);
    expect(model.states.has(contextKey('', 'test#1:done'))).toBe(true);
  });

  test('a stage event at or after the end is not a state: it would give the end away', () => {
    const model = taught(finishedOf(100, { stages: [finishedStageOf('last', 1_050_000, 1_100_000), finishedStageOf('after', 1_100_000, 1_200_000)] }));
    expect([...model.states.keys()]).toEqual([contextKey('build', 'last#1:started'), contextKey('', 'last#1:started')]);
  });

  test('a swap is remembered: the active version ends its own canary', () => {
    const model = createSourceModel('ci/acme');
    const swap = (stage: 'shadow' | 'canary' | 'active', version: string) => learn(model, { kind: 'ModelSwap', value: { source: 'ci/acme', version, stage, share: 10, previous: null, at: 0 } });
    swap('shadow', 'v1');
    swap('canary', 'v1');
    expect(model.versions).toEqual({ shadow: null, canary: 'v1', active: null, previous: null, canaryShare: 10 });
    swap('active', 'v1');
    expect(model.versions).toEqual({ shadow: null, canary: null, active: 'v1', previous: null, canaryShare: 0 });
  });
});

describe('learn() on stale starts', () => {
  const normal = Array.from({ length: 10 }, (_, i) => finishedOf(600 + i));

  test('a burst of 400-day re-runs that end together teaches nothing', () => {
    const burst = Array.from({ length: 60 }, (_, i) => finishedOf(400 * DAY_SEC + i, { started_at: 1_000_000 + i * 1000 }));
    const model = taught(...normal, ...burst);
    expect(model.taught).toBe(10);
    expect(model.stale).toBe(60);
  });

  test('without history 400 days are stale, 30 days are not', () => {
    expect(taught(finishedOf(400 * DAY_SEC)).taught).toBe(0);
    expect(taught(finishedOf(30 * DAY_SEC)).taught).toBe(1);
  });

  test('a process of 30 days goes on teaching at 200', () => {
    expect(taught(...Array.from({ length: 10 }, () => finishedOf(30 * DAY_SEC)), finishedOf(200 * DAY_SEC)).stale).toBe(0);
  });

  test('long runs one after another are a change: the third teaches', () => {
    const long = [0, 1, 2, 3].map((i) => finishedOf(3 * DAY_SEC, { started_at: 1_000_000 + i * 4 * DAY_SEC * 1000 }));
    const model = taught(...normal, ...long);
    expect(model.stale).toBe(2);
    expect(model.taught).toBe(12);
  });
});
