import { describe, expect, test } from 'vitest';
import { MAX_STAGES } from '../../../src/race/state.ts';
import { applied, fold, lastResult, raceAfter, sec, stage, updateAt } from './updates.ts';

describe('stages', () => {
  test('start and end at `at` when no times are told', () => {
    const race = raceAfter(updateAt(10, { stage: stage('build', 'running') }), updateAt(20, { stage: stage('build', 'passed') }));
    expect(race.stages).toEqual([
      { name: 'build', occurrence: 1, seq: null, state: 'passed', started_at: sec(10), completed_at: sec(20), planned_sec: null, at: sec(20) },
    ]);
  });

  test('take told times over derived ones', () => {
    const race = raceAfter(
      updateAt(10, { stage: stage('build', 'running') }),
      updateAt(20, { stage: stage('build', 'failed', { started_at: sec(8), completed_at: sec(19) }) }),
    );
    expect(race.stages[0]).toMatchObject({ state: 'failed', started_at: sec(8), completed_at: sec(19) });
  });

  test('take a start that arrives after the end', () => {
    const result = lastResult(updateAt(20, { stage: stage('build', 'passed') }), updateAt(10, { stage: stage('build', 'running') }));
    expect(applied(result).race.stages).toMatchObject([{ state: 'passed', started_at: sec(10), completed_at: sec(20), at: sec(20) }]);
  });

  test('are late when older reports tell nothing new', () => {
    expect(lastResult(
      updateAt(10, { stage: stage('build', 'running') }), updateAt(30, { stage: stage('build', 'running') }),
      updateAt(20, { stage: stage('build', 'running') }),
    ).outcome).toBe('late');
  });

  test('that start again after their end are the next occurrence', () => {
    const race = raceAfter(
      updateAt(10, { stage: stage('test', 'running') }), updateAt(20, { stage: stage('test', 'failed') }),
      updateAt(30, { stage: stage('test', 'running') }), updateAt(40, { stage: stage('test', 'passed') }),
    );
    expect(race.stages).toMatchObject([
      { occurrence: 1, state: 'failed', started_at: sec(10), completed_at: sec(20) },
      { occurrence: 2, state: 'passed', started_at: sec(30), completed_at: sec(40) },
    ]);
  });

  test('told whole in one record after an earlier one are the next occurrence', () => {
    const whole = (from: number, to: number): ReturnType<typeof stage> => stage('test', 'passed', { started_at: sec(from), completed_at: sec(to) });
    const race = raceAfter(updateAt(20, { stage: whole(10, 20) }), updateAt(40, { stage: whole(30, 40) }));
    expect(race.stages.map((one) => one.occurrence)).toEqual([1, 2]);
  });

  test('are the same stage when its end is told again, later, with the same start', () => {
    const race = raceAfter(
      updateAt(20, { stage: stage('test', 'passed', { started_at: sec(10) }) }),
      updateAt(90, { stage: stage('test', 'failed', { started_at: sec(10) }) }),
    );
    expect(race.stages).toMatchObject([{ occurrence: 1, state: 'failed', started_at: sec(10), completed_at: sec(20) }]);
  });

  test('repeated reports of an earlier occurrence leave the later one alone', () => {
    const updates = [
      updateAt(10, { stage: stage('test', 'running') }), updateAt(20, { stage: stage('test', 'failed') }),
      updateAt(30, { stage: stage('test', 'running') }),
    ];
    const { race, results } = fold([...updates, updates[0]!, updates[1]!]);
    expect(results.slice(3).map((result) => result.outcome)).toEqual(['duplicate', 'duplicate']);
    expect(race?.stages).toHaveLength(2);
  });

  test('are told apart by seq, and numbered by it whatever comes first', () => {
    const race = raceAfter(
      updateAt(40, { stage: stage('test', 'running', { seq: 5 }) }), updateAt(10, { stage: stage('test', 'failed', { seq: 2 }) }),
      updateAt(50, { stage: stage('test', 'passed', { seq: 5 }) }),
    );
    expect(race.stages).toMatchObject([
      { seq: 2, occurrence: 1, state: 'failed' }, { seq: 5, occurrence: 2, state: 'passed', started_at: sec(40), completed_at: sec(50) },
    ]);
  });

  test('with seq that run again are open again', () => {
    const race = raceAfter(
      updateAt(10, { stage: stage('test', 'running', { seq: 1 }) }), updateAt(20, { stage: stage('test', 'failed', { seq: 1 }) }),
      updateAt(30, { stage: stage('test', 'running', { seq: 1, started_at: sec(30) }) }),
    );
    expect(race.stages).toMatchObject([{ occurrence: 1, state: 'running', started_at: sec(30), completed_at: null }]);
  });

  test('that run again do not take the end of before, when it is told late', () => {
    const race = raceAfter(
      updateAt(10, { stage: stage('test', 'running', { seq: 1 }) }), updateAt(30, { stage: stage('test', 'running', { seq: 1 }) }),
      updateAt(20, { stage: stage('test', 'failed', { seq: 1, planned_sec: 5 }) }),
    );
    expect(race.stages).toMatchObject([{ state: 'running', completed_at: null, planned_sec: 5 }]);
  });

  test('are in the order of their starts, those to come last', () => {
    const race = raceAfter(
      updateAt(1, { stage: stage('deploy', 'pending', { seq: 3 }) }), updateAt(2, { stage: stage('lint', 'pending', { seq: 2 }) }),
      updateAt(30, { stage: stage('test', 'running') }), updateAt(31, { stage: stage('build', 'passed', { started_at: sec(5), completed_at: sec(9) }) }),
    );
    expect(race.stages.map((one) => one.name)).toEqual(['build', 'test', 'lint', 'deploy']);
  });

  test('never end before they start, however the clocks differ', () => {
    const race = raceAfter(
      updateAt(10, { stage: stage('build', 'running') }), updateAt(20, { stage: stage('build', 'passed', { completed_at: sec(9) }) }),
    );
    expect(race.stages[0]).toMatchObject({ started_at: sec(10), completed_at: sec(10) });
  });

  test('that were skipped have no start', () => {
    expect(raceAfter(updateAt(10, { stage: stage('deploy', 'skipped') })).stages[0]).toMatchObject({ started_at: null, completed_at: sec(10) });
  });

  test(`beyond ${MAX_STAGES} drop the oldest finished one, counted`, () => {
    const updates = [updateAt(0, { stage: stage('open', 'running') })];
    for (let i = 1; i <= MAX_STAGES; i++) updates.push(updateAt(i, { stage: stage(`s${i}`, 'passed', { seq: i, started_at: sec(i) }) }));
    const race = raceAfter(...updates);
    expect(race.stages).toHaveLength(MAX_STAGES);
    expect(race.stages_dropped).toBe(1);
    expect(race.stages[0]?.name).toBe('open');
    expect(race.stages[1]?.name).toBe('s2');
    const again = fold([updates[1]!], race);
    expect(again.results[0]?.outcome).toBe('late');
  });

  test('that begin say that the race runs, and since when', () => {
    const result = applied(lastResult(
      updateAt(0, { state: 'queued', queued_at: sec(0) }), updateAt(10, { stage: stage('build', 'running', { started_at: sec(9) }) }),
    ));
    expect(result.race).toMatchObject({ state: 'running', started_at: sec(9), started_derived: true });
    expect(result.change).toMatchObject({ reason: 'started', started: true, significant: true });
  });

  test('that are pending or skipped do not', () => {
    expect(raceAfter(updateAt(0, { state: 'queued' }), updateAt(1, { stage: stage('a', 'pending') })).state).toBe('queued');
    expect(raceAfter(updateAt(0, { state: 'queued' }), updateAt(1, { stage: stage('a', 'skipped') })).state).toBe('queued');
  });

  test('that ended are handed on', () => {
    const result = applied(lastResult(
      updateAt(0, { state: 'running' }), updateAt(1, { stage: stage('a', 'running') }), updateAt(2, { stage: stage('a', 'passed') }),
    ));
    expect(result.change).toMatchObject({ reason: 'stage_done', significant: true, finishedStages: [{ name: 'a', completed_at: sec(2) }] });
  });

  test('that ended on a route are passages', () => {
    const result = applied(lastResult(updateAt(0, { state: 'running', route_id: 'line' }), updateAt(1, { stage: stage('a', 'passed') })));
    expect(result.change).toMatchObject({ reason: 'passage', significant: true });
  });

  test('that say again that they run are no change of state', () => {
    const result = applied(lastResult(
      updateAt(0, { state: 'running' }), updateAt(1, { stage: stage('a', 'running') }), updateAt(2, { stage: stage('a', 'running') }),
    ));
    expect(result.change).toMatchObject({ reason: 'other', significant: false, finishedStages: [] });
  });
});
