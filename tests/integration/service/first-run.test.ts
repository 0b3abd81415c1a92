import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEtas } from '../../../src/bridge/client.ts';
import type { RaceView, ServerFrame } from '../../../src/bridge/frames.ts';
import type { OriginRace } from '../../../src/gateway/origin/race.ts';
import { freePort } from '../../support/free-port.ts';
import { fleetUpdates } from '../../support/fleet.ts';
import { feed } from '../../support/load.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { start } from '../cli/process.ts';

const YEAR_MS = 365 * 86_400_000;
/** Of the races of `nightly` that are imported. */
const NIGHTLY_SEC = 420;

/** What somebody sees who starts the service for the first time, in the order of its telling. */
describe('the first run, on the embedded engines', () => {
  const directory = temporaryDirectory();
  const readiness: string[] = [];
  let service: RunningService;

  beforeAll(async () => {
    const port = await freePort();
    const starting = startService({ RACELINE_DATA_DIR: directory.path }, { port });
    await waitUntil('/readyz answers 200', async () => {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`);
      const seen = `${response.status} ${await response.text()}`;
      if (readiness.at(-1) !== seen) readiness.push(seen);
      return response.ok;
    }, 60_000);
    service = await starting;
  }, 90_000);

  afterAll(async () => {
    await service?.kill();
    directory.remove();
  });

  test('/readyz answers 503 until every role runs, then 200', () => {
    expect(readiness.length).toBeGreaterThan(1);
    expect(readiness.slice(0, -1).filter((seen) => !/^503 \{"ready":false,.*"(starting|restoring)"/.test(seen))).toEqual([]);
    expect(readiness.at(-1)).toBe('200 {"ready":true,"roles":{"pipeline":"running","journeys":"running","historian":"running","gateway":"running","rebuilder":"running"}}');
  });

  test('POST /race answers with its first ETA', async () => {
    const race = await postRace({ id: 'first-build', source: 'my/repo', title: 'cargo build --release', state: 'running', started_at: new Date().toISOString() });
    expect(race).toMatchObject({ id: 'first-build', state: 'running', eta_source: 4 });
    expect(race.eta_sec).toBeGreaterThan(0);
    expect(race.eta_confidence).toBeGreaterThan(0);
  });

  test('/v1/etas gives a snapshot, then deltas, numbered without gaps', async () => {
    const frames: ServerFrame[] = [];
    const races = new Map<string, RaceView>();
    const statuses: string[] = [];
    class RecordingSocket extends WebSocket {
      constructor(url: string) {
        super(url);
        this.addEventListener('message', ({ data }) => frames.push(JSON.parse(String(data)) as ServerFrame));
      }
    }
    const take = (list: readonly RaceView[]): void => { for (const race of list) races.set(race.race_id, race); };
    const client = connectEtas({
      url: `${service.url.replace('http', 'ws')}/v1/etas`, filter: { source: 'my/*' }, WebSocketImpl: RecordingSocket,
      onSnapshot: take, onDelta: take, onStatus: (status) => statuses.push(status),
    });
    try {
      await waitUntil('the snapshot has come', () => races.has('first-build'));
      expect(races.get('first-build')).toMatchObject({ state: 'running', eta: { revision: 1, basis: 'bootstrap' } });
      await patchRace('first-build', { state: 'passed' });
      await waitUntil('its end has come', () => races.get('first-build')?.state === 'passed' && races.get('first-build')?.eta?.reason === 'finished');
      await postRace({ id: 'first-other', source: 'my/other', title: 'lint', state: 'running' });
      await waitUntil('the other race has come', () => races.get('first-other')?.eta?.revision === 1);
    } finally {
      client.close();
    }
    expect(frames[0]).toMatchObject({ type: 'snapshot', first: true });
    expect(frames.slice(1).every(({ type }) => type === 'delta')).toBe(true);
    expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_, index) => index + 1));
    expect(statuses).toEqual(['connecting', 'open', 'closed']);
  });

  test('raceline run passes the exit code on, and the race is told', async () => {
    const slept = start(['run', '--server', service.url, '--id', 'first-sleep', '--source', 'my/shell', '--', 'sleep', '1']);
    const failed = start(['run', '--server', service.url, '--id', 'first-failure', '--source', 'my/shell', '--', 'sh', '-c', 'exit 7']);
    expect([await slept.ended, slept.output.stderr]).toEqual([0, '']);
    expect([await failed.ended, failed.output.stderr]).toEqual([7, '']);
    const race = await waitUntil('its end is known', async () => {
      const known = await getRace('first-sleep');
      return known.state === 'passed' ? known : null;
    });
    const ranMs = Date.parse(race.completed_at ?? '') - Date.parse(race.started_at);
    expect(ranMs).toBeGreaterThan(900);
    expect(ranMs).toBeLessThan(60_000);
    expect(await getRace('first-failure')).toMatchObject({ state: 'failed', metadata: { exit_code: '7' } });
  });

  test('raceline watch --once prints the races', async () => {
    const run = start(['watch', '--once', '--server', service.url]);
    expect([await run.ended, run.output.stderr]).toEqual([0, '']);
    const lines = run.output.stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^RACE +TITLE +STATE /);
    expect(lines.slice(1).map((line) => line.split(/\s+/)[0]).sort()).toEqual(['first-build', 'first-failure', 'first-other', 'first-sleep']);
  });

  test('raceline sql answers from the history', async () => {
    await waitUntil('the races are in ClickHouse', async () => (await query(service.url, 'SELECT 1 FROM races')).length === 3);
    const run = start(['sql', "SELECT race_id, outcome FROM v_races WHERE source = 'my/shell' ORDER BY race_id", '--format', 'CSV', '--server', service.url]);
    expect([await run.ended, run.output.stderr]).toEqual([0, '']);
    expect(run.output.stdout).toBe('"first-failure","failed"\n"first-sleep","passed"\n');
  });

  test('what was imported teaches', async () => {
    const updates = fleetUpdates({ seed: 5, races: 30, startMs: Date.now() - YEAR_MS, spacingMs: 60_000, durationMs: NIGHTLY_SEC * 1_000, idPrefix: 'first-import' })
      .filter((update) => update.title !== null || update.completed_at !== null)
      .map((update) => ({ ...update, source: 'my/nightly', title: update.title === null ? null : 'nightly', state: update.state === 'failed' ? 'passed' as const : update.state }));
    await feed({ items: updates.map((update) => ({ dueMs: 0, update })) }, { url: () => service.url });
    await waitUntil('they are in ClickHouse', async () => (await query(service.url, "SELECT 1 FROM races WHERE source = 'my/nightly'")).length === 30);
    await expectLearned('first-learned');
  });

  test('/metrics has the series that are watched, and no race in any label', async () => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const series = new Set([...text.matchAll(/^([a-z_0-9]+)(?:\{| )/gm)].map((match) => match[1]));
    for (const name of [
      'raceline_inputs_total', 'raceline_outputs_total', 'raceline_revisions_total', 'raceline_revision_latency_seconds_bucket', 'raceline_batch_duration_seconds_count',
      'raceline_restore_duration_seconds_count', 'raceline_forecast_error_ratio_bucket', 'raceline_forecasts_judged_total', 'raceline_races_finished_total',
      'raceline_clickhouse_insert_duration_seconds_count', 'raceline_clickhouse_inserted_rows_total', 'raceline_clickhouse_insert_failures_total',
      'raceline_http_request_duration_seconds_bucket', 'raceline_live_races', 'raceline_overdue_races', 'raceline_input_lag_records', 'raceline_nodejs_eventloop_lag_p99_seconds',
    ]) expect(series).toContain(name);
    expect(text.split('\n').filter((line) => line.includes('first-'))).toEqual([]);
    expect(text).toMatch(/^raceline_races_finished_total\{outcome="passed"\} 32$/m);
    expect(text).toMatch(/^raceline_inputs_total\{outcome="rejected"\} 0$/m);
  });

  test('SIGTERM ends it with 0, and a restart still knows the races and what was learned', async () => {
    const before = await Promise.all(['first-build', 'first-sleep', 'first-failure', 'first-learned'].map(getRace));
    expect(await service.stop()).toBe(0);
    service = await startService({ RACELINE_DATA_DIR: directory.path });
    expect(await Promise.all(before.map(({ id }) => getRace(id)))).toEqual(before);
    await expectLearned('first-learned-again');
    expect(await query(service.url, 'SELECT count() AS n, uniqExact(race_id) AS races FROM races')).toEqual([{ n: 33, races: 33 }]);
  });

  async function expectLearned(id: string): Promise<void> {
    const race = await postRace({ id, source: 'my/nightly', title: 'nightly', state: 'running', started_at: new Date().toISOString() });
    expect(race).toMatchObject({ id, eta_source: 3 });
    expect(race.eta_sec).toBeGreaterThan(0.6 * NIGHTLY_SEC);
    expect(race.eta_sec).toBeLessThan(1.7 * NIGHTLY_SEC);
  }

  function postRace(body: object): Promise<OriginRace> {
    return send('POST', '/race', body);
  }

  function patchRace(id: string, body: object): Promise<OriginRace> {
    return send('PATCH', `/race/${id}`, body);
  }

  async function getRace(id: string): Promise<OriginRace> {
    return await (await fetch(`${service.url}/race/${id}`)).json() as OriginRace;
  }

  async function send(method: string, path: string, body: object): Promise<OriginRace> {
    const response = await fetch(service.url + path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    expect(response.status).toBe(200);
    return await response.json() as OriginRace;
  }
});
