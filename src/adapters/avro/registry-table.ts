import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A line of schemas/registry.json: the id of one version of one schema, for ever. */
export type RegisteredSchema = {
  readonly id: number;
  /** Without the topic prefix. */
  readonly subject: string;
  /** File under schemas/avro, without its ending; its versions are under schemas/avro/versions. */
  readonly schema: string;
  /** 1, 2, 3... */
  readonly version: number;
  /** Of the schema's JSON without insignificant space. */
  readonly sha256: string;
};

const schemasDirectory = new URL('../../../schemas/', import.meta.url);

/** All lines, by id. Throws when the file is missing. */
export function readRegistryTable(): readonly RegisteredSchema[] {
  return JSON.parse(readFileSync(new URL('registry.json', schemasDirectory), 'utf8')) as RegisteredSchema[];
}

/** The schema text of a line, as it was registered. */
export function readVersion(entry: Pick<RegisteredSchema, 'schema' | 'version'>): string {
  return readFileSync(new URL(`avro/versions/${entry.schema}/${entry.version}.avsc`, schemasDirectory), 'utf8');
}

/** Equal for two texts of the same schema, whatever their space; another doc is another schema. Throws on what is no JSON. */
export function fingerprintOf(schemaText: string): string {
  return createHash('sha256').update(JSON.stringify(JSON.parse(schemaText))).digest('hex');
}
