import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { parseClientFrame, serialiseFrame } from '../../../src/bridge/frames.ts';
import type { RaceView, ServerFrame } from '../../../src/bridge/frames.ts';
import { NOON, etaView, raceView } from '../../unit/cli/race-view.ts';
import { freePort } from '../../support/free-port.ts';
import { start, until } from './process.ts';

let server: Server | null = null;
let sockets: WebSocketServer | null = null;
afterEach(() => {
  for (const socket of sockets?.clients ?? []) socket.terminate();
  sockets?.close();
  server?.close();
});

/** The other end of /v1/etas: answers a subscription with a snapshot, then says what the test wants. */
async function openEtas(races: readonly RaceView[]): Promise<{ url: string; filters: unknown[]; delta(races: readonly RaceView[], removed?: readonly string[]): void; drop(): void }> {
  const filters: unknown[] = [];
  const seqs = new Map<WebSocket, number>();
  const send = (socket: WebSocket, frame: Record<string, unknown>): void => {
    const seq = (seqs.get(socket) ?? 0) + 1;
    seqs.set(socket, seq);
    socket.send(serialiseFrame({ ...frame, seq } as unknown as ServerFrame));
  };
  const opened = createServer();
  server = opened;
  const wss = new WebSocketServer({ server: opened, path: '/v1/etas' });
  sockets = wss;
  wss.on('connection', (socket) => socket.on('message', (data) => {
    const read = parseClientFrame(String(data as Buffer));
    filters.push('frame' in read && read.frame.type === 'subscribe' ? read.frame.filter : read);
    send(socket, { type: 'snapshot', first: true, complete: true, races });
  }));
  await new Promise<void>((resolve) => { opened.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(opened.address() as AddressInfo).port}`, filters,
    delta: (changed, removed = []) => { for (const socket of wss.clients) send(socket, { type: 'delta', races: changed, removed }); },
    drop: () => { for (const socket of wss.clients) socket.terminate(); },
  };
}

describe('watch', () => {
  test('--once prints the table and ends', async () => {
    const etas = await openEtas([raceView({ race_id: 'a', state: 'passed', completed_at: NOON + 5_000, duration_sec: 5 }), raceView({ race_id: 'b', state: 'queued', started_at: null })]);
    const run = start(['watch', '--once', '--server', etas.url]);
    expect(await run.ended).toBe(0);
    const lines = run.output.stdout.split('\n');
    expect(lines[0]).toMatch(/^RACE +TITLE +STATE +PROGRESS +DONE AT +LEFT +BASIS +REASON +CONF$/);
    expect(lines[1]).toMatch(/^b +build +queued +░+ +0 % +takes ≈ 1 min 40 s +key +started +63 %$/);
    expect(lines[2]).toMatch(/^a +build +passed +█+ +100 % +.*12:00:05 +took 5 s +key +started +63 %$/);
    expect(lines.slice(3)).toEqual(['']);
  });

  test('asks for what the options say', async () => {
    const etas = await openEtas([]);
    const run = start(['watch', '--once', '--source', 'ci/*', '--state', 'running', 'queued', '--race', 'a', 'b', '--metadata', 'branch=main', '--server', etas.url]);
    expect(await run.ended).toBe(0);
    expect(etas.filters).toEqual([{ source: 'ci/*', states: ['running', 'queued'], race_ids: ['a', 'b'], metadata: { branch: 'main' } }]);
  });

  test('prints a line a revision into a pipe, and goes on after a lost connection', async () => {
    const etas = await openEtas([raceView()]);
    const run = start(['watch', '--server', etas.url]);
    const lines = (): string[] => run.output.stdout.split('\n').filter((line) => line !== '');
    await until(() => lines().length === 1, lines);
    etas.delta([raceView({ updated_at: NOON + 1 })]);
    etas.delta([raceView({ eta: etaView({ revision: 2, reason: 'stage_done' }) })]);
    await until(() => lines().length === 2, lines);
    etas.drop();
    await until(() => etas.filters.length === 2, () => etas.filters);
    etas.delta([raceView({ eta: etaView({ revision: 3, reason: 'overdue' }) })]);
    await until(() => lines().length >= 3 && lines().at(-1)!.includes('revision 3'), lines);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(lines()[0]).toMatch(/ r1 ci\/a "build" running: overdue by .* \[revision 1, started, by key, 63 %\]$/);
    expect(lines()[1]).toMatch(/\[revision 2, stage_done, by key, 63 %\]$/);
  });

  test('--json prints the races as they are', async () => {
    const etas = await openEtas([raceView()]);
    const run = start(['watch', '--json', '--once', '--server', etas.url]);
    expect(await run.ended).toBe(0);
    expect(run.output.stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([raceView()]);
  });

  test('--once gives up where no gateway answers', async () => {
    const run = start(['watch', '--once', '--server', `http://127.0.0.1:${await freePort()}`]);
    expect(await run.ended).toBe(1);
    expect(run.output.stderr).toMatch(/^raceline: unavailable: .* gave no snapshot within 10 s.*\n$/);
  });
});
