import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../src/cli/main.ts';
import type { FinishedRace } from '../../../src/forecast/history-record.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import { etaRevisionRow, forecastErrorRows, raceRow } from '../../../src/history/rows.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { checkpoint, etaUpdate, finishedRace } from '../../support/clickhouse/history-records.ts';
import { openGateway, openHistoryGateway, send, type Engines, type HistoryGateway } from './harness.ts';

// Few enough races to reckon by hand.
const HOUR_MS = 3_600_000;
const nowMs = Date.now();
let closeAll: HistoryGateway['closeAll'];
let engines: Engines;
let history: HistoryStore;
let gateway: Gateway;

function race(n: number, durationSec: number, changes: Partial<FinishedRace> = {}): FinishedRace {
  const startedAt = nowMs - HOUR_MS + n * 1_000;
  return finishedRace(n, { source: 'ci/a', title: 'build', duration_sec: durationSec, started_at: startedAt, completed_at: startedAt + durationSec * 1_000, ...changes });
}

/** Says 100 s at submission (90..130, confidence .55) by its key; from half of its life on 120 s (110..140, confidence .95), by its stages. */
const said = (durationSec: number) => [
  checkpoint({ revision: 1, elapsed_sec: 0.5, eta_sec: 100, p10_sec: 90, p50_sec: 100, p90_sec: 130, confidence: 0.55, basis: 'key' }),
  checkpoint({ revision: 2, elapsed_sec: durationSec / 2, eta_sec: 120, p10_sec: 110, p50_sec: 120, p90_sec: 140, confidence: 0.95, basis: 'stage' }),
  // What another model would have said counts for nothing.
  checkpoint({ revision: 3, elapsed_sec: 0, eta_sec: 1, p10_sec: 1, p50_sec: 1, p90_sec: 1, confidence: 1, role: 'shadow' }),
];

beforeAll(async () => {
  ({ engines, history, gateway, closeAll } = await openHistoryGateway());
  const late = checkpoint({ revision: 1, elapsed_sec: 60, eta_sec: 100, p10_sec: 100, p50_sec: 100, p90_sec: 100, confidence: 0.5, basis: 'source' });
  const races = [
    // Passed in 100 and 160 s: at submission the first is right, later (120 s) just right; the second is never within 32 s until 120 is: no, 40 off.
    race(0, 100, { checkpoints: said(100) }),
    race(1, 160, { outcome: 'failed', checkpoints: said(160) }),
    // Its first forecast came after six tenths of its life.
    race(2, 100, { checkpoints: [late] }),
    // Not judged: no truth, too long ago.
    race(3, 500, { outcome: 'canceled', checkpoints: said(500) }),
    race(4, 999, { checkpoints: said(999), started_at: nowMs - 41 * 24 * HOUR_MS, completed_at: nowMs - 40 * 24 * HOUR_MS }),
    // Ten like runs by their mask (and one other): six of 100 s fit one window with those of 149 and 150, not with 151.
    ...[100, 100, 100, 100, 100, 100, 149, 150, 151, 400].map((sec, i) => race(10 + i, sec, { source: 'ci/b_', title: `nightly ${i} of 0123abcd${i}`, checkpoints: [checkpoint({ eta_sec: 100, confidence: 1 })] })),
    race(30, 7, { source: 'ci/b_', title: 'other', checkpoints: [] }),
  ];
  const at = (offset: number) => ({ topic: 'race-history', partition: 0, offset, appendedAtMs: nowMs });
  await history.insert('races', races.map((one, i) => raceRow(one, at(i))), 'races');
  await history.insert('forecast_errors', races.flatMap((one, i) => forecastErrorRows(one, at(i))), 'errors');
  const etas = [[100, 100], [120, 100], [90, 110], [95, 95]] as const;
  const startedAt = nowMs - HOUR_MS;
  await history.insert('eta_revisions', etas.map(([etaSec, shownSec], i) => etaRevisionRow(etaUpdate('race-0', i + 1, {
    source: 'ci/a', started_at: startedAt, issued_at: startedAt + i * 10_000, eta_sec: etaSec, display: { finish_at: startedAt + shownSec * 1_000, state: 'stable' }, state: i === 3 ? 'passed' : 'running',
  }), { topic: 'eta-updates', partition: 0, offset: i, appendedAtMs: nowMs })), 'revisions');
});
afterAll(async () => {
  await closeAll();
});

