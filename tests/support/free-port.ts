import { createServer, type AddressInfo } from 'node:net';

/** Those that nobody listens on yet would be free again. */
const given = new Set<number>();

/** A port of this machine on which nobody listens; never the same twice in one process. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => { server.close(() => resolve()); });
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}
