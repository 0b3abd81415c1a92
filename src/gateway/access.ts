import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { App } from './app.ts';
import { failure, HttpFailure } from './failures.ts';
import type { Scope, Tokens } from './tokens.ts';

declare module 'fastify' {
  // Declaration merging takes an interface.
  // oxlint-disable-next-line typescript/consistent-type-definitions
  export interface FastifyContextConfig {
    /** What a token must allow; default: `read` for GET and HEAD, else `write`. `none` = open to everybody. */
    scope?: Scope | 'none';
  }
}

/** What a browser's WebSocket, which cannot send headers, may offer as a subprotocol in front of its token. */
const TOKEN_PROTOCOL = 'bearer.';
/** The subprotocol that the gateway speaks: a browser that offers some fails unless one is chosen. */
export const SOCKET_PROTOCOL = 'raceline';

/** Lets only those through who bring a token with the scope of the route. Preflights pass: they carry none. */
export function requireTokens(app: App, tokens: Tokens): void {
  app.addHook('onRequest', async (request, reply) => {
    const scope = scopeOf(request);
    if (scope === 'none' || request.method === 'OPTIONS') return;
    const refusal = refusalOf(request.headers, scope, tokens);
    if (refusal === null) return;
    // Basic, so that browsers ask and ClickHouse clients fit: the password is the token.
    if (refusal.status === 401) void reply.header('www-authenticate', 'Bearer realm="raceline", Basic realm="raceline", charset="UTF-8"');
    throw refusal;
  });
}

/** Why a request may not do what needs the scope; null = it may. */
export function refusalOf(headers: IncomingHttpHeaders, scope: Scope, tokens: Tokens): HttpFailure | null {
  const token = tokenIn(headers);
  const grant = token === null ? null : tokens.grantOf(token);
  if (grant === null) return failure('unauthenticated', token === null ? 'A token is needed: Authorization: Bearer <token>' : 'The token is not known');
  if (grant.scopes.has(scope) || grant.scopes.has('admin')) return null;
  return new HttpFailure(403, { error: 'Not allowed', code: 'forbidden', message: `The token of ${grant.name} does not allow ${scope}` });
}

/** Answers 503 to all that would change something. Preflights and what only reads (SQL by POST) pass. */
export function refuseChanges(app: App): void {
  app.addHook('onRequest', async (request, reply) => {
    const scope = scopeOf(request);
    if (request.method === 'OPTIONS' || scope === 'none' || scope === 'read' || request.method === 'GET') return;
    void reply.header('x-raceboard-read-only', '1');
    throw failure('read_only', 'This gateway takes no changes', { error: 'read_only' });
  });
}

function scopeOf({ method, routeOptions }: FastifyRequest): Scope | 'none' {
  return routeOptions.config.scope ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
}

/** Authorization: Bearer or Basic (the password), X-ClickHouse-Key, or the subprotocol of a WebSocket. */
function tokenIn(headers: IncomingHttpHeaders): string | null {
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() === 'bearer' && value !== '') return value;
  if (scheme.toLowerCase() === 'basic' && value !== '') {
    const [user = '', ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
    return password.join(':') === '' ? user : password.join(':');
  }
  const key = headers['x-clickhouse-key'];
  if (typeof key === 'string' && key !== '') return key;
  const offered = headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim()).find((protocol) => protocol.startsWith(TOKEN_PROTOCOL));
  return offered?.slice(TOKEN_PROTOCOL.length) ?? null;
}
