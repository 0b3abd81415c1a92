import { AppError, messageOf, type FailureCode } from '../../errors.ts';

// ClickHouse's own numbers, src/Common/ErrorCodes.cpp. The same request may succeed later.
const transientCodes: ReadonlySet<number> = new Set([
  159, // TIMEOUT_EXCEEDED
  164, // READONLY, while a replica or a disk is read-only
  192, 193, 194, 516, // unknown user, wrong or missing password: a setting that can be put right outside
  201, // QUOTA_EXCEEDED
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  209, 210, // SOCKET_TIMEOUT, NETWORK_ERROR
  236, // ABORTED, as at a shutdown
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY
  243, // NOT_ENOUGH_SPACE
  252, // TOO_MANY_PARTS
  279, // ALL_CONNECTION_TRIES_FAILED
  285, 319, // too few live replicas, UNKNOWN_STATUS_OF_INSERT
  394, // QUERY_WAS_CANCELLED
  425, // SYSTEM_ERROR
  439, // CANNOT_SCHEDULE_TASK
  745, // SERVER_OVERLOADED
  999, // KEEPER_EXCEPTION
]);

/** ClickHouse's number of an error; null = it never reached the engine or came from somewhere else. */
function engineCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  // The embedded client throws a class of its own copy of the library: only the fields can be trusted.
  const { code, clickhouseCode } = error as Error & { code?: unknown; clickhouseCode?: unknown };
  if (typeof clickhouseCode === 'number') return clickhouseCode;
  if (typeof code === 'string' && /^\d+$/.test(code)) return Number(code);
  const match = /Code:\s*(\d+)\./.exec(error.message);
  return match === null ? null : Number(match[1]);
}

/** A failure of a statement of our own. */
export function toFailure(error: unknown, doing: string): AppError {
  if (error instanceof AppError) return error;
  const code = engineCode(error);
  const failure: FailureCode = code === null || transientCodes.has(code) ? 'history_unavailable' : 'query_failed';
  return new AppError(failure, `Cannot ${doing}: ${describe(error, code)}`, { cause: error });
}

/** A failure of a user's statement: what read-only mode forbids is refused, limits are failures. */
export function toUserFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = engineCode(error);
  if (code === null) return new AppError('history_unavailable', `Cannot run the query: ${messageOf(error)}`, { cause: error });
  if (code === 164) {
    return new AppError('query_refused', `Cannot run the query: only reading is allowed, and settings are fixed: ${describe(error, code)}`, { cause: error });
  }
  return new AppError('query_failed', `Cannot run the query: ${describe(error, code)}`, { cause: error });
}

function describe(error: unknown, code: number | null): string {
  const message = messageOf(error).trim();
  const text = message === '' && error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : message;
  return code === null || text.includes(`Code: ${code}`) ? text : `Code: ${code}. ${text}`;
}
