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

const raceFields = {
  title: Type.Optional(Type.String()),
  state: Type.Optional(Type.Enum(['queued', 'running', 'passed', 'failed', 'canceled'])),
  started_at: Type.Optional(instant('Of a queued race: when it was queued. A new one on a finished race opens another attempt')),
  completed_at: Type.Optional(instant('When it finished')),
  duration_sec: Type.Optional(Type.Number({ minimum: 0, description: 'With a terminal state: gives completed_at' })),
  progress: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  eta_sec: Type.Optional(Type.Number({ minimum: 0, description: 'The own estimate: what is left for source cmd, learned for others' })),
  deeplink: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.Unsafe({ type: 'object', additionalProperties: { type: ['string', 'null'] }, description: 'Merged; null removes a key' })),
  update_interval_hint: Type.Optional(Type.Number({ minimum: 0 })),
};

export const OriginRacePost = Type.Object({
  id: Type.Optional(Type.String({ maxLength: 200, description: 'Empty or absent = a UUID is made' })),
  source: Type.String({ minLength: 1, maxLength: 200 }),
  ...raceFields,
  events: Type.Optional(Type.Array(Type.Object({ type: Type.String(), data: Type.Optional(Type.Unsafe({})), timestamp: Type.Optional(instant('When')) }))),
});

export const OriginRacePatch = Type.Object(raceFields);

export const OriginEventPost = Type.Object({
  type: Type.Optional(Type.String()),
  event_type: Type.Optional(Type.String({ description: 'Another name of type' })),
  data: Type.Optional(Type.Unsafe({ description: 'Any JSON of at most 16 KB' })),
  timestamp: Type.Optional(instant('Default: now')),
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
