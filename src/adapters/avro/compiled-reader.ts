import avro from 'avsc';
import type { Type } from 'avsc';
import { isLittleEndian, nullableOf } from './compiled-types.ts';

/** Reads a whole value; undefined for bytes that are not plainly one, which avsc then judges. Never throws. */
export type CompiledReader = (bytes: Buffer) => unknown;

/**
 * JavaScript made for one record type, to read what was written with the same schema: the counterpart of
 * `compileWriter`. Values are plain objects. Hostile bytes cost no more than their length. null = the schema has something
 * that is not compiled (bytes, fixed, unions but of null and one other, recursion) or the machine is big-endian.
 */
export function compileReader(type: Type): CompiledReader | null {
  if (!isLittleEndian) return null;
  const compilation = new Compilation();
  const name = compilation.record(type);
  if (name === null) return null;
  // oxlint-disable-next-line typescript/no-implied-eval -- made of schemas that avsc has checked, as avsc makes its own readers
  const make = new Function('symbols', 'texts', 'float', 'floatBytes', `'use strict';\n${RUNTIME}\n${compilation.functions.join('\n')}\n${entry(name)}`) as (...tools: unknown[]) => CompiledReader;
  const float = new Float64Array(1);
  return make(compilation.symbols, recentTexts, float, new Uint8Array(float.buffer));
}

/**
 * Short texts that were read lately, by a hash of their bytes: sources, titles, names of stages and keys come with every
 * record, and a call into Node for each was most of what reading cost. A power of two; chosen, about 200 KB with its texts.
 */
const recentTexts: string[] = Array.from({ length: 4_096 }, () => '');

/** `b` the bytes, `p` the next one, `e` the end. Whatever is out of the ordinary gives up the attempt. */
const RUNTIME = `
const nothing = new Uint8Array(0);
const giveUp = new Error('not plain');
let b = nothing, p = 0, e = 0;
function long() {
  let byte = b[p++];
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
  if (byte === undefined) throw giveUp;
  let low = byte & 0x7f, bits = 7;
  do {
    byte = b[p++];
    if (byte === undefined) throw giveUp;
    low |= (byte & 0x7f) << bits;
    bits += 7;
  } while (byte >= 0x80 && bits < 28);
  if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
  let high = 0, factor = 1;
  do {
    byte = b[p++];
    // 28 + 4 x 7 bits are beyond what is exact.
    if (byte === undefined || factor > 0x200000) throw giveUp;
    high += (byte & 0x7f) * factor;
    factor *= 0x80;
  } while (byte >= 0x80);
  const half = high * 0x8000000 + (low >>> 1);
  // Beyond it avsc is not exact.
  if (half >= 0x10000000000000) throw giveUp;
  return (low & 1) === 0 ? half : -half - 1;
}
function double() {
  if (p + 8 > e) throw giveUp;
  for (let i = 0; i < 8; i++) floatBytes[i] = b[p + i];
  p += 8;
  return float[0];
}
function text() {
  const length = long(), from = p;
  if (length < 0 || length > e - from) throw giveUp;
  p = from + length;
  if (length > 32) return b.utf8Slice(from, p);
  let hash = length;
  for (let i = from; i < p; i++) hash = (hash * 31 + b[i]) | 0;
  const slot = (hash ^ (hash >>> 13)) & (texts.length - 1);
  const known = texts[slot];
  // As long in characters as in bytes and equal in each: ASCII, hence the same text.
  if (known.length === length) {
    let i = 0;
    while (i < length && known.charCodeAt(i) === b[from + i]) i++;
    if (i === length) return known;
  }
  return (texts[slot] = b.utf8Slice(from, p));
}
function flag() {
  const byte = b[p++];
  if (!(byte <= 1)) throw giveUp;
  return byte === 1;
}
function symbol(of) {
  const found = of[long()];
  if (found === undefined) throw giveUp;
  return found;
}
function isNull(at) {
  const byte = b[p++];
  if (byte === at) return true;
  if (byte !== 2 - at) throw giveUp;
  return false;
}
function count() {
  const items = long();
  if (items < 0 || items > e - p) throw giveUp;
  return items;
}`;

function entry(name: string): string {
  return `return (bytes) => {
  b = bytes; p = 0; e = bytes.length;
  try {
    const value = ${name}();
    return p === e ? value : undefined;
  } catch (error) {
    if (error === giveUp) return undefined;
    throw error;
  } finally {
    b = nothing;
  }
};`;
}

class Compilation {
  readonly functions: string[] = [];
  readonly symbols: (readonly string[])[] = [];
  readonly #records = new Map<Type, string | null>();

  record(type: Type): string | null {
    const known = this.#records.get(type);
    if (known !== undefined) return known;
    // Until it is done: a type within itself is not compiled.
    this.#records.set(type, null);
    if (!(type instanceof avro.types.RecordType)) return null;
    const fields: string[] = [];
    for (const field of type.fields) {
      const read = this.#read(field.type);
      if (read === null) return null;
      fields.push(`${field.name}: ${read}`);
    }
    const name = this.#define(`return { ${fields.join(', ')} };`);
    this.#records.set(type, name);
    return name;
  }

  /** An expression that reads a value. */
  #read(type: Type): string | null {
    switch (type.typeName) {
      case 'string': return 'text()';
      case 'int':
      case 'long': return 'long()';
      case 'double': return 'double()';
      case 'boolean': return 'flag()';
      case 'enum': return `symbol(symbols[${this.symbols.push((type as avro.types.EnumType).symbols) - 1}])`;
      case 'record': return call(this.record(type));
      case 'array': {
        const item = this.#read((type as avro.types.ArrayType).itemsType);
        return item === null ? null : call(this.#define(`const list = [];\nfor (let n = count(); n > 0; n = count()) for (let i = 0; i < n; i++) list.push(${item});\nreturn list;`));
      }
      case 'map': {
        const item = this.#read((type as avro.types.MapType).valuesType);
        // An assignment to this one name would set the prototype instead of a key.
        return item === null ? null : call(this.#define(`const map = {};\nfor (let n = count(); n > 0; n = count()) for (let i = 0; i < n; i++) {\nconst key = text();\nif (key === '__proto__') throw giveUp;\nmap[key] = ${item};\n}\nreturn map;`));
      }
      case 'union:unwrapped': {
        const nullable = nullableOf(type as avro.types.UnwrappedUnionType);
        const read = nullable === null ? null : this.#read(nullable.other);
        return nullable === null || read === null ? null : `(isNull(${2 * nullable.nullIndex}) ? null : ${read})`;
      }
      default: return null;
    }
  }

  #define(body: string): string {
    const name = `read${this.functions.length}`;
    this.functions.push(`function ${name}() {\n${body}\n}`);
    return name;
  }
}

function call(name: string | null): string | null {
  return name === null ? null : `${name}()`;
}
