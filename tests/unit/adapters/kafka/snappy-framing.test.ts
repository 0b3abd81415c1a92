import { compressSync } from 'snappy';
import { describe, expect, it } from 'vitest';
import { decodeSnappy } from '../../../../src/adapters/kafka/snappy-framing.ts';

const text = Buffer.from('the same again and again; '.repeat(50));

/** As snappy-java writes a stream. */
function framed(blocks: readonly Buffer[]): Buffer {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  return Buffer.concat([header, ...blocks.flatMap((block) => {
    const bytes = Buffer.from(compressSync(block));
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return [length, bytes];
  })]);
}

describe('decodeSnappy()', () => {
  it('reads one raw block', () => {
    expect(decodeSnappy(Buffer.from(compressSync(text)))).toEqual(text);
  });

  it('reads the blocks of a Java client', () => {
    expect(decodeSnappy(framed([text, Buffer.from('and an end')]))).toEqual(Buffer.concat([text, Buffer.from('and an end')]));
  });

  it('reads a stream without blocks as nothing', () => {
    expect(decodeSnappy(framed([]))).toEqual(Buffer.alloc(0));
  });

  it('refuses a block that is cut off, and bytes that are no snappy', () => {
    const whole = framed([text]);
    expect(() => decodeSnappy(whole.subarray(0, whole.length - 1))).toThrow(/outside of/);
    expect(() => decodeSnappy(Buffer.from('no snappy at all, that is for sure'))).toThrow();
  });
});
