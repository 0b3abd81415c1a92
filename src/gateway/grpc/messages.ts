import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs, type Timestamp } from '@bufbuild/protobuf/wkt';
import { eventData, type OriginRace } from '../origin/race.ts';
import {
  EtaSource, EventSchema, RaceSchema, RaceState, type AddEventRequest, type Event, type Race, type UpdateRaceRequest,
} from './generated/race_pb.js';

// Between the JSON of the compatible API and its messages. Nothing is checked here: the routes do.

const states = {
  queued: RaceState.QUEUED, running: RaceState.RUNNING, passed: RaceState.PASSED, failed: RaceState.FAILED, canceled: RaceState.CANCELED,
} as const satisfies Record<OriginRace['state'], RaceState>;
const stateNames = new Map<RaceState, string>(Object.entries(states).map(([name, state]) => [state, name]));

/** What a stream says besides. */
export type RaceExtras = Pick<MessageInitShape<typeof RaceSchema>, 'revision' | 'p10Sec' | 'p90Sec' | 'finishAt'>;

export function raceMessage(race: OriginRace, extras: RaceExtras = {}): Race {
  return create(RaceSchema, {
    id: race.id,
    source: race.source,
    title: race.title,
    state: states[race.state],
    startedAt: at(race.started_at),
    metadata: race.metadata ?? {},
    events: (race.events ?? []).map(({ type, data, timestamp }) => ({ type, timestamp: at(timestamp), ...(data === null ? {} : { data: typeof data === 'string' ? data : JSON.stringify(data) }) })),
    etaHistory: (race.eta_history ?? []).map(({ eta_sec, timestamp, source, confidence }) => ({ etaSec: BigInt(eta_sec), timestamp: at(timestamp), source: source as EtaSource, confidence })),
    ...(race.eta_sec === null ? {} : { etaSec: BigInt(race.eta_sec) }),
    ...(race.progress === null ? {} : { progress: race.progress }),
    ...(race.deeplink === null ? {} : { deeplink: race.deeplink }),
    ...(race.last_progress_update === undefined ? {} : { lastProgressUpdate: at(race.last_progress_update) }),
    ...(race.last_eta_update === undefined ? {} : { lastEtaUpdate: at(race.last_eta_update) }),
    ...(race.eta_source === undefined ? {} : { etaSource: race.eta_source as EtaSource }),
    ...(race.eta_confidence === undefined ? {} : { etaConfidence: race.eta_confidence }),
    ...(race.update_interval_hint === undefined ? {} : { updateIntervalHint: race.update_interval_hint }),
    ...(race.completed_at === undefined ? {} : { completedAt: at(race.completed_at) }),
    ...(race.duration_sec === undefined ? {} : { durationSec: BigInt(race.duration_sec) }),
    ...(race.previous_eta_sec === undefined ? {} : { previousEtaSec: BigInt(race.previous_eta_sec) }),
    ...extras,
  });
}

/** The body of POST /race. What proto3 cannot tell from its absence is left out. */
export function raceBody(race: Race): Record<string, unknown> {
  const { title, state, ...rest } = race;
  return {
    id: race.id,
    source: race.source,
    ...changeBody({ ...rest, ...(title === '' ? {} : { title }), ...(state === RaceState.UNSPECIFIED ? {} : { state }) }),
    ...(race.durationSec === undefined ? {} : { duration_sec: Number(race.durationSec) }),
    ...(race.events.length === 0 ? {} : { events: race.events.map(eventBody) }),
  };
}

/** The body of PATCH /race/:id. */
export function changeBody(change: Omit<UpdateRaceRequest, '$typeName'>): Record<string, unknown> {
  return {
    ...(change.title === undefined ? {} : { title: change.title }),
    ...(change.state === undefined ? {} : { state: stateOf(change.state) }),
    ...(change.startedAt === undefined ? {} : { started_at: msOf(change.startedAt) }),
    ...(change.completedAt === undefined ? {} : { completed_at: msOf(change.completedAt) }),
    ...(change.etaSec === undefined ? {} : { eta_sec: Number(change.etaSec) }),
    ...(change.progress === undefined ? {} : { progress: change.progress }),
    ...(change.deeplink === undefined ? {} : { deeplink: change.deeplink }),
    ...(change.updateIntervalHint === undefined ? {} : { update_interval_hint: change.updateIntervalHint }),
    ...(Object.keys(change.metadata).length === 0 ? {} : { metadata: { ...change.metadata } }),
  };
}

/** The body of POST /race/:id/event. */
export function eventBody(event: AddEventRequest['event'] | Event): Record<string, unknown> {
  const { type, data, timestamp } = event ?? create(EventSchema);
  return { type, ...(data === undefined ? {} : { data: eventData(data) }), ...(timestamp === undefined ? {} : { timestamp: msOf(timestamp) }) };
}

/** The name of a state; a number that is none stays one, to be refused. */
export function stateOf(state: RaceState): string {
  return stateNames.get(state) ?? String(state);
}

export function instant(atMs: number): Timestamp {
  return timestampFromMs(atMs);
}

function at(text: string): Timestamp {
  return timestampFromMs(Date.parse(text));
}

function msOf(timestamp: Timestamp): number {
  return Math.round(timestampMs(timestamp));
}
