import avro from 'avsc';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createCodec } from '../../../../src/adapters/avro/codec.ts';
import type { CodecOptions } from '../../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../../src/adapters/avro/embedded-registry.ts';
import { loadTopicTypes } from '../../../../src/adapters/avro/topic-type.ts';
import { AppError } from '../../../../src/errors.ts';
import type { Codec, SchemaRegistry } from '../../../../src/ports/codec.ts';
import { emptyUpdate } from '../../../../src/race/update.ts';
import registry from '../../../../schemas/registry.json' with { type: 'json' };
import type { TopicName } from '../../../../topology/topics.ts';
import { valueOf } from './arbitrary.ts';

const AT = 1_760_000_000_000;
/** Of the newest schema of updates. */
const UPDATE_ID = registry.findLast(({ schema }) => schema === 'race-update')!.id;
const types = loadTopicTypes();
const update = {
  ...emptyUpdate('r1', 'ci', AT), title: 'Build', state: 'running' as const, metadata: { branch: 'main', gone: null },
  stage: { name: 'test', state: 'running' as const, seq: null, started_at: AT, completed_at: null, planned_sec: 1.5 },
};
const partitionState = {
  partition: 1, epoch: 1, applied_offset: 2 ** 40, history_index: 0, read: 6, applied: 1, late: 1, duplicate: 1, forgotten: 1, rejected: 1, rerouted: 1, skipped: 0, at: AT,
};
const eta = {
  race_id: 'r1', source: 'ci', title: 'Build', revision: 1, issued_at: AT, event_at: AT, state: 'running', attempt: 1, first_offset: 0, queued_at: null, started_at: AT, completed_at: null,
  eta_sec: 60, remaining_sec: 30.5, finish_at: AT + 60_000, p10_sec: 50, p50_sec: 60, p90_sec: 90, confidence: 0.7, deadline_at: null, deadline_probability: null,
  basis: 'key', reason: 'progress', model_version: '3', cluster_id: null, previous_eta_sec: null, display: { finish_at: AT + 60_000, state: 'stable' }, progress: null,
  milestones: [{ name: 'test', kind: 'stage', state: 'pending', eta_at: AT, p10_at: null, p90_at: null, passed_at: null, distance_m: null, eta_type: null }],
  milestones_dropped: 0,
  eta_revisions: [], metadata: { branch: 'main' }, deeplink: null, update_interval_hint_sec: null,
};

let codec: Codec;
beforeAll(async () => {
  codec = await registered({});
});

describe('encode() and decode()', () => {
  for (const [topic, type] of types) {
    for (const branch of type.branches) {
      it(`gives back any ${branch.kind} on ${topic}`, () => {
        fc.assert(fc.property(valueOf(branch.type), (value) => {
          const result = codec.decode(topic, codec.encode(topic, value, branch.kind));
          if (!('decoded' in result)) throw new Error(result.error.message);
          expect(result.raw).toBe(false);
          expect(result.decoded.kind).toBe(branch.kind);
          expect(branch.type.toBuffer(result.decoded.value).equals(branch.type.toBuffer(value))).toBe(true);
        }), { numRuns: 40 });
      });
    }
  }

  it('frames as Confluent does: byte 0, the id as a big-endian int32, the plain Avro body', () => {
    const bytes = codec.encode('race-updates', update);
    const type = types.get('race-updates')?.branches[0]?.type;
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, UPDATE_ID]);
    expect(type?.fromBuffer(bytes.subarray(5))).toEqual(update);
  });

  it('writes a union as any other Avro library does', () => {
    const bytes = codec.encode('race-states', partitionState, 'PartitionState');
    const bare = avro.Type.forSchema(JSON.parse(types.get('race-states')?.schemaText ?? '') as never);
    expect(bare.fromBuffer(bytes.subarray(5))).toEqual({ 'raceline.PartitionState': partitionState });
  });

  it('gives records that can be spread, with null for what is absent and nullable types unwrapped', () => {
    const { value } = decoded(codec.decode('race-updates', codec.encode('race-updates', { race_id: 'r1', source: 'ci', at: AT, state: 'queued' })));
    expect({ ...value as object }).toEqual({ ...emptyUpdate('r1', 'ci', AT), state: 'queued' });
  });

  it('grows for a large value and is right again for the next small one', () => {
    const large = { ...update, title: 'é'.repeat(700_000) };
    expect(decoded(codec.decode('race-updates', codec.encode('race-updates', large))).value).toEqual(large);
    expect(decoded(codec.decode('race-updates', codec.encode('race-updates', update))).value).toEqual(update);
  });

  it('gives each encoding bytes of its own', () => {
    const first = codec.encode('race-updates', update);
    const copy = Buffer.from(first);
    codec.encode('race-updates', { ...update, race_id: 'another' });
    expect(first.equals(copy)).toBe(true);
  });

  it('throws on a value that does not fit, saying where', () => {
    expect(() => codec.encode('race-updates', { ...update, stage: { ...update.stage, name: 7 } })).toThrow('Cannot encode RaceUpdate for race-updates: stage');
    expect(() => codec.encode('race-states', partitionState)).toThrow('has a kind out of RaceState, PartitionState, got undefined');
  });

  it('passes dead letters as they are', () => {
    const bytes = Buffer.from([1, 2, 3]);
    expect(codec.decode('dead-letters', codec.encode('dead-letters', bytes))).toEqual({ decoded: { kind: 'bytes', value: bytes }, raw: false });
  });

  it('refuses to encode before the schemas are registered', () => {
    expect(() => createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' }).encode('race-updates', update)).toThrow('the schemas are registered before');
  });

  it('keeps a map key that would set the prototype', () => {
    const value = { ...update, metadata: Object.fromEntries([['__proto__', 'x'], ['a', 'b']]) };
    const metadata = (decoded(codec.decode('race-updates', codec.encode('race-updates', value))).value as typeof value).metadata;
    expect(Object.entries(metadata)).toEqual([['__proto__', 'x'], ['a', 'b']]);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });
});

