import { connect, type Socket } from 'node:net';

export type Request = { readonly method: 'POST' | 'PATCH'; readonly path: string; readonly body: string; readonly type?: string };

/** A request as it goes over the wire: made before the clock runs, so that its sender is not what is measured. */
export type WireRequest = { readonly name: string; readonly bytes: Buffer };

export function toWire(url: string, { method, path, body, type = 'application/json' }: Request): WireRequest {
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${new URL(url).host}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return { name: `${method} ${path}`, bytes: Buffer.from(head + body) };
}

/**
 * Sends requests over so many connections, each the next one when its answer is there; returns requests/s of each
 * third of them. Rejects when an answer is not 200.
 */
export async function load(url: string, requests: readonly WireRequest[], connections: number): Promise<number[]> {
  const { hostname, port } = new URL(url);
  const doneAtMs: number[] = [];
  let next = 0;
  const sockets = Array.from({ length: connections }, () => connect(Number(port), hostname).setNoDelay(true));
  const startedAtMs = performance.now();
  try {
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve, reject) => {
      let current: WireRequest | undefined;
      const sendNext = (): void => {
        current = requests[next++];
        if (current === undefined) resolve();
        else socket.write(current.bytes);
      };
      socket.once('error', reject).once('close', () => reject(new Error('The server closed the connection')));
      readAnswers(socket, (status) => {
        if (status !== 200) return reject(new Error(`${current?.name} was answered ${status}`));
        doneAtMs.push(performance.now());
        sendNext();
      });
      sendNext();
    })));
  } finally {
    for (const socket of sockets) socket.removeAllListeners('close').destroy();
  }
  const third = Math.floor(doneAtMs.length / 3);
  return [0, 1, 2].map((part) => {
    const from = part === 0 ? startedAtMs : doneAtMs[part * third - 1]!;
    return (third * 1_000) / (doneAtMs[(part + 1) * third - 1]! - from);
  });
}

/** Calls with the status of each whole answer, by its content-length. */
function readAnswers(socket: Socket, onAnswer: (status: number) => void): void {
  let held = '';
  socket.on('data', (chunk: Buffer) => {
    held = held === '' ? chunk.toString('latin1') : held + chunk.toString('latin1');
    const headEnd = held.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const named = held.toLowerCase().indexOf('\r\ncontent-length:');
    const length = named < 0 ? 0 : Number.parseInt(held.slice(named + 17, named + 30), 10);
    if (held.length < headEnd + 4 + length) return;
    const status = Number(held.slice(9, 12));
    held = '';
    onAnswer(status);
  });
}
