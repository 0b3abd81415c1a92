import { reject } from '../errors.ts';
import type { Rejection } from '../errors.ts';

// What CI systems say in the words of CDEvents (spec 0.1 to 0.6) or wrap in CloudEvents, as race updates. The result has
// the fields of RaceUpdate, not yet checked: whoever normalizes JSON updates checks these too.

type Json = Readonly<Record<string, unknown>>;

/** Fields of RaceUpdate as they stood in the JSON; absent = unchanged. */
export type RawUpdate = Record<string, unknown>;

/** A structured CloudEvent (`specversion` at the top), or a bare CDEvent (`context.type` begins with dev.cdevents.). */
export function isEvent(value: Json): boolean {
  return 'specversion' in value || isCdEvent(value);
}

/**
 * The race update in a structured CloudEvent or a CDEvent.
 *
 * A CloudEvent with a CDEvent in its data, or a bare CDEvent: pipelineRun, build, testSuiteRun, and a taskRun that
 * belongs to no pipelineRun, are races. A taskRun of a pipelineRun is a stage of it, and no race of its own, since one
 * record makes one update: stage name = taskName, a cancelled task = skipped (its duration teaches nothing).
 * - `race_id` = subject.id, of a taskRun in a pipelineRun that pipelineRun's id. The record's key must be the same.
 * - `source` = subject.source, else context.source (the spec's own default); of a taskRun in a pipelineRun
 *   content.pipelineRun.source before these. It must be the same in all events of a race.
 * - `at` = context.timestamp; also queued_at, started_at or completed_at, as the event says.
 * - `title` = pipelineName, taskName or testSuite.name; `deeplink` = content.url (0.6: content.uri) if it is http(s).
 * - `metadata.environment` = content.environment.id.
 * - finished: outcome success, pass = passed; failure, error, fail = failed; cancel, canceled, cancelled = canceled;
 *   none = failed if content.errors has text, else passed (build.finished has no outcome).
 *
 * Any other CloudEvent: its data is the update; `at`, `source` and `race_id`, where missing, are the event's time,
 * source and subject.
 *
 * Rejected with `undecodable`: other CDEvents, an unknown outcome, data that is no JSON object.
 */
export function readEvent(event: Json): { readonly update: RawUpdate } | { readonly rejection: Rejection } {
  if (!('specversion' in event)) return readCdEvent(event);
  const data = event['data'];
  if (!isObject(data)) return refused('A CloudEvent must carry a JSON object in data (data_base64 and text are not read)');
  if (isCdEvent(data)) return readCdEvent(data);
  if (text(event['type'])?.startsWith(CDEVENTS) === true) {
    return readCdEvent({ ...data, context: { type: event['type'], source: event['source'], timestamp: event['time'] } });
  }
  return { update: withoutAbsent({ ...data, at: data['at'] ?? event['time'], source: data['source'] ?? event['source'], race_id: data['race_id'] ?? event['subject'] }) };
}

const CDEVENTS = 'dev.cdevents.';

function isCdEvent(value: Json): boolean {
  return text(object(value['context'])['type'])?.startsWith(CDEVENTS) === true;
}

function readCdEvent(event: Json): ReturnType<typeof readEvent> {
  const context = object(event['context']);
  const subject = object(event['subject']);
  const content = object(subject['content']);
  const type = text(context['type']) ?? '';
  const [subjectType = '', predicate = ''] = type.slice(CDEVENTS.length).split('.');
  const phase = phases[predicate];
  if (!raceSubjects.has(subjectType) || phase === undefined) return refused(`The CDEvent ${cut(type)} says nothing of a race: it must be ${[...raceSubjects].join(', ')} and ${Object.keys(phases).join(', ')}`);
  const state = phase === 'finished' ? outcomeOf(content) : phase;
  if (state === null) return refused(`The CDEvent ${cut(type)} has an outcome that is not known: "${cut(String(content['outcome']))}"`);
  const at = context['timestamp'];
  const times = { queued_at: phase === 'queued' ? at : undefined, started_at: phase === 'running' ? at : undefined, completed_at: phase === 'finished' ? at : undefined };
  const ownSource = text(subject['source']) ?? context['source'];
  const pipelineRun = object(content['pipelineRun']);
  if (subjectType === 'taskrun' && text(pipelineRun['id']) !== undefined) {
    return {
      update: withoutAbsent({
        race_id: pipelineRun['id'],
        source: text(pipelineRun['source']) ?? ownSource,
        at,
        stage: withoutAbsent({
          name: text(content['taskName']) ?? subject['id'], state: stageStates[state], started_at: times.started_at, completed_at: times.completed_at,
        }),
      }),
    };
  }
  const environment = text(object(content['environment'])['id']);
  return {
    update: withoutAbsent({
      race_id: subject['id'], source: ownSource, at, title: titleOf(content), state, ...times, deeplink: linkOf(content),
      metadata: environment === undefined ? undefined : { environment },
    }),
  };
}

type EventState = 'queued' | 'running' | 'passed' | 'failed' | 'canceled';

const raceSubjects: ReadonlySet<string> = new Set(['pipelinerun', 'taskrun', 'build', 'testsuiterun']);
const phases: Readonly<Record<string, 'queued' | 'running' | 'finished'>> = { queued: 'queued', started: 'running', finished: 'finished' };
const stageStates: Readonly<Record<EventState, string>> = { queued: 'pending', running: 'running', passed: 'passed', failed: 'failed', canceled: 'skipped' };

const outcomes: ReadonlyMap<string, EventState> = new Map([
  ['success', 'passed'], ['succeeded', 'passed'], ['pass', 'passed'], ['passed', 'passed'],
  ['failure', 'failed'], ['failed', 'failed'], ['fail', 'failed'], ['error', 'failed'],
  ['cancel', 'canceled'], ['canceled', 'canceled'], ['cancelled', 'canceled'],
]);

/** null = an outcome that is not known. */
function outcomeOf(content: Json): EventState | null {
  const outcome = content['outcome'] ?? undefined;
  if (outcome === undefined) return text(content['errors']) === undefined ? 'passed' : 'failed';
  return typeof outcome === 'string' ? outcomes.get(outcome.toLowerCase()) ?? null : null;
}

function titleOf(content: Json): string | undefined {
  const suite = object(content['testSuite']);
  return text(content['pipelineName']) ?? text(content['taskName']) ?? text(suite['name']) ?? text(suite['id']);
}

/** A relative reference is left out: it leads nowhere outside of the system that wrote it. */
function linkOf(content: Json): string | undefined {
  return [content['url'], content['uri']].map(text).find((link) => link !== undefined && /^https?:\/\//i.test(link));
}

function refused(message: string): { readonly rejection: Rejection } {
  return { rejection: reject('undecodable', message) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function object(value: unknown): Json {
  return isObject(value) ? value : {};
}

/** undefined unless it is a string with something in it. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function withoutAbsent(update: RawUpdate): RawUpdate {
  return Object.fromEntries(Object.entries(update).filter(([, value]) => value !== undefined));
}

function cut(value: string): string {
  return value.length > 100 ? `${value.slice(0, 100)}...` : value;
}
