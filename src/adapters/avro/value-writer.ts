import { assert } from '../../errors.ts';
import { compileWriter } from './compiled-writer.ts';
import type { Branch, TopicType } from './topic-type.ts';

/** A value to framed Avro bytes: 0, the schema id as int32, the body. Throws on a value that does not fit. */
export type ValueWriter = (value: unknown, kind: string | undefined) => Buffer;

/** Bytes before the body. */
export const FRAME_BYTES = 5;

/** The first bytes that a value may take in the shared scratch buffer, doubled as needed up to 1 MiB. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024);
const MAX_SCRATCH_BYTES = 1024 * 1024;

export function createWriter(type: TopicType, schemaId: number): ValueWriter {
  assert(type.branches.length <= 64, `${type.topic} has at most 64 kinds, so that a branch number is one byte`);
  const compiled = type.branches.map((branch) => compileWriter(branch.type));
  const start = type.union ? FRAME_BYTES + 1 : FRAME_BYTES;
  return (value, kind) => {
    const index = type.union ? type.branches.findIndex((branch) => branch.kind === kind) : 0;
    const branch = branchAt(type, index, kind);
    let buffer = scratch;
    for (let quick = compiled[index] ?? null; ; quick = null) {
      buffer[0] = 0;
      buffer.writeInt32BE(schemaId, 1);
      if (type.union) buffer[FRAME_BYTES] = index << 1;
      if (quick !== null) {
        const end = quick(value, buffer, start);
        if (end >= 0 && end <= buffer.length) return copied(buffer, end);
        // Too large, or not plainly of its type: avsc says by how much, or what is wrong.
        continue;
      }
      const end = write(branch, value, buffer, start, type);
      // Negative = the bytes that were missing.
      if (end >= 0) return copied(buffer, end);
      buffer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(buffer.length - end)));
      if (buffer.length <= MAX_SCRATCH_BYTES) scratch = buffer;
    }
  };
}

/** The first bytes, as a buffer of their own. */
function copied(buffer: Buffer, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end);
  bytes.set(buffer.subarray(0, end));
  return bytes;
}

function write(branch: Branch, value: unknown, buffer: Buffer, position: number, type: TopicType): number {
  try {
    return branch.type.encode(value, buffer, position);
  } catch (error) {
    throw new Error(`Cannot encode ${branch.kind} for ${type.topic}: ${misfitOf(branch, value)}`, { cause: error });
  }
}

/** The branch of a kind; a topic without a union has one, and ignores what it is called. */
export function branchAt(type: TopicType, index: number, kind: string | undefined): Branch {
  const branch = type.branches[index];
  // Each value that is written or read asks: what to say is made up when it must be.
  if (branch === undefined) assert(false, `a value for ${type.topic} has a kind out of ${type.branches.map((known) => known.kind).join(', ')}, got ${kind}`);
  return branch;
}

/** Where a value first departs from its type, for people. */
export function misfitOf(branch: Branch, value: unknown): string {
  let found = 'it does not fit its schema';
  let first = true;
  branch.type.isValid(value, {
    errorHook: (path, item, expected) => {
      if (!first) return;
      first = false;
      found = `${path.join('.')} must be ${expected.typeName}, got ${String(JSON.stringify(item)).slice(0, 100)}`;
    },
  });
  return found;
}
