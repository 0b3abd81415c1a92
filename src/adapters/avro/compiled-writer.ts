import avro from 'avsc';
import type { Type } from 'avsc';
import { isLittleEndian, nullableOf } from './compiled-types.ts';

/**
 * Writes a value into the buffer from a position on and returns the one behind it; -1 for a value that is not plainly of
 * its type, which avsc then judges. A position beyond the buffer's end means that it is too small.
 */
export type CompiledWriter = (value: unknown, buffer: Buffer, position: number) => number;

const MAX_LONG = 9_007_199_254_740_990;
/** Up to here copying characters costs less than a call into Node. */
const SHORT_TEXT = 63;

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

/**
 * JavaScript made for one record type, several times as fast as avsc's walk through its types: the changelog and the
 * revisions were a fifth of what an update cost beside its forecast. null = the schema has something that is not compiled
 * (bytes, fixed, unions but of null and one other, recursion) or the machine is big-endian: avsc writes it all.
 */
export function compileWriter(type: Type): CompiledWriter | null {
  return isLittleEndian ? new Compilation().recordWriter(type) : null;
}

type Place = { readonly value: string; readonly depth: number };

/** Names in the code are made here; the only ones from outside are field names, which Avro restricts to [A-Za-z0-9_]. */
class Compilation {
  readonly #functions: string[] = [];
  readonly #records = new Map<Type, string | null>();
  readonly #enums: ReadonlyMap<string, number>[] = [];

  recordWriter(type: Type): CompiledWriter | null {
    const name = this.#record(type);
    if (name === null) return null;
    // oxlint-disable-next-line typescript/no-implied-eval -- made of our own schemas, as avsc makes its readers and writers
    const make = new Function('int', 'long', 'double', 'text', 'isLong', 'enums', `'use strict';\n${this.#functions.join('\n')}\nreturn ${name};`) as (...tools: unknown[]) => CompiledWriter;
    return make(writeInt, writeLong, writeDouble, writeText, isLong, this.#enums);
  }

  #record(type: Type): string | null {
    const known = this.#records.get(type);
    if (known !== undefined) return known;
    // Until it is done: a type within itself is not compiled.
    this.#records.set(type, null);
    if (!(type instanceof avro.types.RecordType)) return null;
    const fields: string[] = [];
    for (const field of type.fields) {
      const body = this.#value(field.type, { value: 'x', depth: 0 });
      if (body === null) return null;
      fields.push(`x = v.${field.name};\n${body}`);
    }
    const name = `record${this.#functions.length}`;
    this.#functions.push(`function ${name}(v, b, p) {\nif (typeof v !== 'object' || v === null) return -1;\nlet x;\n${fields.join('\n')}\nreturn p;\n}`);
    this.#records.set(type, name);
    return name;
  }

