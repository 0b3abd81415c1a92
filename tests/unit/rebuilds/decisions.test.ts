import { describe, expect, test } from 'vitest';
import { applyDecision, decidePhase, decideSwap, emptyRollout, isAutomatic, needlessVersions, NO_EVIDENCE as none, NO_PAIRS, settingsOf, type Decision, type Evidence, type PairedLoss, type Rollout } from '../../../src/rebuilds/rollout.ts';
import { triggerOf, type Watched } from '../../../src/rebuilds/triggers.ts';
import { clusterStats } from '../../../src/rebuilds/cluster-stats.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SOURCE = 'ci/acme';
const decision = (changes: Partial<Decision>): Decision => ({ atMs: 0, source: SOURCE, stage: 'shadow', version: 'v1', share: 1, previous: null, kind: 'start', reason: 'test', ...changes });
const after = (...decisions: Partial<Decision>[]): Rollout => decisions.reduce<Rollout>((rollout, changes) => applyDecision(rollout, decision(changes)), emptyRollout());
const state = (rollout: Rollout) => rollout.sources.get(SOURCE)!;
const paired = (all: PairedLoss): Evidence => ({ all, newest: NO_PAIRS });
const gain: PairedLoss = { pairs: 500, difference: -0.02, error: 0.005, otherLoss: 0.3 };
const loss: PairedLoss = { pairs: 60, difference: 0.05, error: 0.01, otherLoss: 0.3 };
const [better, worse] = [paired(gain), paired(loss)];
const settings = settingsOf('SingleSource');

describe('needlessVersions()', () => {
  test('the newest stay, and whatever is in force, on trial or to be brought back', () => {
    const rollout = after({ stage: 'active', version: 'v0', previous: '' }, { stage: 'active', version: 'v2', previous: 'v0' }, { version: 'v3' });
    const published = Array.from({ length: 12 }, (_, n) => `v${n}`);
    expect(needlessVersions(state(rollout), published)).toEqual(['v1', 'v4', 'v5', 'v6']);
    expect(needlessVersions(state(rollout), published.slice(0, 5))).toEqual([]);
  });
});

