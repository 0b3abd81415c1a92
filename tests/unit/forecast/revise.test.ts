import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forecastRace, type Forecast } from '../../../src/forecast/forecast.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel } from '../../../src/forecast/model.ts';
import { timesTold, worthwhileMove } from '../../../src/forecast/display.ts';
import { revise, type Cause } from '../../../src/forecast/revise.ts';
import { MAX_CHECKPOINTS, type Checkpoint, type RaceState } from '../../../src/race/state.ts';
import { finishedOf, raceOf } from './race-builder.ts';

const START = 1_000_000;
const at = (sec: number) => START + sec * 1000;
const forecastOf = (etaSec: number, overrides: Partial<Forecast> = {}): Forecast => ({
  etaSec, p10Sec: etaSec * 0.9, p25Sec: etaSec * 0.98, p50Sec: etaSec, p75Sec: etaSec * 1.02, p90Sec: etaSec * 1.2, confidence: 0.8, basis: 'key', clusterId: null, clusterVersion: null,
  deadlineProbability: null, overdue: false, lateAtSec: null, lossOfPublished: 1, shown: { sec: etaSec, gain: 1 }, beside: () => [], nextAtMs: null, milestones: () => ({ milestones: [], dropped: 0 }), ...overrides,
});
const cause = (sec: number, overrides: Partial<Cause> = {}): Cause => ({ reason: 'progress', significant: false, eventAtMs: at(sec), ...overrides });
const options = (sec: number) => ({ nowMs: at(sec), modelVersion: '0@7' });
/** What was said at such ages, in the order of issue. */
const saidAt = (...secs: number[]): Checkpoint[] => secs.map((elapsed_sec, i) => ({
  revision: i + 1, issued_at: at(elapsed_sec), elapsed_sec, eta_sec: 600, p10_sec: 540, p50_sec: 600, p90_sec: 720, confidence: 0.8, basis: 'key', reason: 'started', model_version: '0@7', role: 'served',
}));
/** A race that was told 600 s at its start. */
const told = (overrides: Partial<RaceState> = {}): RaceState => ({ ...revise(raceOf(), forecastOf(600), cause(0, { reason: 'started', significant: true }), options(0))!.race, ...overrides });

