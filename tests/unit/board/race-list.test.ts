import { describe, expect, test } from 'vitest';
import { listRaces, rowOf, type ListQuery } from '../../../src/board/live/race-list.ts';
import { etaView, NOW_MS, raceView } from './view.ts';

const ALL: ListQuery = { text: '', standings: [], sorting: 'finish', isGrouped: false, collapsed: [], pinned: [] };
const finishing = (id: string, afterMs: number, source = 'ci/web') => raceView({ race_id: id, source, title: `build ${id}`, eta: etaView({ display: { finish_at: NOW_MS + afterMs, state: 'stable' } }) });
const races = [finishing('b', 20_000), finishing('a', 10_000, 'ci/api'), finishing('c', 30_000)];
const idsOf = (query: Partial<ListQuery>) => listRaces(races, { ...ALL, ...query }).rows.map((row) => (row.kind === 'race' ? row.race.race_id : `# ${row.source}`));

describe('listRaces()', () => {
  test('puts first what ends first', () => expect(idsOf({})).toEqual(['a', 'b', 'c']));

  test('groups by source', () => expect(idsOf({ isGrouped: true })).toEqual(['# ci/api', 'a', '# ci/web', 'b', 'c']));

  test('hides what is below a folded group, and still counts it', () => {
    expect(idsOf({ isGrouped: true, collapsed: ['ci/web'] })).toEqual(['# ci/api', 'a', '# ci/web']);
    expect(listRaces(races, { ...ALL, isGrouped: true, collapsed: ['ci/web'] }).rows.at(-1)).toMatchObject({ count: 2, running: 2, isCollapsed: true });
  });

  test('keeps pinned races on top', () => expect(idsOf({ isGrouped: true, pinned: ['c'] })).toEqual(['# ★ pinned', 'c', '# ci/api', 'a', '# ci/web', 'b']));

  test('finds every word in title, source, id or metadata, in any case', () => {
    expect(idsOf({ text: 'BUILD api' })).toEqual(['a']);
    const [found] = listRaces([raceView({ metadata: { branch: 'Topic/Search' } })], { ...ALL, text: 'topic' }).rows;
    expect(found).toMatchObject({ kind: 'race' });
    expect(idsOf({ text: 'nothing' })).toEqual([]);
  });

  test('tells standings apart and counts them before it filters by them', () => {
    const mixed = [raceView({ race_id: '1' }), raceView({ race_id: '2', state: 'queued', started_at: null }), raceView({ race_id: '3', eta: etaView({ display: { finish_at: null, state: 'overdue' } }) }), raceView({ race_id: '4', eta: null })];
    const { counts, matched } = listRaces(mixed, { ...ALL, standings: ['overdue'] });
    expect([counts, matched]).toEqual([{ running: 1, queued: 1, overdue: 1, cold: 1 }, 1]);
  });

  test('gives equal races always the same order', () => {
    const equal = ['x', 'z', 'y'].map((id) => finishing(id, 5_000));
    const order = (list: typeof equal) => listRaces(list, ALL).rows.map((row) => row.kind === 'race' && row.race.race_id);
    expect(order(equal)).toEqual(['x', 'y', 'z']);
    expect(order(equal.toReversed())).toEqual(['x', 'y', 'z']);
  });
});

describe('rowOf()', () => {
  test('counts quantiles from the start and tells how the forecast moved', () => {
    const row = rowOf(raceView({ eta: etaView({ previous_eta_sec: 100 }) }), NOW_MS, 0, false);
    expect(row).toMatchObject({ finishAt: NOW_MS + 60_000, p10At: NOW_MS + 40_000, p90At: NOW_MS + 90_000, movedSec: 20, standing: 'running' });
  });

  test('knows no finish of a race that has not started', () => {
    expect(rowOf(raceView({ state: 'queued', started_at: null, eta: etaView({ finish_at: null, display: { finish_at: null, state: 'stable' } }) }), NOW_MS, 0, false)).toMatchObject({ finishAt: null, p90At: null, totalSec: 120 });
  });
});
