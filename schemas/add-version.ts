// Takes the changed files of schemas/avro into the history: node schemas/add-version.ts
// See README.md beside this file for what may change and what `--amend` is for.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fingerprintOf, readRegistryTable, readVersion } from '../src/adapters/avro/registry-table.ts';
import type { RegisteredSchema } from '../src/adapters/avro/registry-table.ts';
import { assertReads } from '../src/adapters/avro/compatibility.ts';
import { topics } from '../topology/topics.ts';

const { values: { amend } } = parseArgs({ options: { amend: { type: 'boolean', default: false } } });
const directory = new URL('./', import.meta.url);
const table: RegisteredSchema[] = [...readRegistryTable()];

for (const { name, schema } of topics) {
  if (schema === null) continue;
  const text = readFileSync(new URL(`avro/${schema}.avsc`, directory), 'utf8');
  const sha256 = fingerprintOf(text);
  const versions = table.filter((entry) => entry.schema === schema);
  const latest = versions.at(-1);
  if (latest?.sha256 === sha256) continue;
  const older = amend ? versions.slice(0, -1) : versions;
  for (const entry of older) assertReads(text, readVersion(entry), `${schema} version ${entry.version}`);
  const next: RegisteredSchema = amend && latest !== undefined
    ? { ...latest, sha256 }
    : { id: 1 + Math.max(0, ...table.map((entry) => entry.id)), subject: `${name}-value`, schema, version: (latest?.version ?? 0) + 1, sha256 };
  mkdirSync(new URL(`avro/versions/${schema}/`, directory), { recursive: true });
  writeFileSync(new URL(`avro/versions/${schema}/${next.version}.avsc`, directory), text);
  const at = table.findIndex((entry) => entry.id === next.id);
  table.splice(at === -1 ? table.length : at, at === -1 ? 0 : 1, next);
  console.log(`${next.subject} version ${next.version} has id ${next.id}`);
}

const lines = table.map((entry) => `  ${JSON.stringify(entry)}`);
writeFileSync(new URL('registry.json', directory), `[\n${lines.join(',\n')}\n]\n`);
