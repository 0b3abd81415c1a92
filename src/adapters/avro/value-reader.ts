import type { Type } from 'avsc';
import { messageOf } from '../../errors.ts';
import type { Decoded } from '../../ports/codec.ts';
import { compileReader as compilePlainReader, type CompiledReader } from './compiled-reader.ts';
import { parseType } from './guarded-types.ts';
import { branchesOf } from './topic-type.ts';
import type { Branch, TopicType } from './topic-type.ts';

/** Avro bytes behind the frame to a value. Throws on bytes that do not fit the schema they claim. */
export type ValueReader = (payload: Buffer) => Decoded;

/** Resolves one written record type into the one that is read; undefined = the same layout, no resolving needed. */
type BranchReader = { readonly kind: string; readonly type: Type; readonly resolver: ReturnType<Type['createResolver']> | undefined; readonly quick: CompiledReader | null };

/**
 * Compiles the way from a writer's schema to what the topic's reader expects: once per pair of schemas, since that
 * costs milliseconds. Fields that the reader does not know are dropped, those the writer did not know get their
 * default, a symbol the reader does not know becomes its enum's default. Throws when the two do not fit.
 */
export function compileReader(writerText: string, reader: TopicType): ValueReader {
  const writer = parseType(writerText);
  if (!reader.union) return plainReader(writer, reader);
  const written = branchesOf(writer);
  const readers = written.branches.map((branch) => branchReader(branch, reader.branches));
  if (!written.union) {
    const only = readers[0];
    if (only === undefined || only === null) throw new Error(`${written.branches[0]?.kind} is none of ${kindsOf(reader)}`);
    return (payload) => read(only, payload);
  }
  if (readers.every((entry) => entry === null)) throw new Error(`None of ${written.branches.map((branch) => branch.kind).join(', ')} is one of ${kindsOf(reader)}`);
  return (payload) => {
    // The number of a branch is a zigzag varint; below 64 branches it is one byte, twice the number.
    const first = payload[0];
    const entry = first === undefined || first >= 0x80 || first % 2 === 1 ? undefined : readers[first >> 1];
    if (entry === undefined) throw new Error(`Branch byte ${first} is not one of ${readers.length} branches`);
    if (entry === null) throw new Error(`${written.branches[(first ?? 0) >> 1]?.kind} is none of ${kindsOf(reader)}`);
    return read(entry, payload.subarray(1));
  };
}

function plainReader(writer: Type, reader: TopicType): ValueReader {
  const branch = reader.branches[0];
  if (branch === undefined) throw new Error(`No record type for ${reader.topic}`);
  const entry = entryOf(branch, writer);
  return (payload) => read(entry, payload);
}

/** null = a kind that this version does not know: the others of the union stay readable. */
function branchReader(written: Branch, known: readonly Branch[]): BranchReader | null {
  const branch = known.find((candidate) => candidate.kind === written.kind);
  return branch === undefined ? null : entryOf(branch, written.type);
}

function entryOf({ kind, type }: Branch, writer: Type): BranchReader {
  const resolver = resolverOf(type, writer);
  return { kind, type, resolver, quick: resolver === undefined ? compilePlainReader(type) : null };
}

function resolverOf(reader: Type, writer: Type): BranchReader['resolver'] {
  try {
    return reader.equals(writer) ? undefined : reader.createResolver(writer);
  } catch (error) {
    throw new Error(`${writer.name ?? writer.typeName} cannot be read as ${reader.name}: ${messageOf(error)}`, { cause: error });
  }
}

function read(entry: BranchReader, payload: Buffer): Decoded {
  const value = entry.quick?.(payload);
  return { kind: entry.kind, value: value === undefined ? entry.type.fromBuffer(payload, entry.resolver) : value };
}

function kindsOf(reader: TopicType): string {
  return reader.branches.map((branch) => branch.kind).join(', ');
}
