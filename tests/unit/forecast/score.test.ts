import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { scoreRevisions, type ScoredRace, type ScoredRevision } from '../../../src/forecast/score.ts';

// 30 races, two of them canceled, one of 83 hours, one without an estimate, one whose first came late; judged by the
// reference scorer (Python) once.
type Fixture = { races: ScoredRace[]; revisions: (ScoredRevision & { raceId: string })[]; expected: Record<string, number> };
const fixture = JSON.parse(readFileSync(new URL('score-fixture.json', import.meta.url), 'utf8')) as Fixture;

const names: Record<string, string> = {
  n: 'n', answered_at_submit_pct: 'answeredAtSubmitPct', submit_within20_pct: 'submitWithin20Pct', submit_mae_sec: 'submitMaeSec', submit_mdape_pct: 'submitMdapePct',
  submit_median_abs_log_ratio: 'submitMedianAbsLogRatio', submit_bias_median_log_ratio: 'submitBiasMedianLogRatio', life_within20_of_total_pct: 'lifeWithin20OfTotalPct',
  life_within20_of_remaining_pct: 'lifeWithin20OfRemainingPct', life_nmae_pct: 'lifeNmaePct', p90_coverage_pct: 'p90CoveragePct', p10_p90_coverage_pct: 'p10P90CoveragePct',
  band_width_over_duration_median: 'bandWidthOverDurationMedian', pinball_mean_over_duration: 'pinballMeanOverDuration', revisions_per_race_mean: 'revisionsPerRaceMean',
  jitter_sum_moves_over_duration_median: 'jitterSumMovesOverDurationMedian', jitter_sum_moves_over_duration_mean: 'jitterSumMovesOverDurationMean', later_moves_per_race_mean: 'laterMovesPerRaceMean',
};

describe('scoreRevisions()', () => {
  const score = scoreRevisions(fixture.races, Map.groupBy(fixture.revisions, ({ raceId }) => raceId)) as Record<string, number> | null;

  test('knows every number of the reference scorer', () => {
    expect(Object.keys(fixture.expected).sort()).toEqual(Object.keys(names).sort());
    expect(Object.keys(score ?? {}).sort()).toEqual(Object.values(names).sort());
  });

  test.each(Object.entries(names))('gives the %s of the reference scorer', (theirs, ours) => {
    expect(score?.[ours]).toBeCloseTo(fixture.expected[theirs]!, 9);
  });

  test('has nothing to say of no races', () => {
    expect(scoreRevisions([], new Map())).toBeNull();
  });
});
