import { isUtf8 } from 'node:buffer';
import { messageOf } from '../../errors.ts';
import type { Decoded, Undecodable } from '../../ports/codec.ts';
import { isEvent, readEvent } from '../../race/cdevents.ts';
import type { TopicName } from '../../../topology/topics.ts';
import { branchAt, misfitOf } from './value-writer.ts';
import type { TopicType } from './topic-type.ts';

type Result = { readonly decoded: Decoded; readonly raw: boolean } | { readonly error: Undecodable };

/** Topics that people and foreign producers write, and eta-updates, which a setting may turn to JSON and back. */
const jsonTopics: ReadonlySet<TopicName> = new Set(['race-updates', 'telemetry', 'routes', 'eta-updates']);

/** Levels of objects and arrays in a value: the schemas have 4, a CDEvent in a CloudEvent 7. Deeper is an attack on recursion. */
const MAX_DEPTH = 32;

/** JSON text: the first byte that is no space is `{`, and the topic takes JSON. */
export function looksLikeJson(topic: TopicName, bytes: Buffer): boolean {
  if (!jsonTopics.has(topic)) return false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
    return byte === 0x7b;
  }
  return false;
}

/**
 * A JSON object as a value whose fields are not yet checked, but for eta-updates, which nobody normalizes: those are
 * checked here, and fields that their writer did not know get their default. Never throws.
 */
export function decodeJson(type: TopicType, bytes: Buffer): Result {
  if (!isUtf8(bytes)) return undecodable(type, 'the bytes are no UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    return undecodable(type, messageOf(error));
  }
  if (!isRecord(value)) return undecodable(type, 'it is not an object');
  if (isDeeper(value, MAX_DEPTH)) return undecodable(type, `it is nested deeper than ${MAX_DEPTH} levels`);
  const branch = branchAt(type, 0, undefined);
  if (type.topic === 'race-updates' && isEvent(value)) {
    const result = readEvent(value);
    return 'update' in result ? raw(branch.kind, result.update) : { error: { code: 'undecodable', message: result.rejection.message } };
  }
  if (type.topic !== 'eta-updates') return raw(branch.kind, value);
  try {
    return raw(branch.kind, branch.type.clone(value));
  } catch {
    return undecodable(type, misfitOf(branch, value));
  }
}

/** The same field names as in Avro, instants as epoch ms. Throws on a value that does not fit. */
export function encodeJson(type: TopicType, value: unknown): Buffer {
  const branch = branchAt(type, 0, undefined);
  if (!branch.type.isValid(value)) throw new Error(`Cannot encode ${branch.kind} for ${type.topic}: ${misfitOf(branch, value)}`);
  return Buffer.from(JSON.stringify(value));
}

function raw(kind: string, value: unknown): Result {
  return { decoded: { kind, value }, raw: true };
}

function undecodable(type: TopicType, why: string): Result {
  return { error: { code: 'undecodable', message: `Cannot read JSON on ${type.topic}: ${why}` } };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) {
    if (isDeeper((value as Readonly<Record<string, unknown>>)[key], levels - 1)) return true;
  }
  return false;
}
