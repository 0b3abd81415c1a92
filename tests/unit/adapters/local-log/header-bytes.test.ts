import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeHeaders, encodeHeaders } from '../../../../src/adapters/local-log/header-bytes.ts';

it('decodeHeaders() gives back what encodeHeaders() took', () => {
  const header = fc.tuple(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)));
  fc.assert(fc.property(fc.array(header, { maxLength: 10 }), (headers) => {
    expect(decodeHeaders(encodeHeaders(headers))).toEqual(headers);
  }));
});

it('encodeHeaders() spends nothing on no headers', () => {
  expect(encodeHeaders([])).toBeNull();
  expect(encodeHeaders(undefined)).toBeNull();
  expect(decodeHeaders(null)).toEqual([]);
});
