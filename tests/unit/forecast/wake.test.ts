import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forecastRace } from '../../../src/forecast/forecast.ts';
import type { SourceModel } from '../../../src/forecast/model.ts';
import { createSourceModel } from '../../../src/forecast/model.ts';
import { learn } from '../../../src/forecast/learn.ts';
import { revise } from '../../../src/forecast/revise.ts';
import { decideWake, nextWakeAtMs } from '../../../src/forecast/wake.ts';
import type { Checkpoint, Published, RaceState } from '../../../src/race/state.ts';
import { finishedOf, raceOf } from './race-builder.ts';

const START = 1_000_000;
const DAY_SEC = 86_400;
const TTL = { finishedTtlMs: DAY_SEC * 1000 };
const at = (sec: number) => START + sec * 1000;
const published = (etaSec: number, issuedSec = 0, p90Sec = etaSec): Published => ({
  issued_at: at(issuedSec), event_at: at(issuedSec), eta_sec: etaSec, p10_sec: etaSec, p50_sec: etaSec, p90_sec: p90Sec, confidence: 1, basis: 'key', reason: 'started', model_version: '', cluster_id: null, next_at: null,
});
const checkpoint = (elapsedSec: number, p90Sec: number): Checkpoint => ({ ...published(60, elapsedSec, p90Sec), revision: 1, elapsed_sec: elapsedSec, role: 'served' });

describe('nextWakeAtMs()', () => {
  test.each<[string, Partial<RaceState>, number]>([
    ['on its way: when a quarter of what remains has passed', { published: published(600) }, 150],
    ['overdue: after a tenth of its age', { published: published(1010, 1000) }, 1100],
    ['overdue and young: after 5 s', { published: published(21, 20) }, 25],
    ['silent: after a day', {}, DAY_SEC + 0.001],
    ['queued, for long races: after ten times the p90', { state: 'queued', started_at: null, checkpoints: [checkpoint(0, DAY_SEC)] }, 10 * DAY_SEC + 0.001],
    ['silent since its start: what is thought of it since does not count', { checkpoints: [checkpoint(0, 100), checkpoint(50_000, 500_000)] }, DAY_SEC + 0.001],
    ['promised progress: after three intervals', { published: published(600), progress_points: [{ at: START, progress: 20 }], update_interval_hint_sec: 7 }, 21],
    ['finished: after its time to live', { state: 'passed', completed_at: at(50) }, 50 + DAY_SEC],
    ['finished long ago, imported now: counted from the import', { state: 'passed', completed_at: at(50), appended_at: at(5000) }, 5000 + DAY_SEC],
    ['abandoned: counted from its last sign', { state: 'abandoned', completed_at: at(10) }, 10 + DAY_SEC],
  ])('%s', (_, overrides, sec) => {
    expect(nextWakeAtMs(raceOf(overrides), TTL)).toBe(at(sec));
  });

  test('is a whole millisecond, whatever was learned', () => {
    const sec = fc.double({ min: 0.001, max: 1e7, noNaN: true });
    fc.assert(fc.property(sec, sec, sec, fc.integer({ min: 0, max: 1_000_000 }), (etaSec, p90Sec, gapSec, nowSec) => {
      const race = raceOf({
        published: { ...published(etaSec), issued_at: at(0) + 7 }, checkpoints: [checkpoint(0, p90Sec)], progress_points: [{ at: START, progress: 20 }], gap_count: 20, gap_mean_sec: gapSec,
      });
      expect(Number.isSafeInteger(nextWakeAtMs(race, { ...TTL, nowMs: at(nowSec) + 3 }))).toBe(true);
    }));
  });

  test('never lies in the past, and after a look at an overdue race a step ahead', () => {
    const late = raceOf({ published: published(600) });
    expect(nextWakeAtMs(late, { ...TTL, nowMs: at(2000) })).toBe(at(2200));
    expect(nextWakeAtMs(late, { ...TTL, nowMs: at(100) })).toBe(at(225));
    expect(nextWakeAtMs(late, { ...TTL, nowMs: at(580) })).toBe(at(600));
  });
});

