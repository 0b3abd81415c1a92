import type { App } from '../app.ts';
import { parseFilter } from '../../bridge/frames.ts';
import { crossOriginHeaders, isOwnOrigin, originRefused } from '../cross-origin.ts';
import { failure } from '../failures.ts';
import type { FrameSink } from './frame-sink.ts';
import type { SocketOptions } from './socket.ts';
import { joined } from './text-frame.ts';

/**
 * GET /v1/etas/stream: the frames of /v1/etas as server-sent events. The filter is in the query: race_id and state may
 * repeat, source is a glob, metadata is key=value and may repeat; changes=true as in a subscribe frame. An event's id is its
 * resume token, so a browser's own reconnect (Last-Event-ID) resumes.
 */
export function eventStreamRoutes(app: App, options: SocketOptions): void {
  app.get('/v1/etas/stream', { schema: { hide: true } }, async (request, reply) => {
    if (!isOwnOrigin(request.headers, options.allowedOrigins)) throw originRefused(request.headers);
    if (!options.view.isRestored()) throw failure('not_ready', 'The live view is still being restored from the log');
    if (options.fanout.size() >= options.maxConnections) throw failure('unavailable', `All ${options.maxConnections} connections are taken`);
    const query = request.query as Record<string, string | string[] | undefined>;
    const parsed = parseFilter(filterOf(query));
    if ('error' in parsed) throw failure('invalid_request', parsed.error);
    const lastEventId = request.headers['last-event-id'];
    const resume = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : list(query['resume'])?.[0] ?? null;

    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      ...crossOriginHeaders(request.headers, options.allowedOrigins),
    });
    const sink: FrameSink = {
      // Frames are one line of JSON: no line break to escape.
      send: (text, token) => {
        if (!raw.writableEnded && !raw.destroyed) raw.write(token === null ? `data: ${text}\n\n` : `id: ${token}\ndata: ${text}\n\n`);
      },
      sendParts: (head, races, tail, token) => {
        if (raw.writableEnded || raw.destroyed) return;
        raw.write(joined(token === null ? `data: ${head}` : `id: ${token}\ndata: ${head}`, races, `${tail}\n\n`));
      },
      bufferedBytes: () => raw.writableLength,
      ping: () => {},
      close: () => {
        raw.end();
        // One that does not read would hold the response open for ever.
        const timer = setTimeout(() => raw.destroy(), 5_000);
        raw.once('close', () => clearTimeout(timer));
      },
    };
    const subscriber = options.fanout.open(sink);
    options.onOpen();
    raw.on('close', () => {
      subscriber.close();
      options.onClose();
    });
    raw.on('error', () => {});
    subscriber.subscribe(parsed.filter, resume, list(query['changes'])?.[0] === 'true');
  });
}

function filterOf(query: Readonly<Record<string, string | string[] | undefined>>): Record<string, unknown> {
  const metadata = list(query['metadata'])?.map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  return {
    race_ids: list(query['race_id']),
    source: list(query['source'])?.[0],
    states: list(query['state']),
    metadata: metadata === undefined ? undefined : Object.fromEntries(metadata),
  };
}

function list(value: string | string[] | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value : [value];
}
