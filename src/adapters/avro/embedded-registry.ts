import { AppError } from '../../errors.ts';
import type { SchemaRegistry } from '../../ports/codec.ts';
import { fingerprintOf, readRegistryTable, readVersion } from './registry-table.ts';
import type { RegisteredSchema } from './registry-table.ts';

/**
 * The ids checked in under schemas/registry.json, for a log that only this program writes. Nothing can be added at run
 * time: a schema that is not in the table is refused with `schema_incompatible`, as a registry refuses one that would
 * break its readers. Reads files, no network. Throws when schemas/registry.json is missing.
 */
export function embeddedRegistry(): SchemaRegistry {
  const table = readRegistryTable();
  const byId = new Map(table.map((entry) => [entry.id, entry]));
  const find = (subject: string, schema: string): RegisteredSchema | undefined => {
    const sha256 = fingerprintOf(schema);
    return table.find((candidate) => candidate.sha256 === sha256 && subject.endsWith(candidate.subject));
  };
  return {
    async inspect(subject, schema) {
      return find(subject, schema) === undefined ? 'incompatible' : 'registered';
    },
    async register(subject, schema) {
      const entry = find(subject, schema);
      if (entry === undefined) {
        throw new AppError('schema_incompatible', `The schema of ${subject} is not in schemas/registry.json: add it with node schemas/add-version.ts`);
      }
      return entry.id;
    },
    async schemaById(id) {
      const entry = byId.get(id);
      return entry === undefined ? null : readVersion(entry);
    },
  };
}
