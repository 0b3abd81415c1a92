import type { RaceView } from '../../bridge/frames.ts';
import type { FromWorker, ListMessage, LiveStatus, ToWorker } from './messages.ts';
import type { ListQuery, RaceRow } from './race-list.ts';

/** The page's end of the worker: what it said last, and ways to ask it. */
export type Live = {
  readonly list: ListMessage;
  readonly status: LiveStatus;
  readonly detail: string;
  /** When the connection was last known to be open, epoch ms; null = never yet. */
  readonly lastOpenMs: number | null;
  readonly followed: { readonly raceId: string; readonly race: RaceView | null; readonly row: RaceRow | null } | null;
};

const EMPTY: ListMessage = { type: 'list', first: 0, rows: [], length: 0, groupsAt: [], matched: 0, total: 0, counts: {}, pinned: [] };

let live: Live = { list: EMPTY, status: 'connecting', detail: '', lastOpenMs: null, followed: null };
const listeners = new Set<() => void>();
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'live' });

worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
  if (data.type === 'list') live = { ...live, list: data };
  else if (data.type === 'status') {
    const isNowOpen = data.status === 'open';
    live = { ...live, status: data.status, detail: data.detail, lastOpenMs: isNowOpen || live.status === 'open' ? Date.now() : live.lastOpenMs };
  } else live = { ...live, followed: data };
  for (const listener of listeners) listener();
});

document.addEventListener('visibilitychange', () => send({ type: 'visible', isVisible: document.visibilityState === 'visible' }));

function send(message: ToWorker): void {
  worker.postMessage(message);
}

export function currentLive(): Live {
  return live;
}

/** Called after each message. Returns the way to stop it. */
export function onLive(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function openLive(token: string | null): void {
  send({ type: 'open', url: new URL('/v1/etas', location.href).href.replace(/^http/, 'ws'), token });
}

export function askList(query: ListQuery): void {
  send({ type: 'list', query });
}

export function askWindow(first: number, last: number): void {
  send({ type: 'window', first, last });
}

export function follow(raceId: string | null): void {
  if (live.followed?.raceId !== raceId) live = { ...live, followed: null };
  send({ type: 'follow', raceId });
}
