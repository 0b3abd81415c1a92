import { describe, expect, it } from 'vitest';
import { confluentRegistry } from '../../../src/adapters/avro/confluent-registry.ts';
import { sharedRegistry, whyNoEngines } from '../../support/engines/engines.ts';
import { registryContract } from './suite.ts';

const skip = whyNoEngines();
const open = async (): Promise<ReturnType<typeof confluentRegistry>> => confluentRegistry({ url: await sharedRegistry(), username: '', password: '' });

registryContract('A real registry over Confluent\'s REST API', async () => ({
  registry: await open(), other: await open(), topicPrefix: `contract-${process.pid}.`,
}), skip);

describe.skipIf(skip !== null)('A real registry', () => {
  it('checks BACKWARD from the first version on', async () => {
    const registry = await open();
    const subject = `level-${process.pid}-value`;
    await registry.register(subject, '{"type":"record","name":"A","fields":[]}');
    const answer = await fetch(`${await sharedRegistry()}/config/${subject}`);
    expect(await answer.json()).toEqual({ compatibilityLevel: 'BACKWARD' });
  });

  it('tells that a schema is missing, and registers nothing by it', async () => {
    const [registry, subject] = [await open(), `inspected-${process.pid}-value`];
    expect(await registry.inspect(subject, '{"type":"record","name":"A","fields":[]}')).toBe('missing');
    expect((await fetch(`${await sharedRegistry()}/subjects/${subject}/versions`)).status).toBe(404);
  });

  it('takes the first schemas of instances that start at the same moment', async () => {
    const instances = await Promise.all(Array.from({ length: 6 }, open));
    for (let subject = 0; subject < 10; subject++) {
      const ids = await Promise.all(instances.map((registry) => registry.register(`together-${process.pid}-${subject}-value`, '{"type":"record","name":"A","fields":[]}')));
      expect(new Set(ids).size).toBe(1);
    }
  });

  it('keeps a level that is stricter', async () => {
    const [registry, url, subject] = [await open(), await sharedRegistry(), `strict-${process.pid}-value`];
    const config = `${url}/config/${subject}`;
    await fetch(config, { method: 'PUT', headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' }, body: '{"compatibility":"FULL"}' });
    await registry.register(subject, '{"type":"record","name":"A","fields":[]}');
    expect(await (await fetch(config)).json()).toEqual({ compatibilityLevel: 'FULL' });
  });

  it('behind a wrong path is unavailable, not a registry that knows nothing', async () => {
    const wrong = confluentRegistry({ url: (await sharedRegistry()).replace('/v7', '/v0'), username: '', password: '', attempts: 1 });
    await expect(wrong.schemaById(1)).rejects.toMatchObject({ code: 'registry_unavailable' });
    await expect(wrong.register('a-value', '"string"')).rejects.toMatchObject({ code: 'registry_unavailable' });
  });
});
