import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { confluentRegistry } from '../../../../src/adapters/avro/confluent-registry.ts';

// What a real registry does not do on demand: break off, stall, fail for a while, answer with a proxy's page.

type Answer = { readonly status: number; readonly body: string } | 'hang up' | 'stall';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (request: IncomingMessage, count: number) => Answer): Promise<{ readonly url: string; readonly seen: string[]; readonly authorization: (string | undefined)[] }> {
  const seen: string[] = [];
  const authorization: (string | undefined)[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    seen.push(`${request.method} ${request.url}`);
    authorization.push(request.headers.authorization);
    const given = answer(request, seen.length);
    if (given === 'stall') return;
    if (given === 'hang up') request.socket.destroy();
    else response.writeHead(given.status, { 'content-type': given.body.startsWith('<') ? 'text/html' : 'application/json' }).end(given.body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, authorization };
}

function clientOf(url: string, more: Partial<Parameters<typeof confluentRegistry>[0]> = {}): ReturnType<typeof confluentRegistry> {
  return confluentRegistry({ url, username: '', password: '', attempts: 2, requestTimeoutMs: 200, ...more });
}

const unavailable = { code: 'registry_unavailable' };
const notFound = { status: 404, body: '{"error_code":40403,"message":"Schema 7 not found"}' } as const;

describe('confluentRegistry().schemaById()', () => {
  it.each<[string, Answer]>([
    ['breaks off', 'hang up'], ['stalls', 'stall'], ['fails', { status: 503, body: '{"error_code":50301,"message":"starting"}' }],
    ['fails with a page', { status: 502, body: '<html>Bad gateway</html>' }], ['is too busy', { status: 429, body: '{"message":"slow down"}' }],
  ])('rejects with registry_unavailable when the registry %s, after the tries it may have', async (_, answer) => {
    const { url, seen } = await serve(() => answer);
    await expect(clientOf(url).schemaById(7)).rejects.toMatchObject(unavailable);
    expect(seen).toHaveLength(2);
  });

  it.each<[string, Answer]>([
    ['the user is refused', { status: 401, body: '{"error_code":401,"message":"Unauthorized"}' }],
    ['a proxy does not know the path', { status: 404, body: '<html>Not found</html>' }],
    ['the answer has no schema', { status: 200, body: '{}' }],
    ['the answer is no JSON', { status: 200, body: '<html>Sign in</html>' }],
  ])('rejects with registry_unavailable when %s', async (_, answer) => {
    const { url } = await serve(() => answer);
    await expect(clientOf(url, { attempts: 1 }).schemaById(7)).rejects.toMatchObject(unavailable);
  });

  it('rejects with registry_unavailable where nobody listens', async () => {
    await expect(clientOf('http://127.0.0.1:1').schemaById(7)).rejects.toMatchObject(unavailable);
  });

  it('gives the schema when the registry recovers in time', async () => {
    const { url, seen } = await serve((_, count) => (count === 1 ? 'hang up' : { status: 200, body: '{"schema":"\\"string\\""}' }));
    expect(await clientOf(url).schemaById(7)).toBe('"string"');
    expect(seen).toEqual(['GET /schemas/ids/7', 'GET /schemas/ids/7']);
  });

  it('gives null for an unknown id and for what is not Avro', async () => {
    const { url } = await serve((request) => {
      if (request.url === '/subjects') return { status: 200, body: '[]' };
      return request.url === '/schemas/ids/8' ? { status: 200, body: '{"schema":"syntax = \\"proto3\\";","schemaType":"PROTOBUF"}' } : notFound;
    });
    expect(await clientOf(url).schemaById(7)).toBeNull();
    expect(await clientOf(url).schemaById(8)).toBeNull();
  });

  it('does not believe a registry that has forgotten what was registered', async () => {
    const { url } = await serve((request) => (request.method === 'GET' && request.url?.startsWith('/schemas') ? notFound : { status: 200, body: '{"id":3,"compatibilityLevel":"BACKWARD"}' }));
    const client = clientOf(url);
    await client.register('a-value', '"string"');
    await expect(client.schemaById(7)).rejects.toMatchObject(unavailable);
  });
});

describe('confluentRegistry().register()', () => {
  it('works for a user who may only read, where the schema is there', async () => {
    const { url } = await serve((request) => (request.method === 'POST' ? { status: 200, body: '{"id":3}' } : { status: 403, body: '{"error_code":40301,"message":"Forbidden"}' }));
    expect(await clientOf(url).register('a-value', '"string"')).toBe(3);
  });

  it('sets the level before the first version', async () => {
    const { url, seen } = await serve((request) => {
      if (request.url === '/subjects/a-value/versions') return { status: 200, body: '{"id":3}' };
      return request.method === 'PUT' ? { status: 200, body: '{"compatibility":"BACKWARD"}' } : { status: 404, body: '{"error_code":40401,"message":"Subject not found"}' };
    });
    expect(await clientOf(url).register('a-value', '"string"')).toBe(3);
    expect(seen).toEqual(['POST /subjects/a-value', 'GET /config/a-value', 'PUT /config/a-value', 'POST /subjects/a-value/versions']);
  });

  it.each([[409, 40901], [422, 42201]])('rejects with schema_incompatible on %i', async (status, code) => {
    const { url } = await serve((request) => {
      if (request.url?.endsWith('/versions') === true) return { status, body: `{"error_code":${code},"message":"no"}` };
      return request.method === 'POST' ? { status: 404, body: '{"error_code":40401,"message":"Subject not found"}' } : { status: 200, body: '{"compatibilityLevel":"FULL"}' };
    });
    await expect(clientOf(url).register('a-value', '"string"')).rejects.toMatchObject({ code: 'schema_incompatible' });
  });

  it.each<[string, Answer]>([['breaks off', 'hang up'], ['refuses the user', { status: 401, body: '{"error_code":401,"message":"Unauthorized"}' }]])('rejects with registry_unavailable when the registry %s', async (_, answer) => {
    const { url } = await serve(() => answer);
    await expect(clientOf(url).register('a-value', '"string"')).rejects.toMatchObject(unavailable);
  });
});

describe('confluentRegistry() authentication', () => {
  it('sends the user of the settings, or the one in the URL, which no message shows', async () => {
    const { url, authorization } = await serve(() => ({ status: 500, body: '{"message":"no"}' }));
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
    await expect(clientOf(url, { username: 'ann', password: 's3cret', attempts: 1 }).schemaById(1)).rejects.toMatchObject(unavailable);
    const failure = await clientOf(url.replace('//', '//bob:h%40t@'), { attempts: 1 }).schemaById(1).catch((error: unknown) => error);
    expect(String(failure)).not.toContain('h@t');
    expect(String(failure)).not.toContain('h%40t');
    expect(authorization).toEqual([basic('ann:s3cret'), basic('bob:h@t')]);
  });
});
