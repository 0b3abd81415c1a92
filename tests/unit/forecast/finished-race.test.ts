import { describe, expect, test } from 'vitest';
import { finishedRace, stageFacts } from '../../../src/forecast/finished-race.ts';
import { raceOf, stageOf } from './race-builder.ts';

const START = 1_000_000;
const at = (sec: number) => START + sec * 1000;
const origin = { epoch: 1, partition: 2, offset: 3, index: 0 };

describe('finishedRace()', () => {
  test('carries the facts, with stages numbered by their order where they are not', () => {
    const race = raceOf({
      state: 'passed', completed_at: at(60.5), version: 1, first_at: START - 500, metadata: [{ key: 'k', value: 'v', at: 0 }, { key: 'gone', value: null, at: 0 }], revision: 4, eta_sec: 55,
      stages: [stageOf('a', START, at(10)), { ...stageOf('b', at(10), at(60)), seq: 7 }, stageOf('c', null, null)],
    });
    expect(finishedRace(race, origin)).toMatchObject({
      origin, outcome: 'passed', started_at: START, completed_at: at(60.5), duration_sec: 60.5, submitted_at: START - 500, metadata: { k: 'v' }, correction: false, revisions: 4, client_eta_sec: 55,
      stages: [{ name: 'a', seq: 0, state: 'passed' }, { name: 'b', seq: 7 }, { name: 'c', seq: 2, state: 'pending' }],
    });
  });

  test('a later version is a correction', () => {
    expect(finishedRace(raceOf({ state: 'failed', completed_at: at(1), version: 2 }), origin)).toMatchObject({ correction: true, version: 2, outcome: 'failed' });
  });

  test('without a start it lasted nothing', () => {
    expect(finishedRace(raceOf({ state: 'canceled', started_at: null, completed_at: at(9) }), origin)).toMatchObject({ duration_sec: 0, started_at: at(9) });
  });

  test('refuses a race that runs', () => {
    expect(() => finishedRace(raceOf(), origin)).toThrow('a finished race is expected');
  });
});

describe('stageFacts()', () => {
  test('tells what each stage that ended has shown, and what came before it', () => {
    const [a, b] = [stageOf('a', START, at(10)), stageOf('b', at(12), at(40))];
    expect(stageFacts(raceOf({ stages: [a, b, stageOf('c', at(40), null)] }), [b], () => origin)).toEqual({
      origin, source: 'ci/acme',
      facts: [{ race_id: 'r1', title: 'build', stage: 'b', occurrence: 1, previous_stage: 'a#1', started_at: at(12), completed_at: at(40), elapsed_sec: 40, previous_elapsed_sec: 10, previous_leg_sec: 10, planned_sec: null, passage: null }],
    });
  });

  test('a stage without a start began where the one before it ended, the first at the start of the race', () => {
    const [a, b] = [stageOf('a', null, at(10)), stageOf('b', null, at(40))];
    const facts = stageFacts(raceOf({ stages: [a, b] }), [a, b], () => origin)!.facts;
    expect(facts.map(({ previous_stage, started_at }) => [previous_stage, started_at])).toEqual([['', START], ['a#1', at(10)]]);
  });

  test('asks for no origin when there is nothing to tell', () => {
    const refuse = () => { throw new Error('asked'); };
    expect(stageFacts(raceOf(), [{ ...stageOf('a', START, at(1)), state: 'skipped' }, stageOf('b', START, null)], refuse)).toBeNull();
    expect(stageFacts(raceOf({ started_at: null }), [stageOf('a', START, at(1))], refuse)).toBeNull();
  });
});
