import type { Clock } from '../../ports/clock.ts';
import { isFinished, MAX_EVENTS } from '../../race/state.ts';
import type { RaceUpdate } from '../../race/update.ts';
import type { EtaView } from '../../bridge/frames.ts';
import type { RaceFacts } from './facts.ts';
import type { RaceLiveView } from './view.ts';

/** Own writes that the pipeline has not folded yet: what makes a GET after a PATCH tell what was patched. */
export type PendingWrites = {
  /** Remembers an appended update, or null for a forget, with its offset in the race's partition. */
  add(raceId: string, partition: number, offset: number, update: RaceUpdate | null): void;
  /** The race as it will be once the pipeline has folded the writes; null = unknown or forgotten. */
  read(raceId: string): { readonly facts: RaceFacts; readonly eta: EtaView | null } | null;
  /** Races with pending writes that the view does not know yet. */
  newRaces(): string[];
  sweep(): void;
};

type Write = { readonly partition: number; readonly offset: number; readonly update: RaceUpdate | null; readonly addedAtMs: number };

/** A write that the pipeline has not confirmed by then was rejected, or the pipeline is down. */
const PENDING_MS = 60_000;
const MAX_PENDING_RACES = 20_000;
const MAX_PENDING_WRITES = 200;

/** At most 20,000 races with 200 writes each; the oldest go first. */
export function pendingWrites(view: RaceLiveView, clock: Clock): PendingWrites {
  const races = new Map<string, Write[]>();

  const open = (raceId: string): Write[] => {
    const writes = races.get(raceId);
    if (writes === undefined) return [];
    const known = view.get(raceId);
    const left = writes.filter((write) =>
      write.offset > view.appliedOffset(write.partition) &&
      (known === undefined || write.offset > known.facts.applied_offset) &&
      clock.nowMs() - write.addedAtMs <= PENDING_MS);
    if (left.length === 0) races.delete(raceId);
    else if (left.length < writes.length) races.set(raceId, left);
    return left;
  };

  return {
    add(raceId, partition, offset, update) {
      const writes = open(raceId);
      if (writes.length >= MAX_PENDING_WRITES) writes.shift();
      writes.push({ partition, offset, update, addedAtMs: clock.nowMs() });
      races.set(raceId, writes);
      if (races.size > MAX_PENDING_RACES) races.delete(races.keys().next().value!);
    },
    read(raceId) {
      const known = view.get(raceId);
      let facts = known?.facts ?? null;
      let eta = known?.eta ?? null;
      for (const write of open(raceId)) {
        if (write.update === null) {
          facts = null;
          eta = null;
        } else facts = foldWrite(facts, write.update);
      }
      return facts === null ? null : { facts, eta };
    },
    newRaces: () => [...races.keys()].filter((raceId) => view.get(raceId) === undefined && open(raceId).length > 0),
    sweep() {
      for (const raceId of races.keys()) open(raceId);
    },
  };
}

/**
 * What an update of our own will do to a race, near enough for an answer: the pipeline's fold decides, and replaces this
 * within milliseconds.
 */
function foldWrite(before: RaceFacts | null, update: RaceUpdate): RaceFacts {
  const facts: RaceFacts = before === null ? newFacts(update) : { ...before };
  const restarts = isFinished(facts.state) && update.started_at !== null && update.started_at !== facts.started_at;
  if (restarts) {
    facts.attempt += 1;
    facts.completed_at = null;
    facts.progress = null;
    facts.state = update.state ?? 'running';
  } else if (update.state !== null && !isFinished(facts.state)) facts.state = update.state;
  facts.title = update.title ?? facts.title;
  if (update.progress !== null) {
    facts.progress = update.progress;
    facts.progress_at = update.at;
  }
  facts.queued_at = update.queued_at ?? facts.queued_at;
  facts.started_at = update.started_at ?? facts.started_at;
  if (facts.state === 'running') facts.started_at ??= update.at;
  facts.completed_at = update.completed_at ?? facts.completed_at;
  if (isFinished(facts.state)) {
    facts.completed_at ??= update.at;
    facts.started_at ??= Math.min(update.at, facts.completed_at);
  }
  if (update.metadata !== null) facts.metadata = mergeMetadata(facts.metadata, update.metadata);
  facts.deeplink = update.deeplink ?? facts.deeplink;
  facts.deadline_at = update.deadline_at ?? facts.deadline_at;
  facts.update_interval_hint_sec = update.update_interval_hint_sec ?? facts.update_interval_hint_sec;
  if (update.event !== null) {
    facts.events = [...facts.events, { type: update.event.type, at: update.event.at ?? update.at, data: update.event.data }].slice(-MAX_EVENTS);
  }
  facts.last_at = Math.max(facts.last_at, update.at);
  return facts;
}

function mergeMetadata(before: Readonly<Record<string, string>>, change: Readonly<Record<string, string | null>>): Record<string, string> {
  const merged: Record<string, string> = Object.assign(Object.create(null), before);
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else merged[key] = value;
  }
  return merged;
}

function newFacts(update: RaceUpdate): RaceFacts {
  return {
    race_id: update.race_id, source: update.source, title: update.title ?? update.race_id, attempt: 1, version: 0, state: update.state ?? 'queued',
    queued_at: null, started_at: null, completed_at: null, progress: null, progress_at: null, metadata: Object.create(null), stages: [], stages_dropped: 0,
    plan: [], update_interval_hint_sec: null, deeplink: null, deadline_at: null, route_id: null, events: [], events_dropped: 0,
    first_at: update.at, last_at: update.at, revision: 0, epoch: 0, applied_offset: -1,
  };
}
