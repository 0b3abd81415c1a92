import { Type, type TSchema } from 'typebox';
import { describe, expect, test } from 'vitest';
import { validationFailure, validatorCompiler } from '../../../src/gateway/validation.ts';

const query = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })), lat: Type.Number({ minimum: -90, maximum: 90 }), from: Type.Optional(Type.Integer({ minimum: 0 })),
  active: Type.Optional(Type.Boolean()), phase: Type.Optional(Type.Enum(['a', 'b'])), states: Type.Optional(Type.Union([Type.Enum(['x']), Type.Array(Type.Enum(['x']), { maxItems: 2 })])),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 3 })), id: Type.Optional(Type.String({ maxLength: 3 })),
});
const check = validatorCompiler({ schema: query as TSchema, method: 'GET', url: '/', httpPart: 'querystring' }) as (sent: object) => { readonly error?: unknown[] };

describe('a query that does not fit its schema', () => {
  test.each([
    [{ limit: '0' }, 'limit must be a whole number in 1..50, got "0"'],
    [{ limit: 'x' }, 'limit must be a whole number in 1..50, got "x"'],
    [{ limit: '1.5' }, 'limit must be a whole number in 1..50, got "1.5"'],
    [{ limit: 'true' }, 'limit must be a whole number in 1..50, got "true"'],
    [{ from: '-1' }, 'from must be a whole number from 0, got "-1"'],
    [{ lat: '91' }, 'lat must be a number in -90..90, got "91"'],
    [{ lat: undefined }, 'lat must be a number in -90..90, got nothing'],
    [{ active: 'maybe' }, 'active must be true or false, got "maybe"'],
    [{ phase: 'c' }, 'phase must be one of a, b, got "c"'],
    [{ states: ['x', 'y'] }, 'states must be one of x, got an array of 2'],
    [{ name: '' }, 'name must be text of 1..3 characters, got ""'],
    [{ id: 'long' }, 'id must be text of at most 3 characters, got "long"'],
  ])('%j is refused with what was sent and what is allowed', (wrong, message) => {
    const sent = Object.fromEntries(Object.entries({ lat: '1', ...wrong }).filter(([, value]) => value !== undefined));
    const before = structuredClone(sent);
    const { error } = check(sent);
    const { status, body } = validationFailure(error!, before);
    expect({ status, ...body }).toMatchObject({ status: 400, code: 'invalid_request', message, range: message.replace(/^\w+ must be /, '').replace(/, got .*$/, '') });
  });

  test('one that fits is converted', () => {
    const sent = { limit: '7', lat: '-1e1', active: 'true' };
    expect(check(sent)).toMatchObject({ value: { limit: 7, lat: -10, active: true } });
  });
});
