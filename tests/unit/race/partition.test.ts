import { Partitioners } from 'kafkajs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { murmur2, partitionOf, partitionOfKey } from '../../../src/race/partition.ts';

describe('murmur2()', () => {
  // Vectors of Kafka's own UtilsTest.testMurmur2.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('gives what the Java client gives for %s', (text, expected) => {
    expect(murmur2(new TextEncoder().encode(text))).toBe(expected);
  });
});

describe('partitionOf()', () => {
  const partitioner = Partitioners.DefaultPartitioner();
  const kafkajsPartition = (key: Buffer, count: number): number => partitioner({
    topic: 't',
    partitionMetadata: Array.from({ length: count }, (_, partitionId) => ({ partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] })),
    message: { key, value: null },
  });

  test('agrees with the default partitioner of kafkajs for any id', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }), fc.integer({ min: 1, max: 64 }), (id, count) => {
      expect(partitionOf(id, count)).toBe(kafkajsPartition(Buffer.from(id), count));
    }));
  });

  test('agrees for keys of any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      expect(partitionOfKey(bytes, 24)).toBe(kafkajsPartition(Buffer.from(bytes), 24));
    }));
  });
});
