import { createHash } from 'node:crypto';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, ClickHouseLogLevel } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { buildGateway, startGateway, type Gateway } from '../../../src/gateway/server.ts';
import { openTokens, parseTokens } from '../../../src/gateway/tokens.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { gatewayDeps, openEngines, openGateway, send, until, type Engines } from './harness.ts';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

let engines: Engines;
let folder: string;
beforeAll(async () => {
  engines = await openEngines();
  folder = await mkdtemp(join(tmpdir(), 'raceline-tokens-'));
});
afterAll(async () => {
  await engines.log.close();
  await rm(folder, { recursive: true, force: true });
});

describe('tokens', () => {
  let gateway: Gateway;
  let path: string;
  let nowMs = 1_000_000;
  beforeAll(async () => {
    path = join(folder, 'tokens');
    await writeFile(path, `# who may do what\nread ${hashOf('reader')} a reader\nwrite ${hashOf('writer')} ci\nread,write ${hashOf('both')} both\nadmin ${hashOf('boss')} ops\n`);
    gateway = await openGateway(engines, { options: { tokens: openTokens({ path, clock: { nowMs: () => nowMs }, logger: silentLogger }) } });
  });
  afterAll(() => gateway.close());

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const race = { id: 'guarded', source: 's', title: 't', state: 'passed' };

  test('are asked for everywhere but at the probes', async () => {
    const json = await send(gateway, 'GET', '/docs/json', undefined, bearer('boss'));
    const paths = Object.entries(json.body.paths as Record<string, object>).flatMap(([url, methods]) => Object.keys(methods).map((method) => ({ url, method: method.toUpperCase() })));
    expect(paths.length).toBeGreaterThan(20);
    for (const { url, method } of [...paths, { url: '/v1/etas/stream', method: 'GET' }, { url: '/clickhouse/', method: 'POST' }, { url: '/docs/json', method: 'GET' }, { url: '/nothing', method: 'GET' }]) {
      const { status, body, headers } = await send(gateway, method, url.replace(/\{\w+\}/, 'x'), method === 'GET' ? undefined : {});
      if (url === '/healthz' || url === '/readyz') expect(status, url).toBe(200);
      else {
        expect([status, body.code], `${method} ${url}`).toEqual([401, 'unauthenticated']);
        expect(headers.get('www-authenticate')).toContain('Bearer');
      }
    }
  });

  test('allow what they say and nothing else', async () => {
    expect((await send(gateway, 'GET', '/races', undefined, bearer('reader'))).status).toBe(200);
    expect(await send(gateway, 'POST', '/race', race, bearer('reader'))).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect((await send(gateway, 'POST', '/race', race, bearer('writer'))).status).toBe(200);
    expect(await send(gateway, 'GET', '/races', undefined, bearer('writer'))).toMatchObject({ status: 403 });
    expect((await send(gateway, 'GET', '/races', undefined, bearer('both'))).status).toBe(200);
    expect((await send(gateway, 'DELETE', '/race/guarded', undefined, bearer('both'))).status).toBe(200);
    expect((await send(gateway, 'GET', '/races', undefined, bearer('boss'))).status).toBe(200);
    expect((await send(gateway, 'POST', '/v1/sql', 'SELECT 1', { ...bearer('reader'), 'content-type': 'text/plain' })).status).toBe(503);
  });

  test.each([
    ['Bearer nobody'], ['Bearer '], ['bearer'], ['Basic !!!'], [`Bearer ${hashOf('boss')}`], ['Bearer boss\u00a0'], [`Basic ${Buffer.from('boss:x').toString('base64')}`], ['Digest boss'],
  ])('are not %j', async (authorization) => {
    expect((await send(gateway, 'GET', '/races', undefined, { authorization })).status).toBe(401);
  });

  test('come as a password too, for browsers and ClickHouse clients', async () => {
    expect((await send(gateway, 'GET', '/races', undefined, { authorization: `Basic ${Buffer.from('anybody:reader').toString('base64')}` })).status).toBe(200);
    const client = createClient({ url: gateway.address, pathname: '/clickhouse', username: 'any', password: 'reader', log: { level: ClickHouseLogLevel.OFF } });
    await expect(client.query({ query: 'SELECT 1' })).rejects.toThrow('without ClickHouse');
    await client.close();
    expect((await send(gateway, 'POST', '/clickhouse/', 'SELECT 1', { 'x-clickhouse-key': 'reader' })).body).toContain('without ClickHouse');
  });

  const openSocket = async (protocols: string[], headers: Record<string, string> = {}): Promise<number | string> => {
    const socket = new WebSocket(`${gateway.address.replace('http', 'ws')}/v1/etas`, protocols, { headers });
    return await new Promise((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.once('open', () => {
        resolve(`open ${socket.protocol}`);
        socket.terminate();
      });
      socket.on('error', () => {});
    });
  };

  test('guard WebSockets and event streams', async () => {
    expect(await openSocket([])).toBe(401);
    expect(await openSocket([], bearer('nobody'))).toBe(401);
    expect(await openSocket([], bearer('writer'))).toBe(403);
    expect(await openSocket([], bearer('reader'))).toBe('open ');
    expect(await openSocket(['raceline', 'bearer.reader'])).toBe('open raceline');
    expect(await openSocket(['raceline', 'bearer.nobody'])).toBe(401);
    expect((await send(gateway, 'GET', '/v1/etas/stream')).status).toBe(401);
    const stream = await fetch(`${gateway.address}/v1/etas/stream`, { headers: bearer('reader') });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    await stream.body?.cancel();
  });

  test('are not needed for a preflight of an allowed origin', async () => {
    const other = await openGateway(engines, { options: { allowedOrigins: ['https://board.example'], tokens: openTokens({ path, clock: { nowMs: () => 0 }, logger: silentLogger }) } });
    const answer = await send(other, 'OPTIONS', '/race', undefined, { origin: 'https://board.example' });
    expect([answer.status, answer.headers.get('access-control-allow-headers')]).toEqual([204, 'authorization, content-type']);
    await other.close();
  });

  test('can be taken back and given while the service runs; a broken file changes nothing', async () => {
    const rewrite = async (text: string): Promise<void> => {
      await writeFile(path, text);
      // A second write within the clock's step of the file system must still be seen.
      await utimes(path, new Date(nowMs), new Date(nowMs));
      nowMs += 10_000;
    };
    await rewrite(`read ${hashOf('newcomer')} n\n`);
    expect((await send(gateway, 'GET', '/races', undefined, bearer('newcomer'))).status).toBe(200);
    expect((await send(gateway, 'GET', '/races', undefined, bearer('reader'))).status).toBe(401);
    await rewrite('read oops');
    expect((await send(gateway, 'GET', '/races', undefined, bearer('newcomer'))).status).toBe(200);
    await rm(path);
    nowMs += 10_000;
    expect((await send(gateway, 'GET', '/races', undefined, bearer('newcomer'))).status).toBe(200);
  });

  test.each([
    ['', 'holds none'], ['root 00 x', 'line 1 must begin with scopes'], ['read secret-token x', 'line 1 must have the SHA-256'], [`\n\nread ${hashOf('x')}`, 'line 3 must end with a name'],
  ])('a file with %j is refused, and not repeated', (text, message) => {
    expect(() => parseTokens(text, 'tokens')).toThrow(message);
    expect(() => parseTokens(text, 'tokens')).toThrow(expect.not.objectContaining({ message: expect.stringContaining('secret-token') }));
  });

  test('a file that is not there keeps the service from starting', () => {
    expect(() => openTokens({ path: join(folder, 'none'), clock: { nowMs: () => 0 }, logger: silentLogger })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});

describe('the name in Host', () => {
  // fetch() does not let its caller choose Host.
  const statusFor = (gateway: Gateway, host: string, path = '/races', more: Record<string, string> = {}): Promise<number> => new Promise((resolve, reject) => {
    httpRequest(`${gateway.address}${path}`, { headers: { host, ...more } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject).on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    }).end();
  });

  test('must be ours where only this machine can reach the service', async () => {
    const gateway = await openGateway(engines, { options: { allowedHosts: ['board.example', 'odd.example:8443'] } });
    for (const host of ['evil.example', 'evil.example:7777', '127.0.0.1.evil.example', '127.evil.example', 'localhost.evil.example', '10.0.0.1', '[::2]:80', 'xboard.example']) {
      expect(await statusFor(gateway, host), host).toBe(421);
      expect(await statusFor(gateway, host, '/v1/etas', { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', origin: `http://${host}` }), host).toBe(421);
    }
    for (const host of ['localhost', 'LOCALHOST:7777', 'raceline.localhost', '127.0.0.1', '127.1.2.3:80', '[::1]:7777', 'board.example', 'board.example:1', 'odd.example:8443']) expect(await statusFor(gateway, host), host).toBe(200);
    await gateway.close();
  });

  test('is not looked at where others can reach it by names that it cannot know', async () => {
    const { app, close } = await buildGateway(gatewayDeps(engines, { host: '0.0.0.0' }));
    expect((await app.inject({ url: '/healthz', headers: { host: 'any.example' } })).statusCode).toBe(200);
    await close();
    const listed = await buildGateway(gatewayDeps(engines, { host: '0.0.0.0', options: { allowedHosts: ['any.example'] } }));
    expect((await listed.app.inject({ url: '/healthz', headers: { host: 'any.example' } })).statusCode).toBe(200);
    expect((await listed.app.inject({ url: '/healthz', headers: { host: 'other.example' } })).statusCode).toBe(421);
    await listed.close();
  });
});

describe('on an address that others can reach', () => {
  test('requests of one address are limited, those of others and of this machine are not', async () => {
    const { app, close } = await buildGateway(gatewayDeps(engines, { host: '0.0.0.0', options: { rateLimitPerSec: 5 } }));
    const statuses = async (remoteAddress: string, url: string): Promise<number[]> => {
      const found: number[] = [];
      for (let i = 0; i < 8; i++) found.push((await app.inject({ url, remoteAddress })).statusCode);
      return found;
    };
    expect(await statuses('203.0.113.7', '/healthz')).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    const limited = await app.inject({ url: '/healthz', remoteAddress: '203.0.113.7' });
    expect([limited.json().code, limited.headers['retry-after']]).toEqual(['rate_limited', '1']);
    expect(await statuses('203.0.113.8', '/healthz')).toEqual(Array(5).fill(200).concat([429, 429, 429]));
    // Neither unknown paths nor wrong tokens are a way round.
    expect(await statuses('203.0.113.9', '/nothing')).toEqual(Array(5).fill(404).concat([429, 429, 429]));
    expect(await statuses('127.0.0.1', '/healthz')).toEqual(Array(8).fill(200));
    await until(async () => (await app.inject({ url: '/healthz', remoteAddress: '203.0.113.7' })).statusCode === 200);
    await close();
  });

  test('HTTP connections beyond the limit are answered 503 unread, streams not counted among them, until one is free', async () => {
    const gateway = await openGateway(engines, { options: { maxHttpConnections: 2 } });
    const port = Number(new URL(gateway.address).port);
    // Idle ones of earlier requests must be gone: the agent of fetch keeps them.
    const ask = (): { socket: Socket; text: () => string } => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => { text += String(chunk); }).on('error', () => {});
      socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      return { socket, text: () => text };
    };
    const streams: WebSocket[] = [];
    // One after the other: until it is upgraded, each is a connection like any other.
    while (streams.length < 4) {
      const stream = new WebSocket(`ws://127.0.0.1:${port}/v1/etas`);
      await once(stream, 'open');
      streams.push(stream);
    }
    const held: { socket: Socket; text: () => string }[] = [];
    // The probe of openGateway may have left one open.
    await until(async () => {
      const one = ask();
      held.push(one);
      await until(() => one.text().startsWith('HTTP/1.1'));
      return one.text().startsWith('HTTP/1.1 503');
    });
    expect(held.at(-1)?.text()).toMatch(/^HTTP\/1\.1 503 [^]*"code":"unavailable"/);
    expect(held.at(-1)?.text().match(/HTTP\/1\.1/g)).toHaveLength(1);
    const taken = held.filter((one) => !one.text().startsWith('HTTP/1.1 503'));
    expect(taken.length).toBeGreaterThan(0);
    taken[0]?.socket.destroy();
    await until(async () => {
      const one = ask();
      held.push(one);
      await until(() => one.text().startsWith('HTTP/1.1'));
      return !one.text().startsWith('HTTP/1.1 503');
    });
    for (const { socket } of held) socket.destroy();
    for (const stream of streams) stream.terminate();
    await gateway.close();
  });

  test('a service without tokens says so loudly', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => { warnings.push(message); } };
    // A name that cannot be bound: it must have warned before.
    await expect(startGateway(gatewayDeps(engines, { host: 'host.invalid', logger }))).rejects.toThrow();
    expect(warnings).toEqual([expect.stringContaining('open to everybody')]);
  });
});

describe('every answer', () => {
  let gateway: Gateway;
  beforeAll(async () => { gateway = await openGateway(engines); });
  afterAll(() => gateway.close());

  test.each([['GET', '/healthz'], ['GET', '/nothing'], ['PUT', '/race'], ['GET', '/races?limit=x'], ['GET', '/docs/json'], ['GET', '/metrics']])('to %s %s carries the security headers', async (method, path) => {
    const { headers } = await send(gateway, method, path);
    expect(Object.fromEntries(headers)).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' });
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test.each([
    ['PUT', '/race', 'POST'], ['DELETE', '/races', 'GET, HEAD'], ['POST', '/healthz', 'GET, HEAD'], ['PUT', '/race/a%2Fb', 'DELETE, GET, HEAD, PATCH'], ['POST', '/v1/etas', 'GET, HEAD'], ['GET', '/v1/updates', 'POST'], ['TRACE', '/race', 'POST'], ['PROPFIND', '/race', 'POST'],
  ])('%s %s is 405 and names what is possible', async (method, path, allowed) => {
    // fetch() refuses to send TRACE.
    const answer = await new Promise<{ status: number; allow: string | undefined }>((resolve, reject) => {
      httpRequest(`${gateway.address}${path}`, { method }, (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, allow: response.headers.allow });
      }).on('error', reject).end();
    });
    expect(answer).toEqual({ status: 405, allow: allowed });
  });

  test.each(['/%zz', '/nothing', '/race/x', '/v1/etas/x', `/race/${'x'.repeat(1_500)}`])('to an upgrade of %s leaves no socket behind', async (path) => {
    const connection = connect(Number(new URL(gateway.address).port), '127.0.0.1');
    connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    let text = '';
    connection.on('data', (chunk) => { text += String(chunk); });
    await until(() => /^HTTP\/1.1 4\d\d /.test(text));
    connection.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await new Promise((resolve) => connection.once('close', resolve));
  });

  test('to an unknown path is 404 by any method', async () => {
    for (const method of ['GET', 'POST', 'DELETE', 'PATCH']) expect(await send(gateway, method, '/races/x/y')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});
