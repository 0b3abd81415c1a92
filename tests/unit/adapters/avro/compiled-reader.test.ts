import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileReader } from '../../../../src/adapters/avro/compiled-reader.ts';
import { parseType } from '../../../../src/adapters/avro/guarded-types.ts';
import { loadTopicTypes } from '../../../../src/adapters/avro/topic-type.ts';
import { valueOf } from './arbitrary.ts';

/** Quicker to compare than objects field by field; tells -0 from 0 and NaN from null. */
const asText = (value: unknown): string => JSON.stringify(value, (_key, item: unknown) => typeof item === 'number' && (!Number.isFinite(item) || Object.is(item, -0)) ? `number ${Object.is(item, -0) ? '-0' : item}` : item);

/** Whole numbers beyond 2^52 are left to avsc, which is not exact there: no instant is one. */
function isExact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Math.abs(value) < 2 ** 52;
  return typeof value !== 'object' || value === null || Object.values(value).every(isExact);
}

describe('compileReader', () => {
  for (const [topic, { branches }] of loadTopicTypes()) {
    for (const { kind, type } of branches) {
      // Its chunks are bytes, of which nothing is gained.
      if (topic === 'model-snapshots') continue;
      it(`reads any ${kind} on ${topic} as avsc does, and leaves to it what is cut, longer or damaged`, () => {
        const read = compileReader(type);
        expect(read).not.toBeNull();
        fc.assert(fc.property(valueOf(type), fc.nat(100_000), fc.nat(255), (value, at, byte) => {
          const bytes = type.toBuffer(value);
          if (isExact(value)) expect(asText(read!(bytes))).toBe(asText(type.fromBuffer(bytes)));
          expect(read!(bytes.subarray(0, at % bytes.length))).toBeUndefined();
          expect(read!(Buffer.concat([bytes, Buffer.from([byte])]))).toBeUndefined();
          bytes[at % bytes.length] = byte;
          const damaged = read!(bytes);
          // Whatever it takes for a value is one for avsc, and the same.
          if (damaged !== undefined) expect(asText(damaged)).toBe(asText(type.fromBuffer(bytes)));
        }), { numRuns: 60 });
      });
    }
  }

  it('reads whole numbers of every size, and leaves to avsc those that are not exact', () => {
    const long = parseType('{"type":"record","name":"L","fields":[{"name":"a","type":"long"}]}');
    const read = compileReader(long)!;
    const values = Array.from({ length: 53 }, (_, bit) => [2 ** bit, 2 ** bit - 1, -(2 ** bit), -(2 ** bit) - 1]).flat();
    for (const a of values.filter((value) => Math.abs(value) < 2 ** 52)) expect(read(long.toBuffer({ a }))).toEqual({ a });
    for (const bytes of [Buffer.alloc(10, 0xff), Buffer.from('ffffffffffffffffff01', 'hex'), Buffer.from('8080808080808080808001', 'hex')]) expect(read(bytes)).toBeUndefined();
  });

  it('reads short texts again and again, whatever was read in between, in every script and where they are no UTF-8', () => {
    const type = parseType('{"type":"record","name":"T","fields":[{"name":"a","type":"string"}]}');
    const read = compileReader(type)!;
    const texts = ['', 'a', 'é', 'Ã©', 'ÿ', '日本', '😀', ...Array.from({ length: 20_000 }, (_, i) => `${i % 7}-${i}`)];
    for (const a of [...texts, ...texts]) {
      const bytes = type.toBuffer({ a });
      if ((read(bytes) as { a: string }).a !== a) expect(read(bytes)).toEqual({ a });
    }
    for (const bytes of ['02ff', '04c328', '06eda080']) expect(read(Buffer.from(bytes, 'hex'))).toEqual({ ...(type.fromBuffer(Buffer.from(bytes, 'hex')) as object) });
  });

  it('a count that the bytes cannot hold costs nothing', () => {
    const list = compileReader(parseType('{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"array","items":"string"}}]}'))!;
    expect(list(Buffer.from('80808080802000', 'hex'))).toBeUndefined();
    const map = compileReader(parseType('{"type":"record","name":"M","fields":[{"name":"a","type":{"type":"map","values":"string"}}]}'))!;
    expect(map(Buffer.from('feffffff0f00', 'hex'))).toBeUndefined();
  });

  it('leaves a key that would set the prototype to avsc', () => {
    const type = parseType('{"type":"record","name":"P","fields":[{"name":"a","type":{"type":"map","values":"string"}}]}');
    const bytes = type.toBuffer({ a: Object.fromEntries([['__proto__', 'x']]) });
    expect(compileReader(type)!(bytes)).toBeUndefined();
  });
});
