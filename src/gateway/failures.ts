import { AppError, failureCodes, rejectionCodes, type FailureCode, type Rejection, type RejectionCode } from '../errors.ts';
import { shown } from '../race/text.ts';

/** The body of every answer that is not 2xx. */
export type Failure = {
  /** A short sentence. */
  error: string;
  /** A code of src/errors.ts. */
  code: FailureCode | RejectionCode;
  message: string;
  /** What was sent, shortened. */
  value?: unknown;
  /** What is allowed. */
  range?: string;
};

/** An answer to throw from a handler. */
export class HttpFailure extends Error {
  readonly status: number;
  readonly body: Failure & Record<string, unknown>;

  constructor(status: number, body: Failure & Record<string, unknown>) {
    super(body.message);
    this.name = 'HttpFailure';
    this.status = status;
    this.body = body;
  }
}

const statuses: Partial<Record<FailureCode, number>> = {
  not_found: 404, conflict: 409, invalid_request: 400, too_large: 413, record_too_large: 413, rate_limited: 429, not_ready: 503,
  unavailable: 503, read_only: 503, log_unavailable: 503, registry_unavailable: 503, history_unavailable: 503, history_locked: 503, partition_lost: 503,
  query_refused: 403, query_failed: 400, optional_missing: 503, unauthenticated: 401, forbidden: 403, host_refused: 421, method_not_allowed: 405,
};

/** The answer for a code of the service itself. */
export function failure(code: FailureCode, message: string, more: Record<string, unknown> = {}): HttpFailure {
  return new HttpFailure(statuses[code] ?? 500, { error: failureCodes[code], code, message, ...more });
}

/** 400 for one field of a request, as it was sent and as it must be: `range` goes on from "must be". */
export function fieldFailure(name: string, value: unknown, range: string): HttpFailure {
  return failure('invalid_request', `${name} must be ${range}, got ${shown(value)}`, { ...(value === undefined ? {} : { value: shortened(value) }), range });
}

export function failureOf(error: AppError): HttpFailure {
  return failure(error.code, error.message);
}

/** The origin's answer for a race that is not there, with our fields behind its own. */
export function raceNotFound(id: string): HttpFailure {
  return new HttpFailure(404, { error: 'Race not found', id, code: 'not_found', message: `No race has the id ${JSON.stringify(id.slice(0, 200))}` });
}

/** Which part of a request a rejection is about, and what is allowed there. */
const rejected: Partial<Record<RejectionCode, { readonly field: string; readonly range: string }>> = {
  id_missing: { field: 'race_id', range: '1..200 characters' },
  id_invalid: { field: 'race_id', range: '1..200 characters without control characters' },
  source_missing: { field: 'source', range: '1..200 characters' },
  source_invalid: { field: 'source', range: '1..200 characters without control characters' },
  title_invalid: { field: 'title', range: '1..1,000 characters' },
  state_invalid: { field: 'state', range: 'queued, running, passed, failed, canceled' },
  progress_out_of_range: { field: 'progress', range: '0..100' },
  eta_out_of_range: { field: 'eta_sec', range: '0..315,360,000' },
  duration_out_of_range: { field: 'duration_sec', range: '0..315,360,000' },
  metadata_too_large: { field: 'metadata', range: 'at most 100 keys of at most 200 characters, with values of at most 2,000' },
  at_in_future: { field: 'at', range: 'at most 5 minutes ahead' },
  link_invalid: { field: 'deeplink', range: 'a link of at most 2,000 characters' },
};

/** 400 with the rejection's code and message, and the value as it was sent. */
export function rejectionFailure(rejection: Rejection, sent: Readonly<Record<string, unknown>> = {}): HttpFailure {
  const about = rejected[rejection.code];
  return new HttpFailure(400, {
    error: rejectionCodes[rejection.code],
    code: rejection.code,
    message: rejection.message,
    ...(about === undefined || sent[about.field] === undefined ? {} : { value: shortened(sent[about.field]) }),
    ...(about === undefined ? {} : { range: about.range }),
  });
}

function shortened(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  return typeof value === 'string' ? value.slice(0, 200) : shown(value);
}
