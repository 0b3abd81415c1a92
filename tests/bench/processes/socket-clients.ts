// Many WebSocket clients in one process, as cheap as they can be: frames are cut by their headers, and only in one of ten
// is it looked when its revisions were issued.
import { randomBytes } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { childOptions, tellParent } from '../child.ts';

export type SocketClientsOptions = { readonly host: string; readonly port: number; readonly clients: number; readonly racesEach: number; readonly races: number };
export type SocketClientsOrder = { readonly order: 'measure' | 'report' };
export type SocketClientsReport = {
  readonly clients: number;
  readonly frames: number;
  readonly bytes: number;
  /** From a revision's issue to its frame, sorted; of one frame in ten. */
  readonly latenciesMs: readonly number[];
  /** Frames of the client that had fewest and most. */
  readonly fewest: number;
  readonly most: number;
  readonly closed: number;
};

type Client = { readonly socket: Socket; rest: Buffer | null; frames: number; closed: boolean };

const { host, port, clients: count, racesEach, races } = childOptions<SocketClientsOptions>();
/** What stands in front of a revision's issued_at; in the older ones that a race remembers, something else does. */
const ETA = Buffer.from('"eta":{"revision":');
const ISSUED = Buffer.from(',"issued_at":');
const EPOCH_DIGITS = 13;
const TEXT = 1;
const PING = 9;
/** Empty, so that the mask says nothing. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const SAMPLED = 10;
const clients: Client[] = [];
let isMeasuring = false;
let frames = 0;
let bytes = 0;
let latencies: number[] = [];

/** A text frame as clients must send it. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ mask[i % 4]!;
  const head = payload.length < 126 ? Buffer.from([0x81, 0x80 | payload.length]) : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, mask, payload]);
}

async function connect(index: number): Promise<void> {
  const socket = createConnection({ host, port });
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.write(`GET /v1/etas HTTP/1.1\r\nhost: ${host}:${port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    let head = '';
    const take = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', take);
      if (head.startsWith('HTTP/1.1 101')) resolve();
      else reject(new Error(head.slice(0, 200)));
    };
    socket.on('data', take);
  });
  const client: Client = { socket, rest: null, frames: 0, closed: false };
  clients.push(client);
  socket.on('data', (chunk) => read(client, chunk));
  socket.on('error', () => {});
  socket.once('close', () => { client.closed = true; });
  // One of each residue: they move one after the other.
  const ids = Array.from({ length: racesEach }, (_, i) => `race-${(((index * 37 + i * 11) % (races / racesEach)) * racesEach) + i}`);
  socket.write(masked(JSON.stringify({ type: 'subscribe', filter: { race_ids: ids } })));
}

function read(client: Client, chunk: Buffer): void {
  let data = client.rest === null ? chunk : Buffer.concat([client.rest, chunk]);
  client.rest = null;
  while (data.length >= 2) {
    const short = data[1]! & 0x7f;
    const at = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (data.length < at) break;
    const length = short === 126 ? data.readUInt16BE(2) : short === 127 ? Number(data.readBigUInt64BE(2)) : short;
    if (data.length < at + length) break;
    const opcode = data[0]! & 0x0f;
    if (opcode === TEXT) take(client, data.subarray(at, at + length));
    else if (opcode === PING) client.socket.write(PONG);
    data = data.subarray(at + length);
  }
  // Copied: the chunk that it lies in would be held.
  if (data.length > 0) client.rest = Buffer.from(data);
}

function take(client: Client, payload: Buffer): void {
  client.frames++;
  frames++;
  bytes += payload.length;
  if (!isMeasuring || frames % SAMPLED !== 0) return;
  const nowMs = Date.now();
  for (let at = payload.indexOf(ETA); at >= 0; at = payload.indexOf(ETA, at + ETA.length)) {
    const issued = payload.indexOf(ISSUED, at) + ISSUED.length;
    latencies.push(nowMs - Number(payload.toString('latin1', issued, issued + EPOCH_DIGITS)));
  }
}

function report(): SocketClientsReport {
  const counts = clients.filter(({ closed }) => !closed).map((client) => client.frames).sort((a, b) => a - b);
  const sorted = latencies.sort((a, b) => a - b);
  const step = Math.max(1, Math.floor(sorted.length / 20_000));
  return {
    clients: clients.length, frames, bytes, latenciesMs: sorted.filter((_, i) => i % step === 0), fewest: counts[0] ?? 0, most: counts.at(-1) ?? 0,
    closed: clients.length - counts.length,
  };
}

process.on('message', ({ order }: SocketClientsOrder) => {
  isMeasuring = order === 'measure';
  if (order === 'report') tellParent(report());
  frames = bytes = 0;
  latencies = [];
  for (const client of clients) client.frames = 0;
});
process.once('disconnect', () => process.exit(0));

for (let index = 0; index < count; index += 50) await Promise.all(Array.from({ length: Math.min(50, count - index) }, (_, i) => connect(index + i)));
tellParent(report());
