import { AppError, failureCodes, messageOf } from '../errors.ts';
import type { FailureCode } from '../errors.ts';

/** A GET or POST on the gateway, answered with 2xx. Rejects with `unavailable` (no answer) or the code that the gateway gives. */
export async function request(url: URL, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new AppError('unavailable', `${url.origin} does not answer (${messageOf(cause) || 'no connection'}): is "raceline up" running there?`);
  }
  if (!response.ok) throw await failureOf(url, response);
  return response;
}

/** The gateway's own code and message where the answer has them. */
async function failureOf(url: URL, response: Response): Promise<AppError> {
  const text = (await response.text().catch(() => '')).trim();
  let message = text.slice(0, 2_000);
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) {
      const detail = 'error' in body && typeof body.error === 'object' && body.error !== null ? body.error : body;
      if ('message' in detail) message = String(detail.message);
      if ('code' in detail && typeof detail.code === 'string' && isFailureCode(detail.code)) return new AppError(detail.code, message);
    }
  } catch {
    // Not JSON: a proxy's page, or ClickHouse's own words.
  }
  const code = response.status === 404 ? 'not_found' : response.status >= 500 ? 'unavailable' : 'invalid_request';
  return new AppError(code, `${url.origin} answered ${response.status}: ${message || response.statusText}`);
}

function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(failureCodes, code);
}
