import { assert, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Codec, SchemaRegistry, SchemaState } from '../../ports/codec.ts';
import type { Logger } from '../../ports/logger.ts';
import type { TopicName } from '../../../topology/topics.ts';
import { decodeJson, encodeJson, looksLikeJson } from './json-values.ts';
import { createReaderCache } from './reader-cache.ts';
import type { ReaderCache } from './reader-cache.ts';
import { loadTopicTypes } from './topic-type.ts';
import type { TopicType } from './topic-type.ts';
import { createWriter, FRAME_BYTES } from './value-writer.ts';
import type { ValueWriter } from './value-writer.ts';

export type CodecOptions = {
  readonly registry: SchemaRegistry;
  /** What eta-updates are written as; both are read, so that the setting can change on a topic with records. */
  readonly etaFormat: 'avro' | 'json';
  /** Put in front of topics in subjects: `raceline.` gives `raceline.race-updates-value`. Default: nothing. */
  readonly topicPrefix?: string;
  /** Decides when an unknown schema id is asked for again. Default: the wall clock. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Writer schemas kept compiled per topic; default 1,000, more than one batch can name. */
  readonly capacity?: number;
};

type TopicCodec = { readonly type: TopicType; readonly readers: ReaderCache; write: ValueWriter | null };

/**
 * Avro in Confluent framing (byte 0, schema id as int32, body) by avsc, and JSON where people write.
 *
 * - Instants come as epoch ms, unions of null and one type unwrapped, absent as null. Records are instances of classes
 *   of avsc with the fields as own properties: they can be spread, compared by field and put into JSON.
 * - Strings in Avro that are no UTF-8 come with U+FFFD in place of the wrong bytes; JSON that is none is undecodable.
 * - dead-letters has no schema: its values pass as they are, kind `bytes`.
 * - `encode` needs `register` first. A field left out gets its schema's default.
 *
 * Throws when a schema file is missing or broken.
 */
export function createCodec(options: CodecOptions): Codec {
  const { registry, etaFormat, topicPrefix = '', clock = { nowMs: Date.now }, logger, capacity = 1_000 } = options;
  const codecs = new Map<TopicName, TopicCodec>();
  for (const [topic, type] of loadTopicTypes()) {
    codecs.set(topic, { type, readers: createReaderCache({ registry, type, clock, logger, capacity }), write: null });
  }

  return {
    async register() {
      for (const [topic, codec] of codecs) {
        const id = await registry.register(`${topicPrefix}${topic}-value`, codec.type.schemaText);
        codec.readers.add(id, codec.type.schemaText);
        codec.write = createWriter(codec.type, id);
      }
    },

    async inspect() {
      const found: { subject: string; state: SchemaState }[] = [];
      for (const [topic, { type }] of codecs) {
        const subject = `${topicPrefix}${topic}-value`;
        found.push({ subject, state: await registry.inspect(subject, type.schemaText) });
      }
      return found;
    },

    async prepare(topic, values) {
      const readers = codecs.get(topic)?.readers;
      if (readers === undefined) return;
      const missing: number[] = [];
      for (const value of values) {
        if (value === null || value.length < FRAME_BYTES || value[0] !== 0) continue;
        const id = value.readInt32BE(1);
        if (readers.isMissing(id)) missing.push(id);
      }
      if (missing.length > 0) await readers.prepare(missing);
    },

    decode(topic, bytes) {
      const codec = codecs.get(topic);
      if (codec === undefined) return { decoded: { kind: 'bytes', value: bytes }, raw: false };
      if (bytes[0] === 0 && bytes.length >= FRAME_BYTES) return decodeAvro(codec, bytes);
      if (looksLikeJson(topic, bytes)) return decodeJson(codec.type, bytes);
      return { error: { code: 'undecodable', message: `Cannot read a value on ${topic}: neither Avro in Confluent framing nor accepted JSON (${describe(bytes)})` } };
    },

    encode(topic, value, kind) {
      const codec = codecs.get(topic);
      if (codec === undefined) {
        assert(Buffer.isBuffer(value), `a value for ${topic} is bytes`);
        return value;
      }
      if (topic === 'eta-updates' && etaFormat === 'json') return encodeJson(codec.type, value);
      assert(codec.write !== null, `the schemas are registered before a value for ${topic} is encoded`);
      return codec.write(value, kind);
    },
  };
}

function decodeAvro({ type, readers }: TopicCodec, bytes: Buffer): ReturnType<Codec['decode']> {
  const id = bytes.readInt32BE(1);
  const reader = readers.find(id);
  if (typeof reader === 'function') {
    try {
      return { decoded: reader(bytes.subarray(FRAME_BYTES)), raw: false };
    } catch (error) {
      return { error: { code: 'undecodable', message: `Cannot read a value of schema ${id} on ${type.topic}: ${messageOf(error)}` } };
    }
  }
  return { error: reader ?? { code: 'unknown_schema', message: `Schema ${id} on ${type.topic} is not known to the registry` } };
}

function describe(bytes: Buffer): string {
  return bytes.length === 0 ? 'no bytes' : `${bytes.length} bytes, the first 0x${bytes.subarray(0, 1).toString('hex')}`;
}
