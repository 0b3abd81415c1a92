import { describe, expect, test } from 'vitest';
import { abandon } from '../../../src/race/abandon.ts';
import { currentMetadata } from '../../../src/race/metadata.ts';
import { approximateStateBytes } from '../../../src/race/state-size.ts';
import { MAX_EVENTS, MAX_STATE_BYTES, type RaceState } from '../../../src/race/state.ts';
import type { RaceUpdate, ReportedState } from '../../../src/race/update.ts';
import { applied, fold, lastResult, raceAfter, sec, stage, updateAt } from './updates.ts';

const queued = updateAt(0, { state: 'queued', queued_at: sec(0), title: 'Build', metadata: { branch: 'main' } });
const running = updateAt(10, { state: 'running', started_at: sec(10) });
const passed = updateAt(100, { state: 'passed', completed_at: sec(99) });

describe('evolve() opens a race', () => {
  test('with what the first update says', () => {
    const result = applied(lastResult(queued));
    expect(result.race).toMatchObject({
      race_id: 'race-1', title: 'Build', attempt: 1, version: 0, state: 'queued', queued_at: sec(0), started_at: null,
      first_at: sec(0), last_at: sec(0), appended_at: sec(0) + 100, epoch: 1, applied_offset: 0, revision: 0, published: null,
    });
    expect(result.change).toMatchObject({ reason: 'submitted', significant: true, started: false, finished: false, finishedStages: [] });
  });

  test('without a title under its source, until a title comes, however old', () => {
    expect(raceAfter(updateAt(5)).title).toBe('github-actions/acme/api');
    expect(raceAfter(updateAt(5), updateAt(1, { title: 'Late title' }))).toMatchObject({ title: 'Late title', first_at: sec(1), last_at: sec(5) });
  });

  test('that has ended already', () => {
    const result = applied(lastResult(updateAt(100, { state: 'failed', started_at: sec(10), completed_at: sec(99) })));
    expect(result.race).toMatchObject({ state: 'failed', version: 1, started_at: sec(10), completed_at: sec(99) });
    expect(result.change).toMatchObject({ reason: 'submitted', finished: true, started: false });
  });

  test('as queued when nothing is said of its state', () => {
    expect(raceAfter(updateAt(0, { progress: 0 })).state).toBe('queued');
  });
});