describe('JSON', () => {
  it.each(['race-updates', 'telemetry', 'routes'] as const)('is recognised on %s behind space, and is raw', (topic) => {
    expect(codec.decode(topic, Buffer.from(' \r\n\t{"race_id":"r1","unknown":1}'))).toEqual({
      decoded: { kind: types.get(topic)?.branches[0]?.kind, value: { race_id: 'r1', unknown: 1 } }, raw: true,
    });
  });

  it.each(['race-states', 'race-history', 'model-snapshots'] as const)('is not taken on %s, which only this program writes', (topic) => {
    expect(errorOf(codec.decode(topic, Buffer.from('{}')))).toBe('undecodable');
  });

  it('carries eta-updates under the same names, and both formats are read', async () => {
    const json = await registered({ etaFormat: 'json' });
    const bytes = json.encode('eta-updates', eta);
    expect(JSON.parse(bytes.toString())).toEqual(eta);
    for (const reader of [codec, json]) {
      expect(reader.decode('eta-updates', bytes)).toEqual({ decoded: { kind: 'EtaUpdate', value: eta }, raw: true });
      expect(reader.decode('eta-updates', codec.encode('eta-updates', eta))).toEqual({ decoded: { kind: 'EtaUpdate', value: eta }, raw: false });
    }
    expect(() => json.encode('eta-updates', { ...eta, confidence: 'high' })).toThrow('confidence must be double, got "high"');
  });

  it('fills in what an older writer of eta-updates left out, drops what it does not know, and refuses a wrong type', () => {
    const older = { ...eta, milestones: undefined, deeplink: undefined, later: 1 };
    const { value } = decoded(codec.decode('eta-updates', Buffer.from(JSON.stringify(older))));
    expect(value).toEqual({ ...eta, milestones: [] });
    expect(errorOf(codec.decode('eta-updates', Buffer.from(JSON.stringify({ ...eta, confidence: null }))))).toBe('undecodable');
  });

  it('unwraps a CDEvent on race-updates alone', () => {
    const event = { context: { type: 'dev.cdevents.pipelinerun.started.0.2.0', source: 'tekton', timestamp: '2026-01-01T00:00:00Z' }, subject: { id: 'p1', content: {} } };
    expect(decoded(codec.decode('race-updates', Buffer.from(JSON.stringify(event)))).value).toMatchObject({ race_id: 'p1', state: 'running' });
    expect(decoded(codec.decode('telemetry', Buffer.from(JSON.stringify(event)))).value).toEqual(event);
    expect(errorOf(codec.decode('race-updates', Buffer.from('{"specversion":"1.0","data":7}')))).toBe('undecodable');
  });
});

