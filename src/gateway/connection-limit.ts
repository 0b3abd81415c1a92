import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const REFUSAL = JSON.stringify({ error: 'Unavailable', code: 'unavailable', message: 'All HTTP connections of this gateway are taken' });

/**
 * Answers 503 to connections beyond `max`, before a byte of them is read. Streams, which have a limit of their own, do not
 * count. Each connection costs a socket and some kilobytes however little it says.
 */
export function limitConnections(server: Server, { max, streams }: { readonly max: number; readonly streams: () => number }): void {
  let open = 0;
  // In the place of the server's own: what is refused must not reach its parser, which would carry the request out.
  const accept = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    open += 1;
    socket.once('close', () => { open -= 1; });
    if (open - streams() <= max) for (const listener of accept) listener.call(server, socket);
    else refuse(socket);
  });
}

function refuse(socket: Socket): void {
  socket.on('error', () => {});
  socket.resume();
  socket.end(`HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(REFUSAL)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n${REFUSAL}`);
  // Whoever does not hang up is not waited for.
  socket.setTimeout(1_000, () => socket.destroy());
}