describe('evolve() takes the last writer by event time', () => {
  /** Two values of each field, and where the race keeps it. */
  const fields: [string, Partial<RaceUpdate>, Partial<RaceUpdate>, Partial<RaceState>, Partial<RaceState>][] = [
    ['title', { title: 'a' }, { title: 'b' }, { title: 'a' }, { title: 'b' }],
    ['state', { state: 'queued' }, { state: 'running' }, { state: 'queued' }, { state: 'running' }],
    ['progress', { progress: 10 }, { progress: 20 }, { progress: 10 }, { progress: 20 }],
    ['eta_sec', { eta_sec: 10, eta_kind: 'total' }, { eta_sec: 20, eta_kind: 'remaining' }, { eta_sec: 10, eta_kind: 'total' }, { eta_sec: 20, eta_kind: 'remaining' }],
    ['queued_at', { queued_at: sec(1) }, { queued_at: sec(2) }, { queued_at: sec(1) }, { queued_at: sec(2) }],
    ['started_at', { started_at: sec(1) }, { started_at: sec(2) }, { started_at: sec(1) }, { started_at: sec(2) }],
    ['completed_at', { completed_at: sec(1) }, { completed_at: sec(2) }, { completed_at: sec(1) }, { completed_at: sec(2) }],
    ['plan', { plan: [{ name: 'a', planned_sec: 1, planned_at: null }] }, { plan: [] }, { plan: [{ name: 'a', planned_sec: 1, planned_at: null }] }, { plan: [] }],
    ['hint', { update_interval_hint_sec: 1 }, { update_interval_hint_sec: 2 }, { update_interval_hint_sec: 1 }, { update_interval_hint_sec: 2 }],
    ['deeplink', { deeplink: 'x://a' }, { deeplink: 'x://b' }, { deeplink: 'x://a' }, { deeplink: 'x://b' }],
    ['deadline_at', { deadline_at: sec(1) }, { deadline_at: sec(2) }, { deadline_at: sec(1) }, { deadline_at: sec(2) }],
    ['route_id', { route_id: 'a' }, { route_id: 'b' }, { route_id: 'a' }, { route_id: 'b' }],
  ];
  const quiet = updateAt(0, { started_at: sec(-5) });

  test.each(fields)('%s: newer wins, older is late, a tie goes to the one in hand', (_, a, b, hasA, hasB) => {
    expect(raceAfter(quiet, updateAt(10, a), updateAt(20, b))).toMatchObject(hasB);
    const late = fold([quiet, updateAt(20, a), updateAt(10, b)]);
    expect(late.race).toMatchObject(hasA);
    expect(late.results[2]?.outcome).toBe('late');
    expect(raceAfter(quiet, updateAt(10, a), updateAt(10, b))).toMatchObject(hasB);
    expect(lastResult(quiet, updateAt(10, a), updateAt(10, a)).outcome).toBe('duplicate');
  });

  test('a heartbeat counts while the race is open', () => {
    expect(raceAfter(quiet, updateAt(5))).toMatchObject({ last_at: sec(5), appended_at: sec(5) + 100, applied_offset: 1 });
    expect(lastResult(quiet, updateAt(5), updateAt(5)).outcome).toBe('duplicate');
    expect(lastResult(quiet, updateAt(5), updateAt(4)).outcome).toBe('late');
  });

  test('a late update that brings one new thing is applied without moving last_at back', () => {
    const race = raceAfter(queued, updateAt(50, { progress: 40 }), updateAt(20, { progress: 5, metadata: { runner: 'arm' } }));
    expect(race).toMatchObject({ progress: 40, last_at: sec(50), appended_at: sec(50) + 100, applied_offset: 2 });
    expect(currentMetadata(race)).toEqual({ branch: 'main', runner: 'arm' });
  });

  test('the kind of ETA stays when it is not said again', () => {
    expect(raceAfter(quiet, updateAt(1, { eta_sec: 90, eta_kind: 'remaining' }), updateAt(2, { eta_sec: 80 }))).toMatchObject({ eta_sec: 80, eta_kind: 'remaining' });
  });

  test('another source is refused', () => {
    const result = lastResult(queued, { ...running, source: 'cmd' });
    expect(result).toMatchObject({ outcome: 'rejected', rejection: { code: 'source_changed', message: expect.stringContaining('got cmd') } });
  });
});

describe('evolve() knows start and end', () => {
  test('running without started_at started at the earliest such update', () => {
    expect(raceAfter(queued, updateAt(30, { state: 'running' }), updateAt(20, { state: 'running' }), updateAt(40, { state: 'running' })))
      .toMatchObject({ state: 'running', started_at: sec(20), started_derived: true });
  });

  test('a told start replaces a derived one, whenever it was told', () => {
    expect(raceAfter(updateAt(30, { state: 'running' }), updateAt(20, { started_at: sec(15) }))).toMatchObject({ started_at: sec(15), started_derived: false });
    expect(raceAfter(updateAt(20, { started_at: sec(15) }), updateAt(10, { state: 'running' }))).toMatchObject({ started_at: sec(15), started_derived: false });
  });

  test('a report of progress says that the race runs, 0 does not', () => {
    expect(raceAfter(queued, updateAt(5, { progress: 0 })).state).toBe('queued');
    expect(raceAfter(queued, updateAt(5, { progress: 1 }))).toMatchObject({ state: 'running', started_at: sec(5), started_derived: true });
    expect(raceAfter(queued, updateAt(5, { progress: 1, state: 'queued' })).state).toBe('queued');
  });

  test('an end without completed_at is the `at` of its state, the earliest', () => {
    expect(raceAfter(running, updateAt(80, { state: 'passed' }), updateAt(70, { state: 'passed' }), updateAt(90, { state: 'passed' })))
      .toMatchObject({ completed_at: sec(70), completed_derived: true });
  });

  test('a told end replaces a derived one as a correction', () => {
    const result = applied(lastResult(running, updateAt(80, { state: 'passed' }), updateAt(75, { completed_at: sec(74) })));
    expect(result.race).toMatchObject({ completed_at: sec(74), completed_derived: false, version: 2 });
    expect(result.change).toMatchObject({ reason: 'correction', corrected: true, finished: false, significant: true });
  });

  test('an end without any start started when queued, else at the first update, until a sign of a start comes', () => {
    expect(raceAfter(queued, passed)).toMatchObject({ started_at: sec(0), started_derived: true });
    expect(raceAfter(updateAt(7), passed)).toMatchObject({ started_at: sec(7), started_derived: true });
    expect(raceAfter(queued, passed, updateAt(12, { state: 'running' }))).toMatchObject({ started_at: sec(12), state: 'passed', version: 2 });
    expect(raceAfter(queued, passed, running)).toMatchObject({ started_at: sec(10), started_derived: false });
  });

  test('an end before the start is refused when both are told', () => {
    const result = lastResult(running, updateAt(100, { state: 'passed', completed_at: sec(9) }));
    expect(result).toMatchObject({ outcome: 'rejected', rejection: { code: 'finish_before_start' } });
  });

  test('a derived end or start gives way to a told one', () => {
    expect(raceAfter(running, updateAt(9, { state: 'passed' }))).toMatchObject({ started_at: sec(10), completed_at: sec(10) });
    expect(raceAfter(updateAt(30, { state: 'running' }), updateAt(100, { state: 'passed', completed_at: sec(25) })))
      .toMatchObject({ started_at: sec(25), completed_at: sec(25) });
  });

  test('an end that is told before the outcome waits for it', () => {
    expect(raceAfter(running, updateAt(60, { completed_at: sec(59) }))).toMatchObject({ state: 'running', completed_at: sec(59) });
    expect(raceAfter(running, updateAt(60, { completed_at: sec(59) }), updateAt(61, { state: 'failed' }))).toMatchObject({ state: 'failed', completed_at: sec(59), completed_derived: false });
  });
});

