import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { failure, fieldFailure, type HttpFailure } from './failures.ts';

const patterns = { integer: /^-?\d{1,16}$/, number: /^-?\d{1,20}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/ };

/** Of a schema, what is said to a person who sent something else. */
type Property = {
  readonly type?: string; readonly enum?: readonly unknown[]; readonly anyOf?: readonly Property[]; readonly minimum?: number; readonly maximum?: number; readonly minLength?: number; readonly maxLength?: number;
};
/** A failed check, with the property that failed and what it must be. */
type Refusal = { readonly name: string; readonly range: string };

/**
 * Queries and paths are converted and checked against their schema. Bodies are not: their schema is for readers, and
 * the handlers answer with a code, the value and the range.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = (route) => {
  if (route.httpPart === 'body') return (value: unknown) => ({ value });
  const validate = TypeBoxValidatorCompiler(route as Parameters<typeof TypeBoxValidatorCompiler>[0]);
  const { properties = {} } = route.schema as { readonly properties?: Readonly<Record<string, Property>> };
  const numbers = Object.entries(properties).flatMap(([name, { type }]) => (type === 'integer' || type === 'number' ? [{ name, pattern: patterns[type] }] : []));
  const refused = (name: string) => ({ error: [{ name, range: rangeOf(properties[name] ?? {}) } satisfies Refusal] as never });
  return (value: Readonly<Record<string, unknown>>) => {
    // The conversion would take true for 1.
    const wrong = numbers.find(({ name, pattern }) => value[name] !== undefined && !pattern.test(String(value[name])));
    if (wrong !== undefined) return refused(wrong.name);
    const result = validate(value);
    const first = (result as { readonly error?: readonly SchemaError[] }).error?.[0];
    return first === undefined ? result : refused(first.instancePath?.split('/')[1] ?? first.params?.requiredProperties?.[0] ?? '');
  };
};

type SchemaError = { readonly instancePath?: string; readonly params?: { readonly requiredProperties?: readonly string[] } };

/** What a schema allows, as it goes on from "must be". */
function rangeOf({ type, enum: values, anyOf, minimum, maximum, minLength, maxLength }: Property): string {
  if (anyOf?.[0] !== undefined) return rangeOf(anyOf[0]);
  if (values !== undefined) return `one of ${values.join(', ')}`;
  if (type === 'integer' || type === 'number') return (type === 'integer' ? 'a whole number' : 'a number') + (minimum === undefined ? '' : maximum === undefined ? ` from ${minimum}` : ` in ${minimum}..${maximum}`);
  if (type === 'boolean') return 'true or false';
  return maxLength === undefined ? 'text' : `text of ${minLength === undefined ? 'at most ' : `${minLength}..`}${maxLength} characters`;
}

/** The body as an object, or the answer for one that is none. */
export function objectBody(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  const got = body === null ? 'null' : Array.isArray(body) ? 'an array' : typeof body;
  throw failure('invalid_request', `The body must be a JSON object, got ${got}`);
}

/** What a failed check of a query or path is answered with. */
export function validationFailure(refusals: readonly unknown[], sent: Readonly<Record<string, unknown>>): HttpFailure {
  const { name, range } = refusals[0] as Refusal;
  return fieldFailure(name, sent[name], range);
}
