import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { failure, type HttpFailure } from './failures.ts';

const patterns = { integer: /^-?\d{1,16}$/, number: /^-?\d{1,20}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/ };

/**
 * Queries and paths are converted and checked against their schema. Bodies are not: their schema is for readers, and
 * the handlers answer with a code, the value and the range.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = (route) => {
  if (route.httpPart === 'body') return (value: unknown) => ({ value });
  const validate = TypeBoxValidatorCompiler(route as Parameters<typeof TypeBoxValidatorCompiler>[0]);
  const { properties = {} } = route.schema as { readonly properties?: Readonly<Record<string, { readonly type?: string }>> };
  const numbers = Object.entries(properties).flatMap(([name, { type }]) => (type === 'integer' || type === 'number' ? [{ name, type, pattern: patterns[type] }] : []));
  return (value: Readonly<Record<string, unknown>>) => {
    // The conversion would take true for 1.
    const wrong = numbers.find(({ name, pattern }) => value[name] !== undefined && !pattern.test(String(value[name])));
    return wrong === undefined ? validate(value) : { error: [{ instancePath: `/${wrong.name}`, message: `must be ${wrong.type}` }] as never };
  };
};

/** The body as an object, or the answer for one that is none. */
export function objectBody(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  const got = body === null ? 'null' : Array.isArray(body) ? 'an array' : typeof body;
  throw failure('invalid_request', `The body must be a JSON object, got ${got}`);
}

type SchemaError = { readonly instancePath?: string; readonly message?: string; readonly params?: Readonly<Record<string, unknown>> };

/** What a failed check of a query or path is answered with: the part, its value, and what is allowed. */
export function validationFailure(errors: readonly SchemaError[], part: string, sent: Readonly<Record<string, unknown>>): HttpFailure {
  const first = errors[0];
  const name = first?.instancePath?.split('/')[1] ?? '';
  const value = sent[name];
  return failure('invalid_request', `${name === '' ? part : name} ${first?.message ?? 'does not fit its schema'}, got ${JSON.stringify(value) ?? 'nothing'}`.slice(0, 500), {
    ...(value === undefined ? {} : { value }),
    ...(first?.params === undefined ? {} : { range: JSON.stringify(first.params).slice(0, 200) }),
  });
}