describe('decideSwap()', () => {
  test('a shadow waits for both its time and its pairs, then serves a share', () => {
    const shadow = state(after({}));
    expect(decideSwap(shadow, { candidate: better, active: none }, settings, DAY_MS - 1)).toBeNull();
    expect(decideSwap(shadow, { candidate: paired({ ...gain, pairs: 99 }), active: none }, settings, DAY_MS)).toBeNull();
    expect(decideSwap(shadow, { candidate: better, active: none }, settings, DAY_MS)).toMatchObject({ stage: 'canary', version: 'v1', share: 0.1, kind: 'promote' });
  });

  test('a canary becomes active, and is held against what it replaces', () => {
    const canary = state(after({ stage: 'active', version: 'v0' }, {}, { stage: 'canary', share: 0.1 }));
    expect(decideSwap(canary, { candidate: better, active: none }, settings, 2 * DAY_MS)).toMatchObject({ stage: 'active', version: 'v1', previous: 'v0' });
  });

  test('a worse candidate is withdrawn as soon as that is sure, not before', () => {
    const canary = state(after({ stage: 'canary', share: 0.1 }));
    expect(decideSwap(canary, { candidate: worse, active: none }, settings, HOUR_MS)).toMatchObject({ stage: 'canary', version: '', kind: 'rollback' });
    expect(decideSwap(canary, { candidate: paired({ ...loss, error: 0.04 }), active: none }, settings, HOUR_MS)).toBeNull();
    expect(decideSwap(canary, { candidate: paired({ ...loss, pairs: 29 }), active: none }, settings, HOUR_MS)).toBeNull();
  });

  test('a candidate that was better for long and is surely worse of late is withdrawn, too', () => {
    const canary = state(after({ stage: 'canary', share: 0.1 }));
    expect(decideSwap(canary, { candidate: { all: gain, newest: loss }, active: none }, settings, HOUR_MS)).toMatchObject({ stage: 'canary', version: '', kind: 'rollback', reason: expect.stringContaining('60 races') });
    expect(decideSwap(canary, { candidate: { all: gain, newest: { ...loss, error: 0.02 } }, active: none }, settings, HOUR_MS)).toBeNull();
  });

  test('an active version that turns bad gives way to the one before, which is then held against nothing', () => {
    const rollout = after({ stage: 'active', version: 'v0', previous: '' }, { stage: 'active', version: 'v1', previous: 'v0', atMs: 5 });
    const back = decideSwap(state(rollout), { candidate: none, active: worse }, settings, HOUR_MS)!;
    expect(back).toMatchObject({ stage: 'active', version: 'v0', previous: null, kind: 'rollback' });
    expect(state(applyDecision(rollout, back))).toMatchObject({ active: 'v0', previous: null, history: ['v0', 'v1', 'v0'] });
  });

  test('with nothing before it, a rollback still has something to restore: forecasts without clusters', () => {
    const first = after({ stage: 'active', version: 'v1', previous: '' });
    const back = decideSwap(state(first), { candidate: none, active: worse }, settings, HOUR_MS)!;
    expect(back).toMatchObject({ stage: 'active', version: '', kind: 'rollback' });
    expect(state(applyDecision(first, back))).toMatchObject({ active: null, previous: null });
  });

  test('an active version that held is confirmed after its probation', () => {
    const rollout = after({ stage: 'active', version: 'v1', previous: '' });
    expect(decideSwap(state(rollout), { candidate: none, active: better }, settings, 7 * DAY_MS - 1)).toBeNull();
    const confirmed = decideSwap(state(rollout), { candidate: none, active: better }, settings, 7 * DAY_MS)!;
    expect(confirmed).toMatchObject({ stage: 'active', version: 'v1', previous: null, kind: 'confirm' });
    expect(decideSwap(state(applyDecision(rollout, confirmed)), { candidate: none, active: worse }, settings, 8 * DAY_MS)).toBeNull();
  });

  test('a candidate that convinces nobody leaves in the end', () => {
    expect(decideSwap(state(after({})), { candidate: paired({ ...loss, error: 1 }), active: none }, settings, 14 * DAY_MS + 1)).toMatchObject({ version: '', kind: 'withdraw' });
  });
});

describe('decidePhase()', () => {
  test('phases advance one at a time when their conditions hold, and stay otherwise: nothing locks', () => {
    const pilot = after({ stage: 'active', previous: '' });
    expect(decidePhase(pilot, SOURCE, new Map([[SOURCE, 9]]), 1)).toBeNull();
    expect(decidePhase(after({}), SOURCE, new Map([[SOURCE, 10]]), 1), 'the pilot serves nothing yet').toBeNull();
    const step = decidePhase(pilot, SOURCE, new Map([[SOURCE, 10]]), 1)!;
    expect(step).toMatchObject({ stage: 'phase', version: 'AllSourcesConservative' });
    const second = applyDecision(pilot, step);
    expect(decidePhase(second, SOURCE, new Map([[SOURCE, 10], ['other', 39]]), 2)).toBeNull();
    const third = applyDecision(second, decidePhase(second, SOURCE, new Map([[SOURCE, 10], ['other', 40]]), 2)!);
    expect(third.phase).toBe('AutomaticTuning');
    expect(decidePhase(third, SOURCE, new Map([[SOURCE, 1_000]]), 3)).toBeNull();
    expect(third.phases.map(({ phase }) => phase)).toEqual(['AllSourcesConservative', 'AutomaticTuning']);
  });

  test('in the first phase only the pilot is rebuilt by itself', () => {
    expect([isAutomatic(emptyRollout(), 'a', 'a'), isAutomatic(emptyRollout(), 'b', 'a'), isAutomatic({ ...emptyRollout(), phase: 'AutomaticTuning' }, 'b', 'a')]).toEqual([true, false, true]);
  });
});

