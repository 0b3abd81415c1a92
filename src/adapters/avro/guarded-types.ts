import avro from 'avsc';
import type { Type } from 'avsc';

// oxlint-disable no-underscore-dangle -- these are avsc's names
// What avsc 5.7.9 surprised us with: it reads past the end of a buffer without failing and checks only at the end.
// An array or map that claims 2^40 items is therefore read for hours, and an array fills the memory while it does.
// Every item of a schema that is read here takes at least one byte, so a count above the bytes left is a lie.

/** The cursor that avsc hands to `_read` and `_skip`. */
type Tap = { readonly buf: Buffer; pos: number; readLong(): number; readString(): string; skipString(): void; skipLong(): void };
type Readable = { _read(tap: Tap): unknown; _skip(tap: Tap): void };

/** Items of the next block, 0 at the end. Throws on a count that the bytes left cannot hold. */
function readCount(tap: Tap): number {
  let count = tap.readLong();
  if (count < 0) {
    count = -count;
    tap.skipLong();
  }
  if (count > tap.buf.length - tap.pos) throw new Error(`${count} items claimed, ${Math.max(0, tap.buf.length - tap.pos)} bytes left`);
  return count;
}

/** Goes over the blocks of an array or map; a block that says its size is jumped over, never backwards. */
function skipBlocks(tap: Tap, skipItem: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      const size = tap.readLong();
      if (size < 0) throw new Error(`a block of ${size} bytes`);
      tap.pos += size;
    } else {
      if (count > tap.buf.length - tap.pos) throw new Error(`${count} items claimed, ${Math.max(0, tap.buf.length - tap.pos)} bytes left`);
      for (let i = 0; i < count; i += 1) skipItem();
    }
  }
}

class GuardedArray extends avro.types.ArrayType {
  _read(tap: Tap): unknown[] {
    const items = this.itemsType as unknown as Readable;
    const values: unknown[] = [];
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      for (let i = 0; i < count; i += 1) values.push(items._read(tap));
    }
    return values;
  }

  _skip(tap: Tap): void {
    const items = this.itemsType as unknown as Readable;
    skipBlocks(tap, () => items._skip(tap));
  }
}

class GuardedMap extends avro.types.MapType {
  _read(tap: Tap): Record<string, unknown> {
    const type = this.valuesType as unknown as Readable;
    const values: Record<string, unknown> = {};
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      for (let i = 0; i < count; i += 1) {
        const key = tap.readString();
        // An assignment to this one name would set the prototype instead of a key.
        if (key === '__proto__') Object.defineProperty(values, key, { value: type._read(tap), enumerable: true, writable: true, configurable: true });
        else values[key] = type._read(tap);
      }
    }
    return values;
  }

  _skip(tap: Tap): void {
    const type = this.valuesType as unknown as Readable;
    skipBlocks(tap, () => {
      tap.skipString();
      type._skip(tap);
    });
  }
}

type HookOptions = Parameters<NonNullable<NonNullable<Parameters<typeof avro.Type.forSchema>[1]>['typeHook']>>[1];

/** @param schema of any JSON shape; of interest are `{type: 'array'}` and `{type: 'map'}`. */
function guardCollections(schema: unknown, options: HookOptions): Type | undefined {
  if (typeof schema !== 'object' || schema === null || !('type' in schema)) return undefined;
  if (schema.type === 'array') return new GuardedArray(schema as never, options);
  if (schema.type === 'map') return new GuardedMap(schema as never, options);
  return undefined;
}

/**
 * An Avro schema as JSON text to a type that can read hostile bytes: whatever they hold, reading ends in time and
 * memory proportional to their length, with a value or an error. Unions of types that JavaScript can tell apart (null
 * and one other) are read unwrapped. Throws on a schema that is not one. Cost: about a millisecond.
 */
export function parseType(schemaText: string): Type {
  return avro.Type.forSchema(JSON.parse(schemaText) as never, { typeHook: guardCollections as never, omitRecordMethods: true });
}
