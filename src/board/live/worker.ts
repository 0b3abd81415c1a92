import { connectEtas, type EtasClient } from '../../bridge/client.ts';
import type { RaceView } from '../../bridge/frames.ts';
import type { FromWorker, LiveStatus, ToWorker } from './messages.ts';
import { listRaces, rowOf, type ListQuery, type RaceRow } from './race-list.ts';

/** A list is drawn at most so often when races change, and at least each second so that bars go on. */
const TICK_MS = 250;
const TICKS_A_SECOND = 4;
/** A race that ended stays where it was for so long: a line that vanishes tells nobody how it went. */
const STAYS_MS = 60_000;
const MAX_STAYING = 200;
const LIVE_STATES = ['queued', 'running'] as const;

const races = new Map<string, RaceView>();
/** Ended ones that are still shown, and since when. */
const staying = new Map<string, number>();
/** What each race's bar has shown, which never goes back within an attempt, and of what it was drawn. */
const shown = new Map<string, { race: RaceView; version: number; percent: number }>();
let versions = 0;
let query: ListQuery = { text: '', standings: [], sorting: 'finish', isGrouped: true, collapsed: [], pinned: [] };
let window = { first: 0, last: 50 };
let followed: string | null = null;
let client: EtasClient | null = null;
let token: string | null = null;
let origin = '';
let status: LiveStatus = 'connecting';
let isDirty = true;
let isFollowedDirty = true;
let isVisible = true;
let ticks = 0;
let asking = 0;

const scope = globalThis as unknown as { postMessage(message: FromWorker): void };

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'open') open(data.url, data.token);
  else if (data.type === 'list') {
    const isNewlyPinned = data.query.pinned.filter((id) => !query.pinned.includes(id) && !races.has(id));
    query = data.query;
    for (const id of isNewlyPinned) void keepEnded(id);
    isDirty = true;
    draw();
  } else if (data.type === 'window') {
    window = { first: data.first, last: data.last };
    draw();
  } else if (data.type === 'follow') {
    followed = data.raceId;
    isFollowedDirty = true;
    drawFollowed();
  } else isVisible = data.isVisible;
});

function open(url: string, bearer: string | null): void {
  client?.close();
  token = bearer;
  origin = url.replace(/^ws/, 'http').replace(/\/v1\/etas$/, '');
  client = connectEtas({
    url,
    filter: { states: LIVE_STATES },
    WebSocketImpl: bearer === null ? WebSocket : class extends WebSocket {
      constructor(target: string) {
        super(target, ['raceline', `bearer.${bearer}`]);
      }
    },
    onSnapshot(all) {
      const ended = [...races.keys()].filter((id) => !staying.has(id));
      const known = new Map([...staying.keys()].map((id) => [id, races.get(id)!]));
      races.clear();
      for (const [id, race] of known) races.set(id, race);
      for (const race of all) put(race);
      for (const id of ended) if (!races.has(id)) void keepEnded(id);
      isDirty = true;
      isFollowedDirty = true;
    },
    onDelta(changed, removed) {
      for (const race of changed) put(race);
      for (const id of removed) leave(id);
      isDirty = true;
    },
    onStatus(next, detail) {
      status = next === 'retrying' ? 'lost' : next === 'connecting' && status === 'lost' ? 'lost' : next;
      scope.postMessage({ type: 'status', status, detail });
    },
  });
}

function put(race: RaceView): void {
  staying.delete(race.race_id);
  races.set(race.race_id, race);
  if (race.race_id === followed) isFollowedDirty = true;
}

function leave(id: string): void {
  if (id === followed) isFollowedDirty = true;
  if (!races.has(id)) return;
  if (staying.size < MAX_STAYING || query.pinned.includes(id)) {
    staying.set(id, Date.now());
    void keepEnded(id);
  } else drop(id);
}

function drop(id: string): void {
  races.delete(id);
  staying.delete(id);
  shown.delete(id);
  if (id === followed) isFollowedDirty = true;
}

/** Asks how a race ended that the live subscription no longer carries; one that nobody knows is dropped. */
async function keepEnded(id: string): Promise<void> {
  if (asking > MAX_STAYING) return;
  asking++;
  try {
    const answer = await fetch(`${origin}/v1/races/${encodeURIComponent(id)}`, { credentials: 'omit', headers: token === null ? {} : { authorization: `Bearer ${token}` } });
    if (!answer.ok) {
      if (answer.status === 404) drop(id);
      return;
    }
    const race = await answer.json() as RaceView;
    // It may have been restarted meanwhile.
    const known = races.get(id);
    if (known !== undefined && !staying.has(id) && known.updated_at >= race.updated_at) return;
    races.set(id, race);
    if (race.completed_at !== null || (race.state !== 'running' && race.state !== 'queued')) staying.set(id, staying.get(id) ?? Date.now());
    isDirty = true;
    if (id === followed) isFollowedDirty = true;
  } catch {
    // The connection's status says so already; the line goes with its time.
  } finally {
    asking--;
  }
}

function drawn(race: RaceView, nowMs: number): RaceRow {
  const before = shown.get(race.race_id);
  const version = before?.race === race ? before.version : ++versions;
  const row = rowOf(race, nowMs, before?.race.attempt === race.attempt ? before.percent : 0, query.pinned.includes(race.race_id), version);
  shown.set(race.race_id, { race, version, percent: row.bar.shown });
  return row;
}

let list = listRaces([], query);
let groupsAt: number[] = [];

function draw(): void {
  const nowMs = Date.now();
  if (isDirty) {
    list = listRaces(races.values(), query);
    groupsAt = list.rows.flatMap(({ kind }, index) => (kind === 'group' ? [index] : []));
    isDirty = false;
  }
  const first = Math.max(0, Math.min(window.first, list.rows.length));
  const rows = list.rows.slice(first, window.last).map((entry) => (entry.kind === 'group' ? entry : drawn(entry.race, nowMs)));
  const pinned = query.pinned.flatMap((id) => {
    const race = races.get(id);
    return race === undefined ? [] : [drawn(race, nowMs)];
  });
  scope.postMessage({ type: 'list', first, rows, length: list.rows.length, groupsAt, matched: list.matched, total: races.size, counts: list.counts, pinned });
}

function drawFollowed(): void {
  isFollowedDirty = false;
  if (followed === null) return;
  const race = races.get(followed) ?? null;
  scope.postMessage({ type: 'race', raceId: followed, race, row: race === null ? null : drawn(race, Date.now()) });
}

setInterval(() => {
  ticks++;
  const isSecond = ticks % TICKS_A_SECOND === 0;
  if (isSecond) {
    const nowMs = Date.now();
    for (const [id, sinceMs] of staying) if (nowMs - sinceMs > STAYS_MS && !query.pinned.includes(id)) {
      drop(id);
      isDirty = true;
    }
  }
  // A page in the background is told once a second: its title and notifications go on.
  if (!isVisible && !isSecond) return;
  if (isDirty || isSecond) draw();
  if (isFollowedDirty || isSecond) drawFollowed();
}, TICK_MS);
