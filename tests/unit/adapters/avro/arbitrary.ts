import type { Type, types } from 'avsc';
import * as fc from 'fast-check';

/** Any value of an Avro type as avsc wants it: unions unwrapped, instants as whole numbers. */
export function valueOf(type: Type): fc.Arbitrary<unknown> {
  switch (type.typeName) {
    case 'null': return fc.constant(null);
    case 'boolean': return fc.boolean();
    case 'int': return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    // avsc stops one short of Number.MAX_SAFE_INTEGER on both sides.
    case 'long': return fc.integer({ min: -(2 ** 53 - 2), max: 2 ** 53 - 2 });
    case 'double': return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    case 'string': return fc.string({ unit: 'grapheme', maxLength: 20 });
    case 'bytes': return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    case 'enum': return fc.constantFrom(...(type as types.EnumType).symbols);
    case 'array': return fc.array(valueOf((type as types.ArrayType).itemsType), { maxLength: 3 });
    case 'map': return fc.dictionary(fc.string({ maxLength: 10 }), valueOf((type as types.MapType).valuesType as Type), { maxKeys: 4, noNullPrototype: true });
    case 'record': return fc.record(Object.fromEntries((type as types.RecordType).fields.map((field) => [field.name, valueOf(field.type)])), { noNullPrototype: true });
    case 'union:unwrapped': return fc.oneof(...(type as types.UnwrappedUnionType).types.map(valueOf));
    default: throw new Error(`No values for ${type.typeName}`);
  }
}
