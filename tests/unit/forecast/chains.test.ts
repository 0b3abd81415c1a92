import { describe, expect, test } from 'vitest';
import { chainDistribution, chainForecast, chainMass, distanceKm, learnLeg, learnLastLeg, markOf } from '../../../src/forecast/chains.ts';
import { massWithin, quantile } from '../../../src/forecast/distribution.ts';
import type { StageFact } from '../../../src/forecast/history-record.ts';
import { createSourceModel, LIMITS } from '../../../src/forecast/model.ts';
import { finishedOf, finishedStageOf, stageOf } from './race-builder.ts';

const START = 1_000_000;
const at = (sec: number) => START + 1000 * sec;
const fact = (stage: string, previous: string, elapsedSec: number, previousElapsedSec: number, previousLegSec: number): StageFact => ({
  race_id: 'r', title: 'run', stage, occurrence: 1, previous_stage: previous, started_at: at(previousElapsedSec), completed_at: at(elapsedSec),
  elapsed_sec: elapsedSec, previous_elapsed_sec: previousElapsedSec, previous_leg_sec: previousLegSec, planned_sec: null,
});
/** Runners over three legs of equal length who tire by a tenth a leg. */
const PACES = [60, 72, 55, 80, 66, 90, 58, 75, 62, 70, 85, 64];
const legsOf = (pace: number) => [pace, pace * 1.1, pace * 1.21];

describe('markOf()', () => {
  test('is the stage that ended last, and the leg it ended; the start before any', () => {
    const stages = [stageOf('a', at(0), at(30)), stageOf('b', at(30), at(50)), stageOf('c', at(50), null)];
    expect(markOf(stages, START, at(60))).toEqual({ stage: 'b#1', elapsedSec: 50, legSec: 20 });
    expect(markOf(stages, START, at(40))).toEqual({ stage: 'a#1', elapsedSec: 30, legSec: 30 });
    expect(markOf(stages, START, at(10))).toEqual({ stage: '', elapsedSec: 0, legSec: 0 });
  });

  test('does not depend on the order of the stages, and passes over skipped ones', () => {
    const stages = [stageOf('b', at(30), at(50)), { ...stageOf('x', at(50), at(55)), state: 'skipped' as const }, stageOf('a', at(0), at(30))];
    expect(markOf(stages, START, at(60))).toEqual({ stage: 'b#1', elapsedSec: 50, legSec: 20 });
  });
});

