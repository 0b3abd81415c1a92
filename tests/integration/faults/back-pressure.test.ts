import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeLine, postUpdates } from '../../../src/cli/update-target.ts';
import { emptyUpdate, type RaceUpdate } from '../../../src/race/update.ts';
import { startClickHouse, type ClickHouseProcess } from '../../support/clickhouse/start-clickhouse.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { isLong, report } from '../../support/faults/report.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const WARM_MS = isLong ? 20_000 : 3_000;
const OUTAGE_MS = isLong ? 300_000 : 20_000;
const RACES = 1_000;
const SENDERS = 4;
const LINES = 250;
/** Full rate is what the pipeline applies: there is always more for it to read, but no hours of it. */
const MAX_WAITING = 100_000;
const MEGABYTE = 1_048_576;
/**
 * What the historian may hold for each partition, two batches of 4 MB as rows, is by far the most of it. Chosen: half a
 * gigabyte is what an instance is given at least beside its models and races.
 */
const MAX_GROWTH_BYTES = 512 * MEGABYTE;

describe.skipIf(whyNoEngines() !== null)('ClickHouse is away while a service is fed at full rate', { timeout: 900_000 }, () => {
  const [data, store] = [temporaryDirectory(), temporaryDirectory()];
  let kafka: KafkaSetting;
  let server: ClickHouseProcess;
  let service: RunningService;

  beforeAll(async () => {
    kafka = await kafkaSetting();
    server = await startClickHouse({ dir: store.path });
    service = await startService({ ...kafka.env, RACELINE_DATA_DIR: data.path, CLICKHOUSE_URL: server.url, RACELINE_LOG_LEVEL: 'warn' });
  }, 120_000);

  afterAll(async () => {
    await service?.kill();
    await server?.stop();
    data.remove();
    store.remove();
  });

  test('its memory stays bounded, ETAs go on, and history catches up', async () => {
    const feeding = startFeeding(() => service.url, () => metric('raceline_input_lag_records'));
    await delay(WARM_MS);
    const before = rssOf(service.pid);
    await server.kill();
    const [sentBefore, startedAtMs] = [feeding.sent(), performance.now()];
    const samples: number[] = [];
    while (performance.now() - startedAtMs < OUTAGE_MS) {
      await delay(500);
      samples.push(rssOf(service.pid));
    }
    const rate = Math.round((feeding.sent() - sentBefore) / (OUTAGE_MS / 1_000));
    const lag = await metric('raceline_history_lag_records');
    const port = server.port;
    server = await startClickHouse({ dir: store.path, port });
    const backAtMs = performance.now();
    const { updates, resent } = await feeding.end();
    await waitUntil('history has caught up', async () => {
      const [row] = await query<{ races: string; applied: string; revisions: string }>(service.url, "SELECT (SELECT uniqExact(race_id) FROM races) AS races, (SELECT sum(applied) FROM v_audit) AS applied, (SELECT count() FROM eta_revisions) AS revisions");
      return Number(row?.races) === RACES && Number(row?.applied) === updates && Number(row?.revisions) === await endOf('eta-updates');
    }, isLong ? 600_000 : 60_000);
    const historyMs = performance.now() - backAtMs;

    const most = Math.max(...samples);
    const later = samples.slice(Math.floor(samples.length / 2));
    const [found = {}] = await query<Record<string, string | number>>(service.url, `SELECT count() AS n, uniqExact(partition, offset) AS different, uniqExact(race_id, attempt, revision) AS revisions,
      (SELECT count() FROM races) AS races, (SELECT sum(late + duplicate) FROM v_audit) AS repeated, (SELECT sum(read) FROM v_audit) AS read FROM eta_revisions`);
    const row = Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Number(value)])) as Record<'n' | 'different' | 'revisions' | 'races' | 'repeated' | 'read', number>;
    const published = await endOf('eta-updates');
    const seen = `${rate} updates/s, ${published} revisions in all; ${lag} records waited in the log; memory ${mb(before)} before, ${mb(most)} at most, ${mb(samples.at(-1) ?? 0)} at the end`;
    report({
      fault: `Back-pressure: ClickHouse away for ${OUTAGE_MS / 1_000} s, fed at full rate`, seen, etaMs: 0, historyMs,
      audit: `${updates} updates of ${RACES} races: ${published - row.different} lost, ${row.n - row.different} twice`,
    });
    expect(row).toMatchObject({ n: published, different: published, races: RACES, read: updates + row.repeated });
    expect(row.repeated).toBeLessThanOrEqual(resent);
    expect(row.revisions).toBeGreaterThan(updates / 4);
    expect(lag, 'what waits is in the log').toBeGreaterThan(1_000);
    expect(most - before, seen).toBeLessThan(MAX_GROWTH_BYTES);
    // A leak would grow by the rate times the time: at the end of five minutes it could not hide.
    if (isLong) expect(Math.max(...later.slice(-20)) - Math.max(...later.slice(0, 20)), seen).toBeLessThan(64 * MEGABYTE);
  });

  async function endOf(topic: 'eta-updates'): Promise<number> {
    const log = await kafka.openLog();
    try {
      return (await log.endOffsets(topic)).reduce((sum, end) => sum + end, 0);
    } finally {
      await log.close();
    }
  }

  /** Over all labels. */
  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }
});

