import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forecastRace, MAX_FORECAST_SEC, type Forecast } from '../../../src/forecast/forecast.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel, encodeModel, type SourceModel } from '../../../src/forecast/model.ts';
import { finishedOf, finishedStageOf, raceOf, stageOf } from './race-builder.ts';

const START = 1_000_000;
const at = (sec: number) => START + sec * 1000;
const modelOf = (...races: FinishedRace[]): SourceModel => {
  const model = createSourceModel('ci/acme');
  for (const value of races) learn(model, { kind: 'FinishedRace', value });
  return model;
};
const times = (n: number, sec: number, overrides: Partial<FinishedRace> = {}) => Array.from({ length: n }, () => finishedOf(sec, overrides));
const isOrdered = (f: Forecast) => [f.p10Sec, f.p25Sec, f.p50Sec, f.p75Sec, f.p90Sec].every((value, i, all) => Number.isFinite(value) && (i === 0 || value >= all[i - 1]!));

describe('forecastRace() at submission', () => {
  test('without history it is the bootstrap table', () => {
    const forecast = forecastRace(undefined, raceOf({ source: 'cargo' }), START);
    expect(forecast.basis).toBe('bootstrap');
    expect(forecast.etaSec).toBeGreaterThan(38);
    expect(forecast.etaSec).toBeLessThan(53);
    expect(forecast.confidence).toBeLessThan(0.15);
  });

  test('one run of the title is believed; the source only fills in for an unknown title', () => {
    const model = modelOf(...times(20, 600, { title: 'deploy' }), finishedOf(60));
    expect(forecastRace(model, raceOf(), START)).toMatchObject({ basis: 'key' });
    expect(Math.abs(forecastRace(model, raceOf(), START).etaSec - 60)).toBeLessThan(6);
    const unknown = forecastRace(model, raceOf({ title: 'lint' }), START);
    expect(unknown.basis).toBe('source');
    expect(Math.abs(unknown.etaSec - 600)).toBeLessThan(60);
  });

  test('nothing is said beyond ten years, or beyond the age of a race that is older', () => {
    const endless = forecastRace(undefined, raceOf({ eta_sec: 1e12, eta_kind: 'total' }), START);
    expect([endless.etaSec, endless.p10Sec, endless.p90Sec]).toEqual([MAX_FORECAST_SEC, MAX_FORECAST_SEC, MAX_FORECAST_SEC]);
    const ageSec = 2 * MAX_FORECAST_SEC;
    const old = forecastRace(modelOf(...times(5, 300)), raceOf({ state: 'running', started_at: START }), at(ageSec));
    expect([old.etaSec, old.p90Sec]).toEqual([ageSec, ageSec]);
  });

  test('an unknown title is not taken for the one that ran last', () => {
    const model = modelOf(...times(30, 60), ...times(5, 600_000, { title: 'yearly' }));
    expect(Math.abs(forecastRace(model, raceOf({ title: 'lint' }), START).etaSec - 60)).toBeLessThan(6);
  });

  test('a title that differs by a number has its kind’s history', () => {
    const model = modelOf(...times(5, 900, { title: 'other' }), ...times(5, 120, { title: 'PR #17' }), ...times(5, 900, { title: 'other' }));
    const forecast = forecastRace(model, raceOf({ title: 'PR #18' }), START);
    expect(forecast.basis).toBe('key');
    expect(Math.abs(forecast.etaSec - 120)).toBeLessThan(12);
  });

  test('a level shift is followed within five runs', () => {
    const model = modelOf(...times(50, 300), ...times(5, 600));
    expect(Math.abs(forecastRace(model, raceOf(), START).etaSec - 600)).toBeLessThan(60);
  });

  test('repeats make it sure, spread makes it unsure', () => {
    const sure = forecastRace(modelOf(...times(20, 300)), raceOf(), START);
    const unsure = forecastRace(modelOf(...[60, 100, 200, 400, 800, 1600].map((sec) => finishedOf(sec))), raceOf(), START);
    expect(sure.confidence).toBeGreaterThan(0.75);
    expect(unsure.confidence).toBeLessThan(0.5);
  });

  test('failed runs count less than passed ones', () => {
    const model = modelOf(...[1, 2, 3, 4].flatMap(() => [finishedOf(300), finishedOf(20, { outcome: 'failed' })]));
    expect(forecastRace(model, raceOf(), START).etaSec).toBeGreaterThan(250);
  });

  test('a producer’s own estimate serves where there is no history, total or remaining', () => {
    const race = raceOf({ eta_sec: 500, eta_kind: 'remaining', field_at: { ...raceOf().field_at, eta: at(100) } });
    expect(forecastRace(undefined, race, at(100)).basis).toBe('client');
    expect(Math.abs(forecastRace(undefined, race, at(100)).etaSec - 600)).toBeLessThan(40);
    expect(Math.abs(forecastRace(undefined, { ...race, eta_kind: 'total' }, at(100)).etaSec - 500)).toBeLessThan(40);
    expect(forecastRace(modelOf(finishedOf(60)), race, at(10)).basis).toBe('key');
  });

  test('a plan serves where there is no history, and keeps what was lost on the way', () => {
    const plan = [100, 200, 300].map((planned_sec, i) => ({ name: `leg ${i}`, planned_sec, planned_at: null }));
    expect(forecastRace(undefined, raceOf({ plan }), START).basis).toBe('plan');
    expect(Math.abs(forecastRace(undefined, raceOf({ plan }), START).etaSec - 600)).toBeLessThan(40);
    const late = raceOf({ plan, stages: [stageOf('leg 0', START, at(400))] });
    expect(Math.abs(forecastRace(undefined, late, at(400)).etaSec - 900)).toBeLessThan(60);
  });

  test('a deadline has a probability', () => {
    const model = modelOf(...times(20, 300));
    expect(forecastRace(model, raceOf({ deadline_at: at(3000) }), START).deadlineProbability).toBeGreaterThan(0.95);
    expect(forecastRace(model, raceOf({ deadline_at: at(100) }), START).deadlineProbability).toBeLessThan(0.1);
    expect(forecastRace(model, raceOf(), START).deadlineProbability).toBeNull();
  });
});

