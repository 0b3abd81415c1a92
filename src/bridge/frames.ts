// The frames of /v1/etas, spoken over WebSocket and server-sent events (schemas/asyncapi.yaml). Runs in browsers.
import type { EtaUpdate } from '../forecast/eta-update.ts';
import type { RaceStateName } from '../race/update.ts';
import type { StageMove } from './stage-moves.ts';

/** What the last revision said of a race: an EtaUpdate without what the race itself says. Its milestones tell what has happened since, too. */
export type EtaView = Omit<
  EtaUpdate,
  'race_id' | 'source' | 'title' | 'state' | 'attempt' | 'first_offset' | 'queued_at' | 'started_at' | 'completed_at' | 'deadline_at' | 'metadata' | 'deeplink'
>;

/** A race as a screen needs it. Instants are epoch ms, durations seconds. */
export type RaceView = {
  race_id: string;
  source: string;
  title: string;
  state: RaceStateName;
  attempt: number;
  queued_at: number | null;
  started_at: number | null;
  completed_at: number | null;
  /** Of the finished attempt. */
  duration_sec: number | null;
  /** As last reported, 0..100. */
  progress: number | null;
  metadata: Record<string, string>;
  deeplink: string | null;
  deadline_at: number | null;
  update_interval_hint_sec: number | null;
  /** Event time of the newest update. */
  updated_at: number;
  /** null until the first revision. */
  eta: EtaView | null;
};

/** A race whose last revision the client holds already: all but that, and what its stages have done since it was issued. */
export type RaceChange = Omit<RaceView, 'eta'> & { readonly moves: readonly StageMove[] };

/** Which races a subscriber wants: all parts that are given must fit. {} = every race. */
export type EtaFilter = {
  /** At most 1,000. */
  readonly race_ids?: readonly string[];
  /** A glob: `*` stands for any characters, `?` for one. */
  readonly source?: string;
  readonly states?: readonly RaceStateName[];
  /** At most 10 key=value pairs, all of which the race must carry. */
  readonly metadata?: Readonly<Record<string, string>>;
};

type SubscribeFrame = {
  readonly type: 'subscribe';
  readonly filter: EtaFilter;
  /** Token of an earlier frame: only what changed since is sent. Ignored when it is too old or of another filter. */
  readonly resume?: string;
  /** Send a race without its last revision where that has been sent. Default false: every race whole. */
  readonly changes?: boolean;
};

/** Ends the subscription, not the connection. */
type UnsubscribeFrame = { readonly type: 'unsubscribe' };

export type ClientFrame = SubscribeFrame | UnsubscribeFrame;

/** Every race that fits, in parts; a part with `complete: true` ends it. What was known before is to be dropped at the first part. */
type SnapshotFrame = {
  readonly type: 'snapshot';
  readonly seq: number;
  readonly first: boolean;
  readonly complete: boolean;
  readonly races: readonly RaceView[];
  readonly resume?: string;
};

/** Races that changed, whole, and ids of those that went or fit no more. */
type DeltaFrame = {
  readonly type: 'delta';
  readonly seq: number;
  readonly races: readonly RaceView[];
  /** Races that changed, but not their revision; only for those who asked for changes, where there are any. */
  readonly changes?: readonly RaceChange[];
  readonly removed: readonly string[];
  readonly resume?: string;
};

/** Says, every 30 s, that the connection lives; its token lets a quiet subscriber resume. */
type HeartbeatFrame = { readonly type: 'heartbeat'; readonly seq: number; readonly at: number; readonly resume?: string };

/** The subscription was resumed: what the client holds stands, a delta with what it missed follows if there is any. */
type ResumedFrame = { readonly type: 'resumed'; readonly seq: number };

type ErrorFrame = { readonly type: 'error'; readonly seq: number; readonly code: string; readonly message: string };

/** `seq` counts a connection's frames: 1, 2, 3... without gaps. */
export type ServerFrame = SnapshotFrame | DeltaFrame | HeartbeatFrame | ResumedFrame | ErrorFrame;

export const HEARTBEAT_MS = 30_000;
const MAX_FILTER_RACES = 1_000;
const MAX_FILTER_METADATA = 10;

/** WebSocket close codes that the gateway uses. */
export const closeCodes = { goingAway: 1001, policy: 1008, tooBig: 1009, tryAgainLater: 1013 } as const;

const stateNames: ReadonlySet<string> = new Set<RaceStateName>(['queued', 'running', 'passed', 'failed', 'canceled', 'abandoned']);
const serverTypes: ReadonlySet<string> = new Set<ServerFrame['type']>(['snapshot', 'delta', 'heartbeat', 'resumed', 'error']);

