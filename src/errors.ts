// One table of every code that a user can meet. README.md prints it; a test keeps the two equal.

/** Why an input was refused, for good: it goes to dead-letters under this code, the rest goes on. */
export const rejectionCodes = {
  undecodable: 'The bytes are neither Confluent-framed Avro nor JSON of the expected shape',
  unknown_schema: 'The Avro schema id is not known to the registry',
  record_too_large: 'The record is over 900 KB: its dead letter says where it is, without its bytes',
  key_missing: 'The record has no key',
  key_mismatch: 'The record key is not the race_id in the value',
  id_missing: 'race_id is missing or empty',
  id_invalid: 'race_id or route_id is longer than 200 characters, holds control characters or begins with __partition/',
  source_missing: 'source is missing or empty',
  source_invalid: 'source is longer than 200 characters, holds control characters or begins with __partition/',
  source_changed: 'Another source than the first one of this race',
  at_invalid: 'at is not an instant between 1970 and 2100',
  at_in_future: 'at, a start or an end is more than 5 minutes after the record was appended',
  instant_invalid: 'An instant is not ISO 8601 or epoch milliseconds between 1970 and 2100',
  finish_before_start: 'completed_at is before started_at',
  title_invalid: 'title is empty or longer than 1,000 characters',
  state_invalid: 'state is not one of queued, running, passed, failed, canceled',
  progress_out_of_range: 'progress is not a number in 0..100',
  eta_out_of_range: 'eta_sec is not a number in 0..315,360,000',
  duration_out_of_range: 'A duration is not a number in 0..315,360,000 seconds',
  enum_invalid: 'A field is not one of its allowed values',
  type_invalid: 'A field has another type than its schema says',
  metadata_too_large: 'More than 100 metadata keys (of the update, or of the race after it), a key over 200 or a value over 2,000 characters',
  stage_invalid: 'A stage without a name, with one over 200 characters, or with a seq that is no whole number in 0..1,000,000',
  plan_too_large: 'A plan of more than 500 stages',
  event_too_large: 'An event type over 200 characters or event data over 16 KB',
  link_invalid: 'deeplink is longer than 2,000 characters or not an http(s) or app link',
  state_too_large: 'The race would need more than 256 KB',
  position_invalid: 'A position whose lat is not in -90..90 or lon not in -180..180, or 0, 0: a receiver without a fix; of an update, a position on a route out of its ranges',
  route_invalid: 'A route that has fewer than two places, more than 10,000 points, 400 waypoints or 1,000 points of interest, or plans that run backwards',
  processing_failed: 'A defect of ours: nothing of the record was applied; it can be replayed after a fix',
} as const;

export type RejectionCode = keyof typeof rejectionCodes;

/** A refused input as a value. The message gives the value and the allowed range. */
export type Rejection = { readonly code: RejectionCode; readonly message: string };

export function reject(code: RejectionCode, message: string): Rejection {
  return { code, message };
}

/** Failures of the service and its engines. */
export const failureCodes = {
  config_invalid: 'A setting is out of its range',
  node_too_old: 'No Node 24 could be found for this platform',
  optional_missing: 'An optional package is not installed or its install script was blocked',
  log_unavailable: 'The record log cannot be reached',
  partition_count_changed: 'A topic exists with another partition count than topology/topics.ts declares',
  record_too_large: 'A record or a send is over 900 KB',
  partition_lost: 'The partition belongs to another instance now',
  registry_unavailable: 'The schema registry cannot be reached',
  schema_incompatible: 'The registry refuses a schema as incompatible',
  history_unavailable: 'ClickHouse cannot be reached',
  history_locked: 'Another process has the embedded ClickHouse directory open',
  query_refused: 'Only read-only statements are allowed',
  query_failed: 'ClickHouse refused the statement',
  rebuild_failed: 'A rebuild did not end: its thread ran out of memory or died; the model before serves on',
  not_found: 'Nothing under that id',
  conflict: 'The change contradicts what is known',
  invalid_request: 'The request does not fit its schema',
  too_large: 'The body is over its limit',
  rate_limited: 'Too many requests',
  not_ready: 'The service is starting or stopping',
  read_only: 'The service takes no changes: RACELINE_READ_ONLY is set',
  unavailable: 'A part that the request needs does not answer',
  slow_client: 'The client does not read fast enough and was closed',
  origin_refused: 'The page that sent the request is of another origin, which is not allowed',
  host_refused: 'The request is for a host name that this service does not go by',
  unauthenticated: 'The request brings no token, or one that nobody has been given',
  forbidden: 'The token does not allow this',
  method_not_allowed: 'The path has other methods',
  internal: 'A defect of ours: the request failed inside the service',
} as const;

export type FailureCode = keyof typeof failureCodes;

/** A failure of an engine, a setting or a request; retried at the edge only. */
export class AppError extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
  }
}

/** Stops the process: a bug, not an input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${message}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
