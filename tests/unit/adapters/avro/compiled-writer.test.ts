import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileWriter } from '../../../../src/adapters/avro/compiled-writer.ts';
import { parseType } from '../../../../src/adapters/avro/guarded-types.ts';
import { loadTopicTypes } from '../../../../src/adapters/avro/topic-type.ts';
import { valueOf } from './arbitrary.ts';

const START = 3;

describe('compileWriter', () => {
  for (const [topic, { branches }] of loadTopicTypes()) {
    for (const { kind, type } of branches) {
      // Its chunks are bytes, of which nothing is gained.
      if (topic === 'model-snapshots') continue;
      it(`writes any ${kind} on ${topic} byte for byte as avsc does`, () => {
        const write = compileWriter(type);
        expect(write).not.toBeNull();
        fc.assert(fc.property(valueOf(type), (value) => {
          const expected = type.toBuffer(value);
          const buffer = Buffer.alloc(START + expected.length + 20, 0xee);
          const end = write!(value, buffer, START);
          expect(end).toBe(START + expected.length);
          expect(buffer.subarray(START, end).equals(expected)).toBe(true);
        }), { numRuns: 60 });
      });
    }
  }

  const field = (type: unknown) => compileWriter(parseType(JSON.stringify({ type: 'record', name: 'One', fields: [{ name: 'a', type }] })))!;
  const buffer = Buffer.alloc(20_000);

  it.each([
    ['long', [undefined, null, 1.5, Number.NaN, 2 ** 53, '1', 1n]],
    ['int', [undefined, 2 ** 31, 0.5, Infinity, '1', true]],
    ['double', [undefined, '1', null]],
    ['string', [undefined, null, 1, Buffer.from('a')]],
    ['boolean', [undefined, null, 0, 'true']],
    [{ type: 'enum', name: 'Color', symbols: ['RED'] }, [undefined, 'BLUE', 'constructor', 0]],
    [{ type: 'array', items: 'string' }, [undefined, null, 'text', {}, ['a', 1]]],
    [{ type: 'map', values: 'long' }, [undefined, null, [1], { a: 'b' }]],
    [['null', 'long'], [undefined, 'text']],
    [{ type: 'record', name: 'Inner', fields: [{ name: 'b', type: 'int' }] }, [undefined, null, 1, {}]],
  ])('leaves to avsc what is no plain %j', (type, values) => {
    for (const a of values) expect(field(type)({ a }, buffer, 0)).toBe(-1);
    for (const value of [undefined, null, 'text', 7]) expect(field(type)(value, buffer, 0)).toBe(-1);
  });

  it('writes texts of every length and script, and whole numbers of every size', () => {
    const text = parseType('{"type":"record","name":"T","fields":[{"name":"a","type":"string"}]}');
    const long = parseType('{"type":"record","name":"L","fields":[{"name":"a","type":"long"}]}');
    for (const [type, values] of [
      [text, ['', 'é', '日本', '😀', 'a'.repeat(63), 'a'.repeat(64), `${'a'.repeat(62)}é`, 'é'.repeat(63), 'a'.repeat(9_000)]],
      [long, Array.from({ length: 53 }, (_, bit) => [2 ** bit, 2 ** bit - 1, -(2 ** bit), -(2 ** bit) - 1]).flat().filter((value) => Math.abs(value) < 2 ** 53 - 1)],
    ] as const) {
      for (const a of values) {
        const end = compileWriter(type)!({ a }, buffer, 0);
        expect(buffer.subarray(0, end).toString('hex')).toBe(type.toBuffer({ a }).toString('hex'));
      }
    }
  });

  it('says how far it would have come where the buffer is too small, and writes not beyond it', () => {
    const whole = Buffer.alloc(100, 0xee);
    const small = whole.subarray(0, 10);
    expect(field({ type: 'array', items: 'string' })({ a: ['abc', 'x'.repeat(70), 'def'] }, small, 0)).toBeGreaterThan(small.length);
    expect(whole.subarray(10).every((byte) => byte === 0xee)).toBe(true);
  });
});
