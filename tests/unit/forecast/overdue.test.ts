import { describe, expect, test } from 'vitest';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import type { HistoryRecord } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, decodeModel, encodeModel, LIMITS, type SourceModel } from '../../../src/forecast/model.ts';
import { finishedOf, raceOf } from './race-builder.ts';

const START = 1_000_000_000;
const at = (sec: number) => START + sec * 1000;
const overdue = (race_id: string, startedSec: number, title = 'build'): HistoryRecord => ({ kind: 'OverdueRace', value: { source: 'ci/acme', title, race_id, started_at: at(startedSec), at: at(startedSec + 150) } });
const ended = (race_id: string, startedSec: number, sec: number, more: Parameters<typeof finishedOf>[1] = {}): HistoryRecord => ({ kind: 'FinishedRace', value: finishedOf(sec, { race_id, started_at: at(startedSec), completed_at: at(startedSec + sec), ...more }) });

/** Of twenty runs that have ended, every third took 900 s, the others 100. */
function twoKinds(): SourceModel {
  const model = createSourceModel('ci/acme');
  for (let i = 0; i < 20; i++) learn(model, ended(`old${i}`, 1000 * (i - 20), i % 3 === 0 ? 900 : 100));
  return model;
}
/** Of a race that is submitted then: what is expected of one under way is kept for a while. */
const etaAt = (model: SourceModel, sec: number, race_id: string): number => forecastRace(model, raceOf({ race_id, started_at: at(sec) }), at(sec)).etaSec;
const knows = (model: SourceModel, title = 'build'): number[] => (model.overdue.get(title) ?? []).map(({ startedAtMs }) => (startedAtMs - START) / 1000);

describe('overdue races', () => {
  test('make what is submitted beside them expect to take as long, before any of them has ended', () => {
    const model = twoKinds();
    expect(etaAt(model, 400, 'before')).toBeLessThan(130);
    for (const [i, id] of ['a', 'b', 'c', 'd'].entries()) learn(model, overdue(id, i));
    expect(etaAt(model, 400, 'beside')).toBeGreaterThan(800);
    // Those that are young yet may be of the short kind.
    expect(etaAt(model, 40, 'sooner')).toBeLessThan(130);
  });

  test('say nothing of themselves, of other titles, or of how long it takes who is older than all', () => {
    const model = twoKinds();
    const before = etaAt(model, 400, 'before');
    learn(model, overdue('itself', 0));
    for (const id of ['a', 'b', 'c', 'd']) learn(model, overdue(id, 0, 'lint'));
    expect(etaAt(model, 400, 'itself')).toBe(before);
    for (const id of ['a', 'b', 'c', 'd']) learn(model, overdue(id, 1));
    expect(knows(model)).toHaveLength(5);
    expect(etaAt(model, 400, 'beside')).toBeGreaterThan(800);
    expect(etaAt(model, 100_000, 'much later')).toBe(etaAt(twoKinds(), 100_000, 'much later'));
  });

  test('are those that nobody has overtaken: a later start that ended, before or after it was said', () => {
    const model = twoKinds();
    for (const [i, id] of ['a', 'b', 'c'].entries()) learn(model, overdue(id, 10 * i));
    learn(model, ended('quick', 15, 100));
    expect(knows(model)).toEqual([20]);
    learn(model, overdue('d', 12));
    expect(knows(model)).toEqual([20]);
    learn(model, ended('canceled', 30, 5, { outcome: 'canceled' }));
    expect(knows(model)).toEqual([20]);
    learn(model, ended('later', 40, 100));
    expect(model.overdue.size).toBe(0);
  });

  test.each(['passed', 'failed', 'canceled', 'abandoned'] as const)('are not any more when they have ended (%s)', (outcome) => {
    const model = twoKinds();
    for (const id of ['a', 'b']) learn(model, overdue(id, 0));
    learn(model, ended('a', 0, 500, { outcome }));
    expect(knows(model)).toEqual(outcome === 'passed' || outcome === 'failed' ? [] : [0]);
  });

  test('said twice are known once, and forgotten leave nothing', () => {
    const model = twoKinds();
    const empty = encodeModel(model);
    learn(model, overdue('a', 3));
    learn(model, overdue('a', 3));
    expect(knows(model)).toEqual([3]);
    learn(model, { kind: 'Forget', value: { origin: { epoch: 0, partition: 0, offset: 0, index: 0 }, source: 'ci/acme', race_id: 'a', at: 0 } });
    expect(encodeModel(model)).toEqual(empty);
  });

  test('are kept within limits, the newest of each title, and come back from storage', () => {
    const model = createSourceModel('ci/acme');
    for (let i = 0; i < LIMITS.overdue + 10; i++) learn(model, overdue('x', i, `t${i}`));
    for (const i of [7, 3, 9, 1, 5, 8, 2]) learn(model, overdue(`r${i}`, i));
    expect(model.overdue.size).toBe(LIMITS.overdue);
    expect(knows(model)).toEqual([3, 5, 7, 8, 9]);
    expect([...decodeModel(encodeModel(model)).overdue]).toEqual([...model.overdue]);
  });
});
