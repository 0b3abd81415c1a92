import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { start, until } from './process.ts';
import { openUpdateServer } from './update-server.ts';
import type { UpdateServer } from './update-server.ts';

const RACES = 900;
const START = Date.parse('2026-01-01T00:00:00Z');
let folder = '';
let races = '';
let stages = '';
let server: UpdateServer | null = null;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'raceline-replay-'));
  races = join(folder, 'races.csv.gz');
  stages = join(folder, 'stages.csv');
  const at = (sec: number): string => new Date(START + sec * 1_000).toISOString();
  const raceRows = Array.from({ length: RACES }, (_, index) => `r${index},ci/x,"job, ${index % 7}",${at(index)},${20 + (index % 30)},${index % 10 === 0 ? 'failed' : ''},"{""note"":""${'n'.repeat(900)}""}"`);
  const stageRows = Array.from({ length: RACES }, (_, index) => `r${index},build,0,${at(index)},${at(index + 10)},`);
  writeFileSync(races, gzipSync(['id,source,title,started_at,duration_sec,state,metadata', ...raceRows].join('\n')));
  writeFileSync(stages, ['race_id,stage,seq,started_at,completed_at,state', ...stageRows].join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await server?.close();
  server = null;
});

function stepsOf(raceId: string): string[] {
  return server!.updates.filter((update) => update.race_id === raceId).map((update) => update.stage ? `${update.stage.name} ${update.stage.state}` : String(update.state));
}

test('--as-is brings every update with its own time, each race in order, within the limits of a request', async () => {
  server = await openUpdateServer();
  const run = start(['replay', '--races', races, '--stages', stages, '--as-is', '--to-server', server.url, '--json']);
  expect(await run.ended).toBe(0);
  expect(run.output.stderr).toBe('');
  expect(JSON.parse(run.output.stdout)).toMatchObject({
    races: RACES, updates: RACES * 4, updates_sent: RACES * 4, duplicates_sent: 0, rejected: {}, skipped: { invalid: 0, other_races: 0 }, stopped: false,
  });
  expect(server.updates).toHaveLength(RACES * 4);
  expect(stepsOf('r0')).toEqual(['running', 'build running', 'build passed', 'failed']);
  expect(stepsOf('r899')).toEqual(['running', 'build running', 'build passed', 'passed']);
  expect(server.updates.find((update) => update.race_id === 'r5')).toMatchObject({ at: START + 5_000, started_at: START + 5_000, source: 'ci/x', title: 'job, 5', metadata: { note: 'n'.repeat(900) } });
  for (const request of server.requests) {
    expect(request.lines).toBeLessThanOrEqual(1_000);
    expect(request.bytes).toBeLessThanOrEqual(1_000_000);
  }
});

test('--as-is loses nothing and breaks no order when the server fails now and then', async () => {
  server = await openUpdateServer((request) => ([503, 'cut', 'lost', 429] as const)[request] ?? null);
  const run = start(['replay', '--races', races, '--stages', stages, '--to-server', server.url, '--json']);
  expect(await run.ended).toBe(0);
  const summary = JSON.parse(run.output.stdout) as { duplicates_sent: number; updates_sent: number };
  expect(summary.updates_sent).toBe(RACES * 4);
  expect(summary.duplicates_sent).toBeGreaterThan(0);
  for (let index = 0; index < RACES; index++) {
    const own = server.updates.filter((update) => update.race_id === `r${index}`);
    const distinct = [...new Map(own.map((update) => [`${update.at} ${update.state} ${update.stage?.state}`, update])).values()];
    expect(distinct).toHaveLength(4);
    expect(distinct.map((update) => update.at)).toEqual(distinct.map((update) => update.at).toSorted((a, b) => a - b));
  }
});

test('--live moves the recording to now, compressed, and sends nothing before its time', async () => {
  server = await openUpdateServer();
  const run = start(['replay', '--races', races, '--stages', stages, '--live', '--speed', '60', '--limit', '40', '--run-id', 'K', '--to-server', server.url, '--json']);
  expect(await run.ended).toBe(0);
  expect(JSON.parse(run.output.stdout)).toMatchObject({ races: 40, updates_sent: 160, run_id: 'K', stopped: false });
  expect(server.updates).toHaveLength(160);
  const first = server.updates[0]!;
  expect(first).toMatchObject({ race_id: 'r0~runK', source: 'ci/x@live', state: 'running', started_at: first.at });
  for (const update of server.updates) expect(update.arrivedAtMs).toBeGreaterThanOrEqual(update.at);
  // r30 starts 30 s after r0 and takes 20 s; its stage 10 s.
  const own = server.updates.filter((update) => update.race_id === 'r30~runK');
  expect(own.map((update) => update.at - first.at)).toEqual([500, 500, 666, 833]);
  expect(own[3]).toMatchObject({ state: 'failed', completed_at: own[3]!.at });
});

test('counts what the server refused, by code, and goes on', async () => {
  server = await openUpdateServer();
  const mixed = join(folder, 'mixed.csv');
  writeFileSync(mixed, ['id,source,title,started_at,duration_sec,state,metadata', ...[0, 1, 2].map((index) => `m${index},ci/x,refuse me,2026-01-01T00:00:0${index}Z,5,,{}`)].join('\n'));
  const run = start(['replay', '--races', mixed, '--to-server', server.url, '--json']);
  expect(await run.ended).toBe(0);
  expect(JSON.parse(run.output.stdout)).toMatchObject({ updates_sent: 6, rejected: { title_invalid: 3 } });
  expect(server.updates.map((update) => update.state)).toEqual(['passed', 'passed', 'passed']);
});

test('ends with the reason when the server refuses the request', async () => {
  server = await openUpdateServer(() => 400);
  const run = start(['replay', '--races', races, '--limit', '3', '--to-server', server.url]);
  expect(await run.ended).toBe(1);
  expect(run.output.stderr).toMatch(/^raceline: invalid_request: http:\/\/127\.0\.0\.1:\d+ refused updates: 400 .*Not now.*\n$/);
});

test('stops when it is told to, and says how far it came', async () => {
  server = await openUpdateServer();
  const run = start(['replay', '--races', races, '--live', '--speed', '1', '--to-server', server.url, '--json']);
  await until(() => server!.updates.length > 0, () => run.output);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(130);
  expect(JSON.parse(run.output.stdout)).toMatchObject({ stopped: true });
});