describe('revise() decides what is worth publishing', () => {
  test('the first forecast always is', () => {
    const { race, eta } = revise(raceOf(), forecastOf(600), cause(0), options(0))!;
    expect(eta).toMatchObject({ revision: 1, eta_sec: 600, finish_at: at(600), remaining_sec: 600, previous_eta_sec: null, basis: 'key', model_version: '0@7', issued_at: START, display: { finish_at: at(600), state: 'stable' } });
    expect(race).toMatchObject({ revision: 1, published: { eta_sec: 600, issued_at: START }, checkpoints: [{ revision: 1, elapsed_sec: 0, eta_sec: 600, role: 'served' }] });
  });

  // At 100 s of 600 s remain 500: 5 % of it is 25 s. Near the end 5 s rule. A wide forecast tolerates half its IQR.
  test.each<[string, number, number, Partial<Forecast>, boolean]>([
    ['20 s of 500 s remaining', 100, 620, {}, false],
    ['30 s of 500 s remaining', 100, 630, {}, true],
    ['30 s earlier', 100, 570, {}, true],
    ['4 s at the very end', 590, 604, { p25Sec: 604, p75Sec: 604 }, false],
    ['6 s at the very end', 590, 606, { p25Sec: 606, p75Sec: 606 }, true],
    ['100 s with an IQR of 300 s', 100, 700, { p25Sec: 550, p75Sec: 850, lossOfPublished: 0.004 }, false],
    ['200 s with an IQR of 300 s', 100, 800, { p25Sec: 650, p75Sec: 950 }, true],
  ])('a finish moved by %s', (_, nowSec, etaSec, spread, isPublished) => {
    expect(revise(told(), forecastOf(etaSec, spread), cause(nowSec), options(nowSec)) !== null).toBe(isPublished);
  });

  test('a state change always is, a stage when it moved the finish by 3 % of what remains', () => {
    const stage = (etaSec: number) => revise(told(), forecastOf(etaSec), cause(50, { reason: 'stage_done', significant: true }), options(50));
    expect(revise(told(), forecastOf(600), cause(50, { reason: 'started', significant: true }), options(50))?.eta).toMatchObject({ revision: 2, reason: 'started', previous_eta_sec: 600 });
    expect(stage(615)).toBeNull();
    expect(revise(told(), forecastOf(600), cause(50, { reason: 'passage', significant: true }), options(50))?.eta, 'a passage of a journey always is').toMatchObject({ revision: 2, reason: 'passage' });
    expect(stage(620)?.eta).toMatchObject({ revision: 2, reason: 'stage_done', previous_eta_sec: 600 });
  });

  test.each([['stage_started', [0], 0.00049], ['rate_change', [0, 1, 2], 0.00058], ['stage_done', [0, 25], 0.00165], ['rate_change', [0, 25, 40], 0.0059], ['stage_done', Array.from({ length: 20 }, () => 50), 1]] as const)('after %s at 50 s what was said at %j stands while it loses less than %f', (reason, ages, most) => {
    // 650 of 700 s are left, and what is shown may stand.
    const moved = (lossOfPublished: number) => revise(told({ checkpoints: saidAt(...ages) }), forecastOf(700, { lossOfPublished, shown: { sec: 600, gain: 0 } }), cause(50, { reason, significant: reason !== 'rate_change' }), options(50));
    expect(moved(0.95 * most)).toBeNull();
    if (most < 1) expect(moved(1.2 * most)?.eta.eta_sec).toBe(700);
  });

  test('what is won near the end lasts less long, and is told for more; a finish that has passed is told anew at once', () => {
    const moved = (nowSec: number, lossOfPublished: number) => revise(told({ checkpoints: saidAt(0) }), forecastOf(700, { lossOfPublished, shown: { sec: 600, gain: 0 } }), cause(nowSec, { reason: 'stage_done', significant: true }), options(nowSec));
    expect(moved(50, 0.001)).not.toBeNull();
    expect(moved(595, 0.001)).toBeNull();
    expect(revise(told({ checkpoints: saidAt(...Array.from({ length: 20 }, () => 650)) }), forecastOf(700), cause(650, { reason: 'stage_done', significant: true }), options(650))).not.toBeNull();
  });

  test('what was said early uses up little of what may be said later, and what never served nothing', () => {
    const checkpoints = saidAt(0, 10, 20, 30);
    expect(timesTold(raceOf({ checkpoints }), 0)).toBe(1);
    expect(timesTold(raceOf({ checkpoints }), 30)).toBe(3);
    expect(timesTold(raceOf({ checkpoints }), 600)).toBeCloseTo(1.1);
    expect(timesTold(raceOf({ checkpoints: checkpoints.map((one) => ({ ...one, role: 'shadow' as const })) }), 30)).toBe(1);
    // A start that turned out to be later made them older than the race.
    expect(timesTold(raceOf({ checkpoints }), 1)).toBe(4);
  });

  test('what is published may stand while what is shown is worth moving', () => {
    const moved = (gain: number) => revise(told(), forecastOf(640, { p25Sec: 500, p75Sec: 800, lossOfPublished: 0, shown: { sec: 640, gain } }), cause(50, { reason: 'stage_done', significant: true }), options(50));
    expect(moved(0)).toBeNull();
    expect(moved(0.1)?.eta.display).toEqual({ finish_at: at(640), state: 'correcting' });
  });

  test('a finish that has passed is told anew once it is later by a twentieth of the age', () => {
    const correcting = told({ display: { finish_at: at(600), state: 'correcting' } });
    expect(revise(correcting, forecastOf(620), cause(610), options(610))).toBeNull();
    expect(revise(correcting, forecastOf(640), cause(610, { reason: 'overdue' }), options(610))?.eta).toMatchObject({ eta_sec: 640, remaining_sec: 30, reason: 'overdue' });
  });

  test('a change of the display state is: overdue is said', () => {
    const revision = revise(told(), forecastOf(601, { overdue: true }), cause(599), options(599));
    expect(revision?.eta.display.state).toBe('overdue');
    expect(revise(revision!.race, forecastOf(601, { overdue: true }), cause(600), options(600))).toBeNull();
  });

  test('before the start it publishes a move of the total, and gives no finish', () => {
    const queued = revise(raceOf({ state: 'queued', started_at: null }), forecastOf(600), cause(0), options(0))!;
    expect(queued.eta).toMatchObject({ finish_at: null, remaining_sec: 600, display: { finish_at: null, state: 'stable' } });
    expect(revise(queued.race, forecastOf(610), cause(5), options(5))).toBeNull();
    expect(revise(queued.race, forecastOf(700), cause(5), options(5))?.eta.eta_sec).toBe(700);
  });

  test('without a forecast the ETA is unknown, and said so once', () => {
    const unknown = revise(raceOf(), null, cause(0), options(0))!;
    expect(unknown.eta).toMatchObject({ revision: 1, eta_sec: null, remaining_sec: null, basis: 'none', display: { state: 'unknown' } });
    expect(revise(unknown.race, null, cause(5), options(5))).toBeNull();
    expect(revise(unknown.race, forecastOf(100), cause(5), options(5))?.eta.revision).toBe(2);
  });
});