/** Reads what a client sent. Never throws: a wrong frame is a sentence that says what is wrong. */
export function parseClientFrame(text: string): { readonly frame: ClientFrame } | { readonly error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { error: 'A frame must be JSON' };
  }
  if (!isObject(value)) return { error: 'A frame must be a JSON object' };
  if (value['type'] === 'unsubscribe') return { frame: { type: 'unsubscribe' } };
  if (value['type'] !== 'subscribe') return { error: `type must be subscribe or unsubscribe, got ${shown(value['type'])}` };
  const filter = parseFilter(value['filter'] ?? {});
  if ('error' in filter) return filter;
  const resume = value['resume'] ?? null;
  if (resume !== null && (typeof resume !== 'string' || resume.length > 4_096)) return { error: 'resume must be a token of at most 4,096 characters' };
  const changes = value['changes'] ?? false;
  if (typeof changes !== 'boolean') return { error: `changes must be true or false, got ${shown(changes)}` };
  return { frame: { type: 'subscribe', filter: filter.filter, ...(resume === null ? {} : { resume }), ...(changes ? { changes } : {}) } };
}

/** Checks a filter; unknown parts are refused, since ignoring one would widen it. Never throws. */
export function parseFilter(value: unknown): { readonly filter: EtaFilter } | { readonly error: string } {
  if (!isObject(value)) return { error: 'filter must be an object' };
  const filter: { -readonly [K in keyof EtaFilter]: EtaFilter[K] } = {};
  for (const [name, part] of Object.entries(value)) {
    if (part === undefined || part === null) continue;
    if (name === 'race_ids') {
      if (!isStrings(part, 200) || part.length > MAX_FILTER_RACES) return { error: `race_ids must be at most ${MAX_FILTER_RACES} ids of 1..200 characters` };
      filter.race_ids = part;
    } else if (name === 'source') {
      if (typeof part !== 'string' || part.length === 0 || part.length > 200) return { error: `source must be a glob of 1..200 characters, got ${shown(part)}` };
      filter.source = part;
    } else if (name === 'states') {
      if (!isStates(part)) return { error: `states must be a list of ${[...stateNames].join(', ')}` };
      filter.states = part;
    } else if (name === 'metadata') {
      if (!isObject(part) || Object.keys(part).length > MAX_FILTER_METADATA || !isStrings(Object.values(part), 2_000, 0)) {
        return { error: `metadata must be at most ${MAX_FILTER_METADATA} pairs of strings` };
      }
      filter.metadata = part as Record<string, string>;
    } else {
      return { error: `filter has no part ${shown(name)}: race_ids, source, states, metadata` };
    }
  }
  return { filter };
}

/** Reads what the server sent; null = not one of its frames. Trusts the server for the fields within. */
export function parseServerFrame(text: string): ServerFrame | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && typeof value['seq'] === 'number' && serverTypes.has(String(value['type'])) ? value as unknown as ServerFrame : null;
  } catch {
    return null;
  }
}

export function serialiseFrame(frame: ClientFrame | ServerFrame): string {
  return JSON.stringify(frame);
}

/** Makes the test for a filter once, to be asked for many races. A glob costs O(text x stars), never more. */
export function compileFilter(filter: EtaFilter): (race: Pick<RaceView, 'race_id' | 'source' | 'state' | 'metadata'>) => boolean {
  const ids = filter.race_ids === undefined ? null : new Set(filter.race_ids);
  const states = filter.states === undefined ? null : new Set<RaceStateName>(filter.states);
  const pairs = Object.entries(filter.metadata ?? {});
  const glob = filter.source;
  const plain = glob !== undefined && !/[*?]/.test(glob);
  return (race) =>
    (ids === null || ids.has(race.race_id)) &&
    (states === null || states.has(race.state)) &&
    (glob === undefined || (plain ? race.source === glob : matchesGlob(glob, race.source))) &&
    pairs.every(([key, value]) => race.metadata[key] === value);
}

/** The finish that screens hold still, else that of the last revision; epoch ms, null without one. */
export function finishAt({ eta }: Pick<RaceView, 'eta'>): number | null {
  return eta === null ? null : eta.display.finish_at ?? eta.finish_at;
}

/** A glob of `*` alone as a pattern of SQL's LIKE: everything else stands for itself. */
export function likePattern(glob: string): string {
  return glob.replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%');
}

/** `*` = any characters, `?` = one; the whole text must fit. Two pointers with one step back: no exponential cases. */
export function matchesGlob(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let resumeAt = 0;
  while (t < text.length) {
    if (g < glob.length && glob[g] === '*') {
      star = g++;
      resumeAt = t;
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++;
      t++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++resumeAt;
    } else {
      return false;
    }
  }
  while (g < glob.length && glob[g] === '*') g++;
  return g === glob.length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown, maxLength: number, minLength = 1): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item.length >= minLength && item.length <= maxLength);
}

function isStates(value: unknown): value is RaceStateName[] {
  return Array.isArray(value) && value.length <= stateNames.size && value.every((item) => typeof item === 'string' && stateNames.has(item));
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 100);
}
