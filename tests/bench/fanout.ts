import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import { quantileOf, rounded, type Figure } from './bench.ts';
import { startChild } from './child.ts';
import { startFeed } from './feed.ts';
import type { GatewayMessage, GatewayOrder, GatewayProcessOptions } from './processes/gateway.ts';
import type { SocketClientsOptions, SocketClientsOrder, SocketClientsReport } from './processes/socket-clients.ts';

const CLIENTS = Number(process.env['RACELINE_FANOUT_CLIENTS'] ?? 10_000);
const RACES = 1_000;
const RACES_EACH = 5;
/** In each tick another fifth of the races moves, and of a client's five races one: a frame per client and tick. */
const REVISED_EVERY_MS = 1_250;
const REVISIONS_PER_SEC = (RACES * 1_000) / REVISED_EVERY_MS;
const TICKS_PER_SEC = 4;
const WARM_MS = 5_000;
const MEASURED_MS = 10_000;
const STALL_LIMIT_MS = 15_000;

/** 10,000 WebSocket clients on one gateway that has one core; the clients and the feed have another. */
export async function fanout(): Promise<Figure[]> {
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  const gateway = startChild<GatewayMessage>('gateway.ts', { maxConnections: CLIENTS + 100 } satisfies GatewayProcessOptions, ['--expose-gc']);
  const order = (message: GatewayOrder): void => gateway.send(message);
  const ask = async (what: 'usage' | 'slow'): Promise<GatewayMessage> => {
    order({ ask: what });
    return await gateway.next();
  };
  const { address } = await gateway.next();
  pin(gateway.pid, 0);
  pin(process.pid, 1);
  // One residue after the other, each for a tick: a client has one race of each.
  const races = Array.from({ length: RACES }, (_, i) => `race-${(i % (RACES / RACES_EACH)) * RACES_EACH + Math.floor(i / (RACES / RACES_EACH))}`);
  const feed = startFeed({ codec, order, races });
  feed.start(REVISIONS_PER_SEC);
  await sleep(WARM_MS);
  const from = await ask('usage');
  await sleep(WARM_MS);
  const before = await ask('usage');
  // What the feed costs a gateway that nobody listens to.
  const feedShare = (before.cpuMs - from.cpuMs) / WARM_MS;
  feed.stop();
  const { hostname, port } = new URL(address);
  const clients = startChild<SocketClientsReport>('socket-clients.ts', { host: hostname, port: Number(port), clients: CLIENTS, racesEach: RACES_EACH, races: RACES } satisfies SocketClientsOptions);
  pin(clients.pid, 1);
  const tell = (message: SocketClientsOrder): void => clients.send(message);
  try {
    await clients.next();
    await sleep(1_000);
    const idle = await ask('usage');
    feed.start(REVISIONS_PER_SEC);
    await sleep(WARM_MS);
    const calm = await measure(tell, clients.next, ask);
    const perFrameUs = ((calm.cpuShare - feedShare) * 1e6) / calm.framesPerSec;
    // While the clients sorted and sent what they had measured they read nothing: that is not the gateway's delay.
    await sleep(1_000);
    // One that asks for everything and reads nothing.
    const stalled = new WebSocket(`${address.replace('http', 'ws')}/v1/etas`);
    await new Promise((resolve) => stalled.once('open', resolve));
    stalled.on('error', () => {});
    stalled.send(JSON.stringify({ type: 'subscribe', filter: {} }));
    stalled.pause();
    const sinceMs = performance.now();
    const [stalling, closedMs] = await Promise.all([measure(tell, clients.next, ask), closedAfter(ask, sinceMs)]);
    stalled.terminate();
    return [
      { name: 'clients', value: calm.report.clients, says: `each on ${RACES_EACH} of ${RACES} races, which are revised every ${REVISED_EVERY_MS / 1_000} s` },
      { name: 'frames_per_sec', value: Math.round(calm.framesPerSec), says: `${rounded(calm.report.bytes / calm.report.frames / 1_024)} KB each; a client got ${calm.report.fewest}..${calm.report.most} in ${MEASURED_MS / 1_000} s` },
      { name: 'revision_to_frame_p50_ms', value: quantileOf(calm.report.latenciesMs, 0.5), says: 'from its issue to its receipt; the wait for the tick is in it' },
      { name: 'revision_to_frame_p99_ms', value: quantileOf(calm.report.latenciesMs, 0.99), says: 'bar 1,000, aim 300' },
      { name: 'gateway_cpu_share', value: rounded(calm.cpuShare), says: `of its one core, the log and its decoding included; in the kernel ${rounded(calm.systemShare)}` },
      { name: 'gateway_cpu_us_per_frame', value: rounded(perFrameUs), says: 'beyond what the feed costs without clients' },
      { name: 'cores_for_every_tick', value: rounded(feedShare + perFrameUs * CLIENTS * TICKS_PER_SEC / 1e6), says: `for ${CLIENTS * TICKS_PER_SEC} frames a second by these figures, whatever the machine had to give` },
      { name: 'event_loop_delay_p99_ms', value: rounded(calm.delayP99Ms), says: 'what a request would wait' },
      { name: 'bytes_per_idle_client', value: Math.round((idle.rssBytes - before.rssBytes) / CLIENTS), says: 'resident, subscribed, nothing moving' },
      { name: 'bytes_per_busy_client', value: Math.round((calm.rssBytes - before.rssBytes) / CLIENTS), says: 'resident, at full rate' },
      { name: 'stalled_client_closed_ms', value: Math.round(closedMs), says: 'one that asked for all races and does not read; bar 10,000' },
      { name: 'p99_ms_beside_a_stalled_client', value: quantileOf(stalling.report.latenciesMs, 0.99), says: 'of the others meanwhile' },
      { name: 'clients_lost', value: stalling.report.closed, says: '' },
    ];
  } finally {
    feed.stop();
    await Promise.all([clients.stop(), gateway.stop()]);
  }
}

type Measured = { readonly report: SocketClientsReport; readonly framesPerSec: number; readonly cpuShare: number; readonly systemShare: number; readonly delayP99Ms: number; readonly rssBytes: number };

async function measure(tell: (message: SocketClientsOrder) => void, next: () => Promise<SocketClientsReport>, ask: (what: 'usage' | 'slow') => Promise<GatewayMessage>): Promise<Measured> {
  const from = await ask('slow');
  const startedAtMs = performance.now();
  tell({ order: 'measure' });
  await sleep(MEASURED_MS);
  tell({ order: 'report' });
  const report = await next();
  const elapsedMs = performance.now() - startedAtMs;
  const to = await ask('slow');
  return { report, framesPerSec: (report.frames * 1_000) / elapsedMs, cpuShare: (to.cpuMs - from.cpuMs) / elapsedMs, systemShare: (to.systemMs - from.systemMs) / elapsedMs, delayP99Ms: to.delayP99Ms, rssBytes: to.rssBytes };
}

async function closedAfter(ask: (what: 'usage' | 'slow') => Promise<GatewayMessage>, sinceMs: number): Promise<number> {
  while (performance.now() - sinceMs < STALL_LIMIT_MS) {
    await sleep(100);
    if ((await ask('slow')).slowCloses > 0) return performance.now() - sinceMs;
  }
  return Infinity;
}

/** Where the machine cannot, both share what there is, and the figures say less. */
function pin(pid: number | undefined, core: number): void {
  if (pid !== undefined) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]);
}