describe('evolve() after the end', () => {
  const end = [queued, running, updateAt(50, { progress: 60, eta_sec: 90 }), passed];

  test('says so once', () => {
    const result = applied(lastResult(...end));
    expect(result.race).toMatchObject({ state: 'passed', version: 1, completed_at: sec(99) });
    expect(result.change).toMatchObject({ reason: 'finished', finished: true, significant: true, corrected: false });
  });

  test.each<ReportedState>(['queued', 'running', 'failed', 'canceled'])('%s is late: the end is final', (state) => {
    expect(lastResult(...end, updateAt(110, { state })).outcome).toBe('late');
    expect(lastResult(...end, updateAt(90, { state })).outcome).toBe('late');
  });

  test('progress, estimates and heartbeats are late', () => {
    expect(lastResult(...end, updateAt(110, { progress: 100 })).outcome).toBe('late');
    expect(lastResult(...end, updateAt(60, { progress: 70 })).outcome).toBe('late');
    expect(lastResult(...end, updateAt(110, { eta_sec: 5 })).outcome).toBe('late');
    expect(lastResult(...end, updateAt(110)).outcome).toBe('late');
  });

  test('a poller that repeats itself makes no correction, its exact repeat is a duplicate', () => {
    const poll = updateAt(200, { title: 'Build', state: 'passed', completed_at: sec(99), metadata: { branch: 'main' } });
    const result = applied(lastResult(...end, poll));
    expect(result.race).toMatchObject({ version: 1, completed_at: sec(99), last_at: sec(200) });
    expect(result.change).toMatchObject({ reason: 'other', corrected: false, significant: false });
    expect(lastResult(...end, poll, poll).outcome).toBe('duplicate');
    expect(lastResult(...end, passed).outcome).toBe('duplicate');
    expect(lastResult(...end, updateAt(200, { state: 'passed' })).outcome).toBe('late');
  });

  test('a late stage, metadata and a title are corrections with the next version', () => {
    const { race, results } = fold([
      ...end, updateAt(40, { stage: stage('build', 'passed', { started_at: sec(12) }) }), updateAt(120, { metadata: { exit_code: '0' } }), updateAt(121, { title: 'Built' }),
    ]);
    for (const result of results.slice(4)) expect(applied(result).change).toMatchObject({ reason: 'correction', corrected: true, finished: false });
    expect(race).toMatchObject({ version: 4, title: 'Built', state: 'passed', stages: [{ name: 'build', completed_at: sec(40) }] });
  });

  test('events and links are kept without a correction', () => {
    const result = applied(lastResult(...end, updateAt(101, { event: { type: 'completed', at: null, data: null }, deeplink: 'x://1' })));
    expect(result.race).toMatchObject({ version: 1, deeplink: 'x://1', events: [{ type: 'completed', at: sec(101) }] });
    expect(result.change).toMatchObject({ reason: 'other', corrected: false, significant: false });
  });

  test('what another attempt will start with is not taken for this one', () => {
    expect(lastResult(...end, updateAt(110, { stage: stage('build', 'running') })).outcome).toBe('late');
    expect(lastResult(...end, updateAt(110, { state: 'queued', queued_at: sec(110) })).outcome).toBe('late');
  });
});

