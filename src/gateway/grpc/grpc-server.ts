import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Session } from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { cors, createContextValues } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { refusalOf } from '../access.ts';
import { crossOriginHeaders, isOwnOrigin, originRefused } from '../cross-origin.ts';
import { hostCheck } from '../known-host.ts';
import type { Tokens } from '../tokens.ts';
import { RaceService } from './generated/race_pb.js';
import { hostOf, raceService, requestKey, type NodeServerRequest, type RaceServiceOptions } from './race-service.ts';

export type GrpcOptions = Omit<RaceServiceOptions, 'refuseStream'> & {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly tokens: Tokens | null;
};

type NodeServerResponse = Parameters<ReturnType<typeof connectNodeAdapter>>[1];

export type GrpcServer = {
  readonly port: number;
  /** Ends streams with UNAVAILABLE, lets calls in hand finish for a moment. Idempotent. */
  close(): Promise<void>;
};

const MAX_MESSAGE_BYTES = 1024 * 1024;
const MAX_STREAMS = 250;
/** For the first bytes of a connection, which say what it speaks. */
const HELLO_MS = 10_000;
const CLOSE_LIMIT_MS = 2_000;
/** How a connection begins that speaks HTTP/2 without having asked. */
const PREFACE = Buffer.from('PRI * HTTP/2.0');

/**
 * RaceService on a port of its own: gRPC, gRPC-Web and Connect, over HTTP/2 without TLS or over HTTP/1.1. Pages of foreign
 * origins are refused like on HTTP, and so are hosts that are not ours. Resolves when it listens.
 */
export async function startGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const { allowedOrigins, tokens } = options;
  const refuseHost = hostCheck(options);
  const stopping = new AbortController();
  const serve = connectNodeAdapter({
    routes: (router) => {
      router.service(RaceService, raceService({ ...options, refuseStream: ({ headers }) => (tokens === null ? null : refusalOf(headers, 'read', tokens)) }));
    },
    contextValues: (request) => createContextValues().set(requestKey, request),
    readMaxBytes: MAX_MESSAGE_BYTES,
    shutdownSignal: stopping.signal,
  });

  const handle = (request: NodeServerRequest, response: NodeServerResponse): void => {
    const { headers } = request;
    const refusal = refuseHost(hostOf(request)) ?? (isOwnOrigin({ ...headers, host: hostOf(request) ?? '' }, allowedOrigins) ? null : originRefused(headers));
    if (refusal !== null) {
      response.writeHead(refusal.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(refusal.body));
      return;
    }
    for (const [name, value] of Object.entries(crossOriginHeaders(headers, allowedOrigins) ?? {})) response.setHeader(name, value);
    if (headers.origin !== undefined) response.setHeader('access-control-expose-headers', [...cors.exposedHeaders, 'raceline-code'].join(', '));
    if (request.method === 'OPTIONS') {
      response.writeHead(204, {
        'access-control-allow-methods': cors.allowedMethods.join(', '), 'access-control-allow-headers': ['authorization', ...cors.allowedHeaders].join(', '), 'access-control-max-age': '600',
      });
      response.end();
      return;
    }
    serve(request, response);
  };

  const http1 = createHttp1({ requestTimeout: 60_000, keepAliveTimeout: 75_000 }, handle);
  const http2 = createHttp2({ settings: { maxConcurrentStreams: MAX_STREAMS }, maxSessionMemory: 10 }, handle);
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(HELLO_MS, () => socket.destroy());
    socket.once('data', (hello: Buffer) => {
      socket.setTimeout(0).removeAllListeners('timeout');
      socket.pause();
      // Whoever takes the socket over reads from its beginning.
      socket.unshift(hello);
      const isHttp2 = PREFACE.subarray(0, hello.length).equals(hello.subarray(0, PREFACE.length));
      (isHttp2 ? http2 : http1).emit('connection', socket);
      if (!isHttp2) socket.resume();
    });
  });
  listener.maxConnections = options.maxConnections;
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(options.port, options.host, resolve);
  });

  let closing: Promise<void> | null = null;
  const closeAll = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    stopping.abort();
    for (const session of sessions) session.close();
    http1.closeIdleConnections();
    const limit = setTimeout(() => { for (const socket of sockets) socket.destroy(); }, CLOSE_LIMIT_MS);
    await closed;
    clearTimeout(limit);
    // They have never listened: this only ends their timers.
    http1.close();
    http2.close();
  };
  return { port: (listener.address() as AddressInfo).port, close: () => closing ??= closeAll() };
}
