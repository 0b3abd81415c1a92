import { describe, expect, it } from 'vitest';
import { repeatsPublished } from '../../../src/forecast/agreement.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { createSourceModel } from '../../../src/forecast/model.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { newRace } from '../../../src/race/attempt.ts';
import type { RaceState } from '../../../src/race/state.ts';
import { finishedOf, finishedStageOf, stageOf } from './race-builder.ts';

const START = 1_790_000_000_000;
const progress = { reason: 'progress', significant: false } as const;

/** Published after its start: 300 s, between 260 and 360. */
function running(reports: readonly (readonly [sec: number, percent: number])[], changes: Partial<RaceState> = {}): RaceState {
  return {
    ...newRace({ ...emptyUpdate('r', 's', START), state: 'running' }, START, 0),
    state: 'running', started_at: START, revision: 1, display: { finish_at: START + 300_000, state: 'stable' },
    published: {
      issued_at: START, event_at: START, eta_sec: 300, p10_sec: 260, p50_sec: 300, p90_sec: 360, confidence: 0.8,
      basis: 'key', reason: 'started', model_version: '0@1', cluster_id: null, next_at: null,
    },
    progress_points: reports.map(([sec, percent]) => ({ at: START + sec * 1_000, progress: percent })),
    ...changes,
  };
}

describe('repeatsPublished()', () => {
  it('holds for a report that leads to the published finish', () => {
    expect(repeatsPublished(undefined, running([[100, 33]]), progress, START + 100_000)).toBe(true);
  });

  it.each([
    ['that leads elsewhere', running([[100, 50]]), 100],
    ['of a race that has not published', running([[100, 33]], { published: null }), 100],
    ['while it is overdue', running([[100, 33]], { display: { finish_at: START + 300_000, state: 'overdue' } }), 100],
    ['after the shown finish', running([[305, 99]]), 305],
    ['that says nothing yet, when most of its kind have ended', running([[270, 5]]), 270],
  ])('does not hold for a report %s', (_what, race, sec) => {
    expect(repeatsPublished(undefined, race, progress, START + sec * 1_000)).toBe(false);
  });

  it('holds for a report that says what was known when the finish was published, or was looked at since', () => {
    const published = { ...running([]).published!, event_at: START + 60_000 };
    const far = [[50, 20], [150, 60]] as const;
    // 250 s where 300 are published, but so it was at 50 s.
    expect(repeatsPublished(undefined, running(far, { published }), progress, START + 150_000)).toBe(true);
    expect(repeatsPublished(undefined, running([[70, 28], [150, 60]], { published }), progress, START + 150_000)).toBe(true);
    // A first report, before or after, that says nothing yet hides none that does.
    expect(repeatsPublished(undefined, running([[65, 5], [70, 28], [150, 60]], { published }), progress, START + 150_000)).toBe(true);
    expect(repeatsPublished(undefined, running([[50, 5], [70, 28], [150, 60]], { published }), progress, START + 150_000)).toBe(true);
    expect(repeatsPublished(undefined, running([[65, 5], [70, 28]], { published }), progress, START + 70_000)).toBe(false);
    expect(repeatsPublished(undefined, running([[70, 28]], { published }), progress, START + 70_000)).toBe(false);
    expect(repeatsPublished(undefined, running([[50, 25], [150, 60]], { published }), progress, START + 150_000)).toBe(false);
    // 270 s: most of its kind have ended by 260.
    expect(repeatsPublished(undefined, running([[50, 10], [270, 54]], { published, display: { finish_at: START + 500_000, state: 'stable' } }), progress, START + 270_000)).toBe(false);
  });

  it('does not hold for one whose forerunners may have been repeats, too', () => {
    const full = Array.from({ length: 8 }, (_, i) => [70 + 10 * i, (70 + 10 * i) / 2.5] as const);
    expect(repeatsPublished(undefined, running(full), progress, START + 140_000)).toBe(false);
    expect(repeatsPublished(undefined, running(full.slice(1)), progress, START + 140_000)).toBe(true);
  });

  it('holds for a first small report of a young race', () => {
    expect(repeatsPublished(undefined, running([[20, 5]]), progress, START + 20_000)).toBe(true);
  });

  it('does not hold for a stage of which nothing is known, nor for an estimate of the producer', () => {
    const race = running([[100, 33]]);
    expect(repeatsPublished(undefined, race, { reason: 'stage_started', significant: true }, START + 100_000)).toBe(false);
    expect(repeatsPublished(undefined, race, { reason: 'client_eta', significant: false }, START + 100_000)).toBe(false);
  });

  it('takes a report in whole percent for right to half of one', () => {
    // 320 s by 10 %, which may be 10.5: 305 s. Seven tenths of 20 s may move unsaid, and of the 16 s that the rounding makes.
    expect(repeatsPublished(undefined, running([[32, 10]]), progress, START + 32_000)).toBe(true);
    expect(repeatsPublished(undefined, running([[32, 10.001]]), progress, START + 32_000)).toBe(false);
    expect(repeatsPublished(undefined, running([[33, 10]]), progress, START + 33_000)).toBe(false);
  });

  it('allows a report no more than seven tenths of what may move unsaid', () => {
    // The tolerance is 5 % of 200 s or a fifth of 100 s: 20 s.
    expect(repeatsPublished(undefined, running([[100, 100 / 3.13]]), progress, START + 100_000)).toBe(true);
    expect(repeatsPublished(undefined, running([[100, 100 / 3.15]]), progress, START + 100_000)).toBe(false);
  });
});

