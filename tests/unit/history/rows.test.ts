import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditRow, etaRevisionRow, forecastErrorRows, raceRow, stageRows } from '../../../src/history/rows.ts';
import { checkpoint, etaUpdate, finishedRace, partitionState, START_AT_MS } from '../../support/clickhouse/history-records.ts';

const position = { topic: 'race-history', partition: 3, offset: 42, appendedAtMs: START_AT_MS + 7 };

describe('raceRow()', () => {
  it('names the record it came from, and its append time as the time of ingestion', () => {
    expect(raceRow(finishedRace(1), position)).toMatchObject({
      topic: 'race-history', partition: 3, offset: 42, ingested_at: '2026-11-20 12:00:00.007', started_at: '2026-11-20 12:00:01.000', origin_offset: 1,
    });
  });
  it('writes every instant from 1970 to 2100 so that it reads back the same', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (at) => {
      const text = raceRow(finishedRace(1, { submitted_at: at }), position).submitted_at;
      expect(text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
      expect(Date.parse(`${text}Z`)).toBe(at);
    }));
  });
});

describe('stageRows()', () => {
  it('gives a duration only where both ends are known, never below 0', () => {
    const race = finishedRace(1);
    race.stages.push({ name: 'skewed', occurrence: 1, seq: 2, state: 'failed', started_at: 2_000, completed_at: 1_000, planned_sec: null });
    expect(stageRows(race, position).map(({ name, duration_sec }) => [name, duration_sec])).toEqual([['compile', 40], ['test', null], ['skewed', 0]]);
  });
});

describe('forecastErrorRows()', () => {
  const errors = (truthSec: number, changes: Parameters<typeof checkpoint>[0]) =>
    forecastErrorRows(finishedRace(1, { duration_sec: truthSec, checkpoints: [checkpoint(changes)] }), position)[0];

  it('is positive where the forecast was too long', () => {
    expect(errors(100, { eta_sec: 130 })).toMatchObject({ truth_sec: 100, error_sec: 30 });
    expect(errors(100, { eta_sec: 130 })?.abs_log_ratio).toBeCloseTo(Math.log(1.3), 12);
    expect(errors(130, { eta_sec: 100 })?.abs_log_ratio).toBeCloseTo(Math.log(1.3), 12);
  });
  it.each([[80, true], [120, true], [79.999, false], [120.001, false]])('takes a forecast of %d s against a truth of 100 s as within 20 %%: %s', (etaSec, within) => {
    expect(errors(100, { eta_sec: etaSec })?.is_within20).toBe(within);
  });
  it.each([[90, true], [200, true], [89.9, false], [200.1, false]])('covers %d s by 90..200 s: %s', (truthSec, covered) => {
    expect(errors(truthSec, { p10_sec: 90, p90_sec: 200 })?.is_covered).toBe(covered);
  });
  it('stays finite for races without length', () => {
    expect(errors(0, { eta_sec: 0, elapsed_sec: 5 })).toMatchObject({ abs_log_ratio: 0, elapsed_share: 1, is_within20: true });
    expect(Number.isFinite(errors(0, { eta_sec: 30 })?.abs_log_ratio)).toBe(true);
  });
  it('judges a shadow forecast beside the served one', () => {
    const race = finishedRace(1, { checkpoints: [checkpoint(), checkpoint({ role: 'shadow', model_version: 'm2' })] });
    expect(forecastErrorRows(race, position).map(({ checkpoint: index, role, model_version }) => [index, role, model_version])).toEqual([[0, 'served', '0@1'], [1, 'shadow', 'm2']]);
  });
  it.each(['canceled', 'abandoned'] as const)('says nothing of a race that was %s', (outcome) => {
    expect(forecastErrorRows(finishedRace(1, { outcome }), position)).toEqual([]);
  });
});

describe('etaRevisionRow()', () => {
  it('has the offset as its version, so that a revision sent again wins', () => {
    expect(etaRevisionRow(etaUpdate('a', 2), { ...position, topic: 'eta-updates' })).toMatchObject({ race_id: 'a', revision: 2, version: 42, progress: 50 });
  });
});

describe('auditRow()', () => {
  it('belongs to the minute in which its record was appended', () => {
    expect(auditRow(partitionState(3, 10), position)).toMatchObject({ input_partition: 3, minute: '2026-11-20 12:00:00', version: 42, read: 10, at: '2026-11-20 12:00:00.000' });
  });
});
