import { describe, expect, test } from 'vitest';
import { textWidth } from '../../../src/cli/format.ts';
import { describeRace, renderTable, sortForTable } from '../../../src/cli/watch-table.ts';
import { NOON, etaView, raceView } from './race-view.ts';

const races = [
  raceView({ race_id: 'running-late', title: 'deploy', eta: etaView({ display: { finish_at: NOON + 900_000, state: 'overdue' } }) }),
  raceView({ race_id: 'done', state: 'passed', completed_at: NOON + 5_000, duration_sec: 5, updated_at: NOON + 5_000 }),
  raceView({ race_id: 'waiting', state: 'queued', started_at: null }),
  raceView({ race_id: 'unknown', eta: null }),
  raceView({ race_id: 'running', title: 'a very long title of a build that does not fit anywhere at all, with 測試' }),
];

describe('renderTable()', () => {
  test('shows every column on a wide screen', () => {
    const lines = renderTable([raceView()], NOON + 50_000, 160, () => 0);
    expect(lines.map((line) => line.replace(/ {2,}/g, ' | '))).toEqual([
      'RACE | TITLE | STATE | PROGRESS | DONE AT | LEFT | BASIS | REASON | CONF',
      'r1 | build | running | ▒▒▒▒▒░░░░░░ ≈ 50 % ≈ 12:01:40 (12:01:30..12:02:10) | 50 s | key | started | 63 %',
    ]);
  });

  test('drops what tells least on a narrow screen, and what is left lasts', () => {
    expect(renderTable([raceView()], NOON, 80, () => 0)[0]?.split(/ +/)).toEqual(['RACE', 'TITLE', 'STATE', 'PROGRESS', 'LEFT']);
    expect(renderTable([raceView()], NOON, 40, () => 0)[0]?.split(/ +/)).toEqual(['TITLE', 'LEFT']);
    expect(renderTable([raceView()], NOON + 50_000, 20, () => 0)).toEqual(['LEFT', '50 s']);
  });

  test('fits every width with every kind of race', () => {
    for (let width = 1; width <= 200; width++) {
      for (const line of renderTable(races, NOON + 50_000, width, () => 0)) expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test('does not fall below the progress that was shown', () => {
    expect(renderTable([raceView()], NOON + 50_000, 160, () => 80)[1]).toContain('≈ 80 %');
  });

  test('says overdue in the state', () => {
    expect(renderTable([races[0]!], NOON + 300_000, 160, () => 0)[1]).toMatch(/ overdue /);
  });
});

test('sortForTable() puts running races first, by finish, and leaves its input alone', () => {
  const before = [...races];
  expect(sortForTable(races).map((race) => race.race_id)).toEqual(['running', 'running-late', 'unknown', 'waiting', 'done']);
  expect(races).toEqual(before);
});

test('describeRace() is one line with the reason', () => {
  expect(describeRace(raceView({ title: 'evil\ntitle' }), NOON + 50_000))
    .toBe(`${new Date(NOON).toISOString()} r1 ci/a "evil title" running: 50 s left, done ≈ 12:01:40 [revision 1, started, by key, 63 %]`);
});