describe('forecastRace() of a running race', () => {
  test('is ordered, finite and never below the age, whatever the history and the age', () => {
    fc.assert(fc.property(
      fc.array(fc.integer({ min: 1, max: 1e6 }), { maxLength: 40 }), fc.integer({ min: 0, max: 3e7 }), fc.option(fc.integer({ min: 0, max: 100 })), fc.array(fc.integer({ min: 0, max: 1e6 }), { maxLength: 5 }),
      (durations, ageSec, progress, stageEnds) => {
        const model = modelOf(...durations.map((sec) => finishedOf(sec, { stages: [finishedStageOf('s0', START, at(sec / 2))] })));
        const stages = stageEnds.filter((sec) => sec <= ageSec).map((sec, i) => stageOf(`s${i}`, START, at(sec)));
        const race = raceOf({ stages, progress_points: progress === null ? [] : [{ at: at(ageSec * 0.7), progress }] });
        const forecast = forecastRace(model, race, at(ageSec));
        expect(isOrdered(forecast)).toBe(true);
        expect(forecast.p10Sec).toBeGreaterThanOrEqual(ageSec);
        expect(forecast.etaSec).toBeGreaterThanOrEqual(ageSec);
        expect(forecast.confidence).toBeGreaterThanOrEqual(0);
        expect(forecast.confidence).toBeLessThanOrEqual(1);
      },
    ));
  });

  test('is conditioned on its age: the slow mode, once the fast one has passed', () => {
    const model = modelOf(...Array.from({ length: 20 }, (_, i) => finishedOf(i % 3 === 0 ? 300 : 30)));
    expect(forecastRace(model, raceOf(), START).etaSec).toBeLessThan(40);
    expect(forecastRace(model, raceOf(), at(60)).etaSec).toBeGreaterThan(250);
  });

  test('tells what leaving a published finish would lose, and where to show it', () => {
    const model = modelOf(...times(20, 300), ...times(20, 600));
    const published = { ...raceOf(), display: { finish_at: at(300), state: 'stable' as const }, published: { issued_at: START, event_at: START, eta_sec: 600, p10_sec: 300, p50_sec: 450, p90_sec: 600, confidence: 0.5, basis: 'key' as const, reason: 'submitted' as const, model_version: 'v', cluster_id: null, next_at: null } };
    const later = forecastRace(model, published, at(400));
    expect(later.lossOfPublished).toBeLessThan(0.05);
    expect(later.shown.sec).toBeGreaterThan(540);
    const none = forecastRace(model, raceOf(), at(400));
    expect(none).toMatchObject({ lossOfPublished: 1, shown: { sec: none.etaSec, gain: 1 } });
    expect(forecastRace(model, { ...published, display: { finish_at: at(760), state: 'stable' } }, at(400)).shown.sec).toBeLessThan(700);
  });

  test('beyond everything known it is overdue, and the ETA grows with the age', () => {
    const model = modelOf(...times(20, 100));
    expect(forecastRace(model, raceOf(), at(50)).overdue).toBe(false);
    const [first, second] = [forecastRace(model, raceOf(), at(1000)), forecastRace(model, raceOf(), at(2000))];
    expect(first.overdue && second.overdue).toBe(true);
    expect(second.etaSec).toBeGreaterThan(first.etaSec + 900);
  });

  test('a stage tells a cache miss from a hit long before the end', () => {
    const run = (restoreSec: number, restSec: number) => finishedOf(restoreSec + restSec, { stages: [finishedStageOf('restore', START, at(restoreSec))] });
    const model = modelOf(...Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? run(10, 100) : run(20, 1000))));
    const miss = forecastRace(model, raceOf({ stages: [stageOf('restore', START, at(20))] }), at(20));
    const hit = forecastRace(model, raceOf({ stages: [stageOf('restore', START, at(10))] }), at(10));
    expect(miss.basis).toBe('stage');
    expect(Math.abs(miss.etaSec - 1020)).toBeLessThan(100);
    expect(Math.abs(hit.etaSec - 110)).toBeLessThan(12);
  });

  test('a state that lasts longer than most of its visits is compared with the long ones only', () => {
    const run = (waitSec: number, restSec: number) => finishedOf(10 + waitSec + restSec, { stages: [finishedStageOf('fetch', START, at(10)), finishedStageOf('build', at(10 + waitSec), at(9 + waitSec + restSec))] });
    const model = modelOf(...Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? run(500, 500) : run(1, 99))));
    const race = raceOf({ stages: [stageOf('fetch', START, at(10))] });
    expect(Math.abs(forecastRace(model, race, at(10)).etaSec - 110)).toBeLessThan(12);
    // 100 s are not over at 60 s, but those who were done by then had begun to build long before.
    expect(Math.abs(forecastRace(model, race, at(60)).etaSec - 1010)).toBeLessThan(100);
  });

  test('where nothing has ended yet, the legs of those ahead speak, not the bootstrap table', () => {
    const model = createSourceModel('ci/acme');
    const leg = (i: number, stage: string, previous: string, from: number, to: number) => ({ race_id: `x${i}`, title: 'build', stage, occurrence: 1, previous_stage: previous, started_at: at(from), completed_at: at(to), elapsed_sec: to, previous_elapsed_sec: from, previous_leg_sec: from, planned_sec: null });
    const facts = Array.from({ length: 10 }, (_, i) => [leg(i, '5km', '', 0, 1500 + i), leg(i, '10km', '5km#1', 1500 + i, 3000 + 2 * i)]).flat();
    learn(model, { kind: 'StageFacts', value: { origin: { epoch: 0, partition: 0, offset: 0, index: 0 }, source: 'ci/acme', facts } });
    const race = raceOf({ metadata: [{ key: 'distance_km', value: '20', at: START }], stages: [stageOf('5km', START, at(1800))] });
    const forecast = forecastRace(model, race, at(1800));
    expect(forecast.basis).toBe('stage');
    expect(Math.abs(forecast.etaSec / 7200 - 1)).toBeLessThan(0.05);
    // Its next 5 km take another 1800 s; two in three like it have done them soon after.
    expect(forecast.lateAtSec).toBeGreaterThan(3600);
    expect(forecast.lateAtSec).toBeLessThan(4200);
  });

  test('what came after asOfMs is not looked at', () => {
    const model = modelOf(...times(10, 100, { stages: [finishedStageOf('a', START, at(50))] }));
    const later = raceOf({ stages: [stageOf('a', START, at(90))] });
    expect(forecastRace(model, later, at(40)).etaSec).toBeCloseTo(forecastRace(model, raceOf({ stages: [stageOf('a', START, null)] }), at(40)).etaSec, 9);
  });

  test('reported progress rules where its record is good, and hardly counts where it is bad', () => {
    const linear = (sec: number) => finishedOf(sec, { progress_points: [0.25, 0.5, 0.75].map((share) => ({ at: START + share * sec * 1000, progress: share * 100 })) });
    const fake = (sec: number) => finishedOf(sec, { progress_points: [{ at: START + 0.05 * sec * 1000, progress: 90 }] });
    const race = raceOf({ progress: 50, progress_points: [{ at: at(500), progress: 50 }] });
    const good = forecastRace(modelOf(...[300, 2000, 500, 1500, 900, 250].map(linear)), race, at(500));
    expect(good.basis).toBe('progress');
    expect(Math.abs(good.etaSec - 1000)).toBeLessThan(60);
    const bad = forecastRace(modelOf(...[600, 610, 620, 600, 590, 600].map(fake)), race, at(500));
    expect(bad.basis).toBe('key');
    expect(Math.abs(bad.etaSec - 600)).toBeLessThan(60);
  });

  test('a finished race is exact', () => {
    expect(forecastRace(undefined, raceOf({ state: 'passed', completed_at: at(77) }), at(80))).toMatchObject({ etaSec: 77, p10Sec: 77, p90Sec: 77, confidence: 1, basis: 'exact' });
  });

  test('forecasting changes neither model nor race', () => {
    const model = modelOf(...times(5, 100, { stages: [finishedStageOf('a', START, at(50))] }));
    const race = raceOf({ stages: [stageOf('a', START, null)] });
    const [modelBefore, raceBefore] = [encodeModel(model), structuredClone(race)];
    forecastRace(model, race, at(10));
    expect(encodeModel(model)).toEqual(modelBefore);
    expect(race).toEqual(raceBefore);
  });
});