describe('triggerOf()', () => {
  const figures = { errorRatio: 0.1, cohesion: 0.9, noiseRatio: 0.05 };
  const watched = (changes: Partial<Watched> = {}): Watched => ({ nowMs: 10 * DAY_MS, races: 5_000, newRaces: 10, last: { atMs: 10 * DAY_MS - 2 * HOUR_MS, failed: false, figures }, figures, ...changes });
  test.each<[string, Partial<Watched>, string | undefined]>([
    ['nothing changed', {}, undefined],
    ['the first one of a source with enough races', { last: null, races: 100 }, 'volume'],
    ['too few races', { last: null, races: 99 }, undefined],
    ['the error rose by 20 %', { figures: { ...figures, errorRatio: 0.121 } }, 'error'],
    ['the error rose by less', { figures: { ...figures, errorRatio: 0.119 } }, undefined],
    ['cohesion fell by .1', { figures: { ...figures, cohesion: 0.79 } }, 'cohesion'],
    ['noise rose by .05', { figures: { ...figures, noiseRatio: 0.11 } }, 'noise'],
    ['more than 1,000 new races', { newRaces: 1_001 }, 'volume'],
    ['1,000 new races', { newRaces: 1_000 }, undefined],
    ['a day and active', { last: { atMs: 9 * DAY_MS, failed: false, figures }, newRaces: 50 }, 'daily'],
    ['a day and hardly active', { last: { atMs: 9 * DAY_MS, failed: false, figures }, newRaces: 49 }, undefined],
    ['a week and one race', { last: { atMs: 3 * DAY_MS, failed: false, figures }, newRaces: 1 }, 'weekly'],
    ['it cools down', { last: { atMs: 10 * DAY_MS - HOUR_MS + 1, failed: false, figures }, newRaces: 5_000 }, undefined],
    ['it failed and cools down longer', { last: { atMs: 10 * DAY_MS - 2 * HOUR_MS, failed: true, figures }, newRaces: 5_000 }, undefined],
  ])('%s', (_, changes, expected) => {
    expect(triggerOf(watched(changes))?.trigger).toBe(expected);
  });

  test('an absolute limit fires once, and again only when things have changed', () => {
    const bad = { errorRatio: 0.5, cohesion: 0.9, noiseRatio: 0.05 };
    expect(triggerOf(watched({ figures: bad }))?.trigger).toBe('error');
    const seen = { atMs: 10 * DAY_MS - 2 * HOUR_MS, failed: false, figures: bad };
    expect(triggerOf(watched({ figures: bad, last: seen }))).toBeNull();
    expect(triggerOf(watched({ figures: { ...bad, errorRatio: 0.61 }, last: seen }))?.trigger).toBe('error');
  });
});

describe('clusterStats()', () => {
  test('what the origin computed, where it was right', () => {
    expect(clusterStats([30, 45, 35])).toMatchObject({ mean: 110 / 3, median: 35, mad: 5, eta_prediction: { expected_seconds: 35, lower_bound: 30, upper_bound: 45, confidence: expect.closeTo(0.431858, 5) } });
    expect(clusterStats([10, 20, 30, 40, 50, 60, 70, 80, 90, 100])).toMatchObject({ std_dev: expect.closeTo(28.7228, 4), mad: 25, percentiles: { p10: 20, p25: 30, p50: 60, p75: 80, p90: 100, p95: 100 }, trend: { direction: 'Degrading', rate: expect.closeTo(1.6667, 4) } });
    expect(clusterStats([])).toBeNull();
  });

  test('a start at 0 stays finite, and an outlier is kept', () => {
    expect(clusterStats([0, 0, 0, 5, 5, 5])!.trend.rate).toBe(10);
    expect(clusterStats([10, 12, 11, 100])!.sample_size).toBe(4);
  });
});