describe('evolve() opens another attempt', () => {
  const first = raceAfter(
    queued, running, updateAt(30, { progress: 40, eta_sec: 80, eta_kind: 'total', plan: [{ name: 'build', planned_sec: 5, planned_at: sec(40) }], deadline_at: sec(150) }),
    updateAt(35, { stage: stage('build', 'passed'), event: { type: 'log', at: null, data: null } }), passed,
  );
  const shown: RaceState = {
    ...first, revision: 7, shown_progress: 60, history_index: 3, previous_eta_sec: 90, eta_revisions: [],
    published: {
      issued_at: sec(30), event_at: sec(30), eta_sec: 80, p10_sec: 70, p50_sec: 80, p90_sec: 95, confidence: 0.6, basis: 'key', reason: 'progress',
      model_version: 'm', cluster_id: null, next_at: null,
    },
    checkpoints: [{
      revision: 1, issued_at: sec(0), elapsed_sec: 0, eta_sec: 80, p10_sec: 70, p50_sec: 80, p90_sec: 95, confidence: 0.6, basis: 'key',
      reason: 'submitted', model_version: 'm', role: 'served',
    }],
  };
  const again = updateAt(201, { started_at: sec(200) });

  test('for a new start after the end', () => {
    const { race, results } = fold([again], shown);
    expect(applied(results[0]!).change).toMatchObject({ reason: 'restarted', restarted: true, started: true, significant: true, corrected: false });
    expect(race).toMatchObject({
      attempt: 2, version: 0, state: 'running', started_at: sec(200), started_derived: false, completed_at: null, queued_at: null,
      progress: null, eta_sec: null, stages: [], events: [], progress_points: [], published: null, previous_eta_sec: null, checkpoints: [],
      history_index: 0, shown_progress: 0, revision: 7, title: 'Build', first_at: sec(201), deadline_at: null,
      plan: [{ name: 'build', planned_sec: 5, planned_at: null }],
    });
    expect(currentMetadata(race!)).toEqual({ branch: 'main' });
  });

  test('whose updates are its own', () => {
    const { race } = fold([again, updateAt(202, { stage: stage('build', 'running'), progress: 3 }), updateAt(250, { state: 'failed' })], shown);
    expect(race).toMatchObject({ attempt: 2, version: 1, state: 'failed', completed_at: sec(250), stages: [{ occurrence: 1, started_at: sec(202) }] });
  });

  test.each([
    ['a start that is not later than the first one', { started_at: sec(10) }, 201],
    ['a start before the end', { started_at: sec(60) }, 201],
    ['no start', { state: 'running' as const }, 201],
    ['an update older than the end', { started_at: sec(100) }, 99],
  ])('not for %s', (_, fields, at) => {
    const { race } = fold([updateAt(at, fields)], shown);
    expect(race?.attempt).toBe(1);
    expect(race?.state).toBe('passed');
  });

  test('once: a repeat of its start is a duplicate', () => {
    expect(fold([again, again], shown).results[1]?.outcome).toBe('duplicate');
  });

  test('and takes nothing that belongs to the one before but what holds for both', () => {
    const { race, results } = fold([
      again, updateAt(50, { stage: stage('test', 'passed') }), updateAt(98, { state: 'failed', progress: 70 }),
      updateAt(203, { state: 'passed', started_at: sec(10), completed_at: sec(99) }), updateAt(60, { metadata: { runner: 'arm' }, progress: 3 }),
    ], shown);
    // The fourth is a sign of life.
    expect(results.map((result) => result.outcome)).toEqual(['applied', 'late', 'late', 'applied', 'applied']);
    expect(race).toMatchObject({ attempt: 2, state: 'running', started_at: sec(200), stages: [], progress: null, first_at: sec(201), last_at: sec(203) });
    expect(currentMetadata(race!)).toMatchObject({ runner: 'arm' });
  });

  test('that has ended in the same update', () => {
    const result = applied(fold([updateAt(300, { state: 'passed', started_at: sec(200), completed_at: sec(290) })], shown).results[0]!);
    expect(result.race).toMatchObject({ attempt: 2, version: 1, state: 'passed', completed_at: sec(290) });
    expect(result.change).toMatchObject({ reason: 'restarted', restarted: true, finished: true, started: false });
  });
});

