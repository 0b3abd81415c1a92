import { HEARTBEAT_MS, parseServerFrame, serialiseFrame, type EtaFilter, type EtaView, type RaceChange, type RaceView, type ServerFrame } from './frames.ts';
import { withMoves } from './stage-moves.ts';

/** The part of a browser's (and Node's) WebSocket that the client uses. */
export type WebSocketLike = {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
};

/** `retrying` = the connection is down, another attempt is due. */
type EtaStatus = 'connecting' | 'open' | 'retrying' | 'closed';

export type EtasOptions = {
  /** ws(s)://host:port/v1/etas */
  readonly url: string;
  readonly filter: EtaFilter;
  /** All races that fit: at first, and again whenever a resume was not possible. Replaces everything known before. */
  readonly onSnapshot: (races: readonly RaceView[]) => void;
  /** Races that changed, whole, and ids that are gone or fit no more (some may never have been known). */
  readonly onDelta: (races: readonly RaceView[], removed: readonly string[]) => void;
  readonly onStatus?: (status: EtaStatus, detail: string) => void;
  /** Default: the global WebSocket. */
  readonly WebSocketImpl?: new (url: string) => WebSocketLike;
  /** First and longest delay before another attempt, ms; doubled each time, of which a random half is waited at least. Default 250 and 10,000. */
  readonly backoffMs?: { readonly first: number; readonly longest: number };
  /** 0 <= n < 1; default Math.random. */
  readonly random?: () => number;
};

export type EtasClient = {
  /** Asks for other races: a new snapshot follows. */
  subscribe(filter: EtaFilter): void;
  close(): void;
};

/** Nothing heard for so long: the connection is dead without having said so. */
const SILENCE_MS = 2.5 * HEARTBEAT_MS;
const NORMAL_CLOSE = 1000;

/**
 * Follows live ETAs, for ever: reconnects with backoff and jitter, resumes where it stood by the last token, notices
 * dead connections and lost frames (a gap in `seq` makes it connect again without a token, for a new snapshot).
 */
export function connectEtas(options: EtasOptions): EtasClient {
  const { first, longest } = options.backoffMs ?? { first: 250, longest: 10_000 };
  const random = options.random ?? Math.random;
  const Socket = options.WebSocketImpl ?? (globalThis as unknown as { WebSocket: new (url: string) => WebSocketLike }).WebSocket;
  let filter = options.filter;
  let socket: WebSocketLike | null = null;
  let token: string | null = null;
  let attempts = 0;
  let seq = 0;
  let parts: RaceView[] | null = null;
  // The last revision of each race, which its changes leave out.
  const etas = new Map<string, EtaView | null>();
  // Frames of the subscription before may still come after another filter was asked for, until its first part.
  let awaitsSnapshot = false;
  let isOpen = false;
  let closed = false;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;

  const status = (value: EtaStatus, detail = ''): void => options.onStatus?.(value, detail);

  const heard = (): void => {
    clearTimeout(silenceTimer);
    silenceTimer = setTimeout(() => lose('silent'), SILENCE_MS);
  };

  const lose = (detail: string): void => {
    const lost = socket;
    if (lost === null) return;
    socket = null;
    isOpen = false;
    lost.close();
    clearTimeout(silenceTimer);
    parts = null;
    if (closed) return;
    const delayMs = Math.min(longest, first * 2 ** attempts);
    attempts = Math.min(attempts + 1, 30);
    status('retrying', detail);
    retryTimer = setTimeout(connect, delayMs / 2 + random() * delayMs / 2);
  };

  const connect = (): void => {
    if (closed) return;
    status('connecting');
    seq = 0;
    let opened: WebSocketLike;
    try {
      opened = new Socket(options.url);
    } catch (error) {
      closed = true;
      status('closed', String(error));
      return;
    }
    socket = opened;
    heard();
    // Events of a socket that was given up on are nobody's concern.
    opened.addEventListener('open', () => {
      if (socket !== opened) return;
      heard();
      isOpen = true;
      status('open');
      awaitsSnapshot = token === null;
      opened.send(serialiseFrame({ type: 'subscribe', filter, changes: true, ...(token === null ? {} : { resume: token }) }));
    });
    opened.addEventListener('message', ({ data }) => {
      if (socket !== opened) return;
      heard();
      const frame = typeof data === 'string' ? parseServerFrame(data) : null;
      if (frame !== null) receive(frame);
    });
    opened.addEventListener('close', ({ code, reason }) => {
      if (socket === opened) lose(reason === '' ? `closed with ${code}` : reason);
    });
    opened.addEventListener('error', () => {
      if (socket === opened) lose('no connection');
    });
  };

  const receive = (frame: ServerFrame): void => {
    if (frame.seq !== seq + 1) {
      token = null;
      lose(`frame ${frame.seq} came after ${seq}`);
      return;
    }
    seq = frame.seq;
    if (frame.type === 'error') {
      // The service said why; what follows (a close, or nothing) decides.
      status('open', `${frame.code}: ${frame.message}`);
      return;
    }
    attempts = 0;
    if (frame.type === 'snapshot') {
      if (frame.first) {
        parts = [];
        awaitsSnapshot = false;
      }
      if (parts === null) return;
      parts.push(...frame.races);
      if (!frame.complete) return;
      const races = parts;
      parts = null;
      token = frame.resume ?? null;
      // A race that changed while parts were sent comes twice: the later one is newer.
      const latest = new Map(races.map((race) => [race.race_id, race]));
      etas.clear();
      for (const race of latest.values()) etas.set(race.race_id, race.eta);
      options.onSnapshot([...latest.values()]);
      return;
    }
    if (awaitsSnapshot) return;
    if (frame.type === 'delta') {
      for (const race of frame.races) etas.set(race.race_id, race.eta);
      const changed = (frame.changes ?? []).map(wholeOf);
      for (const id of frame.removed) etas.delete(id);
      options.onDelta(changed.length === 0 ? frame.races : [...frame.races, ...changed], frame.removed);
    }
    if ((frame.type === 'delta' || frame.type === 'heartbeat') && frame.resume !== undefined) token = frame.resume;
  };

  const wholeOf = ({ moves, ...race }: RaceChange): RaceView => {
    const eta = etas.get(race.race_id) ?? null;
    return { ...race, eta: eta === null || moves.length === 0 ? eta : { ...eta, milestones: withMoves(eta.milestones, moves) } };
  };

  connect();
  return {
    subscribe(next) {
      filter = next;
      token = null;
      parts = null;
      awaitsSnapshot = true;
      // Before it is open, the new filter goes out when it opens.
      if (socket !== null && isOpen) socket.send(serialiseFrame({ type: 'subscribe', filter, changes: true }));
    },
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(retryTimer);
      clearTimeout(silenceTimer);
      const open = socket;
      socket = null;
      if (open !== null) {
        open.close(NORMAL_CLOSE, 'done');
      }
      status('closed');
    },
  };
}
