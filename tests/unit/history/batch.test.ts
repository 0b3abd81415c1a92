import { describe, expect, it } from 'vitest';
import { createOriginGate } from '../../../src/forecast/origin-gate.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import { addRecord, emptyBatch, rowCount } from '../../../src/history/batch.ts';
import { formatRange, parseRange } from '../../../src/history/pending-range.ts';
import { etaUpdate, finishedRace, forget, partitionState, START_AT_MS } from '../../support/clickhouse/history-records.ts';

const at = (topic: string, offset = 1) => ({ topic, partition: 0, offset, appendedAtMs: START_AT_MS });
const finish = (race: FinishedRace) => ({ kind: 'FinishedRace', value: race });

describe('addRecord()', () => {
  it('gives rows for a race, its stages and its forecasts', () => {
    const batch = emptyBatch();
    expect(addRecord(batch, finish(finishedRace(1)), at('race-history'), createOriginGate())).toBe('added');
    expect(rowCount(batch)).toBe(5);
  });
  it('gives the same rows for the same records, byte for byte', () => {
    const rows = () => {
      const batch = emptyBatch();
      const gate = createOriginGate();
      for (const n of [1, 2, 2, 1, 3]) addRecord(batch, finish(finishedRace(n)), at('race-history', n), gate);
      return JSON.stringify(batch);
    };
    expect(rows()).toBe(rows());
  });
  it('leaves out a finish at or below the highest origin of its input partition', () => {
    const batch = emptyBatch();
    const gate = createOriginGate();
    const origin = (epoch: number, partition: number, offset: number, index: number) => finish(finishedRace(1, { origin: { epoch, partition, offset, index } }));
    const outcomes = [origin(0, 0, 5, 0), origin(0, 0, 5, 0), origin(0, 0, 4, 9), origin(0, 0, 5, 1), origin(0, 1, 0, 0), origin(1, 0, 0, 0), origin(0, 0, 9, 0)]
      .map((record) => addRecord(batch, record, at('race-history'), gate));
    expect(outcomes).toEqual(['added', 'repeated', 'repeated', 'added', 'added', 'added', 'repeated']);
    expect(batch.tables.races).toHaveLength(4);
  });
  it('does not let a record that fits no column close the gate', () => {
    const batch = emptyBatch();
    const gate = createOriginGate();
    expect(addRecord(batch, finish({ ...finishedRace(1), duration_sec: Number.NaN }), at('race-history'), gate)).toEqual({ misfit: 'duration_sec does not fit its column: NaN' });
    expect(addRecord(batch, finish(finishedRace(1)), at('race-history'), gate)).toBe('added');
  });
  it('does not forget again what began anew: a repeat of the forgetting behind the finish that came after it', () => {
    const batch = emptyBatch();
    const gate = createOriginGate();
    const record = { kind: 'Forget', value: forget(1, 'race-1', START_AT_MS) };
    expect(addRecord(batch, record, at('race-history', 7), gate)).toBe('added');
    expect(addRecord(batch, finish(finishedRace(2, { race_id: 'race-1' })), at('race-history', 8), gate)).toBe('added');
    expect(addRecord(batch, record, at('race-history', 9), gate)).toBe('repeated');
    expect(batch.forgotten).toEqual([{ raceId: 'race-1', offset: 7, atMs: START_AT_MS }]);
  });
  it('remembers whom to forget, each time it is said', () => {
    const batch = emptyBatch();
    const record = { kind: 'Forget', value: forget(1, 'race-1', START_AT_MS + 5) };
    addRecord(batch, record, at('race-history', 7), createOriginGate());
    addRecord(batch, record, at('race-history', 8), createOriginGate());
    expect(batch.forgotten).toEqual([7, 8].map((offset) => ({ raceId: 'race-1', offset, atMs: START_AT_MS + 5 })));
  });
  it.each(['StageFacts', 'ModelSwap', 'OverdueRace'])('has no rows for %s', (kind) => {
    const batch = emptyBatch();
    expect(addRecord(batch, { kind, value: {} }, at('race-history'), createOriginGate())).toBe('ignored');
    expect(rowCount(batch)).toBe(0);
  });
  it.each([
    [{ race_id: 7 }, 'race_id'], [{ revision: -1 }, 'revision'], [{ revision: 1.5 }, 'revision'], [{ issued_at: 1e15 }, 'issued_at'], [{ issued_at: '2026-01-01' }, 'issued_at'],
    [{ eta_sec: Number.POSITIVE_INFINITY }, 'eta_sec'], [{ display: null }, 'display'], [{ confidence: undefined }, 'confidence'], [{ progress: {} }, 'progress'],
  ])('refuses an EtaUpdate with %j', (changes, field) => {
    const value = { ...etaUpdate('a', 1), ...changes };
    expect(addRecord(emptyBatch(), { kind: 'EtaUpdate', value }, at('eta-updates'), createOriginGate())).toEqual({ misfit: expect.stringContaining(`${field} does not fit`) });
  });
  it('takes the totals of a partition and no state of a race', () => {
    const batch = emptyBatch();
    addRecord(batch, { kind: 'PartitionState', value: partitionState(0, 3) }, at('race-states'), createOriginGate());
    expect(addRecord(batch, { kind: 'RaceState', value: {} }, at('race-states'), createOriginGate())).toBe('ignored');
    expect(batch.tables.audit).toHaveLength(1);
  });
});

describe('addRecord() of telemetry', () => {
  const point = { race_id: 'bus', at: START_AT_MS, lat: 30, lon: -97, speed_mps: 7, heading_deg: null, altitude_m: null, accuracy_m: null, device: 'a' };
  const add = (batch: ReturnType<typeof emptyBatch>, change: Readonly<Record<string, unknown>>, offset: number) =>
    addRecord(batch, { kind: 'TelemetryPoint', value: { ...point, ...change } }, at('telemetry', offset), createOriginGate());

  it('keeps the last position of a race in ten seconds of event time', () => {
    const batch = emptyBatch();
    const slot = START_AT_MS - (START_AT_MS % 10_000);
    const times = [slot, slot + 9_999, slot + 10_000, slot + 4_000];
    expect(times.map((time, i) => add(batch, { at: time }, i))).toEqual(['added', 'added', 'added', 'added']);
    add(batch, { race_id: 'other', at: slot }, 4);
    expect(batch.tables.telemetry.map(({ race_id, version }) => [race_id, version])).toEqual([['bus', 3], ['bus', 2], ['other', 4]]);
    expect(rowCount(batch)).toBe(3);
  });

  it.each([['nowhere', { lat: 0, lon: 0 }], ['lat 91', { lat: 91 }], ['NaN', { lon: Number.NaN }], ['an hour ahead', { at: START_AT_MS + 3_600_000 }]])('leaves out a position that is %s', (_, change) => {
    const batch = emptyBatch();
    expect(add(batch, change, 1)).toBe('ignored');
    expect(rowCount(batch)).toBe(0);
  });
});

describe('parseRange()', () => {
  it('reads what formatRange() writes', () => {
    expect(parseRange(formatRange({ first: 0, last: 2 ** 50 }))).toEqual({ first: 0, last: 2 ** 50 });
  });
  it.each(['', '5', '5-', '-5', '7-6', 'a-b', '1-2-3', ' 1-2'])('takes "%s" for nothing pending', (metadata) => {
    expect(parseRange(metadata)).toBeNull();
  });
});