const close = (value: number) => expect.closeTo(value, 9);

describe('the views of accuracy', () => {
  test('v_forecasts_in_force has what was in force at each tenth of a life', async () => {
    const rows = await history.query("SELECT share, eta_sec, basis, is_answered, within20, within20_of_remaining AS left, pinball FROM v_forecasts_in_force WHERE race_id = 'race-0' AND share IN (0, 0.4, 0.5) ORDER BY share");
    expect(rows).toEqual([
      // (.1 x 10 + 0 + .1 x 30) / 3 / 100
      { share: 0, eta_sec: 100, basis: 'key', is_answered: 1, within20: 1, left: 1, pinball: close(4 / 300) },
      { share: 0.4, eta_sec: 100, basis: 'key', is_answered: 1, within20: 1, left: 1, pinball: close(4 / 300) },
      // (.9 x 10 + .5 x 20 + .1 x 40) / 3 / 100; 20 s off is just right, of the 50 s that are left it is too much
      { share: 0.5, eta_sec: 120, basis: 'stage', is_answered: 1, within20: 1, left: 0, pinball: close(23 / 300) },
    ]);
    await expect(history.query("SELECT share, eta_sec, basis, is_answered, within20, confidence FROM v_forecasts_in_force WHERE race_id = 'race-2' AND share >= 0.5 ORDER BY share LIMIT 2")).resolves.toEqual([
      { share: 0.5, eta_sec: null, basis: 'none', is_answered: 0, within20: 0, confidence: null },
      { share: 0.6, eta_sec: 100, basis: 'source', is_answered: 1, within20: 1, confidence: 0.5 },
    ]);
    await expect(history.query("SELECT count() AS n, uniqExact(race_id) AS races FROM v_forecasts_in_force WHERE source = 'ci/a'")).resolves.toEqual([{ n: 40, races: 4 }]);
  });

  test('v_accuracy tells them by source, basis and share of life', async () => {
    const [row] = await history.query<Record<string, number>>("SELECT * FROM v_accuracy WHERE source = 'ci/a' AND basis = 'key' AND share = 0");
    expect(row).toEqual({
      source: 'ci/a', basis: 'key', share: 0, races: 2, within20: 0.5, within20_of_remaining: 0.5, mean_confidence: close(0.55), mean_abs_error_sec: 30, median_abs_error_sec: 30,
      nmae: close(60 / 260), bias_sec: -30, bias_log_ratio: close(Math.log(100 / 160) / 2), p90_coverage: 0.5, p10_p90_coverage: 0.5, pinball: close((4 / 300 + (7 + 30 + 27) / 480) / 2),
    });
    await expect(history.query("SELECT source, confidence_from, forecasts, mean_confidence, came_true FROM v_calibration WHERE source = 'ci/a' ORDER BY confidence_from")).resolves.toEqual([
      // .5 to .6: two races' first halves, one of them right; and four looks at the late one
      { source: 'ci/a', confidence_from: 0.5, forecasts: 14, mean_confidence: close((10 * 0.55 + 4 * 0.5) / 14), came_true: close(9 / 14) },
      { source: 'ci/a', confidence_from: 0.9, forecasts: 10, mean_confidence: close(0.95), came_true: 0.5 },
    ]);
  });

  test('v_ceiling has the best window of like runs, and what halves teach each other', async () => {
    await expect(history.query('SELECT source, races, kinds, within20, log_sd FROM v_ceiling')).resolves.toEqual([
      { source: 'ci/b_', races: 10, kinds: 1, within20: 0.8, log_sd: close(deviation([100, 100, 100, 100, 100, 100, 149, 150, 151, 400].map(Math.log))) },
    ]);
    // In the order of their ends: 100 x 6, 149, 150, 151, 400 in turns to two halves of 3 x 100, 149, 151 and 3 x 100, 150, 400.
    // Each chooses the window that begins at 100: it holds four and four of the other half.
    await expect(history.query('SELECT kind, in_best_window, in_learned_windows FROM v_ceiling_by_kind_over(days = 1)')).resolves.toEqual([{ kind: 'nightly # of #', in_best_window: 8, in_learned_windows: 8 }]);
  });

  test('v_calm counts what was said before the end, and its moves', async () => {
    await expect(history.query('SELECT * FROM v_calm')).resolves.toEqual([
      { source: 'ci/a', races: 1, revisions_per_race: 3, median_jitter: close(50 / 95), median_display_jitter: close(10 / 95), later_moves_per_race: 1 },
    ]);
  });

  test('read only queries may use them, with days of their own', async () => {
    expect((await history.userQuery('SELECT source, races FROM v_ceiling_over(days = 7)', 'TSV')).toString()).toBe('ci/b_\t10\n');
  });
});

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