describe('chainForecast()', () => {
  test('follows legs of races still running to the end, at the pace of the leg before', () => {
    const model = createSourceModel('s');
    for (const pace of PACES) {
      const [a, b, c] = legsOf(pace) as [number, number, number];
      learnLeg(model, fact('a', '', a, 0, 0));
      learnLeg(model, fact('b', 'a#1', a + b, a, a));
      learnLastLeg(model, finishedOf(a + b + c, { title: 'run', stages: [finishedStageOf('a', START, at(a)), finishedStageOf('b', at(a), at(a + b))] }));
    }
    const [a, b, c] = legsOf(68) as [number, number, number];
    const found = chainForecast(model, 'run', { stage: 'a#1', elapsedSec: a, legSec: a }, a, null);
    expect(found).not.toBeNull();
    expect(Math.abs(quantile(chainDistribution(found!), 0.5) - (a + b + c))).toBeLessThan(0.04 * (a + b + c));
    expect(found!.count).toBe(PACES.length);
  });

  test('says nothing where legs ahead are unknown, unless distances are: then the pace so far, a little slower', () => {
    const model = createSourceModel('s');
    expect(chainForecast(model, 'run', { stage: '20 km#1', elapsedSec: 6000, legSec: 1500 }, 6000, null)).toBeNull();
    const found = chainForecast(model, 'run', { stage: '20 km#1', elapsedSec: 6000, legSec: 1500 }, 6000, 40)!;
    expect(quantile(chainDistribution(found), 0.5)).toBeGreaterThan(12_100);
    expect(quantile(chainDistribution(found), 0.5)).toBeLessThan(12_600);
    expect(distanceKm([{ key: 'distance_km', value: '42.195' }])).toBe(42.195);
    expect(distanceKm([{ key: 'distance_km', value: 'far' }, { key: 'other', value: '5' }])).toBeNull();
  });

  test('holds for thousands, whose legs and ages go together', () => {
    const model = createSourceModel('s');
    for (let i = 0; i < 5_000; i++) {
      const [a, b] = legsOf(PACES[i % PACES.length]! * (1 + i / 10_000)) as [number, number, number];
      learnLeg(model, fact('b', 'a#1', 10 * a + b, 10 * a, a));
      learnLastLeg(model, finishedOf(10 * a + b * 1.5, { title: 'run', stages: [finishedStageOf('a', START, at(10 * a)), finishedStageOf('b', at(10 * a), at(10 * a + b))] }));
    }
    const [a, b] = legsOf(95) as [number, number, number];
    const found = chainForecast(model, 'run', { stage: 'a#1', elapsedSec: 10 * a, legSec: a }, 10 * a, null)!;
    expect(Math.abs(found.remainingSec / (1.5 * b) - 1)).toBeLessThan(0.01);
  });

  test('a leg that takes longer than expected makes the legs ahead longer', () => {
    const model = createSourceModel('s');
    for (let i = 0; i < 100; i++) {
      const pace = PACES[i % PACES.length]!;
      learnLeg(model, fact('a', '', pace, 0, 0));
      learnLastLeg(model, finishedOf(3 * pace, { title: 'run', stages: [finishedStageOf('a', START, at(pace))] }));
    }
    const totalAt = (elapsedSec: number) => elapsedSec + chainForecast(model, 'run', { stage: '', elapsedSec: 0, legSec: 0 }, elapsedSec, null)!.remainingSec;
    expect(Math.abs(totalAt(20) / totalAt(0) - 1)).toBeLessThan(0.02);
    expect(totalAt(80)).toBeGreaterThan(3 * 80);
    expect(totalAt(200) / totalAt(100)).toBeCloseTo(2, 1);
  });

  test('what was learned of minutes does not make years of days', () => {
    // The longer the leg before, and the older the race, the much longer the next: within minutes.
    const model = createSourceModel('s');
    for (let i = 0; i < 20; i++) {
      const before = 10 + 3 * i;
      const next = 2 * (before / 10) ** 3;
      learnLeg(model, fact('b', 'a#1', 2 * before + next, 2 * before, before));
      learnLastLeg(model, finishedOf(2 * before + next + 5, { title: 'run', stages: [finishedStageOf('a', START, at(2 * before)), finishedStageOf('b', at(2 * before), at(2 * before + next))] }));
    }
    const remaining = (legSec: number, elapsedSec: number) => chainForecast(model, 'run', { stage: 'a#1', elapsedSec, legSec }, elapsedSec, null)!.remainingSec;
    const longest = 2 * 6.7 ** 3 + 5;
    expect(remaining(67, 134)).toBeGreaterThan(0.4 * longest);
    expect(remaining(86_400, 134)).toBeLessThan(1.6 * longest);
    expect(remaining(67, 10 * 86_400)).toBeLessThan(1.6 * longest);
    // Who has been ten times as slow as all before may go on to be.
    expect(remaining(670, 1340)).toBeGreaterThan(8 * longest);
    expect(remaining(670, 1340)).toBeLessThan(16 * longest);
  });

  test('what leads back to itself leads nowhere', () => {
    const model = createSourceModel('s');
    for (let i = 0; i < 10; i++) for (const [stage, previous] of [['b', 'a#1'], ['c', 'b#1'], ['d', 'c#1'], ['b', 'd#1']] as const) learnLeg(model, fact(stage, previous, 20, 10, 10));
    expect(chainForecast(model, 'run', { stage: 'a#1', elapsedSec: 10, legSec: 10 }, 10, null)).toBeNull();
    expect(chainForecast(model, 'run', { stage: 'c#1', elapsedSec: 10, legSec: 10 }, 10, null)).toBeNull();
  });

  test('its mass between two instants is that of its distribution', () => {
    const chained = { elapsedSec: 100, remainingSec: 50, spread: 0.1, count: 9, lateAtSec: Infinity };
    for (const [low, high] of [[110, 140], [140, 160], [150, 400], [100, 150]] as const) {
      expect(Math.abs(chainMass(chained, low, high) - massWithin(chainDistribution(chained), low, high))).toBeLessThan(0.02);
    }
  });

  test('a course that changed is followed, one stray race is not', () => {
    const model = createSourceModel('s');
    const pass = (next: string, times: number) => {
      for (let i = 0; i < times; i++) learnLeg(model, fact(next, 'a#1', 100 + PACES[i % PACES.length]!, 100, 100));
    };
    const nextOf = () => model.chains.get('run\na#1')!.next;
    pass('b', 10);
    pass('detour', 1);
    expect(nextOf()).toBe('b#1');
    pass('detour', 30);
    expect(nextOf()).toBe('detour#1');
  });

  test('links are bounded, and numbers stay finite whatever is told', () => {
    const model = createSourceModel('s');
    for (let i = 0; i < LIMITS.chains + 50; i++) learnLeg(model, fact(`s${i}`, `p${i}`, 10, 5, 5));
    expect(model.chains.size).toBe(LIMITS.chains);
    for (const sec of [0, 1e9, 1, 1e9, 0, 3]) learnLeg(model, fact('z', 'y#1', sec, 0, sec));
    expect(model.chains.get('run\ny#1')!.numbers.every((number) => Number.isFinite(number))).toBe(true);
  });
});
