import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** What a link does with the bytes of its connections. */
export type LinkState =
  | { readonly kind: 'open' }
  /** Everything arrives that much later, in both directions. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** A partition: nothing arrives and nobody is told. TCP sends it again when the link is back, so it arrives then. */
  | { readonly kind: 'cut' }
  /** What the client sends arrives; answers wait. */
  | { readonly kind: 'mute' }
  /** Whoever connects is reset at once, as where nobody listens; connections that are there go on. */
  | { readonly kind: 'refuse' };

export type TcpProxy = {
  readonly port: number;
  become(state: LinkState): void;
  /** RST to both ends of every connection; returns how many there were. What was under way is lost. */
  reset(): number;
  /** FIN to the client of every connection, while what it sends still arrives; returns how many there were. */
  halfClose(): number;
  /** Connections reset while it refused, so far. */
  refusals(): number;
  close(): Promise<void>;
};

type Direction = { readonly waiting: { readonly dueAtMs: number; readonly act: () => void }[]; readonly isAnswer: boolean; timer: NodeJS.Timeout | null };
type Link = { readonly client: Socket; readonly server: Socket; readonly directions: readonly Direction[] };

/**
 * A TCP proxy on 127.0.0.1 whose link can be slowed, cut and torn, as a network between two hosts. What it does not
 * simulate: a connection is accepted also while the link is cut, so that a client meets its timeout of requests rather
 * than that of connecting; lost and re-ordered packets, which TCP hides from both ends.
 */
export async function openTcpProxy(target: { readonly port: number }, listenPort = 0): Promise<TcpProxy> {
  const links = new Set<Link>();
  let state: LinkState = { kind: 'open' };
  let refused = 0;

  function pump(direction: Direction): void {
    if (direction.timer !== null) clearTimeout(direction.timer);
    direction.timer = null;
    while (state.kind !== 'cut' && !(state.kind === 'mute' && direction.isAnswer)) {
      const next = direction.waiting[0];
      if (next === undefined) return;
      const waitMs = next.dueAtMs - performance.now();
      if (waitMs > 0) {
        direction.timer = setTimeout(() => pump(direction), waitMs);
        return;
      }
      direction.waiting.shift();
      next.act();
    }
  }

  function relay(from: Socket, to: Socket, isAnswer: boolean): Direction {
    const direction: Direction = { waiting: [], isAnswer, timer: null };
    const later = (act: () => void): void => {
      direction.waiting.push({ dueAtMs: performance.now() + (state.kind === 'delay' ? state.ms : 0), act });
      pump(direction);
    };
    from.setNoDelay(true);
    from.on('data', (bytes) => later(() => { if (to.writable) to.write(bytes); }));
    from.on('end', () => later(() => { to.end(); }));
    // A socket that its owner has given up may still have bytes on the way.
    from.on('error', () => later(() => { to.destroy(); }));
    return direction;
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (state.kind === 'refuse') {
      refused += 1;
      client.resetAndDestroy();
      return;
    }
    const upstream = createConnection({ host: '127.0.0.1', port: target.port, allowHalfOpen: true });
    const link: Link = { client, server: upstream, directions: [relay(client, upstream, false), relay(upstream, client, true)] };
    links.add(link);
    const forget = (): void => { if (client.destroyed && upstream.destroyed) links.delete(link); };
    client.on('close', forget);
    upstream.on('close', forget);
  });
  await new Promise<void>((resolve) => { server.listen(listenPort, '127.0.0.1', resolve); });

  function each(act: (link: Link) => void): number {
    const all = [...links];
    all.forEach(act);
    return all.length;
  }

  return {
    port: (server.address() as AddressInfo).port,
    become(next) {
      state = next;
      each((link) => link.directions.forEach(pump));
    },
    reset: () => each((link) => {
      for (const direction of link.directions) direction.waiting.length = 0;
      link.client.resetAndDestroy();
      link.server.resetAndDestroy();
    }),
    refusals: () => refused,
    halfClose: () => each((link) => { link.client.end(); }),
    async close() {
      each((link) => {
        for (const direction of link.directions) if (direction.timer !== null) clearTimeout(direction.timer);
        link.client.destroy();
        link.server.destroy();
      });
      await new Promise<void>((resolve) => { server.close(() => resolve()); });
    },
  };
}
