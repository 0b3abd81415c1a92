import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { start } from './process.ts';

let server: Server | null = null;
afterEach(() => { server?.closeAllConnections(); server?.close(); });

type Asked = { method: string; url: URL; body: string };

async function answer(respond: (asked: Asked, response: ServerResponse) => void): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const one = { method: request.method ?? '', url: new URL(request.url ?? '', 'http://x'), body };
    asked.push(one);
    respond(one, response);
  };
  const opened = createServer((request, response) => void handle(request, response));
  server = opened;
  await new Promise<void>((resolve) => { opened.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${(opened.address() as AddressInfo).port}`, asked };
}

test('sql sends the statement as it is and prints the answer as it comes', async () => {
  const rows = Array.from({ length: 50_000 }, (_, index) => `${index}\tünïcode`).join('\n');
  const { url, asked } = await answer((_, response) => response.end(rows));
  const run = start(['sql', "SELECT '{a:b}' -- 100 %", '--format', 'TSV', '--server', url]);
  expect(await run.ended).toBe(0);
  expect(run.output.stdout).toBe(rows);
  expect(asked).toMatchObject([{ method: 'POST', body: "SELECT '{a:b}' -- 100 %" }]);
  expect(asked[0]!.url.pathname + asked[0]!.url.search).toBe('/v1/sql?format=TSV');
});

test("sql tells a refusal by the gateway's code on stderr", async () => {
  const { url } = await answer((_, response) => {
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ error: 'Only read-only statements are allowed', code: 'query_refused', message: 'Cannot run DROP' }));
  });
  const run = start(['sql', 'DROP TABLE races', '--server', url]);
  expect(await run.ended).toBe(1);
  expect(run.output).toEqual({ stdout: '', stderr: 'raceline: query_refused: Cannot run DROP\n' });
});

test('dead-letters ls prints a line a letter, or JSON', async () => {
  const letter = {
    at: Date.UTC(2026, 0, 31, 12), topic: 'race-updates', partition: 3, offset: 1402, code: 'at_in_future', message: 'at is 2 h ahead',
    key: 'build\u001b[2J', value: '{}', encoding: 'utf8', bytes: 2, dead_letter_offset: 7,
  };
  const { url, asked } = await answer((_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ items: [letter], scanned: 1 })));
  const lines = start(['dead-letters', 'ls', '--topic', 'race-updates', '--code', 'at_in_future', '--limit', '5', '--server', url]);
  expect(await lines.ended).toBe(0);
  expect(lines.output.stdout).toBe('7 2026-01-31T12:00:00.000Z race-updates/3@1402 at_in_future build [2J: at is 2 h ahead\n');
  expect(Object.fromEntries(asked[0]!.url.searchParams)).toEqual({ limit: '5', topic: 'race-updates', code: 'at_in_future' });
  const json = start(['dead-letters', 'ls', '--json', '--server', url]);
  expect(await json.ended).toBe(0);
  expect(JSON.parse(json.output.stdout)).toEqual(letter);
});
