import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { registryContract } from './suite.ts';

registryContract('The checked-in ids', async () => ({ registry: embeddedRegistry(), other: embeddedRegistry(), topicPrefix: '' }));
registryContract('The checked-in ids under a topic prefix', async () => ({ registry: embeddedRegistry(), other: embeddedRegistry(), topicPrefix: 'raceline.' }));