describe('evolve() revives an abandoned race', () => {
  const open = raceAfter(queued, running, updateAt(50, { progress: 30 }));
  const given = abandon(open, sec(200_000));

  test('when a newer update comes', () => {
    const result = applied(fold([updateAt(200_001, { progress: 31 })], given).results[0]!);
    expect(result.race).toMatchObject({ state: 'running', started_at: sec(10), completed_at: null, progress: 31, attempt: 1, version: 1 });
    expect(result.change).toMatchObject({ reason: 'progress', significant: true, restarted: false, corrected: false });
  });

  test('even by a heartbeat, and as queued if it had not started', () => {
    const waiting = abandon(raceAfter(queued), sec(200_000));
    expect(waiting.started_at).toBe(sec(0));
    expect(fold([updateAt(200_001)], waiting).race).toMatchObject({ state: 'queued', started_at: null, completed_at: null });
  });

  test('and its real end has a version of its own', () => {
    const result = applied(fold([updateAt(49, { state: 'failed', completed_at: sec(48) })], given).results[0]!);
    expect(result.race).toMatchObject({ state: 'failed', completed_at: sec(48), version: 2 });
    expect(result.change).toMatchObject({ reason: 'finished', finished: true });
  });

  test('but not by an older fact, which is a correction', () => {
    const result = applied(fold([updateAt(40, { metadata: { runner: 'arm' } })], given).results[0]!);
    expect(result.race).toMatchObject({ state: 'abandoned', completed_at: sec(50), version: 2 });
    expect(result.change).toMatchObject({ reason: 'correction', corrected: true, started: false });
    expect(fold([updateAt(50, { progress: 30 })], given).results[0]?.outcome).toBe('duplicate');
  });

  test('a new start after its last sign of life opens another attempt', () => {
    expect(fold([updateAt(300_000, { started_at: sec(299_999) })], given).race).toMatchObject({ attempt: 2, state: 'running' });
  });
});

describe('evolve() says why', () => {
  const base = [queued, running];
  test.each<[string, Partial<RaceUpdate>, string, boolean]>([
    ['progress', { progress: 5 }, 'progress', false],
    ['the same progress', { progress: 0 }, 'progress', false],
    ['an estimate', { eta_sec: 5 }, 'client_eta', false],
    ['metadata', { metadata: { a: 'b' } }, 'other', false],
    ['nothing', {}, 'other', false],
    ['a plan', { plan: [{ name: 'a', planned_sec: null, planned_at: null }] }, 'other', true],
    ['a route', { route_id: 'r' }, 'route_change', true],
    ['a stage and progress', { stage: stage('a', 'running'), progress: 5 }, 'stage_started', true],
    ['a stage to come', { stage: stage('a', 'pending') }, 'other', true],
    ['queued again', { state: 'queued' }, 'other', true],
    ['the end and progress', { state: 'canceled', progress: 5 }, 'finished', true],
  ])('%s', (_, fields, reason, significant) => {
    expect(applied(lastResult(...base, updateAt(20, fields))).change).toMatchObject({ reason, significant });
  });

  test('the start', () => {
    expect(applied(lastResult(...base)).change).toMatchObject({ reason: 'started', started: true, significant: true });
  });
});