describe('GET /v1/accuracy', () => {
  test('answers per source, and for all together, those with most races first', async () => {
    const { status, body } = await send(gateway, 'GET', '/v1/accuracy');
    expect(status).toBe(200);
    expect(body.days).toBe(30);
    expect(body.sources.map(({ source, races }: { source: string; races: number }) => [source, races])).toEqual([['ci/b_', 10], ['ci/a', 3]]);
    expect(body.total).toMatchObject({ source: '*', races: 13, ceiling: { races: 10, kinds: 1, within20: 0.8 }, calm: null });
    // 6 of ten and 1 of three at submission.
    expect(body.total.at_submission).toMatchObject({ looks: 13, answered: close(12 / 13), within20: close(7 / 13) });
  });

  test('tells of one source by share of life, basis and confidence', async () => {
    const { body } = await send(gateway, 'GET', '/v1/accuracy?source=ci/a&days=7');
    expect(body.sources).toHaveLength(1);
    const [only] = body.sources;
    expect(only).toMatchObject({ source: 'ci/a', races: 3, ceiling: null, calm: { races: 1, revisions_per_race: 3 } });
    expect(only.at_submission).toMatchObject({ looks: 3, answered: close(2 / 3), within20: close(1 / 3), mean_abs_error_sec: 30, bias_sec: -30, p90_coverage: 0.5 });
    // Race 0 at all ten shares, race 2 at the last four.
    expect(only.over_life).toMatchObject({ looks: 30, answered: close(24 / 30), within20: close(14 / 30) });
    // Of what is left: race 0 until it says 120 at the half; race 2, exact from .6 on.
    expect(only.over_life.within20_of_remaining).toBeCloseTo((5 + 4) / 30, 9);
    expect(only.by_share.map(({ share }: { share: number }) => share)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(only.by_share[5]).toMatchObject({ looks: 3, within20: close(1 / 3), within20_of_remaining: 0 });
    expect(only.by_basis.map(({ basis, looks, answered }: { basis: string; looks: number; answered: number }) => [basis, looks, answered])).toEqual([['key', 10, 1], ['stage', 10, 1], ['none', 6, 0], ['source', 4, 1]]);
    expect(only.confidence).toEqual([
      { from: 0.5, forecasts: 14, mean_confidence: close(7.5 / 14), came_true: close(9 / 14) }, { from: 0.9, forecasts: 10, mean_confidence: close(0.95), came_true: 0.5 },
    ]);
    expect(body.total.over_life).toMatchObject({ looks: 30, within20: only.over_life.within20, median_abs_error_sec: only.over_life.median_abs_error_sec });
  });

  test('takes a pattern, in which only * is a sign', async () => {
    const names = async (source: string) => (await send(gateway, 'GET', `/v1/accuracy?source=${encodeURIComponent(source)}`)).body.sources.map((one: { source: string }) => one.source);
    await expect(names('ci/*')).resolves.toEqual(['ci/b_', 'ci/a']);
    await expect(names('*b_')).resolves.toEqual(['ci/b_']);
    await expect(names('ci/_*')).resolves.toEqual([]);
    await expect(names("'*")).resolves.toEqual([]);
    expect((await send(gateway, 'GET', '/v1/accuracy?limit=1')).body).toMatchObject({ total: { races: 13 }, sources: [{ source: 'ci/b_' }] });
    expect((await send(gateway, 'GET', '/v1/accuracy?source=none')).body).toEqual({ days: 30, total: null, sources: [] });
    expect((await send(gateway, 'GET', '/v1/accuracy?days=0')).status).toBe(400);
  });

  test('says so when there is no ClickHouse', async () => {
    const without = await openGateway(engines);
    expect(await send(without, 'GET', '/v1/accuracy')).toMatchObject({ status: 503, body: { code: 'history_unavailable' } });
    await without.close();
  });
});

describe('raceline accuracy', () => {
  async function accuracy(...args: string[]): Promise<{ code: number | NodeJS.Signals; out: string; err: string }> {
    const texts = { out: '', err: '' };
    const write = (name: 'out' | 'err') => ({ write: (text: string | Uint8Array) => { texts[name] += String(text); return true; } });
    return { code: await run(['accuracy', ...args, '--server', gateway.address], {}, { out: write('out'), err: write('err') }), ...texts };
  }

  test('prints a line a source, beside what like runs allow', async () => {
    const { code, out } = await accuracy();
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.find((line) => line.startsWith('ci/b_'))).toMatch(/^ci\/b_ +10 +60 % +80 % +80 % /);
    expect(lines.find((line) => line.startsWith('ci/a'))).toMatch(/^ci\/a +3 +33 % +- +- /);
    expect(lines.find((line) => line.startsWith('all'))).toMatch(/^all +13 +54 % /);
  });

  test('tells of one source in detail, and whose the misses are', async () => {
    const { out } = await accuracy('ci/a', '--days', '7');
    expect(out).toContain('stage');
    expect(out).toMatch(/0\.9 to 1\.0 +10 +95 % +50 %/);
    expect((await accuracy('ci/b_')).out).toMatch(/like runs allow 80 %.*Ours is 60 %\. What is missed lies in/s);
    expect(await accuracy('nothing')).toMatchObject({ code: 0, out: expect.stringContaining('No race') });
  });

  test('gives the answer as it is with --json', async () => {
    expect(JSON.parse((await accuracy('ci/a', '--json')).out)).toMatchObject({ days: 30, sources: [{ source: 'ci/a', races: 3 }] });
  });
});

