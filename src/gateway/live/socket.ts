import type { App } from '../app.ts';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { closeCodes, parseClientFrame } from '../../bridge/frames.ts';
import { isOwnOrigin, originRefused } from '../cross-origin.ts';
import { failure } from '../failures.ts';
import type { Fanout } from './fanout.ts';
import type { FrameSink } from './frame-sink.ts';
import { writeTextFrame } from './text-frame.ts';
import type { RaceLiveView } from './view.ts';

export type SocketOptions = {
  readonly fanout: Fanout;
  readonly view: RaceLiveView;
  /** Connections of WebSocket and event stream together. */
  readonly maxConnections: number;
  readonly allowedOrigins: readonly string[];
  readonly onOpen: () => void;
  readonly onClose: () => void;
};

export const MAX_PAYLOAD_BYTES = 64 * 1024;
const CLOSE_GRACE_MS = 5_000;
const MAX_ERRORS = 5;

/** GET /v1/etas: the upgrade, and what clients say. A wrong frame is answered with an error frame; the sixth closes (1008). */
export function socketRoutes(app: App, options: SocketOptions): void {
  app.route({
    method: 'GET',
    url: '/v1/etas',
    websocket: true,
    preValidation: async (request) => {
      if (!isOwnOrigin(request.headers, options.allowedOrigins)) {
        throw originRefused(request.headers);
      }
      if (!options.view.isRestored()) throw failure('not_ready', 'The live view is still being restored from the log');
      if (options.fanout.size() >= options.maxConnections) throw failure('unavailable', `All ${options.maxConnections} connections are taken`);
    },
    handler: (socket, request) => serveSocket(socket, request.raw.socket, options),
  });
}

function serveSocket(socket: WebSocket, connection: Duplex, options: SocketOptions): void {
  let alive = true;
  let errors = 0;
  const sink: FrameSink = {
    send: (text) => {
      if (socket.readyState === socket.OPEN) socket.send(text);
    },
    // Whole frames, so they may stand between those of ws: its own way costs twice the time, and this is most of what a
    // gateway does.
    sendParts: (head, races, tail) => {
      if (socket.readyState === socket.OPEN) writeTextFrame(connection, head, races, tail);
    },
    bufferedBytes: () => connection.writableLength,
    ping: () => {
      // No pong since the last one: the peer is gone without a word.
      if (!alive) socket.terminate();
      else if (socket.readyState === socket.OPEN) {
        alive = false;
        socket.ping();
      }
    },
    close: (code, reason) => {
      socket.close(code, reason);
      // A client that does not read never sees the close frame.
      const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
      socket.once('close', () => clearTimeout(timer));
    },
  };
  const subscriber = options.fanout.open(sink);
  options.onOpen();
  const refuse = (message: string): void => {
    errors++;
    subscriber.complain('invalid_request', message);
    if (errors > MAX_ERRORS) sink.close(closeCodes.policy, 'Too many wrong frames');
  };
  socket.on('pong', () => { alive = true; });
  socket.on('message', (data, isBinary) => {
    alive = true;
    if (errors > MAX_ERRORS) return;
    const parsed = isBinary ? { error: 'A frame must be text' } : parseClientFrame(String(data));
    if ('error' in parsed) {
      refuse(parsed.error);
      return;
    }
    if (parsed.frame.type === 'unsubscribe') {
      subscriber.unsubscribe();
      return;
    }
    const { complaint } = subscriber.subscribe(parsed.frame.filter, parsed.frame.resume ?? null, parsed.frame.changes);
    if (complaint !== null) refuse(complaint);
  });
  // A frame over 64 KB or a broken one: ws closes with its own code, the error needs a listener.
  socket.on('error', () => {});
  socket.on('close', () => {
    subscriber.close();
    options.onClose();
  });
}