describe('poison', () => {
  const framed = (...body: number[]): Buffer => Buffer.from([0, 0, 0, 0, UPDATE_ID, ...body]);

  it.each<[string, () => Buffer]>([
    ['no bytes', () => Buffer.alloc(0)],
    ['the magic byte alone', () => Buffer.from([0])],
    ['a frame without a body', () => framed()],
    ['another magic byte', () => Buffer.concat([Buffer.from([1]), codec.encode('race-updates', update).subarray(1)])],
    ['a truncated body', () => codec.encode('race-updates', update).subarray(0, -1)],
    ['trailing bytes', () => Buffer.concat([codec.encode('race-updates', update), Buffer.from([0])])],
    ['JSON that ends early', () => Buffer.from('{"race_id":')],
    ['JSON that is no UTF-8', () => Buffer.concat([Buffer.from('{"race_id":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
    ['JSON 100,000 levels deep', () => Buffer.from(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    ['a JSON array', () => Buffer.from('[{}]')],
    ['a long above 2^53', () => framed(2, 0x61, 2, 0x61, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    ['an index that no union has', () => framed(2, 0x61, 2, 0x61, 0, 8)],
    ['a string of negative length', () => framed(1, 1, 1, 1)],
  ])('%s is undecodable', (_, bytes) => {
    expect(errorOf(codec.decode('race-updates', bytes()))).toBe('undecodable');
  });

  it('a map that claims 2^40 entries costs no time', () => {
    const head = [2, 0x61, 2, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (const count of [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 2]]) {
      const result = codec.decode('race-updates', framed(...head, 2, ...count));
      expect('error' in result ? result.error.message : '').toMatch(/items claimed, 0 bytes left/);
    }
  });

  it('an array that claims more items than there are bytes costs no memory', () => {
    const head = [2, 0x61, 2, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const result = codec.decode('race-updates', framed(...head, 2, 0xfe, 0xff, 0xff, 0xff, 0x0f));
    expect('error' in result ? result.error.message : '').toMatch(/items claimed, 0 bytes left/);
  });

  it('any bytes on any topic are a value or an error, never a throw', () => {
    const topics = [...types.keys()];
    const anyBytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(fc.property(fc.constantFrom(...topics), fc.integer({ min: 0, max: 12 }), anyBytes, fc.boolean(), (topic, id, body, frame) => {
      const bytes = frame ? Buffer.concat([Buffer.from([0, 0, 0, 0, id]), body]) : Buffer.from(body);
      const result = codec.decode(topic, bytes);
      expect('error' in result || 'decoded' in result).toBe(true);
    }), { numRuns: 3_000 });
  });

  it('a good record with any byte changed is a value or an error, never a throw', () => {
    const records: readonly [TopicName, Buffer][] = [
      ['race-updates', codec.encode('race-updates', update)], ['eta-updates', codec.encode('eta-updates', eta)],
      ['race-states', codec.encode('race-states', partitionState, 'PartitionState')],
    ];
    for (const [topic, good] of records) {
      for (let at = 5; at < good.length; at += 1) {
        for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
          const bytes = Buffer.from(good);
          bytes[at] = byte;
          expect(() => codec.decode(topic, bytes)).not.toThrow();
        }
      }
    }
  });
});

describe('prepare()', () => {
  it('asks for an id once, however many batches want it at once', async () => {
    const asked: number[] = [];
    const reader = createCodec({ registry: counting(asked), etaFormat: 'avro' });
    const bytes = codec.encode('race-updates', update);
    await Promise.all([1, 2, 3].map(() => reader.prepare('race-updates', [bytes, null, bytes])));
    await reader.prepare('race-updates', [bytes]);
    expect(asked).toEqual([UPDATE_ID]);
    expect(decoded(reader.decode('race-updates', bytes)).value).toEqual(update);
  });

  it('asks for nothing when the records are of the own schema, JSON, tombstones or too short', async () => {
    const asked: number[] = [];
    const reader = createCodec({ registry: counting(asked), etaFormat: 'avro' });
    await reader.register();
    await reader.prepare('race-updates', [codec.encode('race-updates', update), null, Buffer.from('{}'), Buffer.from([0, 0])]);
    await reader.prepare('dead-letters', [Buffer.from([0, 0, 0, 0, 99])]);
    expect(asked).toEqual([]);
  });

  it('remembers an unknown id for half a minute, then asks again', async () => {
    const asked: number[] = [];
    let nowMs = AT;
    const reader = createCodec({ registry: counting(asked), etaFormat: 'avro', clock: { nowMs: () => nowMs } });
    const bytes = Buffer.from([0, 0, 0, 0, 99, 1]);
    await reader.prepare('race-updates', [bytes]);
    expect(reader.decode('race-updates', bytes)).toMatchObject({ error: { code: 'unknown_schema' } });
    nowMs += 23_999;
    await reader.prepare('race-updates', [bytes]);
    expect(asked).toEqual([99]);
    nowMs += 12_001;
    expect(errorOf(reader.decode('race-updates', bytes))).toBe('unknown_schema');
    await reader.prepare('race-updates', [bytes]);
    expect(asked).toEqual([99, 99]);
  });

  it('never asks for an id that cannot be one', async () => {
    const asked: number[] = [];
    const reader = createCodec({ registry: counting(asked), etaFormat: 'avro' });
    const values = [Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]), Buffer.from([0, 0, 0, 0, 0, 1])];
    await reader.prepare('race-updates', values);
    expect(asked).toEqual([]);
    expect(values.map((bytes) => errorOf(reader.decode('race-updates', bytes)))).toEqual(['unknown_schema', 'unknown_schema']);
  });

  it.each([new AppError('registry_unavailable', 'down'), new Error('status 400: socket hang up')])('rejects with registry_unavailable when the registry is down, and works when it is back (%s)', async (failure) => {
    let down = true;
    const real = embeddedRegistry();
    const registry: SchemaRegistry = { ...real, schemaById: (id) => (down ? Promise.reject(failure) : real.schemaById(id)) };
    const reader = createCodec({ registry, etaFormat: 'avro' });
    const bytes = codec.encode('race-updates', update);
    await expect(reader.prepare('race-updates', [bytes])).rejects.toMatchObject({ code: 'registry_unavailable' });
    down = false;
    await reader.prepare('race-updates', [bytes]);
    expect(decoded(reader.decode('race-updates', bytes)).value).toEqual(update);
  });

  it('goes on reading known schemas while the registry is down', async () => {
    const real = embeddedRegistry();
    let down = false;
    const reader = createCodec({ registry: { ...real, schemaById: (id) => (down ? Promise.reject(new Error('down')) : real.schemaById(id)) }, etaFormat: 'avro' });
    const bytes = codec.encode('race-updates', update);
    await reader.prepare('race-updates', [bytes]);
    down = true;
    await reader.prepare('race-updates', [bytes, bytes]);
    expect(decoded(reader.decode('race-updates', bytes)).value).toEqual(update);
  });

  it('keeps at most its capacity, and drops the longest unused', async () => {
    const asked: number[] = [];
    const text = types.get('race-updates')?.schemaText ?? '';
    const reader = createCodec({ registry: { register: async () => 1, inspect: async () => 'registered' as const, schemaById: async (id) => { asked.push(id); return text; } }, etaFormat: 'avro', capacity: 2 });
    const of = (id: number): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), codec.encode('race-updates', update).subarray(5)]);
    for (const id of [1, 2]) await reader.prepare('race-updates', [of(id)]);
    reader.decode('race-updates', of(1));
    await reader.prepare('race-updates', [of(3)]);
    expect([1, 2, 3].map((id) => errorOf(reader.decode('race-updates', of(id))))).toEqual([null, 'unknown_schema', null]);
    await reader.prepare('race-updates', [of(1), of(2), of(3)]);
    expect(asked).toEqual([1, 2, 3, 2]);
  });
});

describe('schemas of other writers', () => {
  const written = async (writer: object, value: unknown): Promise<ReturnType<Codec['decode']>> => {
    const text = JSON.stringify(writer);
    const reader = createCodec({ registry: { register: async () => 1, inspect: async () => 'registered' as const, schemaById: async () => text }, etaFormat: 'avro' });
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), avro.Type.forSchema(writer as never).toBuffer(value)]);
    await reader.prepare('race-updates', [bytes]);
    return reader.decode('race-updates', bytes);
  };
  const fields = [{ name: 'race_id', type: 'string' }, { name: 'source', type: 'string' }, { name: 'at', type: 'long' }];
  const own = { type: 'record', name: 'RaceUpdate', namespace: 'raceline' };

  it('an older one, without the later fields, is read with their defaults', async () => {
    expect(decoded(await written({ ...own, fields }, { race_id: 'r1', source: 'ci', at: AT })).value).toEqual(emptyUpdate('r1', 'ci', AT));
  });

  it('a newer one is read without what it added, and its new value of an enum as the default', async () => {
    const state = { name: 'state', type: ['null', { type: 'enum', name: 'ReportedState', symbols: ['queued', 'paused'] }] };
    const added = { name: 'added', type: { type: 'array', items: { type: 'map', values: 'string' } } };
    const value = { race_id: 'r1', source: 'ci', at: AT, added: [{ a: 'b' }, {}], state: 'paused' };
    expect(decoded(await written({ ...own, fields: [...fields, added, state] }, value)).value).toEqual({ ...emptyUpdate('r1', 'ci', AT), state: 'running' });
  });

  it('one that does not fit makes its records undecodable, saying why', async () => {
    const result = await written({ type: 'record', name: 'Order', fields }, { race_id: 'r1', source: 'ci', at: AT });
    expect(result).toMatchObject({ error: { code: 'undecodable' } });
    expect('error' in result ? result.error.message : '').toContain('Order cannot be read as raceline.RaceUpdate');
  });

  it('one that is no Avro schema makes its records undecodable', async () => {
    const reader = createCodec({ registry: { register: async () => 1, inspect: async () => 'registered' as const, schemaById: async () => 'syntax = "proto3";' }, etaFormat: 'avro' });
    const bytes = Buffer.from([0, 0, 0, 0, 9, 0]);
    await reader.prepare('race-updates', [bytes]);
    expect(errorOf(reader.decode('race-updates', bytes))).toBe('undecodable');
  });

  it('a skipped array cannot send the reader backwards or through 2^40 items', async () => {
    const text = JSON.stringify({ ...own, fields: [...fields, { name: 'added', type: { type: 'array', items: 'int' } }] });
    const reader = createCodec({ registry: { register: async () => 1, inspect: async () => 'registered' as const, schemaById: async () => text }, etaFormat: 'avro' });
    const head = [0, 0, 0, 0, 9, 2, 0x61, 2, 0x61, 0];
    for (const blocks of [[1, 3], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]]) {
      const bytes = Buffer.from([...head, ...blocks]);
      await reader.prepare('race-updates', [bytes]);
      expect(errorOf(reader.decode('race-updates', bytes))).toBe('undecodable');
    }
  });

  it('a kind that a union of this version does not have leaves the other kinds readable', async () => {
    const union = JSON.parse(types.get('race-states')?.schemaText ?? '') as object[];
    const writer = [{ type: 'record', name: 'Later', namespace: 'raceline', fields: [{ name: 'a', type: 'int' }] }, ...union];
    const reader = createCodec({ registry: { register: async () => 1, inspect: async () => 'registered' as const, schemaById: async () => JSON.stringify(writer) }, etaFormat: 'avro' });
    const type = avro.Type.forSchema(writer as never);
    const [later, known] = [{ 'raceline.Later': { a: 1 } }, { 'raceline.PartitionState': partitionState }].map((value) => Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), type.toBuffer(value)]));
    if (later === undefined || known === undefined) throw new Error('unreachable');
    await reader.prepare('race-states', [later, known]);
    expect(reader.decode('race-states', later)).toMatchObject({ error: { message: expect.stringContaining('Later is none of RaceState, PartitionState') as string } });
    expect(decoded(reader.decode('race-states', known))).toEqual({ kind: 'PartitionState', value: partitionState });
  });
});

describe('register()', () => {
  it('registers every topic under its prefixed subject', async () => {
    const subjects: string[] = [];
    const real = embeddedRegistry();
    const registry: SchemaRegistry = { ...real, register: (subject, schema) => { subjects.push(subject); return real.register(subject, schema); } };
    await createCodec({ registry, etaFormat: 'avro', topicPrefix: 'raceline.' }).register();
    expect(subjects).toEqual([...types.keys()].map((topic) => `raceline.${topic}-value`));
  });
});

async function registered(options: Partial<CodecOptions>): Promise<Codec> {
  const made = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro', ...options });
  await made.register();
  return made;
}

/** The embedded registry, which also writes down what it is asked for. */
function counting(asked: number[]): SchemaRegistry {
  const real = embeddedRegistry();
  return { ...real, schemaById: (id) => { asked.push(id); return real.schemaById(id); } };
}

function decoded(result: ReturnType<Codec['decode']>): { readonly kind: string; readonly value: unknown } {
  if ('error' in result) throw new Error(result.error.message);
  return { kind: result.decoded.kind, value: { ...result.decoded.value as object } };
}

function errorOf(result: ReturnType<Codec['decode']>): string | null {
  return 'error' in result ? result.error.code : null;
}
