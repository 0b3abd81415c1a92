import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeLine } from '../../src/cli/update-target.ts';
import { temporaryDirectory } from '../support/service.ts';
import { waitUntil } from '../support/wait-until.ts';
import { rounded, type Figure } from './bench.ts';
import { startChild } from './child.ts';
import { load, toWire } from './http-load.ts';
import { standardMix } from './mix.ts';
import type { ServiceProcessOptions } from './processes/service.ts';

const REQUESTS = 9_000;
/** Before anything is measured: compilers, the first models, sockets. */
const WARM_UP = 3_000;
const CONNECTIONS = 64;
const MIX_RACES = 3_000;
const LINES = 500;

/** The service as it starts by default, all roles in one process on the embedded log and ClickHouse, over HTTP. */
export async function http(): Promise<Figure[]> {
  const directory = temporaryDirectory();
  const env = { RACELINE_DATA_DIR: join(directory.path, 'data'), RACELINE_PORT: '0', RACELINE_LOG_LEVEL: 'error' };
  const service = startChild<{ address: string }>('service.ts', { env } satisfies ServiceProcessOptions);
  const bare = startChild<{ address: string }>('bare-http.ts', { path: join(directory.path, 'bare.db') });
  try {
    const [{ address }, { address: bareAddress }] = await Promise.all([service.next(), bare.next()]);
    await waitUntil('the service is ready', async () => (await fetch(`${address}/readyz`)).ok);
    const postsTo = (url: string, count: number, prefix: string) => Array.from({ length: count }, (_, i) => toWire(url, {
      method: 'POST', path: '/race', body: JSON.stringify({ id: `${prefix}-${i}`, source: 'bench', title: `job ${i % 20}`, state: 'running', metadata: { branch: 'main', commit: `c${i}` } }),
    }));
    const patchesTo = (url: string, count: number, prefix: string) => Array.from({ length: count }, (_, i) => toWire(url, { method: 'PATCH', path: `/race/${prefix}-${i}`, body: JSON.stringify({ progress: 40, eta_sec: 60 }) }));
    const [posts, patches, barePosts] = [postsTo(address, REQUESTS, 'http'), patchesTo(address, REQUESTS, 'http'), postsTo(bareAddress, REQUESTS, 'http')];
    await load(address, postsTo(address, WARM_UP, 'warm'), CONNECTIONS);
    await load(address, patchesTo(address, WARM_UP, 'warm'), CONNECTIONS);
    await load(bareAddress, postsTo(bareAddress, WARM_UP, 'warm'), CONNECTIONS);
    const bared = await load(bareAddress, barePosts, CONNECTIONS);
    const posted = await load(address, posts, CONNECTIONS);
    const patched = await load(address, patches, CONNECTIONS);
    const batches = await batchRate(address);
    const [post, patch, peer] = [mean(posted), mean(patched), mean(bared)];
    return [
      { name: 'post_per_sec', value: Math.round(post), says: `POST /race, ${CONNECTIONS} connections, durably logged, answered with its ETA` },
      { name: 'patch_per_sec', value: Math.round(patch), says: 'PATCH /race/:id' },
      { name: 'bare_post_per_sec', value: Math.round(peer), says: 'node:http that parses, inserts into SQLite, answers' },
      { name: 'patch_last_over_first_third', value: rounded(patched[2]! / patched[0]!), says: '1 = flat as history grows' },
      { name: 'post_ratio_to_bare', value: rounded(post / peer), says: '' },
      { name: 'post_last_over_first_third', value: rounded(posted[2]! / posted[0]!), says: '1 = flat as history grows' },
      { name: 'batch_updates_per_sec', value: Math.round(batches.accepted), says: `POST /v1/updates, ${LINES} lines each, durably logged` },
      { name: 'embedded_updates_per_sec', value: Math.round(batches.applied), says: 'the same until the pipeline has dealt with the last of them' },
    ];
  } finally {
    await Promise.all([service.stop(), bare.stop()]);
    directory.remove();
  }
}

/** Updates/s of the standard mix through POST /v1/updates: until they are stored, and until they are applied. */
async function batchRate(address: string): Promise<{ accepted: number; applied: number }> {
  const lines = standardMix(MIX_RACES).map(encodeLine);
  const bodies = Array.from({ length: Math.ceil(lines.length / LINES) }, (_, i) => toWire(address, {
    method: 'POST', path: '/v1/updates', type: 'application/x-ndjson', body: `${lines.slice(i * LINES, (i + 1) * LINES).join('\n')}\n`,
  }));
  const before = await inputs(address);
  const startedAtMs = performance.now();
  // One after the other: the lines of a race must keep their order.
  await load(address, bodies, 1);
  const acceptedMs = performance.now() - startedAtMs;
  await waitUntil('all are applied', async () => {
    // A scrape is work for the process that is measured.
    await sleep(100);
    return (await inputs(address)) - before >= lines.length;
  }, 120_000);
  return { accepted: (lines.length * 1_000) / acceptedMs, applied: (lines.length * 1_000) / (performance.now() - startedAtMs) };
}

/** Inputs that the pipeline has dealt with, as it tells Prometheus. */
async function inputs(address: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return [...text.matchAll(/^raceline_inputs_total\{.*\} (\d+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}

function mean(rates: readonly number[]): number {
  return rates.length / rates.reduce((sum, rate) => sum + 1 / rate, 0);
}
