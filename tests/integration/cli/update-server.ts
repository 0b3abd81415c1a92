import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RaceUpdate } from '../../../src/race/update.ts';

export type UpdateServer = {
  readonly url: string;
  readonly port: number;
  /** What was stored, in the order of arrival, with the time of arrival. */
  readonly updates: (Partial<RaceUpdate> & { race_id: string; at: number; arrivedAtMs: number })[];
  /** Sizes of the bodies. */
  readonly requests: { lines: number; bytes: number }[];
  close(): Promise<void>;
};

/** What to do with the n-th request (0, 1, 2...) instead of storing it: an HTTP status, or cut the line; `lost` stores it, then cuts. */
export type Misbehaviour = (request: number) => number | 'cut' | 'lost' | null;

/** An HTTP server that takes POST /v1/updates and can be made to fail; updates titled `refuse me` are refused. */
export async function openUpdateServer(misbehave: Misbehaviour = () => null, port = 0): Promise<UpdateServer> {
  const updates: UpdateServer['updates'] = [];
  const requests: UpdateServer['requests'] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const lines = body.toString().split('\n').filter((line) => line !== '');
    const fault = misbehave(requests.length);
    requests.push({ lines: lines.length, bytes: body.length });
    if (request.method !== 'POST' || request.url !== '/v1/updates' || request.headers['content-type'] !== 'application/x-ndjson') {
      response.writeHead(404).end();
    } else if (fault === 'cut') {
      request.socket.destroy();
    } else if (typeof fault === 'number') {
      response.writeHead(fault, { 'content-type': 'application/json' }).end('{"error":"no","code":"not_ready","message":"Not now"}');
    } else {
      const read = lines.map((line) => JSON.parse(line) as RaceUpdate);
      const rejected = read.flatMap((update, index) => (update.title === 'refuse me' ? [{ line: index + 1, code: 'title_invalid', message: 'Refused as asked' }] : []));
      const accepted = lines.length - rejected.length;
      for (const update of read) if (update.title !== 'refuse me') updates.push({ ...update, arrivedAtMs: Date.now() });
      if (fault === 'lost') request.socket.destroy();
      else response.writeHead(accepted === 0 ? 400 : 200, { 'content-type': 'application/json' }).end(JSON.stringify({ accepted, rejected_total: rejected.length, rejected }));
    }
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`, port: bound, updates, requests,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
