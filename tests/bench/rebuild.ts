import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMetrics, sumOf, type Sample } from '../../src/bridge/metrics-text.ts';
import { encodeLine, postUpdates } from '../../src/cli/update-target.ts';
import { interpolatedQuantile } from '../../src/gateway/metric-quantile.ts';
import { emptyUpdate, type RaceUpdate } from '../../src/race/update.ts';
import { fleetUpdates } from '../support/fleet.ts';
import { raceFleet } from '../support/race-fleet.ts';
import { query, temporaryDirectory } from '../support/service.ts';
import { waitUntil } from '../support/wait-until.ts';
import { rounded, type Figure } from './bench.ts';
import { startChild } from './child.ts';
import { UPDATES_PER_RACE } from './mix.ts';
import type { ServiceProcessOptions } from './processes/service.ts';

const RACES = 100_000;
const SOURCE = 'ci/rebuilt';
const RATE_PER_SEC = 1_000;
const RACE_MS = 10_000;
const IDLE_MS = 15_000;
const SEND_EVERY_MS = 25;
const LINES = 2_000;
const LATENCY = 'raceline_revision_latency_seconds';

/** A rebuild of 100,000 distinct races in the service as it starts by default, while updates come at 1,000/s: read to published, and what it does to others. */
export async function rebuild(): Promise<Figure[]> {
  const directory = temporaryDirectory();
  const service = startChild<{ address: string }>('service.ts', { env: { RACELINE_DATA_DIR: join(directory.path, 'data'), RACELINE_PORT: '0', RACELINE_LOG_LEVEL: 'error' } } satisfies ServiceProcessOptions);
  try {
    const { address } = await service.next();
    await waitUntil('the service is ready', async () => (await fetch(`${address}/readyz`)).ok);
    await teach(address);
    const feed = startFeed(address);
    await sleep(RACE_MS);
    const before = await metrics(address);
    await sleep(IDLE_MS);
    const idle = await metrics(address);
    const { id } = await (await fetch(`${address}/v1/rebuilds`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ source: SOURCE }) })).json() as { id: string };
    const askedAtMs = performance.now();
    const row = await ended(address, id);
    const tookMs = performance.now() - askedAtMs;
    const during = await metrics(address);
    await feed.stop();
    const [idleMs, rebuildMs] = [latencyMs(before, idle), latencyMs(idle, during)];
    return [
      { name: 'rebuild_sec', value: rounded(tookMs / 1_000), says: `${RACES.toLocaleString('en-US')} distinct races: ${row.status}, ${row.clusters} clusters; asked for to published, read from embedded ClickHouse; bar 30` },
      { name: 'idle_latency_p99_ms', value: rounded(idleMs), says: `update to revision at ${RATE_PER_SEC}/s before it, by the service's own histogram` },
      { name: 'rebuild_latency_p99_ms', value: rounded(rebuildMs), says: 'the same meanwhile' },
      { name: 'latency_p99_above_idle_ms', value: rounded(rebuildMs - idleMs), says: 'bar 100' },
      { name: 'event_loop_p99_ms', value: rounded(1_000 * sumOf(during, 'raceline_nodejs_eventloop_lag_p99_seconds')), says: 'of the whole service meanwhile; bar 50' },
    ];
  } finally {
    await service.stop();
    directory.remove();
  }
}

/** Races that have ended, and waits until history holds them. */
async function teach(address: string): Promise<void> {
  const startMs = Date.now() - 86_400_000;
  const fleet = raceFleet({ seed: 9, races: RACES });
  for (let from = 0; from < fleet.length; from += LINES / 2) {
    await send(address, fleet.slice(from, from + LINES / 2).flatMap(({ id, title, metadata, template }, i): RaceUpdate[] => {
      const at = startMs + 500 * (from + i);
      const endedAt = at + 1_000 * (30 + 7 * (template % 50) + (i % 11));
      return [
        { ...emptyUpdate(id, SOURCE, at), title, metadata, state: 'running', started_at: at },
        { ...emptyUpdate(id, SOURCE, endedAt), state: 'passed', completed_at: endedAt },
      ];
    }));
  }
  await waitUntil('history holds them', async () => {
    await sleep(1_000);
    return Number((await query<{ n: number }>(address, `SELECT count() AS n FROM races WHERE source = '${SOURCE}'`))[0]?.n) >= RACES;
  }, 300_000);
}

/** The standard mix as it happens. */
function startFeed(address: string): { stop(): Promise<void> } {
  const racesPerSec = RATE_PER_SEC / UPDATES_PER_RACE;
  const updates = fleetUpdates({ seed: 4, races: 300 * racesPerSec, startMs: Date.now(), spacingMs: 1_000 / racesPerSec, durationMs: RACE_MS, idPrefix: 'live' });
  const ending = new AbortController();
  const running = (async () => {
    for (let next = 0; !ending.signal.aborted && next < updates.length;) {
      const nowMs = Date.now();
      const from = next;
      while (next < updates.length && updates[next]!.at <= nowMs) next += 1;
      if (next > from) await send(address, updates.slice(from, next));
      await sleep(SEND_EVERY_MS);
    }
  })();
  return { async stop() { ending.abort(); await running; } };
}

async function send(address: string, updates: readonly RaceUpdate[]): Promise<void> {
  const answer = await postUpdates(address, updates.map(encodeLine), { timeoutMs: 30_000 });
  if (answer.kind !== 'stored' || answer.rejected.length > 0) throw new Error(`The updates were not stored: ${JSON.stringify(answer)}`);
}

async function ended(address: string, id: string): Promise<{ status: string; clusters: number }> {
  for (;;) {
    const answer = await fetch(`${address}/v1/rebuilds/${id}`);
    const row = answer.ok ? await answer.json() as { status: string; clusters: number } : null;
    if (row !== null && row.status !== 'running') return row;
    await sleep(50);
  }
}

async function metrics(address: string): Promise<Sample[]> {
  return readMetrics(await (await fetch(`${address}/metrics`)).text());
}

/** p99 of what was observed between two scrapes, ms. */
function latencyMs(before: readonly Sample[], after: readonly Sample[]): number {
  const since = after.filter(({ name }) => name.startsWith(LATENCY)).map((sample) => ({ ...sample, value: sample.value - sumOf(before, sample.name, sample.labels) }));
  return 1_000 * (interpolatedQuantile(since, LATENCY, 0.99) ?? Number.NaN);
}
