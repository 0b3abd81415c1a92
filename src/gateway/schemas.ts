import { Type, type TSchema } from 'typebox';

// What the routes say of themselves in OpenAPI. Bodies are checked by normalizeUpdate, whose codes say more than a
// schema can; queries and paths are checked by these schemas.

const nullable = (type: 'string' | 'integer' | 'number', description: string): TSchema => Type.Unsafe({ type: [type, 'null'], description });

const instant = (description: string): TSchema => Type.Unsafe({ type: 'string', format: 'date-time', description });

const FailureBody = Type.Object({
  error: Type.String({ description: 'A short sentence' }),
  code: Type.String({ description: 'A code of the error table' }),
  message: Type.String(),
  value: Type.Optional(Type.Unsafe({ description: 'What was sent' })),
  range: Type.Optional(Type.String({ description: 'What is allowed' })),
}, { additionalProperties: true });

export const failures = { '4xx': FailureBody, '5xx': FailureBody };

/** An answer that is no JSON, in one of these types. */
export function textAnswer(description: string, ...contentTypes: string[]): { readonly description: string; readonly content: Readonly<Record<string, { readonly schema: TSchema }>> } {
  return { description, content: Object.fromEntries(contentTypes.map((type) => [type, { schema: Type.String() }])) };
}

const OriginEventBody = Type.Object({ type: Type.String(), data: Type.Unsafe({}), timestamp: instant('When it happened') });
const OriginRevisionBody = Type.Object({
  eta_sec: Type.Integer(), timestamp: instant('When it was published'), source: Type.Integer(), confidence: Type.Number(),
});

export const OriginRaceBody = Type.Object({
  id: Type.String(),
  source: Type.String(),
  title: Type.String(),
  state: Type.Enum(['queued', 'running', 'passed', 'failed', 'canceled']),
  started_at: instant('When it started; while it is queued, when it was queued'),
  completed_at: Type.Optional(instant('When it finished')),
  duration_sec: Type.Optional(Type.Integer()),
  eta_sec: nullable('integer', 'Predicted total duration, counted from started_at'),
  progress: nullable('integer', '0..100'),
  deeplink: nullable('string', 'Where to look at it'),
  metadata: Type.Unsafe({ type: ['object', 'null'], additionalProperties: { type: 'string' } }),
  events: Type.Optional(Type.Array(OriginEventBody)),
  last_progress_update: Type.Optional(instant('Time of the last progress report')),
  last_eta_update: Type.Optional(instant('When the last revision was issued')),
  eta_source: Type.Optional(Type.Integer({ description: '1 exact, 2 the client, 3 learned, 4 bootstrap' })),
  eta_confidence: Type.Optional(Type.Number({ description: 'Probability that eta_sec is within 20 % of the true total' })),
  update_interval_hint: Type.Optional(Type.Integer({ description: 'Seconds until the next update is to be expected' })),
  eta_history: Type.Optional(Type.Array(OriginRevisionBody, { description: 'The last five revisions' })),
  previous_eta_sec: Type.Optional(Type.Integer()),
  eta_revisions: Type.Optional(Type.Array(OriginRevisionBody, { description: 'The same as eta_history' })),
});

/** A field of the origin's bodies: null says as little as its absence. */
const maybe = (schema: TSchema): TSchema => Type.Optional(Type.Union([schema, Type.Null()]));
/** An instant in a body. */
const when = (description: string): TSchema => Type.Union([Type.String({ format: 'date-time' }), Type.Number({ exclusiveMinimum: 0 })], { description: `${description}: ISO 8601 with an offset, or epoch ms` });

const raceFields = {
  title: maybe(Type.String({ minLength: 1, maxLength: 1_000 })),
  state: maybe(Type.Enum(['queued', 'running', 'passed', 'failed', 'canceled'])),
  started_at: maybe(when('Of a queued race: when it was queued. A new one on a finished race opens another attempt')),
  completed_at: maybe(when('When it finished')),
  duration_sec: maybe(Type.Number({ minimum: 0, description: 'With a terminal state: gives completed_at' })),
  progress: maybe(Type.Number({ minimum: 0, maximum: 100 })),
  eta_sec: maybe(Type.Number({ minimum: 0, description: 'The own estimate: what is left for source cmd, learned for others' })),
  deeplink: maybe(Type.String({ maxLength: 2_000, pattern: '^[A-Za-z][A-Za-z0-9+.-]*://.+$', description: 'An http(s) or app link' })),
  metadata: maybe(Type.Unsafe({ type: 'object', additionalProperties: { type: ['string', 'number', 'boolean', 'null'] }, description: 'Merged; null removes a key, numbers and booleans become text' })),
  update_interval_hint: maybe(Type.Number({ minimum: 0 })),
};

export const OriginRacePost = Type.Object({
  id: maybe(Type.String({ maxLength: 200, description: 'Empty or absent = a UUID is made' })),
  source: Type.String({ minLength: 1, maxLength: 200 }),
  ...raceFields,
  events: maybe(Type.Array(Type.Object({ type: Type.String({ minLength: 1, maxLength: 200 }), data: Type.Optional(Type.Unsafe({})), timestamp: maybe(when('When')) }), { maxItems: 100 })),
});

export const OriginRacePatch = Type.Object(raceFields);

export const OriginEventPost = Type.Object({
  type: maybe(Type.String({ minLength: 1, maxLength: 200 })),
  event_type: Type.Optional(Type.Unsafe({ description: 'Another name of type, looked at where that is absent' })),
  data: Type.Optional(Type.Unsafe({ description: 'Any JSON of at most 16 KB' })),
  timestamp: maybe(when('Default: now')),
});

export const RaceIdParam = Type.Object({ id: Type.String() });

const StateName = Type.Enum(['queued', 'running', 'passed', 'failed', 'canceled', 'abandoned']);

/** `state` may repeat. */
export const RaceListQuery = Type.Object({
  source: Type.Optional(Type.String({ maxLength: 200, description: 'A glob: * for any characters, ? for one' })),
  state: Type.Optional(Type.Union([StateName, Type.Array(StateName, { maxItems: 6 })])),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
});

export const RaceViewBody = Type.Unsafe({ type: 'object', additionalProperties: true, description: 'A race with its last revision: RaceView of asyncapi.yaml' });
