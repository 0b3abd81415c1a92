import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createScoreSheet, type ScoredRace, type ScoredRevision } from '../../../src/forecast/score.ts';

// 30 races, two of them canceled, one of 83 hours, one without an estimate, one whose first came late; judged by the
// reference scorer (Python) once. What it says of files, baselines and other points: tests/integration/cli/score.test.ts.
type Row = { raceId: string; issuedAtMs: number; etaSec: number | null; p10Sec: number | null; p50Sec: number; p90Sec: number | null };
type Fixture = { races: { id: string; startedAtMs: number; durationSec: number; outcome: string }[]; revisions: Row[]; expected: Record<string, number> };
const fixture = JSON.parse(readFileSync(new URL('score-fixture.json', import.meta.url), 'utf8')) as Fixture;
const races = fixture.races.map(({ id, startedAtMs, durationSec, outcome }): ScoredRace => ({ id, source: 's', title: 't', startedAtSec: startedAtMs / 1_000, durationSec, outcome }));

const revision = (fields: Partial<ScoredRevision>): ScoredRevision => ({ issuedAtSec: 0, pointSec: null, p10Sec: null, p50Sec: 100, p90Sec: null, confidence: null, ...fields });

describe('createScoreSheet()', () => {
  const sheet = createScoreSheet(races);
  for (const { raceId, issuedAtMs, etaSec, ...quantiles } of fixture.revisions) sheet.add(raceId, revision({ issuedAtSec: issuedAtMs / 1_000, pointSec: etaSec, ...quantiles }));
  const score = sheet.result().project as Record<string, number> | null;

  test('knows every number of the reference scorer, and no other', () => {
    expect(Object.keys(score ?? {}).sort()).toEqual(Object.keys(fixture.expected).sort());
  });

  test.each(Object.entries(fixture.expected))('gives the %s of the reference scorer', (name, expected) => {
    expect(score?.[name]).toBeCloseTo(expected, 9);
  });

  test('has nothing to say of no races', () => {
    const { project, baselines, confidence } = createScoreSheet([]).result();
    expect([project, ...Object.values(baselines)].every((one) => one === null)).toBe(true);
    expect(confidence).toEqual([]);
  });

  test('takes the later of two revisions at one instant, and none that is older than the one before it', () => {
    const one = createScoreSheet([{ id: 'a', source: 's', title: 't', startedAtSec: 0, durationSec: 100, outcome: 'passed' }], { tailShare: 1 });
    expect(one.startOf('a')).toBe(0);
    expect(one.add('a', revision({ p50Sec: 500 }))).toBe(true);
    expect(one.add('a', revision({ p50Sec: 110 }))).toBe(true);
    expect(one.add('a', revision({ issuedAtSec: -1 }))).toBe(false);
    expect(one.result().project).toMatchObject({ submit_mae_sec: 10, life_within20_of_total_pct: 100, life_within20_of_remaining_pct: 60, revisions_per_race_mean: 2, jitter_sum_moves_over_duration_median: 3.9 });
  });

  test('holds confidence against what came true, by tenths', () => {
    const many = createScoreSheet(Array.from({ length: 4 }, (_, i) => ({ id: `${i}`, source: 's', title: 't', startedAtSec: i * 1_000, durationSec: 100, outcome: 'passed' })), { tailShare: 1 });
    for (const [i, [p50Sec, confidence]] of ([[100, 0.62], [125, 0.68], [100, 1], [100, 0]] as const).entries()) many.add(`${i}`, revision({ issuedAtSec: i * 1_000, p50Sec, confidence }));
    expect(many.result().confidence).toEqual([
      { from: 0, forecasts: 10, mean_confidence: 0, came_true: 1 },
      { from: 0.6, forecasts: 20, mean_confidence: expect.closeTo(0.65, 9), came_true: 0.5 },
      { from: 0.9, forecasts: 10, mean_confidence: 1, came_true: 1 },
    ]);
  });

  test('rules of other tools see a race when it has ended, not before', () => {
    const race = (id: string, startedAtSec: number, durationSec: number, outcome = 'passed', title = 't'): ScoredRace => ({ id, source: 's', title, startedAtSec, durationSec, outcome });
    const { baselines } = createScoreSheet([
      race('a', 0, 100), race('b', 50, 50, 'failed'), race('c', 60, 400, 'canceled'), race('d', 100, 100), race('e', 201, 300), race('f', 600, 90, 'passed', 'other'),
    ], { ids: new Set(['d', 'e', 'f']), tailShare: 1 }).result();
    // d: a and b end at its very start. e: a, b, d. f: another title, so the source's median of 50, 100, 100, 300.
    expect(baselines.last1?.submit_mae_sec).toBeCloseTo((0 + 200 + 10) / 3, 9);
    expect(baselines.mean2?.submit_mae_sec).toBeCloseTo((25 + 225 + 10) / 3, 9);
    expect(baselines.avg?.submit_mae_sec).toBeCloseTo((25 + (300 - 250 / 3) + 10) / 3, 9);
    expect(baselines.source_med?.submit_mae_sec).toBeCloseTo((25 + 200 + 10) / 3, 9);
  });
});