describe('the base of a race under way', () => {
  const model = () => modelOf(...times(40, 300));
  const lesson = (sec: number) => ({ kind: 'FinishedRace', value: finishedOf(sec) }) as const;

  test('is kept until the source has learned one race in sixteen more, then made anew', () => {
    const known = model();
    const first = forecastRace(known, raceOf(), START).p50Sec;
    for (let i = 0; i < 2; i++) learn(known, lesson(3_000));
    expect(forecastRace(known, raceOf(), START).p50Sec).toBe(first);
    expect(forecastRace(known, raceOf({ race_id: 'another' }), START).p50Sec).not.toBe(first);
    learn(known, lesson(3_000));
    expect(forecastRace(known, raceOf(), START).p50Sec).not.toBe(first);
  });

  test('of a source that has learned a thousand is kept until it has learned one in four more', () => {
    const known = modelOf(...times(1_000, 300));
    const first = forecastRace(known, raceOf(), START).p50Sec;
    for (let i = 0; i < 250; i++) learn(known, lesson(3_000));
    expect(forecastRace(known, raceOf(), START).p50Sec).toBe(first);
    learn(known, lesson(3_000));
    expect(forecastRace(known, raceOf(), START).p50Sec).not.toBe(first);
  });

  test.each([['title', { title: 'deploy' }], ['start', { started_at: START - 1 }], ['metadata', { metadata: [{ key: 'os', value: 'linux', at: START }] }]])('is made anew with a new %s', (_what, changes) => {
    const known = modelOf(...times(20, 300), ...times(20, 900, { title: 'deploy' }), ...times(20, 90, { metadata: { os: 'linux' } }));
    forecastRace(known, raceOf(), START);
    const fresh = modelOf(...times(20, 300), ...times(20, 900, { title: 'deploy' }), ...times(20, 90, { metadata: { os: 'linux' } }));
    expect(forecastRace(known, raceOf(changes), START).p50Sec).toBe(forecastRace(fresh, raceOf(changes), START).p50Sec);
  });

  test('first and later forecasts rest on the same numbers', () => {
    const known = model();
    const [first, second] = [0, 1].map(() => forecastRace(known, raceOf(), at(10)));
    expect(first!.p90Sec).toBe(second!.p90Sec);
  });
});

