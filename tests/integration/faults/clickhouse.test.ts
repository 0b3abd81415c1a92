import { setTimeout as delay } from 'node:timers/promises';
import { partitionCounts } from '../../../topology/topics.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Behaviour } from '../../support/clickhouse/protocol.ts';
import { startClickHouse, type ClickHouseProcess } from '../../support/clickhouse/start-clickhouse.ts';
import { makeCertificates, whyNoOpenssl } from '../../support/engines/certificates.ts';
import { freePort } from '../../support/free-port.ts';
import { openCampaign, type Campaign } from '../../support/faults/campaign.ts';
import { isBrief, isLong, report } from '../../support/faults/report.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const PASSWORD = 'pass:wörd-4f1c';

describe('a service whose ClickHouse fails', { timeout: 240_000 }, () => {
  const [data, store] = [temporaryDirectory(), temporaryDirectory()];
  let server: ClickHouseProcess;
  let service: RunningService;
  let campaign: Campaign;

  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    RACELINE_DATA_DIR: data.path, CLICKHOUSE_URL: server.url, CLICKHOUSE_PASSWORD: PASSWORD, ...more,
  });
  const serve = async (): Promise<void> => {
    server = await startClickHouse({ dir: store.path, password: PASSWORD, port: server.port });
  };

  beforeAll(async () => {
    server = await startClickHouse({ dir: store.path, password: PASSWORD });
    service = await startService(env());
    campaign = openCampaign({ url: () => service.url, partitions: partitionCounts.embedded.races, endOffset: null });
  });

  afterAll(async () => {
    await service?.kill();
    await server?.stop();
    data.remove();
    store.remove();
  });

  const outages: readonly (readonly [Behaviour, number])[] = [['refuse', isLong ? 30_000 : 2_000], ...isBrief ? [] : [['hang-up-after-insert', isLong ? 15_000 : 2_000] as const], ...isLong ? [['stall', 45_000] as const] : []];
  test.each(outages)('ClickHouse shall %s for %i ms', async (behaviour, ms) => {
    const { seen } = await campaign.endure({
      name: `ClickHouse: ${behaviour.replaceAll('-', ' ')} for ${ms / 1_000} s`,
      load: isLong ? { liveSpanMs: ms, liveRaces: 200, historyRaces: 200 } : {},
      after: isLong ? 0.03 : 0.15,
      async act({ etaOfNewRaces }) {
        await server.behave(behaviour);
        const before = await failures();
        await delay(ms);
        if (behaviour !== 'stall') await waitUntil('inserts fail', async () => await failures() > before);
        const etaMs = await etaOfNewRaces();
        await server.behave('serve');
        return `${await failures() - before} failed batches; a race submitted meanwhile had its ETA in ${Math.round(etaMs)} ms`;
      },
    });
    expect(seen).toMatch(/ETA in/);
  });

  test.each<Behaviour>(isBrief ? ['die-after-insert'] : ['die-in-insert', 'die-after-insert'])('ClickHouse shall %s and comes back', async (behaviour) => {
    await campaign.endure({
      name: `ClickHouse: kill -9 ${behaviour === 'die-in-insert' ? 'in the middle of an insert' : 'after an insert was stored, before it was answered'}, back ${isLong ? 10 : 1} s later`,
      async act() {
        const before = await failures();
        await server.behave(behaviour);
        await server.exited;
        await delay(isLong ? 10_000 : 1_000);
        await serve();
        return `${await failures() - before} failed batches, cut again with the same token`;
      },
    });
  });

  test('the pipeline is killed while ClickHouse is away, and both come back', async () => {
    await campaign.endure({
      crashes: true,
      name: 'ClickHouse and the service: both kill -9, ClickHouse first',
      async act() {
        const port = Number(new URL(service.url).port);
        await server.kill();
        await delay(500);
        await service.kill();
        const starting = startService(env(), { port });
        await serve();
        service = await starting;
        return 'the batch in hand was cut again from what its commit had noted';
      },
    });
  });

  test('a wrong password is said, ETAs go on, history begins when it is put right, and a signal ends the waiting', async () => {
    const port = await freePort();
    const elsewhere = temporaryDirectory();
    const other = await startClickHouse({ dir: elsewhere.path, password: 'another' });
    const waiting = await startService({ RACELINE_DATA_DIR: elsewhere.path, CLICKHOUSE_URL: other.url, CLICKHOUSE_PASSWORD: PASSWORD }, { port, alive: true });
    let right = other;
    try {
      await waitUntil('it says why it waits', () => waiting.logs().includes('Authentication failed'));
      const readyz = await fetch(`${waiting.url}/readyz`);
      expect([readyz.status, await readyz.json()]).toMatchObject([503, { ready: false, roles: { historian: 'starting', pipeline: 'running' } }]);
      expect(waiting.logs()).not.toContain(PASSWORD);
      await post(waiting.url, 'waiting-1');
      await waitUntil('the race has its ETA', async () => (await etaOf(waiting.url, 'waiting-1')) !== null);
      await other.stop();
      right = await startClickHouse({ dir: elsewhere.path, password: PASSWORD, port: other.port });
      const rightAtMs = performance.now();
      await waitUntil('history begins', async () => (await fetch(`${waiting.url}/readyz`)).ok, 30_000);
      report({ fault: 'ClickHouse: refuses the password at the start, put right later', seen: 'ETAs from the start; /readyz 503 names the historian; history began by itself', etaMs: 0, historyMs: performance.now() - rightAtMs, audit: 'nothing lost' });
    } finally {
      await waiting.kill();
      await right.stop();
      elsewhere.remove();
    }
  });

  test('SIGTERM ends a service that waits for ClickHouse', async () => {
    const directory = temporaryDirectory();
    const waiting = await startService({ RACELINE_DATA_DIR: directory.path, CLICKHOUSE_URL: `http://127.0.0.1:${await freePort()}` }, { port: await freePort(), alive: true });
    try {
      await waitUntil('it waits', () => waiting.logs().includes('Waiting for an engine'));
      const outcome = await Promise.race([waiting.stop(), delay(10_000, 'still waiting', { ref: false })]);
      expect(outcome).toBe(0);
    } finally {
      await waiting.kill();
      directory.remove();
    }
  });

  test.skipIf(whyNoOpenssl() !== null)('TLS with an authority of one\'s own', async () => {
    const directory = temporaryDirectory();
    const { caFile, serverFile } = await makeCertificates(directory.path);
    const secure = await startClickHouse({ dir: `${directory.path}/clickhouse-tls`, password: PASSWORD, certificateFile: serverFile });
    const own = { RACELINE_DATA_DIR: directory.path, CLICKHOUSE_URL: secure.url, CLICKHOUSE_PASSWORD: PASSWORD };
    const port = await freePort();
    let running = await startService(own, { port, alive: true });
    try {
      await waitUntil('it does not trust the certificate', () => /certificate/i.test(running.logs()));
      await running.kill();
      running = await startService({ ...own, NODE_EXTRA_CA_CERTS: caFile }, { port });
      await post(running.url, 'secure-1', 'passed');
      await waitUntil('the race is in ClickHouse', async () => (await query(running.url, "SELECT 1 FROM races WHERE race_id = 'secure-1'")).length === 1);
      report({ fault: 'ClickHouse: TLS, certificate of an unknown authority', seen: 'refused and said, history waits; with the authority (NODE_EXTRA_CA_CERTS) it is stored', etaMs: null, historyMs: null, audit: 'once' });
    } finally {
      await running.kill();
      await secure.stop();
      directory.remove();
    }
  });

  test('the embedded ClickHouse of another process is said to be locked, and its holder\'s end frees it', async () => {
    const directory = temporaryDirectory();
    const holder = await startClickHouse({ dir: `${directory.path}/clickhouse` });
    try {
      await expect(startService({ RACELINE_DATA_DIR: directory.path })).rejects.toThrow(new RegExp(`history_locked: .*process ${holder.pid} has it open`));
      await holder.kill();
      const running = await startService({ RACELINE_DATA_DIR: directory.path });
      expect(await running.stop()).toBe(0);
      report({ fault: 'chDB directory locked by another process', seen: 'ends at once with history_locked and the pid of the holder; starts after its kill -9', etaMs: null, historyMs: null, audit: 'nothing written' });
    } finally {
      await holder.stop();
      directory.remove();
    }
  });

  async function failures(): Promise<number> {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    return Number(/^raceline_clickhouse_insert_failures_total(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1] ?? 0);
  }
});

async function post(url: string, id: string, state = 'running', source = 'faults'): Promise<void> {
  const response = await fetch(`${url}/race`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id, source, title: 'build', state, started_at: new Date().toISOString() }) });
  expect(response.status).toBe(200);
}

async function etaOf(url: string, id: string): Promise<number | null> {
  const { races } = await (await fetch(`${url}/v1/races?limit=10000`)).json() as { races: { race_id: string; eta: { eta_sec: number } | null }[] };
  return races.find((race) => race.race_id === id)?.eta?.eta_sec ?? null;
}
