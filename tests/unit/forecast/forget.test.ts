import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FinishedRace, HistoryRecord } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { blend } from '../../../src/forecast/blend.ts';
import { createSourceModel, decodeModel, DURATION, encodeModel, type SourceModel } from '../../../src/forecast/model.ts';
import { cell, type Ring } from '../../../src/forecast/ring.ts';
import { createTaughtRaces, noteTaught, ordinalsOf, taughtColumn, taughtRacesOf } from '../../../src/forecast/taught-races.ts';
import { finishedOf, finishedStageOf } from './race-builder.ts';

const origin = { epoch: 0, partition: 0, offset: 0, index: 0 };
const finish = (id: string, sec: number, more: Partial<FinishedRace> = {}): HistoryRecord => ({ kind: 'FinishedRace', value: finishedOf(sec, { race_id: id, ...more }) });
const forget = (id: string): HistoryRecord => ({ kind: 'Forget', value: { origin, source: 'ci/acme', race_id: id, at: 0 } });
const leg = (id: string, title: string): HistoryRecord => ({
  kind: 'StageFacts',
  value: { origin, source: 'ci/acme', facts: [{ race_id: id, title, stage: 's0', occurrence: 1, previous_stage: '', started_at: 0, completed_at: 7_000, elapsed_sec: 7, previous_elapsed_sec: 0, previous_leg_sec: 0, planned_sec: null }] },
});

function taught(...records: readonly HistoryRecord[]): SourceModel {
  const model = createSourceModel('ci/acme');
  for (const record of records) learn(model, record);
  return model;
}

const column = (ring: Ring | undefined, at: number): number[] => Array.from({ length: ring?.size ?? 0 }, (_, row) => cell(ring!, row, at));
const durations = (model: SourceModel, title = 'build'): number[] => column(model.titles.get(title)?.durations, DURATION.sec);
/** Every sample of log duration that the mixture holds. */
function samples({ mixture: { cells, long, recent } }: SourceModel): number[] {
  const held: number[] = Array.from(recent.logs.subarray(0, recent.size));
  for (const { count, width, sizes, values } of [cells, long]) {
    for (let slot = 0; slot < count; slot++) held.push(...values.slice(slot * width, slot * width + sizes[slot]!));
  }
  return held;
}
const holds = (model: SourceModel, sec: number): boolean => samples(model).includes(Math.fround(Math.log(sec)));

describe('forgetting a race', () => {
  test('takes its samples out of every memory and leaves those of the others', () => {
    const metadata = { branch: 'main', runner: 'a' };
    const model = taught(finish('a', 100, { metadata }), finish('b', 777, { metadata }), finish('c', 110, { metadata }));
    expect(holds(model, 777)).toBe(true);
    learn(model, forget('b'));
    expect(durations(model)).toEqual([100, 110]);
    expect(column(model.durations, DURATION.sec)).toEqual([100, 110]);
    expect([100, 777, 110].map((sec) => holds(model, sec))).toEqual([true, false, true]);
    learn(model, forget('never taught'));
    expect(durations(model)).toEqual([100, 110]);
  });

  test('takes all attempts of it, and nothing that comes after', () => {
    const model = taught(finish('a', 100), finish('a', 200, { attempt: 2 }), forget('a'), finish('a', 300));
    expect(durations(model)).toEqual([300]);
  });

  test('of all that was taught leaves a source that learns again as a new one would', () => {
    const stages = [finishedStageOf('compile', 1_000_000, 1_010_000)];
    const model = taught(finish('a', 50, { stages }), finish('b', 60, { stages }), forget('a'), forget('b'), finish('c', 70, { stages }), finish('d', 80, { stages }));
    expect(durations(model)).toEqual([70, 80]);
    expect(samples(model).every((log) => log > Math.log(1.01) ? log >= Math.fround(Math.log(70)) : true)).toBe(true);
    expect(blend(model.mixture, { title: 'build', startedAtMs: 0, metadata: [] })).not.toBeNull();
  });

  test('leaves no word of a title that only it had, and its forecasts are gone', () => {
    const stages = [finishedStageOf('compile', 1_000_000, 1_010_000)];
    const model = taught(finish('b', 50, { title: 'secret title', stages }), leg('c', 'secret title'), forget('b'), forget('c'));
    expect(Buffer.from(encodeModel(model)).includes('secret')).toBe(false);
    expect(blend(model.mixture, { title: 'secret title', startedAtMs: 0, metadata: [] })).toBeNull();
    learn(model, finish('d', 60, { title: 'other' }));
    expect(durations(model, 'other')).toEqual([60]);
  });

  test('of a model restored from its bytes is the same, in whatever order races come and go', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 5_000 }), fc.constantFrom('x', 'y'), fc.nat(3)).map(([id, sec, title, stages]) => finish(`r${id}`, sec, {
        title, metadata: { branch: `b${id % 3}`, commit: `c${id}` }, stages: Array.from({ length: stages }, (_, i) => finishedStageOf(`s${i}`, 1_000_000 + i * sec * 100, 1_000_000 + (i + 1) * sec * 100)),
      })) },
      { weight: 1, arbitrary: fc.nat(30).map((id) => forget(`r${id}`)) },
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), fc.nat(120), (steps, cut) => {
      const straight = createSourceModel('ci/acme');
      let restored = createSourceModel('ci/acme');
      const living = new Map<string, number[]>();
      for (const [i, record] of steps.entries()) {
        if (i === cut) restored = decodeModel(encodeModel(restored));
        learn(straight, record);
        learn(restored, record);
        if (record.kind === 'Forget') living.delete(record.value.race_id);
        if (record.kind === 'FinishedRace') living.set(record.value.race_id, [...(living.get(record.value.race_id) ?? []), record.value.duration_sec]);
      }
      expect(encodeModel(restored)).toEqual(encodeModel(straight));
      // A forecast from what is left, or none: never a failure.
      blend(straight.mixture, { title: 'x', startedAtMs: 0, metadata: [{ key: 'branch', value: 'b1' }] });
      const allowed = [...living.values()].flat();
      for (const title of ['x', 'y']) for (const sec of durations(straight, title)) expect(allowed).toContain(sec);
    }));
  });
});

test('the newest 16,384 races are found again, restored or not', () => {
  const races = createTaughtRaces();
  for (let i = 0; i < 20_000; i++) noteTaught(races, `r${i}`);
  const restored = taughtRacesOf(taughtColumn(races));
  for (const each of [races, restored]) {
    expect(ordinalsOf(each, 'r19999', 20_000)).toEqual(new Set([19_999]));
    expect(ordinalsOf(each, 'r3616', 20_000)).toEqual(new Set([3_616]));
    expect(ordinalsOf(each, 'r3615', 20_000)).toEqual(new Set());
  }
  noteTaught(races, 'r3700');
  expect(ordinalsOf(races, 'r3700', 20_001)).toEqual(new Set([3_700, 20_000]));
});
