import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertReads } from '../../../src/adapters/avro/compatibility.ts';
import { parseType } from '../../../src/adapters/avro/guarded-types.ts';
import { fingerprintOf, readRegistryTable, readVersion } from '../../../src/adapters/avro/registry-table.ts';
import { branchesOf, loadTopicTypes } from '../../../src/adapters/avro/topic-type.ts';
import { compileReader } from '../../../src/adapters/avro/value-reader.ts';
import { valueOf } from '../adapters/avro/arbitrary.ts';
import { topics } from '../../../topology/topics.ts';

const schemas = new URL('../../../schemas/', import.meta.url);
const table = readRegistryTable();
const types = loadTopicTypes();
const withSchema = topics.filter((topic) => topic.schema !== null);

describe('schemas/registry.json', () => {
  it('gives every version an id of its own, and never an id twice', () => {
    expect(new Set(table.map((entry) => entry.id)).size).toBe(table.length);
    expect(new Set(table.map((entry) => `${entry.subject} ${entry.version}`)).size).toBe(table.length);
    expect(table.every((entry) => Number.isInteger(entry.id) && entry.id > 0)).toBe(true);
  });

  it.each(table)('$subject version $version is the file it was registered from', (entry) => {
    expect(fingerprintOf(readVersion(entry))).toBe(entry.sha256);
  });

  it('names every file of schemas/avro/versions', () => {
    const directory = new URL('avro/versions/', schemas);
    const files = readdirSync(directory).flatMap((name) => readdirSync(new URL(`${name}/`, directory)).map((file) => `${name}/${file}`));
    expect(files.sort()).toEqual(table.map((entry) => `${entry.schema}/${entry.version}.avsc`).sort());
  });

  it.each(withSchema)('$name: the newest version is the file in use', ({ name, schema }) => {
    const versions = table.filter((entry) => entry.subject === `${name}-value`);
    expect(versions.map((entry) => entry.version)).toEqual(versions.map((_, index) => index + 1));
    expect(versions.every((entry) => entry.schema === schema)).toBe(true);
    const inUse = readFileSync(new URL(`avro/${schema}.avsc`, schemas), 'utf8');
    expect(versions.at(-1)?.sha256, 'run: node schemas/add-version.ts').toBe(fingerprintOf(inUse));
  });

  it('has no schema file without a topic', () => {
    const files = readdirSync(new URL('avro/', schemas)).filter((file) => file.endsWith('.avsc'));
    expect(files.sort()).toEqual(withSchema.map((topic) => `${topic.schema}.avsc`).sort());
    expect(existsSync(new URL('README.md', schemas))).toBe(true);
  });
});

describe('BACKWARD', () => {
  it.each(table)('$subject: what version $version wrote is read by the schema in use, record for record', (entry) => {
    const type = types.get(topics.find((topic) => topic.schema === entry.schema)?.name ?? 'race-updates');
    expect(type).toBeDefined();
    if (type === undefined) return;
    const writerText = readVersion(entry);
    assertReads(type.schemaText, writerText, `version ${entry.version}`);
    const read = compileReader(writerText, type);
    const writer = branchesOf(parseType(writerText));
    for (const [index, written] of writer.branches.entries()) {
      const reader = type.branches.find((branch) => branch.kind === written.kind)?.type;
      fc.assert(fc.property(valueOf(written.type), (value) => {
        const body = written.type.toBuffer(value);
        const decoded = read(writer.union ? Buffer.concat([Buffer.from([index << 1]), body]) : body);
        expect(decoded.kind).toBe(written.kind);
        expect(reader?.isValid(decoded.value)).toBe(true);
        expect(reader?.toBuffer(decoded.value).equals(reader.toBuffer(value))).toBe(true);
      }), { numRuns: 50 });
    }
  });

  it('refuses a field without a default, a changed type and a kind that is gone', () => {
    const base = record([{ name: 'a', type: 'string' }]);
    expect(() => assertReads(record([{ name: 'a', type: 'string' }, { name: 'b', type: 'int' }]), base, 'v1')).toThrow('v1 cannot be read any more');
    expect(() => assertReads(record([{ name: 'a', type: 'int' }]), base, 'v1')).toThrow('v1 cannot be read any more');
    expect(() => assertReads(JSON.stringify({ type: 'record', name: 'Other', fields: [] }), base, 'v1')).toThrow('v1 has Thing, which is gone');
    expect(() => assertReads(record([{ name: 'a', type: 'string' }, { name: 'b', type: 'int', default: 0 }]), base, 'v1')).not.toThrow();
    expect(() => assertReads(record([]), base, 'v1')).not.toThrow();
  });
});

function record(fields: readonly object[]): string {
  return JSON.stringify({ type: 'record', name: 'Thing', fields });
}
