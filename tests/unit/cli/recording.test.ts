import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countUpdates, readRecording, selectRaces, updatesOf } from '../../../src/cli/recording.ts';
import type { RecordedRace, Recording } from '../../../src/cli/recording.ts';

let folder = '';
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'raceline-recording-')); });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const START = Date.parse('2026-01-01T10:00:00Z');

function file(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  const text = `${lines.join('\n')}\n`;
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}

const races = (...rows: string[]): string[] => ['id,source,title,started_at,duration_sec,state,metadata', ...rows];
const stages = (...rows: string[]): string[] => ['race_id,stage,seq,started_at,completed_at,state', ...rows];
const foresight = { withHindsight: false };
const seconds = (recording: Recording, telling = foresight): string[] => [...updatesOf(recording, telling)].map((update) =>
  `${(update.at - START) / 1_000} ${update.race_id} ${update.stage === null ? update.event?.type ?? update.progress ?? update.state : `${update.stage.name} ${update.stage.state}`}`);

describe('readRecording()', () => {
  test('reads gzipped races with quoted JSON metadata, fractions of seconds and an empty outcome', async () => {
    const recording = await readRecording({ races: file('a.csv.gz', races('r1,ci/a,"build, all",2026-01-01T10:00:00.5Z,1.25,,"{""branch"":""main"",""n"":3}"')) });
    expect(recording.races).toEqual([{
      id: 'r1', source: 'ci/a', title: 'build, all', startedAtMs: START + 500, endedAtMs: START + 1_750, state: 'passed', metadata: { branch: 'main', n: '3' },
    }]);
  });

  test('orders races by their start, ties as in the file', async () => {
    const recording = await readRecording({ races: file('b.csv', races('late,s,t,2026-01-01T10:00:09Z,1,,{}', 'x,s,t,2026-01-01T10:00:00Z,1,,{}', 'a,s,t,2026-01-01T10:00:00Z,1,,{}')) });
    expect(recording.races.map((race) => race.id)).toEqual(['x', 'a', 'late']);
  });

  test('keeps races of no duration; skips and counts unreadable rows, repeated ids and rows of other races', async () => {
    const recording = await readRecording({
      races: file('c.csv', races('ok,s,t,2026-01-01T10:00:00Z,5,,{}', 'zero,s,t,2026-01-01T10:00:00Z,0,,{}', 'when,s,t,yesterday,5,,{}', 'how,s,t,2026-01-01T10:00:00Z,5,exploded,{}', 'ok,s,t,2026-01-01T11:00:00Z,5,,{}', 'none,s,t,2026-01-01T10:00:00Z,,,{}')),
      stages: file('c-stages.csv', stages('ok,a,0,2026-01-01T10:00:00Z,2026-01-01T10:00:01Z,', 'ok,b,1,2026-01-01T10:00:02Z,2026-01-01T10:00:01Z,', 'zero,a,0,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,')),
    });
    expect(recording.races.map((race) => race.id)).toEqual(['ok', 'zero']);
    expect(recording.stages.get('ok')).toHaveLength(1);
    expect(recording.skipped).toEqual({ invalid: 5, otherRaces: 0 });
  });

  test('names the file and the column that is missing', async () => {
    await expect(readRecording({ races: file('d.csv', ['id,source', 'a,b']) })).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringMatching(/d\.csv.*title, started_at, duration_sec/) as unknown });
    await expect(readRecording({ races: join(folder, 'nowhere.csv') })).rejects.toMatchObject({ code: 'not_found' });
    await expect(readRecording({ races: file('e.csv.gz', []).replace('e.csv.gz', 'd.csv'), stages: file('broken.csv', ['race_id,stage,started_at,completed_at', '"open']) })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('updatesOf()', () => {
  test('tells a race as its producer would: start, stages apart, finish', async () => {
    const recording = await readRecording({
      races: file('f.csv', races('r,s,t,2026-01-01T10:00:00Z,10,failed,"{""k"":""v""}"')),
      stages: file('f-stages.csv', stages('r,test,1,2026-01-01T10:00:04Z,2026-01-01T10:00:08Z,failed', 'r,build,0,2026-01-01T10:00:00Z,2026-01-01T10:00:04Z,')),
    });
    expect(seconds(recording)).toEqual(['0 r running', '0 r build running', '4 r build passed', '4 r test running', '8 r test failed', '10 r failed']);
    const updates = [...updatesOf(recording, foresight)];
    expect(updates).toHaveLength(countUpdates(recording, foresight));
    expect(updates[0]).toMatchObject({ state: 'running', started_at: START, completed_at: null, title: 't', metadata: { k: 'v' } });
    expect(updates[1]?.stage).toEqual({ name: 'build', state: 'running', seq: 0, started_at: START, completed_at: null, planned_sec: null });
    expect(updates.at(-1)).toMatchObject({ state: 'failed', completed_at: START + 10_000, started_at: null, title: null, metadata: null });
  });

  test('leaves out what lies at or after the end, and leaves the stage open whose end does', async () => {
    const recording = await readRecording({
      races: file('g.csv', races('r,s,t,2026-01-01T10:00:00Z,10,,{}')),
      stages: file('g-stages.csv', stages(
        'r,closes at the end,0,2026-01-01T10:00:01Z,2026-01-01T10:00:10Z,', 'r,closes after,1,2026-01-01T10:00:02Z,2026-01-01T10:00:11Z,',
        'r,opens at the end,2,2026-01-01T10:00:10Z,2026-01-01T10:00:10Z,', 'r,opens after,3,2026-01-01T10:00:12Z,,')),
      progress: file('g-progress.csv', ['race_id,time,event,epoch,value', 'r,2026-01-01T10:00:03Z,eval_accuracy,1,0.5', 'r,2026-01-01T10:00:10Z,eval_accuracy,2,0.6']),
    });
    expect(seconds(recording)).toEqual(['0 r running', '1 r closes at the end running', '2 r closes after running', '3 r eval_accuracy', '10 r passed']);
    expect([...updatesOf(recording, foresight)].flatMap((update) => update.stage?.completed_at ?? [])).toEqual([]);
    expect(seconds(recording, { withHindsight: true })).toEqual([
      '0 r running', '1 r closes at the end running', '2 r closes after running', '3 r eval_accuracy',
      '10 r closes at the end passed', '10 r opens at the end passed', '10 r eval_accuracy', '10 r passed', '11 r closes after passed', '12 r opens after running',
    ]);
  });

  test('does not leak an end that rounding puts 1 ms away', async () => {
    const recording = await readRecording({
      races: file('h.csv', races('r,s,t,2026-01-01T10:00:00Z,10.0006,,{}')),
      stages: file('h-stages.csv', stages('r,a,0,2026-01-01T10:00:01Z,2026-01-01T10:00:10.000Z,')),
    });
    expect(seconds(recording)).toEqual(['0 r running', '1 r a running', '10.001 r passed']);
  });

  test('makes one update of a stage of no length, between its neighbours', async () => {
    const recording = await readRecording({
      races: file('i.csv', races('r,s,t,2026-01-01T10:00:00Z,10,,{}')),
      stages: file('i-stages.csv', stages('r,c,2,2026-01-01T10:00:05Z,2026-01-01T10:00:06Z,', 'r,b,1,2026-01-01T10:00:05Z,2026-01-01T10:00:05Z,', 'r,a,0,2026-01-01T10:00:01Z,2026-01-01T10:00:05Z,')),
    });
    expect(seconds(recording)).toEqual(['0 r running', '1 r a running', '5 r a passed', '5 r b passed', '5 r c running', '6 r c passed', '10 r passed']);
    expect([...updatesOf(recording, foresight)][3]?.stage).toMatchObject({ started_at: START + 5_000, completed_at: START + 5_000 });
  });

  test('keeps open stages open and lets no stage speak before its race', async () => {
    const recording = await readRecording({
      races: file('j.csv', races('r,s,t,2026-01-01T10:00:00Z,10,,{}')),
      stages: file('j-stages.csv', stages('r,early,0,2026-01-01T09:59:00Z,2026-01-01T10:00:02Z,', 'r,open,1,2026-01-01T10:00:03Z,,', 'r,gone,2,2026-01-01T09:58:00Z,2026-01-01T09:59:00Z,canceled')),
    });
    expect(seconds(recording)).toEqual(['0 r running', '0 r early running', '0 r gone failed', '2 r early passed', '3 r open running', '10 r passed']);
    expect([...updatesOf(recording, foresight)][1]?.stage?.started_at).toBe(START - 60_000);
  });

  test('turns percentages into progress and everything else into events', async () => {
    const recording = await readRecording({
      races: file('k.csv', races('r,s,t,2026-01-01T10:00:00Z,10,,{}')),
      progress: file('k-progress.csv', ['race_id,time,event,epoch,value', 'r,2026-01-01T10:00:01Z,progress,,40', 'r,2026-01-01T10:00:02Z,progress,,140', 'r,2026-01-01T10:00:03Z,epoch_start,7,', 'r,2026-01-01T10:00:04Z,progress,,']),
    });
    const inside = [...updatesOf(recording, foresight)].slice(1, -1).map(({ progress, event }) => ({ progress, event }));
    expect(inside).toEqual([
      { progress: 40, event: null },
      { progress: null, event: { type: 'progress', at: START + 2_000, data: '{"value":"140"}' } },
      { progress: null, event: { type: 'epoch_start', at: START + 3_000, data: '{"epoch":"7"}' } },
      { progress: null, event: { type: 'progress', at: START + 4_000, data: null } },
    ]);
  });

  test('interleaves races by event time', async () => {
    const recording = await readRecording({ races: file('l.csv', races('a,s,t,2026-01-01T10:00:00Z,10,,{}', 'b,s,t,2026-01-01T10:00:02Z,3,,{}')) });
    expect(seconds(recording)).toEqual(['0 a running', '2 b running', '5 b passed', '10 a passed']);
  });
});

describe('selectRaces()', () => {
  const DAY = 86_400_000;
  const race = (id: string, day: number, sec = 60): RecordedRace => ({ id, source: 's', title: 't', startedAtMs: day * DAY + 1_000, endedAtMs: day * DAY + 1_000 + sec * 1_000, state: 'passed', metadata: {} });
  const all = [race('d', 3), race('a', 1), race('b', 1), race('c', 2), race('e', 3, 9_000)];
  const ids = (list: readonly RecordedRace[]): string => list.map((item) => item.id).join('');

  test('takes the window, the longest duration, the busiest days and the first n, in this order', () => {
    expect(ids(selectRaces(all, {}))).toBe('abcde');
    expect(ids(selectRaces(all, { fromMs: DAY + 1_000, toMs: 3 * DAY + 1_000 }))).toBe('abc');
    expect(ids(selectRaces(all, { maxSec: 60 }))).toBe('abcd');
    expect(ids(selectRaces(all, { maxSec: 60, busiestDays: 1 }))).toBe('ab');
    expect(ids(selectRaces(all, { busiestDays: 2, limit: 3 }))).toBe('abd');
  });

  test('gives ties between days to the earlier one', () => {
    expect(ids(selectRaces(all, { busiestDays: 1 }))).toBe('ab');
  });
});
