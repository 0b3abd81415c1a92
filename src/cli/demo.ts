import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { RaceUpdate } from '../race/update.ts';
import { duration, wholeNumber } from './arguments.ts';
import { serverHeaders, serverUrl, type CliContext } from './context.ts';
import { demoFleet } from './demo-fleet.ts';
import { demoVan } from './demo-van.ts';
import { request } from './http.ts';
import { httpTarget, type UpdateTarget } from './update-target.ts';

type DemoOptions = { server?: string; seed: number; history: number; for?: number; fleets: number; van: boolean };

/** What comes within so long goes out in one request. */
const TICK_MS = 200;
const MAX_BATCH = 1_000;

export function demoCommand(context: CliContext): Command {
  return new Command('demo')
    .description('Stream a made-up CI fleet (queues, stages, caches, failures, a level shift) and a van on its round')
    .option('--server <url>', 'Gateway to send to (default: RACELINE_HOST and RACELINE_PORT)')
    .option('--seed <n>', 'Another fleet', wholeNumber(0, 4_294_967_295), 1)
    .option('--history <time>', 'So much of its past is sent first, so that there is something to judge by', duration, 3 * 3_600)
    .option('--for <time>', 'Stop after this long (default: never)', duration)
    .option('--fleets <n>', 'So many fleets side by side', wholeNumber(1, 200), 1)
    .option('--no-van', 'The fleet alone')
    .action((options: DemoOptions) => demo(options, context));
}

async function demo(options: DemoOptions, context: CliContext): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  const server = serverUrl(context.env, options.server);
  const target = httpTarget(server, { signal: stop.signal, headers: serverHeaders(context.env) });
  const beginMs = Date.now();
  const startMs = beginMs - 1_000 * options.history;
  const idPrefix = `demo-${beginMs.toString(36)}`;
  // More races: several fleets side by side.
  const fleets = Array.from({ length: options.fleets }, (_, index) => demoFleet({
    seed: options.seed + index, idPrefix: `${idPrefix}-${index}`, startMs, shiftMs: startMs + 700 * options.history,
  }));
  const endMs = options.for === undefined ? Infinity : beginMs + 1_000 * options.for;
  let sent = 0;
  const send = async (updates: readonly RaceUpdate[]): Promise<void> => {
    await target.send(updates);
    sent += updates.length;
  };
  const driving = options.van ? drive({ ...options, server, idPrefix, beginMs, endMs, target, headers: serverHeaders(context.env), signal: stop.signal }) : Promise.resolve();
  try {
    const next = fleets.map((fleet) => fleet.next().value as RaceUpdate);
    context.err.write(`Sending the last ${Math.round(options.history / 60)} minutes of the fleet to ${server}\n`);
    let isLive = false;
    while (!stop.signal.aborted && Date.now() < endMs) {
      const untilMs = Date.now();
      const batch: RaceUpdate[] = [];
      fleets.forEach((fleet, index) => {
        while (next[index]!.at <= untilMs && batch.length < MAX_BATCH * (index + 1)) {
          batch.push(next[index]!);
          next[index] = fleet.next().value as RaceUpdate;
        }
      });
      if (batch.length > 0) await send(batch);
      if (batch.length >= MAX_BATCH) continue;
      if (!isLive) context.err.write(`Live now: ${server}/  (Ctrl-C ends it)\n`);
      isLive = true;
      await delay(TICK_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } catch (error) {
    // What a stopped send says of itself is no failure.
    if (!stop.signal.aborted) throw error;
  } finally {
    stop.abort();
    await driving;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
    await target.close();
  }
  context.out.write(`${sent} updates sent\n`);
}

type DriveOptions = {
  readonly server: string; readonly seed: number; readonly idPrefix: string; readonly beginMs: number; readonly endMs: number;
  readonly target: UpdateTarget; readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal;
};

/** Says what the van says when it says it. What cannot be sent is lost, as from a van without a signal. Never rejects. */
async function drive({ server, seed, idPrefix, beginMs, endMs, target, headers, signal }: DriveOptions): Promise<void> {
  const post = (path: string, type: string, body: object): Promise<unknown> => request(new URL(path, `${server}/`), { method: 'POST', headers: { ...headers, 'content-type': type }, body: JSON.stringify(body), signal });
  for (const message of demoVan({ seed, idPrefix, startMs: beginMs })) {
    const { atMs } = message;
    if (atMs > Date.now()) await delay(atMs - Date.now(), undefined, { signal }).catch(() => undefined);
    if (signal.aborted || atMs >= endMs) return;
    try {
      if ('route' in message) await post('v1/routes', 'application/json', message.route);
      else if ('point' in message) await post('v1/telemetry', 'application/x-ndjson', message.point);
      else if ('update' in message) await target.send([message.update]);
      else await request(new URL(`v1/routes/${encodeURIComponent(message.oldRouteId)}`, `${server}/`), { method: 'DELETE', headers, signal });
    } catch {
      // The fleet says what is wrong with the service.
    }
  }
}
