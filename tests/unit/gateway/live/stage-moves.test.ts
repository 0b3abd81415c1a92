import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withMoves } from '../../../../src/bridge/stage-moves.ts';
import type { Milestone } from '../../../../src/forecast/eta-update.ts';
import { movesSince } from '../../../../src/gateway/live/stage-moves.ts';
import type { Stage } from '../../../../src/race/state.ts';
import type { StageState } from '../../../../src/race/update.ts';

const states: readonly StageState[] = ['pending', 'running', 'passed', 'failed', 'skipped'];
const isOpen = (state: StageState): boolean => state === 'pending' || state === 'running';
const stage = (name: string, state: StageState, occurrence = 1): Stage => ({ name, occurrence, seq: null, state, started_at: null, completed_at: isOpen(state) ? null : 9, planned_sec: null, at: 1 });
const milestone = (name: string, state: StageState, kind: Milestone['kind'] = 'stage'): Milestone => ({
  name, kind, state, eta_at: isOpen(state) ? 20 : null, p10_at: null, p90_at: null, passed_at: isOpen(state) ? null : 9, distance_m: null, eta_type: null,
});
const moved = (milestones: Milestone[], stages: Stage[]) => withMoves(milestones, movesSince({ stages, revision: 1 }, { milestones, revision: 1 }));
const shown = (milestones: readonly Milestone[]) => milestones.map(({ name, state, eta_at }) => `${name} ${state} ${eta_at}`);

describe('movesSince(), withMoves()', () => {
  test('tell what stages did since the revision, each of its name', () => {
    const said = [milestone('a', 'passed'), milestone('b', 'running'), milestone('c', 'pending'), milestone('b', 'pending')];
    expect(shown(moved(said, [stage('a', 'passed'), stage('b', 'failed'), stage('c', 'running'), stage('b', 'running', 2)]))).toEqual(['a passed null', 'b failed null', 'c running 20', 'b running 20']);
  });

  test('put a stage that the revision did not know after those that have begun', () => {
    expect(shown(moved([milestone('a', 'passed'), milestone('c', 'pending')], [stage('a', 'passed'), stage('b', 'running')]))).toEqual(['a passed null', 'b running null', 'c pending 20']);
  });

  test('say nothing while the facts are older than the revision, nor of a point of interest', () => {
    const eta = { milestones: [milestone('a', 'running')], revision: 2 };
    expect(movesSince({ stages: [stage('a', 'pending')], revision: 1 }, eta)).toEqual([]);
    expect(movesSince({ stages: [stage('a', 'passed')], revision: 2 }, null)).toEqual([]);
    expect(shown(moved([milestone('a', 'pending', 'poi')], [stage('a', 'passed')])).sort()).toEqual(['a passed null', 'a pending 20']);
  });

  test('leave a full revision its size, and what it cannot tell apart', () => {
    const said = Array.from({ length: 50 }, (_, index) => milestone(index < 2 ? 'x' : `s${index}`, 'pending'));
    const stages = [stage('x', 'passed'), stage('x', 'passed', 2), stage('x', 'running', 3), stage('old', 'passed'), stage('s7', 'running')];
    expect(movesSince({ stages, revision: 1 }, { milestones: said, revision: 1 })).toEqual([['s7', 1, 'running', null]]);
  });

  test('know that of waypoints of one name some may have been passed unseen', () => {
    const said = [milestone('loop', 'skipped', 'waypoint'), milestone('far', 'pending', 'waypoint'), milestone('loop', 'pending', 'waypoint')];
    expect(movesSince({ stages: [stage('far', 'passed'), stage('loop', 'passed'), stage('else', 'passed')], revision: 1 }, { milestones: said, revision: 1 })).toEqual([['far', 1, 'passed', 9]]);
  });

  test('bring any milestones to where the stages are, however often', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });
    const anyState = fc.constantFrom(...states);
    fc.assert(fc.property(names, names, fc.infiniteStream(anyState), (saidNames, stageNames, random) => {
      const next = (): StageState => random.next().value!;
      const counts = new Map<string, number>();
      const said = saidNames.map((name) => milestone(name, next()));
      const stages = stageNames.map((name) => {
        const occurrence = (counts.get(name) ?? 0) + 1;
        counts.set(name, occurrence);
        return stage(name, next(), occurrence);
      });
      const moves = movesSince({ stages, revision: 1 }, { milestones: said, revision: 1 });
      const once = withMoves(said, moves);
      expect(withMoves(once, moves)).toEqual(once);
      for (const each of stages) expect(once.filter(({ name }) => name === each.name)[each.occurrence - 1]).toMatchObject({ state: each.state, passed_at: each.completed_at });
    }));
  });
});