describe('revise() at the end', () => {
  const finished = (state: RaceState['state'], overrides: Partial<RaceState> = {}) => told({ state, completed_at: at(432.5), version: 1, ...overrides });
  const end = cause(432.5, { reason: 'finished', significant: true });

  test('the last revision is the truth', () => {
    const { race, eta } = revise(finished('passed'), null, end, options(433))!;
    expect(eta).toMatchObject({
      eta_sec: 432.5, p10_sec: 432.5, p50_sec: 432.5, p90_sec: 432.5, remaining_sec: 0, finish_at: at(432.5), confidence: 1, basis: 'exact', reason: 'finished',
      display: { finish_at: at(432.5), state: 'finished' }, previous_eta_sec: 600, revision: 2,
    });
    expect(eta.progress?.current).toBe(100);
    expect(race.checkpoints.map(({ revision }) => revision)).toEqual([1]);
  });

  test('a failed race does not jump to 100', () => {
    const { eta } = revise(finished('failed', { shown_progress: 40, progress: 40 }), null, end, options(433))!;
    expect(eta.progress?.current).toBe(40);
  });

  test('the end is told once; a correction that moved it is told again', () => {
    const { race } = revise(finished('passed'), null, end, options(433))!;
    expect(revise(race, null, cause(440), options(440))).toBeNull();
    expect(revise({ ...race, completed_at: at(500), version: 2 }, null, cause(501, { reason: 'correction' }), options(501))?.eta).toMatchObject({ eta_sec: 500, revision: 3, reason: 'correction' });
  });

  test('a race canceled while queued has no duration', () => {
    const queued = revise(raceOf({ state: 'queued', started_at: null }), forecastOf(600), cause(0), options(0))!.race;
    expect(revise({ ...queued, state: 'canceled', completed_at: at(9) }, null, end, options(9))?.eta).toMatchObject({ eta_sec: null, remaining_sec: null, display: { state: 'finished' } });
  });

  test('an abandoned race has no ETA, and says why, once', () => {
    const { race, eta } = revise(finished('abandoned'), null, cause(1e5, { reason: 'abandoned', significant: true }), options(1e5))!;
    expect(eta).toMatchObject({ eta_sec: null, remaining_sec: null, finish_at: null, reason: 'abandoned', confidence: 0, display: { finish_at: null, state: 'unknown' } });
    expect(revise(race, null, cause(1e5), options(1e5))).toBeNull();
  });

  test('a deadline was met or missed', () => {
    expect(revise(finished('passed', { deadline_at: at(400) }), null, end, options(433))?.eta.deadline_probability).toBe(0);
    expect(revise(finished('passed', { deadline_at: at(500) }), null, end, options(433))?.eta.deadline_probability).toBe(1);
  });
});

describe('worthwhileMove()', () => {
  // What remains is known to lie between `low` and `high` of the total, each place there as good as another.
  const plateau = (low: number, high: number) => (sec: number) => (sec >= low && sec <= high ? 0.8 : 0);

  test('a finish stays while moving it wins nothing, or less than it costs', () => {
    expect(worthwhileMove(600, 700, 100, 1, plateau(500, 800))).toEqual({ sec: 600, gain: 0 });
    expect(worthwhileMove(600, 700, 100, 1, (sec) => 0.5 + (sec - 600) * 1e-4)).toEqual({ sec: 600, gain: 0 });
  });

  test.each([[600, 1000, 800, 1200, 0.21], [1000, 600, 400, 800, 0.42]])('from %i towards %i it goes no further than it pays; later costs half', (shownSec, etaSec, low, high, price) => {
    for (const told of [1, 3]) {
      const { sec, gain } = worthwhileMove(shownSec, etaSec, 100, told, plateau(low, high));
      expect(sec).toBe(800);
      expect(gain).toBeCloseTo(0.8 - (price * 200) / (told * (etaSec - 100)));
    }
  });

  test('a finish that has stood is moved for more than one that has moved of late', () => {
    const move = (told: number) => worthwhileMove(600, 1100, 100, told, (sec) => (sec > 1000 ? 0.09 : 0));
    expect(move(1)).toEqual({ sec: 600, gain: 0 });
    expect(move(2)).toMatchObject({ sec: 1037.5 });
  });

  test('a finish that has passed is let go of, however little the new one wins', () => {
    for (const shownSec of [300, 400]) expect(worthwhileMove(shownSec, 1500, 400, 1, () => 0).sec).toBeGreaterThan(400);
    expect(worthwhileMove(300, 1500, 400, 1, plateau(600, 2000)).sec).toBe(675);
  });
});

