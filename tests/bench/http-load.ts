import { connect, type Socket } from 'node:net';

export type Request = { readonly method: 'POST' | 'PATCH'; readonly path: string; readonly body: string; readonly type?: string };

/**
 * Sends requests over so many connections, each the next one when its answer is there; returns requests/s of each
 * third of them. Rejects when an answer is not 200.
 */
export async function load(url: string, requests: readonly Request[], connections: number): Promise<number[]> {
  const { hostname, port, host } = new URL(url);
  const doneAtMs: number[] = [];
  let next = 0;
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: connections }, async () => {
    const socket = connect(Number(port), hostname).setNoDelay(true);
    try {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        const body = Buffer.from(request.body);
        socket.write(`${request.method} ${request.path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: ${request.type ?? 'application/json'}\r\ncontent-length: ${body.length}\r\n\r\n`);
        socket.write(body);
        const status = await answer(socket);
        if (status !== 200) throw new Error(`${request.method} ${request.path} was answered ${status}`);
        doneAtMs.push(performance.now());
      }
    } finally {
      socket.destroy();
    }
  }));
  const third = Math.floor(doneAtMs.length / 3);
  return [0, 1, 2].map((part) => {
    const from = part === 0 ? startedAtMs : doneAtMs[part * third - 1]!;
    return (third * 1_000) / (doneAtMs[(part + 1) * third - 1]! - from);
  });
}

/** Reads one whole answer, by its content-length; returns its status. */
function answer(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const end = (): void => {
      socket.off('data', take);
      socket.off('error', reject);
      socket.off('close', gone);
    };
    const gone = (): void => reject(new Error('The server closed the connection'));
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const headEnd = text.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < headEnd + 4 + length) return;
      end();
      resolve(Number(text.slice(9, 12)));
    };
    socket.on('data', take).once('error', reject).once('close', gone);
  });
}