describe('a stage that is late', () => {
  const race = raceOf({ published: published(600) });
  const wakeAt = (lateAtSec: number, nowSec = 0) => nextWakeAtMs(race, { ...TTL, nowMs: at(nowSec), lateAtSec });

  test('is looked at when it is', () => expect(wakeAt(90.0004)).toBe(at(90.001)));
  test('5 s ahead at least, however late', () => expect(wakeAt(60, 70)).toBe(at(75)));
  test('not after another look is due', () => expect(wakeAt(400)).toBe(at(150)));
  test('is not known', () => expect(wakeAt(Infinity)).toBe(at(150)));
});

describe('decideWake()', () => {
  test.each<[string, Partial<RaceState>, number, string]>([
    ['before anything is due', { published: published(600) }, 599, 'wait'],
    ['when a look on its way is due', { published: published(600), wake_at: at(150) }, 150, 'reforecast-progress'],
    ['when the published finish has passed', { published: published(600) }, 600, 'reforecast-overdue'],
    ['when a promised report is missing', { published: published(600), progress_points: [{ at: START, progress: 20 }] }, 30, 'reforecast-progress'],
    ['when a report promised by a learned interval is missing', { published: published(600), progress_points: [{ at: START, progress: 20 }], gap_count: 20, gap_mean_sec: 2.0005, wake_at: START + 6_002 }, 6.002, 'reforecast-progress'],
    ['when that has been looked at already', { published: published(600), progress_points: [{ at: START, progress: 20 }], wake_at: at(600) }, 31, 'wait'],
    ['without progress nothing is promised', { published: published(600) }, 300, 'wait'],
    ['after a day of silence', { published: published(600) }, DAY_SEC + 1, 'abandon'],
    ['after a day of silence, of a long race', { published: published(DAY_SEC), checkpoints: [checkpoint(0, DAY_SEC)] }, DAY_SEC * 2, 'reforecast-overdue'],
    ['a finished race within its time to live', { state: 'failed', completed_at: at(5) }, DAY_SEC, 'wait'],
    ['a finished race after it', { state: 'failed', completed_at: at(5) }, DAY_SEC + 5, 'expire'],
  ])('%s', (_, overrides, sec, decision) => {
    expect(decideWake(raceOf(overrides), at(sec), TTL)).toBe(decision);
  });
});

/** Runs a race that never says anything again by its wake-ups alone, as the pipeline would. */
function lifeOf(model: SourceModel, start: RaceState): { wakes: number; revisions: number; endSec: number } {
  const first = revise(start, forecastRace(model, start, START), { reason: 'started', significant: true, eventAtMs: START }, { nowMs: START, modelVersion: '' })!.race;
  let race: RaceState = { ...first, wake_at: nextWakeAtMs(first, { ...TTL, nowMs: START }) };
  for (let wakes = 1; ; wakes++) {
    const nowMs = race.wake_at!;
    const decision = decideWake(race, nowMs, TTL);
    expect(decision).not.toBe('wait');
    expect(decision).not.toBe('expire');
    if (decision === 'abandon' || wakes > 2000) return { wakes, revisions: race.revision, endSec: (nowMs - START) / 1000 };
    const reason = decision === 'reforecast-overdue' ? 'overdue' : 'rate_change';
    const next = revise(race, forecastRace(model, race, nowMs), { reason, significant: false, eventAtMs: nowMs }, { nowMs, modelVersion: '' })?.race ?? race;
    const wakeAt = nextWakeAtMs(next, { ...TTL, nowMs });
    expect(wakeAt!).toBeGreaterThan(nowMs);
    race = { ...next, wake_at: wakeAt };
  }
}

describe('the wake-ups of one silent race', () => {
  test('are bounded, end in abandonment, and revise it at most as often', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 30 }), fc.boolean(), (durations, isReporting) => {
      const model = createSourceModel('ci/acme');
      for (const sec of durations) learn(model, { kind: 'FinishedRace', value: finishedOf(sec) });
      const race = raceOf(isReporting ? { progress: 10, progress_points: [{ at: START, progress: 10 }] } : {});
      const { wakes, revisions, endSec } = lifeOf(model, race);
      expect(wakes).toBeLessThan(150);
      expect(revisions).toBeLessThanOrEqual(wakes);
      expect(endSec).toBeGreaterThan(DAY_SEC);
    }), { numRuns: 50 });
  });
});
