import type { FastifyError } from 'fastify';
import { AppError, failureCodes, messageOf } from '../errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { App } from './app.ts';
import { failure, failureOf, HttpFailure } from './failures.ts';
import type { KnownRoutes } from './known-routes.ts';
import { validationFailure } from './validation.ts';

/** Turns whatever a route throws into an answer with a code; only what nobody foresaw is a 500, and it is logged. */
export function answerErrors(app: App, logger: Logger): void {
  app.setErrorHandler((error: unknown, request, reply) => {
    const answer = answerOf(error, request.routeOptions.bodyLimit, request.query as Record<string, unknown>, request.params as Record<string, unknown>);
    if (answer.status >= 500) {
      const details = { method: request.method, route: request.routeOptions.url, error: messageOf(error) };
      if (answer.status === 500) logger.error({ ...details, stack: error instanceof Error ? error.stack : undefined }, 'A request failed for a reason nobody foresaw');
      else logger.warn(details, 'A request could not be served');
    }
    if (answer.status === 503) void reply.header('retry-after', '1');
    // Whoever gave up on a body must not let the next request wait behind its rest.
    if (!request.raw.complete) void reply.header('connection', 'close');
    return reply.code(answer.status).type('application/json; charset=utf-8').send(JSON.stringify(bodyAt(request.url, answer)));
  });
}

/** 404, or 405 with Allow where the path has other methods. Counted against the rate limit like any other request. */
export function answerUnknown(app: App, routes: KnownRoutes, isLimited: boolean): void {
  app.setNotFoundHandler(isLimited ? { preHandler: app.rateLimit() } : {}, (request, reply) => {
    const methods = routes.methodsAt(request.url.split('?')[0] ?? '');
    const answer = methods.length === 0
      ? failure('not_found', `There is no ${request.method} ${request.url.slice(0, 200)}`)
      : failure('method_not_allowed', `${request.method} is not possible here, ${methods.join(', ')} is`);
    if (methods.length > 0) void reply.header('allow', methods.join(', '));
    return reply.code(answer.status).send(bodyAt(request.url, answer));
  });
}

/** Clients of the API that dashboards of flights know look for the message in `detail`. */
function bodyAt(url: string, { body }: HttpFailure): object {
  return url.startsWith('/api/') ? { ...body, detail: body.message } : body;
}

function answerOf(error: unknown, bodyLimit: number, query: Readonly<Record<string, unknown>>, params: Readonly<Record<string, unknown>>): HttpFailure {
  if (error instanceof HttpFailure) return error;
  if (error instanceof AppError) return failureOf(error);
  const { validation, validationContext, statusCode, code } = (error ?? {}) as Partial<FastifyError>;
  if (validation !== undefined) return validationFailure(validation, validationContext === 'params' ? params : query);
  if (statusCode === 413) return failure('too_large', `The body must have at most ${bodyLimit / 1024 / 1024} MB`);
  if (statusCode === 415) return new HttpFailure(415, { error: 'Unsupported media type', code: 'invalid_request', message: 'The content-type is none that this route takes' });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const answer = failure('invalid_request', messageOf(error));
    return new HttpFailure(statusCode, answer.body);
  }
  return new HttpFailure(500, { error: failureCodes.internal, code: 'internal', message: `The request failed inside the service${code === undefined ? '' : ` (${code})`}` });
}