  /** Statements that write what `place.value` names. */
  #value(type: Type, { value, depth }: Place): string | null {
    switch (type.typeName) {
      case 'string': return `if (typeof ${value} !== 'string') return -1; p = text(b, p, ${value});`;
      case 'int': return `if (${value} !== (${value} | 0)) return -1; p = int(b, p, ${value});`;
      case 'long': return `if (!isLong(${value})) return -1; p = long(b, p, ${value});`;
      case 'double': return `if (typeof ${value} !== 'number') return -1; p = double(b, p, ${value});`;
      case 'boolean': return `if (typeof ${value} !== 'boolean') return -1; b[p++] = ${value} ? 1 : 0;`;
      case 'enum': {
        const number = this.#enums.push(new Map((type as avro.types.EnumType).symbols.map((symbol, index) => [symbol, index]))) - 1;
        return `{ const i = enums[${number}].get(${value}); if (i === undefined) return -1; p = int(b, p, i); }`;
      }
      case 'record': {
        const name = this.#record(type);
        return name === null ? null : `p = ${name}(${value}, b, p); if (p < 0) return -1;`;
      }
      case 'array': return this.#array((type as avro.types.ArrayType).itemsType, { value, depth });
      case 'map': return this.#map((type as avro.types.MapType).valuesType, { value, depth });
      case 'union:unwrapped': return this.#nullable(type as avro.types.UnwrappedUnionType, { value, depth });
      default: return null;
    }
  }

  #nullable(type: avro.types.UnwrappedUnionType, { value, depth }: Place): string | null {
    const nullable = nullableOf(type);
    if (nullable === null) return null;
    const { other, nullIndex } = nullable;
    const body = this.#value(other, { value, depth });
    return body === null ? null : `if (${value} === null) b[p++] = ${2 * nullIndex};\nelse { b[p++] = ${2 * (1 - nullIndex)}; ${body} }`;
  }

  #array(items: Type, { value, depth }: Place): string | null {
    const [list, index, item] = [`l${depth}`, `i${depth}`, `y${depth}`];
    const body = this.#value(items, { value: item, depth: depth + 1 });
    if (body === null) return null;
    return `{ const ${list} = ${value}; if (!Array.isArray(${list})) return -1;
if (${list}.length > 0) { p = int(b, p, ${list}.length); for (let ${index} = 0; ${index} < ${list}.length; ${index}++) { const ${item} = ${list}[${index}]; ${body} } }
b[p++] = 0; }`;
  }

  #map(values: Type, { value, depth }: Place): string | null {
    const [map, keys, index, item] = [`m${depth}`, `k${depth}`, `i${depth}`, `y${depth}`];
    const body = this.#value(values, { value: item, depth: depth + 1 });
    if (body === null) return null;
    return `{ const ${map} = ${value}; if (typeof ${map} !== 'object' || ${map} === null || Array.isArray(${map})) return -1;
const ${keys} = Object.keys(${map});
if (${keys}.length > 0) { p = int(b, p, ${keys}.length); for (let ${index} = 0; ${index} < ${keys}.length; ${index}++) { p = text(b, p, ${keys}[${index}]); const ${item} = ${map}[${keys}[${index}]]; ${body} } }
b[p++] = 0; }`;
  }
}

function isLong(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value <= MAX_LONG && value >= -MAX_LONG;
}

function writeInt(buffer: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let position = at;
  while (rest > 0x7f) {
    buffer[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[position++] = rest;
  return position;
}

function writeLong(buffer: Buffer, at: number, value: number): number {
  if (value === (value | 0)) return writeInt(buffer, at, value);
  const rest = value >= 0 ? value * 2 : -value * 2 - 1;
  // 28 bits at a time: four bytes of seven, in integers.
  let high = Math.floor(rest / 0x1000_0000);
  const low = rest - high * 0x1000_0000;
  buffer[at] = (low & 0x7f) | 0x80;
  buffer[at + 1] = ((low >>> 7) & 0x7f) | 0x80;
  buffer[at + 2] = ((low >>> 14) & 0x7f) | 0x80;
  buffer[at + 3] = ((low >>> 21) & 0x7f) | 0x80;
  let position = at + 4;
  if (high > 0xfff_ffff) return writeHigh(buffer, position, high);
  while (high > 0x7f) {
    buffer[position++] = (high & 0x7f) | 0x80;
    high >>>= 7;
  }
  buffer[position++] = high;
  return position;
}

function writeHigh(buffer: Buffer, at: number, value: number): number {
  let rest = value;
  let position = at;
  while (rest > 0x7f) {
    buffer[position++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  buffer[position++] = rest;
  return position;
}

function writeDouble(buffer: Buffer, at: number, value: number): number {
  float[0] = value;
  for (let i = 0; i < 8; i += 1) buffer[at + i] = floatBytes[i]!;
  return at + 8;
}

function writeText(buffer: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= SHORT_TEXT) {
    let i = 0;
    for (; i < length; i += 1) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      buffer[at + 1 + i] = code;
    }
    if (i === length) {
      buffer[at] = 2 * length;
      return at + 1 + length;
    }
  }
  const bytes = Buffer.byteLength(text);
  const from = writeInt(buffer, at, bytes);
  if (from + bytes <= buffer.length) buffer.write(text, from, bytes);
  return from + bytes;
}