const stageStarted = { reason: 'stage_started', significant: true } as const;
const look = { reason: 'rate_change', significant: false } as const;
const reporting = (report: readonly [sec: number, percent: number]) => {
  const race = running([report]);
  return { ...race, published: { ...race.published!, basis: 'progress' as const } };
};

describe('repeatsPublished() for stages and looks', () => {
  /** Ten races of 300 s whose test began at 100 s. */
  const model = createSourceModel('s');
  for (let i = 0; i < 10; i++) {
    const value = finishedOf(300, { source: 's', title: running([]).title, started_at: START, stages: [finishedStageOf('test', START + 100_000, START + 299_000)] });
    learn(model, { kind: 'FinishedRace', value });
  }
  const inTest = (beganSec: number, confidence = 0.99): RaceState => {
    const race = running([], { stages: [stageOf('test', START + beganSec * 1_000, null)] });
    return { ...race, published: { ...race.published!, confidence } };
  };

  it('holds for a stage that begins when it does in races that take as long', () => {
    expect(repeatsPublished(model, inTest(101), stageStarted, START + 101_000)).toBe(true);
  });

  it.each([
    ['later', inTest(140), 140],
    ['as usual where little was sure', inTest(101, 0.97), 101],
    ['without a word published', { ...inTest(101), published: null }, 101],
    ['with a new estimate of the producer', { ...inTest(101), field_at: { ...inTest(101).field_at, eta: START + 101_000 } }, 101],
  ])('does not hold for one that begins %s', (_what, race, sec) => {
    expect(repeatsPublished(model, race, stageStarted, START + sec * 1_000)).toBe(false);
  });

  it('does not hold for a change of state', () => {
    expect(repeatsPublished(model, inTest(101), { reason: 'started', significant: true }, START + 101_000)).toBe(false);
  });

  it('holds for stages and looks while the reports lead to the published finish', () => {
    for (const change of [stageStarted, look]) {
      expect(repeatsPublished(undefined, reporting([100, 100 / 3.04]), change, START + 110_000)).toBe(true);
      expect(repeatsPublished(undefined, reporting([100, 100 / 3.08]), change, START + 110_000)).toBe(false);
      expect(repeatsPublished(undefined, reporting([100, 100 / 3.04]), change, START + 265_000)).toBe(false);
    }
  });

  it('does not hold for a look at a race that reports nothing: only the time can tell that a stage takes long', () => {
    expect(repeatsPublished(model, inTest(101), look, START + 150_000)).toBe(false);
  });

  it('holds while a finish is corrected that is still too far off to hold still; for a report, wherever it is', () => {
    const correcting = (shownSec: number) => ({ ...reporting([100, 33]), display: { finish_at: START + shownSec * 1_000, state: 'correcting' as const } });
    expect(repeatsPublished(undefined, correcting(340), stageStarted, START + 100_000)).toBe(true);
    expect(repeatsPublished(undefined, correcting(320), stageStarted, START + 100_000)).toBe(false);
    expect(repeatsPublished(undefined, correcting(320), progress, START + 100_000)).toBe(true);
  });
});
