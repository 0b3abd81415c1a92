import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { createCodec } from '../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../src/adapters/avro/embedded-registry.ts';
import { loadTopicTypes } from '../../src/adapters/avro/topic-type.ts';
import { rejectionCodes } from '../../src/errors.ts';
import type { Codec } from '../../src/ports/codec.ts';
import { readEvent } from '../../src/race/cdevents.ts';
import { normalizeUpdate } from '../../src/race/normalize.ts';
import type { TopicName } from '../../topology/topics.ts';
import { valueOf } from '../unit/adapters/avro/arbitrary.ts';
import { anyEvent, anyJson } from './arbitrary-updates.ts';
import { FUZZ_TIMEOUT_MS, runsOf } from './runs.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const RUNS = runsOf(3_000);
const types = [...loadTopicTypes().values()];
let codec: Codec;
beforeAll(async () => {
  codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
});

/** Whatever is taken can be written, read again, and is then the same; whatever is not has a code of the table. */
function checkUpdate(raw: unknown): void {
  const result = normalizeUpdate(raw, NOW_MS);
  if ('rejection' in result) {
    expect(rejectionCodes).toHaveProperty(result.rejection.code);
    expect(result.rejection.message.length).toBeLessThan(1_000);
    return;
  }
  const bytes = codec.encode('race-updates', result.update);
  const read = codec.decode('race-updates', bytes);
  if ('error' in read) throw new Error(read.error.message);
  expect(normalizeUpdate(read.decoded.value, NOW_MS)).toEqual(result);
}

test('normalizeUpdate() takes or refuses anything', { timeout: FUZZ_TIMEOUT_MS }, () => {
  let taken = 0;
  fc.assert(fc.property(anyJson, (raw) => {
    if ('update' in normalizeUpdate(raw, NOW_MS)) taken++;
    checkUpdate(raw);
  }), { numRuns: RUNS });
  expect(taken).toBeGreaterThan(RUNS / 50);
});

test('CDEvents and CloudEvents are read or refused, whatever they hold', { timeout: FUZZ_TIMEOUT_MS }, () => {
  let read = 0;
  fc.assert(fc.property(anyEvent, (event) => {
    const result = readEvent(event);
    if ('rejection' in result) expect(rejectionCodes).toHaveProperty(result.rejection.code);
    else {
      read++;
      checkUpdate(result.update);
    }
    const decoded = codec.decode('race-updates', Buffer.from(JSON.stringify(event)));
    if ('error' in decoded) expect(decoded.error.code).toBe('undecodable');
  }), { numRuns: RUNS });
  expect(read).toBeGreaterThan(RUNS / 50);
});

test('bytes of any topic are decoded or refused, whatever they are', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const ids: [TopicName, number][] = [];
  for (const { topic, schemaText } of types) ids.push([topic, await embeddedRegistry().register(`${topic}-value`, schemaText)]);
  const frame = (id: number): Buffer => {
    const head = Buffer.alloc(5);
    head.writeInt32BE(id, 1);
    return head;
  };
  const bytes = fc.uint8Array({ maxLength: 200 }).map((part) => Buffer.from(part));
  const random = fc.tuple(fc.constantFrom(...ids), bytes).map(([[topic, id], body]) => ({ topic, value: Buffer.concat([frame(id), body]) }));
  const foreign = fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...ids), bytes).map(([[topic], [, id], body]) => ({ topic, value: Buffer.concat([frame(id), body]) }));
  const unframed = fc.tuple(fc.constantFrom(...ids), bytes).map(([[topic], value]) => ({ topic, value }));
  // A good value with some bytes changed, or cut: the deepest way in.
  const bent = fc.constantFrom(...types).chain((type) => {
    const branch = type.branches[0]!;
    return fc.tuple(valueOf(branch.type), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.option(fc.nat())).map(([value, changes, cut]) => {
      const good = codec.encode(type.topic, value, branch.kind);
      for (const [at, byte] of changes) good[5 + (at % Math.max(1, good.length - 5))] = byte;
      return { topic: type.topic, value: cut === null ? good : good.subarray(0, cut % (good.length + 1)) };
    });
  });
  let decoded = 0;
  fc.assert(fc.property(fc.oneof(bent, random, foreign, unframed), ({ topic, value }) => {
    const result = codec.decode(topic, value);
    if ('error' in result) {
      expect(['undecodable', 'unknown_schema']).toContain(result.error.code);
      return;
    }
    decoded++;
    if (topic === 'race-updates') checkUpdate(result.decoded.value);
  }), { numRuns: RUNS });
  expect(decoded).toBeGreaterThan(RUNS / 100);
});
