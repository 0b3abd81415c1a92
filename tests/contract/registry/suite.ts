import { beforeAll, describe, expect, it } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { fingerprintOf } from '../../../src/adapters/avro/registry-table.ts';
import { loadTopicTypes } from '../../../src/adapters/avro/topic-type.ts';
import type { SchemaRegistry } from '../../../src/ports/codec.ts';

export type OpenedRegistry = {
  readonly registry: SchemaRegistry;
  /** A second client of the same registry, with nothing in its memory. */
  readonly other: SchemaRegistry;
  /** Of the subjects that this run may use. */
  readonly topicPrefix: string;
};

const types = [...loadTopicTypes().values()];

/** What every SchemaRegistry keeps. @param skip why it cannot run here; null = it can. */
export function registryContract(name: string, open: () => Promise<OpenedRegistry>, skip: string | null = null): void {
  describe.skipIf(skip !== null)(name, () => {
    let opened: OpenedRegistry;
    beforeAll(async () => {
      opened = await open();
    });
    const subjectOf = (topic: string): string => `${opened.topicPrefix}${topic}-value`;

    it('gives a schema one id, for every client and at every call', async () => {
      const ids = new Set<number>();
      for (const type of types) {
        const id = await opened.registry.register(subjectOf(type.topic), type.schemaText);
        expect(Number.isInteger(id) && id > 0).toBe(true);
        expect(await opened.registry.register(subjectOf(type.topic), type.schemaText)).toBe(id);
        expect(await opened.other.register(subjectOf(type.topic), type.schemaText)).toBe(id);
        ids.add(id);
      }
      expect(ids.size).toBe(types.length);
    });

    it('gives the schema of an id as it was registered', async () => {
      for (const type of types) {
        const id = await opened.registry.register(subjectOf(type.topic), type.schemaText);
        expect(fingerprintOf(await opened.other.schemaById(id) ?? '{}')).toBe(fingerprintOf(type.schemaText));
      }
    });

    it('tells what is registered, and what would be refused', async () => {
      const type = types.find((candidate) => candidate.topic === 'rebuild-requests')!;
      await opened.registry.register(subjectOf(type.topic), type.schemaText);
      expect(await opened.other.inspect(subjectOf(type.topic), type.schemaText)).toBe('registered');
      expect(await opened.other.inspect(subjectOf(type.topic), '"string"')).toBe('incompatible');
    });

    it('gives null for an id it does not know', async () => {
      expect(await opened.registry.schemaById(2_000_000_000)).toBeNull();
      expect(await opened.other.schemaById(2_000_000_000)).toBeNull();
    });

    it.each([
      ['another type', '"string"'],
      ['a new field without a default', JSON.stringify({ type: 'record', name: 'RebuildRequest', namespace: 'raceline', fields: [{ name: 'added', type: 'string' }] })],
    ])('refuses %s, and goes on giving the schema it has', async (_, schema) => {
      const type = types.find((candidate) => candidate.topic === 'rebuild-requests');
      if (type === undefined) throw new Error('rebuild-requests has a schema');
      const id = await opened.registry.register(subjectOf(type.topic), type.schemaText);
      await expect(opened.registry.register(subjectOf(type.topic), schema)).rejects.toMatchObject({ code: 'schema_incompatible' });
      expect(await opened.other.register(subjectOf(type.topic), type.schemaText)).toBe(id);
    });

    it('lets one codec read what another wrote', async () => {
      const { registry, other, topicPrefix } = opened;
      const writer = createCodec({ registry, etaFormat: 'avro', topicPrefix });
      const reader = createCodec({ registry: other, etaFormat: 'avro', topicPrefix });
      await writer.register();
      const value = { source: 'ci', request_id: 'q1', at: 1_760_000_000_000, trigger: 'manual', requested_by: null, detail: null, action: 'rebuild', share: null };
      const bytes = writer.encode('rebuild-requests', value);
      await reader.prepare('rebuild-requests', [bytes]);
      expect(reader.decode('rebuild-requests', bytes)).toEqual({ decoded: { kind: 'RebuildRequest', value }, raw: false });
    });
  });
}
