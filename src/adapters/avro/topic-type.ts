import { readFileSync } from 'node:fs';
import type { Type, types } from 'avsc';
import { topics } from '../../../topology/topics.ts';
import type { TopicName, TopicSpec } from '../../../topology/topics.ts';
import { parseType } from './guarded-types.ts';

/** One record type that a topic's values may have. `kind` is its name without the namespace. */
export type Branch = { readonly kind: string; readonly type: Type };

/** What this version of the code reads and writes on a topic. */
export type TopicType = {
  readonly topic: TopicName;
  /** The schema file as it is registered. */
  readonly schemaText: string;
  /** More than one where the schema is a union; then a value starts with the number of its branch. */
  readonly branches: readonly Branch[];
  readonly union: boolean;
};

/** Throws when a schema file is missing or no Avro schema. */
export function loadTopicTypes(): ReadonlyMap<TopicName, TopicType> {
  return new Map(topics.filter(hasSchema).map((spec) => [spec.name, loadTopicType(spec)]));
}

function hasSchema(spec: TopicSpec): spec is TopicSpec & { readonly schema: string } {
  return spec.schema !== null;
}

function loadTopicType(spec: TopicSpec & { readonly schema: string }): TopicType {
  const schemaText = readFileSync(new URL(`../../../schemas/avro/${spec.schema}.avsc`, import.meta.url), 'utf8');
  const { branches, union } = branchesOf(parseType(schemaText));
  return { topic: spec.name, schemaText, branches, union };
}

/** The record types of a schema, one if it is no union. */
export function branchesOf(type: Type): { readonly branches: readonly Branch[]; readonly union: boolean } {
  const union = type.typeName.startsWith('union:');
  const members = union ? (type as types.WrappedUnionType).types : [type];
  return { union, branches: members.map((member) => ({ kind: shortName(member.name ?? member.typeName), type: member })) };
}

function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