describe('milestones', () => {
  const run = (a: number, b: number, c: number) => finishedOf(a + b + c, { stages: [finishedStageOf('a', START, at(a)), finishedStageOf('b', at(a), at(a + b)), finishedStageOf('c', at(a + b), at(a + b + c - 1))] });
  const model = modelOf(...Array.from({ length: 12 }, () => run(10, 50, 100)));

  test('stages ahead have ETAs in the learned order, with an interval around', () => {
    const race = raceOf({ stages: [stageOf('a', START, at(10)), stageOf('b', at(10), null)] });
    const [a, b, c] = forecastRace(model, race, at(30)).milestones().milestones;
    expect(a).toMatchObject({ name: 'a', state: 'passed', passed_at: at(10) });
    expect(b).toMatchObject({ name: 'b', state: 'running', eta_type: 'estimated' });
    expect(Math.abs(b!.eta_at! - at(60))).toBeLessThan(5_000);
    expect(c).toMatchObject({ name: 'c', state: 'pending' });
    expect(Math.abs(c!.eta_at! - at(159))).toBeLessThan(15_000);
    expect(b!.p10_at!).toBeLessThanOrEqual(b!.eta_at!);
    expect(b!.eta_at!).toBeLessThanOrEqual(b!.p90_at!);
    expect(b!.p10_at!).toBeGreaterThanOrEqual(at(30));
  });

  test('a late stage moves those after it', () => {
    const late = raceOf({ stages: [stageOf('a', START, at(40))] });
    const b = forecastRace(model, late, at(40)).milestones().milestones.find(({ name }) => name === 'b');
    expect(Math.abs(b!.eta_at! - at(90))).toBeLessThan(5_000);
  });

  test('before the start, and without samples, there is no ETA but what a plan says', () => {
    const queued = forecastRace(model, raceOf({ state: 'queued', started_at: null }), START);
    expect(queued.milestones().milestones.map(({ name, eta_at }) => [name, eta_at])).toEqual([['a', null], ['b', null], ['c', null]]);
    const planned = forecastRace(undefined, raceOf({ plan: [{ name: 'x', planned_sec: null, planned_at: at(500) }] }), START);
    expect(planned.milestones().milestones).toMatchObject([{ name: 'x', eta_at: at(500), eta_type: 'anticipated', p10_at: null }]);
  });

  test('races still running teach the leg that is under way', () => {
    const live = createSourceModel('ci/acme');
    learn(live, { kind: 'StageFacts', value: { origin: { epoch: 0, partition: 0, offset: 0, index: 0 }, source: 'ci/acme', facts: [1, 2, 3].map((i) => ({ race_id: `x${i}`, title: 'build', stage: 'a', occurrence: 1, previous_stage: '', started_at: START, completed_at: at(300), elapsed_sec: 300, previous_elapsed_sec: 0, previous_leg_sec: 0, planned_sec: null })) } });
    const [a] = forecastRace(live, raceOf({ stages: [stageOf('a', START, null)] }), at(5)).milestones().milestones;
    expect(Math.abs(a!.eta_at! - at(300))).toBeLessThan(20_000);
  });

  test('there are at most 50: those ahead, then the newest of those over', () => {
    const stages = Array.from({ length: 80 }, (_, i) => stageOf(`s${i}`, at(i), i < 78 ? at(i + 1) : null));
    const { milestones, dropped } = forecastRace(undefined, raceOf({ stages }), at(80)).milestones();
    expect([milestones.length, dropped]).toEqual([50, 30]);
    expect(milestones.at(-1)?.name).toBe('s79');
    expect(milestones[0]?.name).toBe('s30');
    const plan = Array.from({ length: 200 }, (_, i) => ({ name: `p${i}`, planned_sec: null, planned_at: null }));
    const planned = forecastRace(undefined, raceOf({ plan }), at(0)).milestones();
    expect([planned.milestones.length, planned.milestones.at(-1)?.name, planned.dropped]).toEqual([50, 'p49', 150]);
  });
});
