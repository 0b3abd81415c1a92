import { setTimeout as delay } from 'node:timers/promises';
import { encodeLine, postUpdates } from '../../src/cli/update-target.ts';
import { partitionOf } from '../../src/race/partition.ts';
import { emptyUpdate, type RaceUpdate } from '../../src/race/update.ts';
import { fleetUpdates } from './fleet.ts';

export type LoadOptions = {
  readonly seed: number;
  /** Races of a year ago: imported. */
  readonly historyRaces: number;
  /** Races that begin now and take about `liveDurationMs`. */
  readonly liveRaces: number;
  readonly liveDurationMs: number;
  /** From the first start of a live race to the last, ms. */
  readonly liveSpanMs: number;
  readonly nowMs: number;
};

/** What is sent in a run, in the order of its due times. */
export type Load = {
  readonly items: readonly { readonly dueMs: number; readonly update: RaceUpdate }[];
  readonly history: ReadonlySet<string>;
  readonly live: ReadonlySet<string>;
  /** By race_id, how it ends. */
  readonly endings: ReadonlyMap<string, RaceUpdate>;
};

const YEAR_MS = 365 * 86_400_000;
const PATIENCE_MS = 60_000;
const RETRY_MS = 50;
const MAX_LINES = 100;

/** A live fleet whose updates fall due when they happen, and an old one that is imported alongside. */
export function makeLoad({ seed, historyRaces, liveRaces, liveDurationMs, liveSpanMs, nowMs }: LoadOptions): Load {
  const live = fleetUpdates({ seed, races: liveRaces, startMs: nowMs, spacingMs: liveSpanMs / liveRaces, durationMs: liveDurationMs, idPrefix: 'live' });
  const history = fleetUpdates({ seed, races: historyRaces, startMs: nowMs - YEAR_MS, spacingMs: 60_000, durationMs: 300_000, idPrefix: 'history' });
  const spanMs = (live.at(-1)?.at ?? nowMs) - nowMs;
  const items = [
    ...live.map((update) => ({ dueMs: update.at, update })),
    ...history.map((update, index) => ({ dueMs: nowMs + (index / history.length) * spanMs, update })),
  ].sort((a, b) => a.dueMs - b.dueMs);
  const endings = new Map([...live, ...history].filter((update) => update.completed_at !== null).map((update) => [update.race_id, update]));
  return { items, live: idsOf(live), history: idsOf(history), endings };
}

export type FeedOptions = {
  /** Where the gateway is now. */
  readonly url: () => string;
  /** After each request that was answered: updates stored so far. */
  readonly onStored?: (stored: number) => void;
  /** Share of the updates, 0..1, that may be sent by now; asked again and again. */
  readonly upTo?: () => number;
  /** Each so many-th request is sent once more after it was answered, as by a producer that the answer did not reach. */
  readonly repeatEvery?: number;
  /** How long one request is sent again and again, ms; default 60 s. */
  readonly patienceMs?: number;
};

export type Fed = {
  /** Updates that were sent again, whatever became of them at first. */
  readonly resent: number;
  /** Of those, the ones known to have been stored before. */
  readonly repeated: number;
};

/** Sends each update when it is due, through POST /v1/updates, again until it is stored. */
export async function feed(load: Pick<Load, 'items'>, { url, onStored, upTo = () => 1, repeatEvery = Infinity, patienceMs = PATIENCE_MS }: FeedOptions): Promise<Fed> {
  let resent = 0;
  let repeated = 0;
  let requests = 0;
  for (let stored = 0; stored < load.items.length;) {
    const nowMs = Date.now();
    const end = Math.min(stored + MAX_LINES, Math.floor(upTo() * load.items.length));
    const due = load.items.slice(stored, end).filter((item) => item.dueMs <= nowMs);
    if (due.length === 0) {
      await delay(Math.min(1_000, Math.max(5, (load.items[stored]?.dueMs ?? 0) - nowMs)));
      continue;
    }
    const updates = due.map(({ update }) => update);
    resent += await store(updates, url, patienceMs);
    requests += 1;
    if (requests % repeatEvery === 0) {
      resent += updates.length + await store(updates, url, patienceMs);
      repeated += updates.length;
    }
    stored += due.length;
    onStored?.(stored);
  }
  return { resent, repeated };
}

async function store(updates: readonly RaceUpdate[], url: () => string, patienceMs: number): Promise<number> {
  const lines = updates.map(encodeLine);
  const deadlineMs = performance.now() + patienceMs;
  for (let resent = 0; ; resent += lines.length) {
    const answer = await postUpdates(url(), lines, { timeoutMs: 15_000 });
    if (answer.kind === 'stored' && answer.rejected.length === 0) return resent;
    if (answer.kind !== 'away' || performance.now() > deadlineMs) throw new Error(`The updates were not stored: ${JSON.stringify(answer)}`);
    await delay(RETRY_MS);
  }
}

export const MARKER_SOURCE = 'marker';

/**
 * One race for each partition, submitted and finished in one update. Sent last: whoever has seen them all has seen
 * everything before them.
 */
export function markers(partitions: number, nowMs: number, idPrefix = 'marker'): Load {
  const updates = Array.from({ length: partitions }, (_, partition): RaceUpdate => ({
    ...emptyUpdate(idOn(partition, partitions, idPrefix), MARKER_SOURCE, nowMs), title: 'marker', state: 'passed', started_at: nowMs - 1_000, completed_at: nowMs,
  }));
  return { items: updates.map((update) => ({ dueMs: nowMs, update })), history: new Set(), live: idsOf(updates), endings: new Map(updates.map((update) => [update.race_id, update])) };
}

function idOn(partition: number, partitions: number, idPrefix: string): string {
  for (let n = 0; ; n++) {
    const id = `${idPrefix}-${partition}-${n}`;
    if (partitionOf(id, partitions) === partition) return id;
  }
}

function idsOf(updates: readonly RaceUpdate[]): ReadonlySet<string> {
  return new Set(updates.map((update) => update.race_id));
}