type Feeding = { sent(): number; /** Finishes every race; all that was sent, and what of it was sent again. */ end(): Promise<{ updates: number; resent: number }> };

/** Races that never end and whose producers change their mind all the time: each update is worth a revision. */
function startFeeding(url: () => string, waiting: () => Promise<number>): Feeding {
  const [updates, resent] = [Array.from({ length: SENDERS }, () => 0), Array.from({ length: SENDERS }, () => 0)];
  const startedAt = Date.now();
  const ending = new AbortController();

  async function send(sender: number, batch: readonly RaceUpdate[]): Promise<void> {
    const lines = batch.map(encodeLine);
    for (;;) {
      const answer = await postUpdates(url(), lines, { timeoutMs: 30_000 });
      if (answer.kind === 'stored' && answer.rejected.length === 0) break;
      if (answer.kind !== 'away') throw new Error(`The updates were not stored: ${JSON.stringify(answer)}`);
      resent[sender]! += lines.length;
      await delay(100);
    }
    updates[sender]! += lines.length;
  }

  async function feed(sender: number): Promise<void> {
    const ids = Array.from({ length: RACES / SENDERS }, (_, index) => `endless-${sender}-${index}`);
    const update = (id: string, facts: Partial<RaceUpdate>): RaceUpdate => ({ ...emptyUpdate(id, `fleet/repo-${sender}`, Date.now()), ...facts });
    await send(sender, ids.map((id) => update(id, { title: 'endless', state: 'running', started_at: startedAt, metadata: { branch: 'main', os: 'linux' } })));
    for (let round = 0; !ending.signal.aborted; round++) {
      while (await waiting() > MAX_WAITING && !ending.signal.aborted) await delay(100);
      for (let from = 0; from < ids.length && !ending.signal.aborted; from += LINES) {
        await send(sender, ids.slice(from, from + LINES).map((id) => update(id, { eta_sec: round % 2 === 0 ? 900 : 9_000 })));
      }
    }
    await send(sender, ids.map((id) => update(id, { state: 'passed', completed_at: Date.now() })));
  }

  const feeding = Promise.all(Array.from({ length: SENDERS }, (_, sender) => feed(sender)));
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);
  return {
    sent: () => sum(updates),
    async end() {
      ending.abort();
      await feeding;
      return { updates: sum(updates), resent: sum(resent) };
    },
  };
}

function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1_024;
}

function mb(bytes: number): string {
  return `${Math.round(bytes / MEGABYTE)} MB`;
}
