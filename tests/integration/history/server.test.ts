import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import { raceRow } from '../../../src/history/rows.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { finishedRace, START_AT_MS } from '../../support/clickhouse/history-records.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { startClickHouse, type ClickHouseProcess } from '../../support/clickhouse/start-clickhouse.ts';

let dir: string;
let server: ClickHouseProcess;
let store: HistoryStore;

const open = (password: string): Promise<HistoryStore> => openHistoryStore({
  config: { url: server.url, database: 'raceline', username: 'default', password }, dataDir: dir, historyTtlDays: 365, logger: silentLogger,
});
const row = (n: number) => raceRow(finishedRace(n), { topic: 'race-history', partition: 0, offset: n, appendedAtMs: START_AT_MS });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raceline-server-'));
  server = await startClickHouse({ dir, password: 'secret' });
  store = await open('secret');
  await store.migrate();
});
afterEach(async () => {
  await store.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('ClickHouse over HTTP', () => {
  it('tries an insert again, with the same token, when the connection broke after it was stored', async () => {
    await server.behave('hang-up-after-insert');
    await expect(store.insert('races', [row(1), row(2)], 'broken')).rejects.toMatchObject({ code: 'history_unavailable' });
    expect(server.inserted).toEqual(Array.from({ length: 5 }, () => 'broken'));
    await server.behave('serve');
    await store.insert('races', [row(1), row(2)], 'broken');
    await expect(store.query('SELECT count() AS n FROM races')).resolves.toEqual([{ n: 2 }]);
  });

  it('gets through to a server that refuses for a while', async () => {
    await server.behave('refuse');
    const inserting = store.insert('races', [row(1)], 'patient');
    await server.behave('serve');
    await inserting;
    await expect(store.query('SELECT count() AS n FROM races')).resolves.toEqual([{ n: 1 }]);
  });

  it('keeps what it acknowledged when it is killed, and works with the one that takes its place', async () => {
    await store.insert('races', [row(1)], 'before');
    await server.kill();
    await expect(store.ping()).rejects.toMatchObject({ code: 'history_unavailable' });
    server = await startClickHouse({ dir, password: 'secret', port: server.port });
    await store.insert('races', [row(1)], 'before');
    await store.insert('races', [row(2)], 'after');
    await expect(store.query('SELECT count() AS n FROM races')).resolves.toEqual([{ n: 2 }]);
  });

  it('says that the password is wrong', async () => {
    const stranger = await open('wrong');
    await expect(stranger.migrate()).rejects.toMatchObject({ code: 'history_unavailable', message: expect.stringContaining('516') });
    await stranger.close();
  });

  it('does not wait for a server that stalls when it closes', async () => {
    await server.behave('stall');
    const asked = Promise.allSettled([store.query('SELECT 1'), store.insert('races', [row(1)], 'stalled'), store.userQuery('SELECT 1', 'TSV')]);
    await store.close();
    await expect(asked).resolves.toMatchObject(Array.from({ length: 3 }, () => ({ status: 'rejected', reason: { code: 'history_unavailable' } })));
  });
});
