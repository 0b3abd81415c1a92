import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startService, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

// What a purge leaves, in the whole service as a user runs it.

let service: RunningService;
const directory = mkdtempSync(join(tmpdir(), 'raceline-purge-'));

beforeAll(async () => {
  service = await startService({ RACELINE_DATA_DIR: directory });
});
afterAll(async () => {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function send(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  const response = await fetch(service.url + path, {
    method, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': path === '/v1/updates' ? 'application/x-ndjson' : 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
}

async function rows(table: string, id: string): Promise<number> {
  const { body } = await send('GET', `/v1/sql?query=${encodeURIComponent(`SELECT count() AS n FROM ${table} WHERE race_id = '${id}'`)}`);
  return Number(body.data[0].n);
}

const submit = async (id: string, title: string): Promise<any> => (await send('POST', '/race', { id, source: 'ci/purge', title, state: 'running' })).body;

test('a purged race is gone from the live view, from history and from what was learned', async () => {
  await submit('gone', 'secret job');
  await send('PATCH', '/race/gone', { state: 'passed', duration_sec: 4_000, started_at: new Date(Date.now() - 4_000_000).toISOString() });
  // Imported: it was never published, but taught and stored.
  const agoMs = Date.now() - 30 * 86_400_000;
  const line = (at: number, more: object): string => JSON.stringify({ race_id: 'old', source: 'ci/purge', title: 'old job', at, ...more });
  await send('POST', '/v1/updates', [line(agoMs, { state: 'running' }), line(agoMs + 3_000_000, { state: 'passed' })].join('\n'));
  await waitUntil('both are in history', async () => await rows('races', 'gone') === 1 && await rows('races', 'old') === 1, 20_000);
  expect([(await submit('known-1', 'secret job')).eta_source, (await submit('known-2', 'old job')).eta_source]).toEqual([3, 3]);

  const { body } = await send('POST', '/admin/purge', { race_ids: ['gone', 'old', 'never'] });
  expect(body).toMatchObject({ purged: ['gone', 'old'], not_found: ['never'] });
  expect((await send('GET', '/race/gone')).status).toBe(404);
  for (const table of ['races', 'stages', 'eta_revisions', 'forecast_errors']) {
    for (const id of ['gone', 'old']) await waitUntil(`${table} has no row of ${id}`, async () => await rows(table, id) === 0, 20_000);
  }
  // Nothing is left to know of the source.
  await waitUntil('the samples are dropped', async () => (await submit(`probe-${Date.now()}`, 'secret job')).eta_source === 4, 20_000);
  expect((await submit('probe', 'old job')).eta_source).toBe(4);
  expect((await send('POST', '/admin/purge', { race_ids: ['gone'] })).body).toMatchObject({ purged: [], not_found: ['gone'] });
}, 120_000);
