import { describe, expect, it } from 'vitest';
import { repeatsPublished } from '../../../src/forecast/agreement.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { newRace } from '../../../src/race/attempt.ts';
import type { RaceState } from '../../../src/race/state.ts';

const START = 1_790_000_000_000;
const progress = { reason: 'progress', significant: false } as const;

/** Published after its start: 300 s, between 260 and 360. */
function running(reports: readonly (readonly [sec: number, percent: number])[], changes: Partial<RaceState> = {}): RaceState {
  return {
    ...newRace({ ...emptyUpdate('r', 's', START), state: 'running' }, START),
    state: 'running', started_at: START, revision: 1, display: { finish_at: START + 300_000, state: 'stable' },
    published: {
      issued_at: START, event_at: START, eta_sec: 300, p10_sec: 260, p50_sec: 300, p90_sec: 360, confidence: 0.8,
      basis: 'key', reason: 'started', model_version: '0@1', cluster_id: null,
    },
    progress_points: reports.map(([sec, percent]) => ({ at: START + sec * 1_000, progress: percent })),
    ...changes,
  };
}

describe('repeatsPublished()', () => {
  it('holds for a report that leads to the published finish', () => {
    expect(repeatsPublished(running([[100, 33]]), progress, START + 100_000)).toBe(true);
  });

  it.each([
    ['that leads elsewhere', running([[100, 50]]), 100],
    ['of a race that has not published', running([[100, 33]], { published: null }), 100],
    ['while what is shown is being corrected in steps', running([[100, 33]], { display: { finish_at: START + 200_000, state: 'correcting' } }), 100],
    ['after the shown finish', running([[305, 99]]), 305],
    ['that says nothing yet, when most of its kind have ended', running([[270, 5]]), 270],
  ])('does not hold for a report %s', (_what, race, sec) => {
    expect(repeatsPublished(race, progress, START + sec * 1_000)).toBe(false);
  });

  it('holds for a first small report of a young race', () => {
    expect(repeatsPublished(running([[20, 5]]), progress, START + 20_000)).toBe(true);
  });

  it('does not hold for anything but progress', () => {
    const race = running([[100, 33]]);
    expect(repeatsPublished(race, { reason: 'stage_started', significant: true }, START + 100_000)).toBe(false);
    expect(repeatsPublished(race, { reason: 'client_eta', significant: false }, START + 100_000)).toBe(false);
  });

  it('allows no more than half of what may move unsaid', () => {
    // The tolerance is 5 % of 200 s or a fifth of 100 s: 20 s.
    expect(repeatsPublished(running([[100, 100 / 3.09]]), progress, START + 100_000)).toBe(true);
    expect(repeatsPublished(running([[100, 100 / 3.11]]), progress, START + 100_000)).toBe(false);
  });
});