describe('revise() and the display', () => {
  test('shows the finish that is worth showing, and holds still while that is the one shown', () => {
    const shownAt = (sec: number) => revise(told(), forecastOf(615, { shown: { sec, gain: 0 } }), cause(50, { significant: true }), options(50))!.eta;
    expect(shownAt(600)).toMatchObject({ finish_at: at(615), display: { finish_at: at(600), state: 'stable' } });
    expect(shownAt(608).display).toEqual({ finish_at: at(608), state: 'correcting' });
  });

  test('is cold without history, however late', () => {
    expect(revise(raceOf(), forecastOf(30, { basis: 'bootstrap' }), cause(0), options(0))?.eta.display.state).toBe('cold');
    expect(revise(raceOf(), forecastOf(3000, { basis: 'bootstrap', overdue: true }), cause(2900), options(2900))?.eta.display.state).toBe('cold');
  });

  test('is stuck at ten times the first estimate, or after a silence out of proportion', () => {
    const late = forecastOf(9000, { overdue: true });
    expect(revise(told({ last_at: at(6900) }), late, cause(7000), options(7000))?.eta).toMatchObject({ display: { state: 'stuck' }, reason: 'stuck' });
    expect(revise(told({ last_at: at(1990) }), late, cause(2000), options(2000))?.eta.display.state).toBe('overdue');
    expect(revise(told({ last_at: at(1000), gap_count: 30, gap_mean_sec: 10 }), late, cause(2000), options(2000))?.eta.display.state).toBe('stuck');
    expect(revise(told({ last_at: at(1000), gap_count: 30, gap_mean_sec: 200 }), late, cause(2000), options(2000))?.eta.display.state).toBe('overdue');
  });
});

describe('revise() keeps its books', () => {
  test('numbers rise, five revisions are shown, checkpoints keep the first, the last and a spread between', () => {
    let race = raceOf();
    for (let i = 0; i < 100; i++) race = revise(race, forecastOf(1000 + i * 200), cause(i, { significant: true }), options(i * 3))!.race;
    expect(race.revision).toBe(100);
    expect(race.eta_revisions.map(({ revision }) => revision)).toEqual([96, 97, 98, 99, 100]);
    expect(race.previous_eta_sec).toBe(1000 + 98 * 200);
    expect(race.checkpoints.length).toBe(MAX_CHECKPOINTS);
    expect(race.checkpoints[0]?.revision).toBe(1);
    expect(race.checkpoints.at(-1)?.revision).toBe(100);
    const gaps = race.checkpoints.slice(1).map(({ revision }, i) => revision - race.checkpoints[i]!.revision);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(8);
  });

  test('shown progress never goes back within an attempt and is below 100 before the end', () => {
    fc.assert(fc.property(fc.array(fc.record({ etaSec: fc.integer({ min: 1, max: 2000 }), progress: fc.option(fc.integer({ min: 0, max: 100 })) }), { minLength: 2, maxLength: 20 }), (steps) => {
      let race = raceOf();
      let shown = 0;
      steps.forEach(({ etaSec, progress }, i) => {
        const sec = i * 60;
        const reported = progress === null ? race : { ...race, progress, field_at: { ...race.field_at, progress: at(sec) } };
        const revision = revise(reported, forecastOf(Math.max(etaSec, sec)), cause(sec, { significant: true }), options(sec))!;
        expect(revision.eta.progress?.current ?? shown).toBeGreaterThanOrEqual(shown);
        expect(revision.eta.progress?.current ?? 0).toBeLessThan(100);
        shown = revision.eta.progress?.current ?? shown;
        race = revision.race;
        expect(race.shown_progress).toBe(shown);
      });
    }));
  });

  test('its input is left as it was', () => {
    const race = told();
    const before = structuredClone(race);
    revise(race, forecastOf(900), cause(50), options(50));
    revise({ ...race, state: 'passed', completed_at: at(60) }, null, cause(60), options(60));
    expect(race).toEqual(before);
  });

  test('agrees with a forecast from real history', () => {
    const model = createSourceModel('ci/acme');
    for (let i = 0; i < 20; i++) learn(model, { kind: 'FinishedRace', value: finishedOf(300 + (i % 3)) });
    const race = raceOf({ deadline_at: at(320), metadata: [{ key: 'branch', value: 'main', at: 0 }, { key: 'gone', value: null, at: 0 }] });
    const { eta } = revise(race, forecastRace(model, race, START), cause(0), options(0))!;
    expect(eta.metadata).toEqual({ branch: 'main' });
    expect(eta.deadline_probability).toBeGreaterThan(0.5);
    expect(eta.p10_sec!).toBeLessThan(eta.eta_sec!);
    expect(eta.p90_sec!).toBeGreaterThan(eta.eta_sec!);
  });
});