describe('evolve() keeps the last reports', () => {
  test('eight points at which progress changed', () => {
    const race = raceAfter(running, ...Array.from({ length: 12 }, (_, i) => updateAt(20 + i, { progress: Math.floor(i / 2) * 5 })), updateAt(40, { progress: 3 }));
    expect(race.progress_points).toEqual([0, 5, 10, 15, 20, 25].map((progress, i) => ({ at: sec(20 + 2 * i), progress })).concat({ at: sec(40), progress: 3 }));
    const more = fold([updateAt(41, { progress: 50 }), updateAt(42, { progress: 60 }), updateAt(42, { progress: 61 })], race).race!;
    expect(more.progress_points).toHaveLength(8);
    expect(more.progress_points[0]).toEqual({ at: sec(22), progress: 5 });
    expect(more.progress_points.at(-1)).toEqual({ at: sec(42), progress: 61 });
  });

  test('a report that takes the last change back takes its point back', () => {
    expect(raceAfter(running, updateAt(20, { progress: 5 }), updateAt(30, { progress: 9 }), updateAt(30, { progress: 5 })).progress_points)
      .toEqual([{ at: sec(20), progress: 5 }]);
  });

  test('100 before the end as it was reported', () => {
    expect(raceAfter(running, updateAt(20, { progress: 100 }))).toMatchObject({ state: 'running', progress: 100 });
  });

  test('gaps between newer updates as a running mean that follows', () => {
    const race = raceAfter(updateAt(0), updateAt(10), updateAt(10, { progress: 1 }), updateAt(5, { title: 'late' }), updateAt(30));
    expect(race).toMatchObject({ gap_count: 2, gap_mean_sec: 15 });
    const steady = raceAfter(...Array.from({ length: 101 }, (_, i) => updateAt(i * 10)));
    const slower = fold(Array.from({ length: 100 }, (_, i) => updateAt(1000 + (i + 1) * 60)), steady).race!;
    expect(steady.gap_mean_sec).toBeCloseTo(10, 9);
    expect(slower.gap_count).toBe(200);
    expect(slower.gap_mean_sec).toBeGreaterThan(57);
  });

  test(`${MAX_EVENTS} events, the oldest dropped and counted, repeats left out`, () => {
    const events = Array.from({ length: MAX_EVENTS + 1 }, (_, i) => updateAt(i, { event: { type: 'log', at: sec(i % 2 === 0 ? i : 500 - i), data: null } }));
    const race = raceAfter(...events);
    expect(race.events).toHaveLength(MAX_EVENTS);
    expect(race.events_dropped).toBe(1);
    expect(race.events[0]?.at).toBe(sec(2));
    expect(race.events.map((event) => event.at)).toEqual(race.events.map((event) => event.at).sort((a, b) => a - b));
    expect(fold([events[3]!], race).results[0]?.outcome).toBe('duplicate');
  });
});

describe('evolve() keeps a race within its size', () => {
  const data = JSON.stringify('x'.repeat(16_000));
  const value = 'v'.repeat(2000);
  const big = (from: number, count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${from + i}`, value]));

  test('by dropping its oldest events, counted', () => {
    const race = raceAfter(...Array.from({ length: 30 }, (_, i) => updateAt(i, { event: { type: 'log', at: null, data } })));
    expect(approximateStateBytes(race)).toBeLessThanOrEqual(MAX_STATE_BYTES);
    expect(race.events.length + race.events_dropped).toBe(30);
    expect(race.events.at(-1)?.at).toBe(sec(29));
    expect(race.events.length).toBeGreaterThan(14);
  });

  test('but lets one that is over it shrink, and its stages end', () => {
    const race = raceAfter(updateAt(0, { metadata: big(0, 100), stage: stage('build', 'running') }));
    const over: RaceState = { ...race, checkpoints: Array.from({ length: 1000 }, () => ({
      revision: 1, issued_at: 1, elapsed_sec: 0, eta_sec: 1, p10_sec: 1, p50_sec: 1, p90_sec: 1, confidence: 1, basis: 'key', reason: 'other', model_version: '', role: 'served',
    })) };
    expect(approximateStateBytes(over)).toBeGreaterThan(MAX_STATE_BYTES);
    expect(fold([updateAt(1, { stage: stage('build', 'passed') })], over).results[0]?.outcome).toBe('applied');
    expect(fold([updateAt(1, { metadata: { k0: null } })], over).results[0]?.outcome).toBe('applied');
    expect(fold([updateAt(1, { stage: stage('test', 'running') })], over).results[0]?.outcome).toBe('rejected');
  });

  test('by refusing what does not fit, but never the end', () => {
    const updates = [updateAt(0, { metadata: big(0, 100) })];
    for (let i = 1; i <= 300; i++) updates.push(updateAt(i, { stage: stage(`${i}`.padEnd(200, 's'), 'running', { seq: i }) }));
    const { race, results } = fold(updates);
    const rejected = results.filter((result) => result.outcome === 'rejected');
    expect(rejected.length).toBeGreaterThan(0);
    expect(rejected[0]).toMatchObject({ rejection: { code: 'state_too_large', message: expect.stringContaining(String(MAX_STATE_BYTES)) } });
    expect(approximateStateBytes(race!)).toBeLessThanOrEqual(MAX_STATE_BYTES);
    expect(fold([updateAt(500, { state: 'passed' })], race).race?.state).toBe('passed');
  });
});
