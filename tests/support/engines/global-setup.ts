import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { startKafka, type KafkaCluster } from './kafka.ts';
import { startRegistry, type RegistryServer } from './registry.ts';

type Started = { readonly address: string; stop(): Promise<void> };

/**
 * One broker and one registry for a whole run, each started when the first test file asks for it: a run of unit tests
 * starts none. Test files ask over HTTP since each is a process of its own (engines.ts).
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engines = new Map<string, Promise<Started>>();
  const starters: Readonly<Record<string, () => Promise<Started>>> = {
    '/kafka': async () => fromKafka(await startKafka({ brokers: 1 })),
    '/registry': async () => fromRegistry(await startRegistry()),
  };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const start = starters[path];
    if (start === undefined) return respond(response, 404, `No engine ${path}`);
    const engine = engines.get(path) ?? start();
    engines.set(path, engine);
    engine.then((started) => respond(response, 200, started.address), (error: unknown) => respond(response, 500, String(error)));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  project.provide('enginesUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.closeAllConnections();
    server.close();
    const started = await Promise.allSettled(engines.values());
    await Promise.all(started.map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined)));
  };
}

function fromKafka(cluster: KafkaCluster): Started {
  return { address: cluster.brokers.join(','), stop: cluster.stop };
}

function fromRegistry(registry: RegistryServer): Started {
  return { address: registry.url, stop: registry.stop };
}

function respond(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(text);
}
