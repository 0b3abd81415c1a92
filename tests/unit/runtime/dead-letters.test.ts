import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../../src/ports/record-log.ts';
import { MAX_RECORD_BYTES, recordBytes } from '../../../src/race/record-size.ts';
import { deadLetterRecord } from '../../../src/runtime/dead-letters.ts';

const rejection = { code: 'undecodable', message: 'x'.repeat(4_000) } as const;

function record(keyBytes: number, valueBytes: number): LogRecord {
  return { topic: 'race-updates', partition: 3, offset: 7, key: Buffer.alloc(keyBytes, 'k'), value: Buffer.alloc(valueBytes, 'v'), headers: [], appendedAtMs: 0 };
}

describe('deadLetterRecord()', () => {
  it('keeps the bytes of a record as long as they fit beside the headers', () => {
    const letter = deadLetterRecord(record(20, 880_000), rejection);
    expect([letter.key?.length, letter.value?.length]).toEqual([20, 880_000]);
    expect(recordBytes(letter)).toBeLessThan(MAX_RECORD_BYTES);
  });

  it.each([[20, 890_000, 20], [20, 5_000_000, 20], [2_000_000, 10, undefined]])('of a record of %i and %i bytes keeps where it is', (keyBytes, valueBytes, kept) => {
    const letter = deadLetterRecord(record(keyBytes, valueBytes), rejection);
    expect([letter.key?.length, letter.value]).toEqual([kept, null]);
    expect(Object.fromEntries(letter.headers?.map(([name, value]) => [name, value.toString()]) ?? [])).toMatchObject({ topic: 'race-updates', partition: '3', offset: '7', code: 'undecodable', value_omitted: String(valueBytes) });
  });
});