describe('GET /api/routes/metrics/eta-accuracy', () => {
  const ask = async () => (await send(gateway, 'GET', '/api/routes/metrics/eta-accuracy')).body;

  test('knows nothing while no vehicle has arrived, whatever else was forecast', async () => {
    expect(await ask()).toEqual({ total_predictions: 0, completed_arrivals: 0, average_error_seconds: 0, max_error_seconds: 0, min_error_seconds: 0 });
  });

  test('holds ETAs that rest on positions against arrivals', async () => {
    // 1,000 s: told 900 from .4 of the way on, 1,300 from .8 on; at first by the plan.
    const said = [[0, 1_000, 'plan'], [400, 900, 'telemetry'], [800, 1_300, 'telemetry']] as const;
    const bus = finishedRace(50, {
      source: 'city', title: 'bus', duration_sec: 1_000, started_at: nowMs - HOUR_MS, completed_at: nowMs - HOUR_MS + 1_000_000,
      checkpoints: said.map(([elapsedSec, etaSec, basis], i) => checkpoint({ revision: i + 1, elapsed_sec: elapsedSec, eta_sec: etaSec, p10_sec: etaSec, p50_sec: etaSec, p90_sec: etaSec, basis })),
    });
    const at = { topic: 'race-history', partition: 0, offset: 500, appendedAtMs: nowMs };
    await history.insert('races', [raceRow(bus, at)], 'bus');
    await history.insert('forecast_errors', forecastErrorRows(bus, at), 'bus errors');
    expect(await ask()).toEqual({ total_predictions: 6, completed_arrivals: 1, average_error_seconds: close((4 * 100 - 2 * 300) / 6), max_error_seconds: 100, min_error_seconds: -300, accuracy_percentage: close(400 / 6) });
  });

  test('needs ClickHouse; the cache that is not there does not', async () => {
    const bare = await openGateway(engines, { options: { readOnly: true } });
    expect(await send(bare, 'GET', '/api/routes/metrics/eta-accuracy')).toMatchObject({ status: 503, body: { code: 'history_unavailable', detail: expect.any(String) } });
    expect((await send(bare, 'GET', '/api/routes/metrics/eta-cache')).body).toEqual({ cached_entries: 0, ttl_seconds: 0, timestamp: expect.any(String) });
    expect(await send(bare, 'POST', '/api/routes/cache/cleanup')).toMatchObject({ status: 200, body: { status: 'success', entries_removed: 0 } });
    expect(await send(bare, 'POST', '/api/routes/cache/clear')).toMatchObject({ status: 200, body: { status: 'success' } });
    await bare.close();
  });
});
