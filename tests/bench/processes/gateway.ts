// A gateway over a log in its own memory, which its parent feeds: what the fan-out costs, and nothing else.
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import { readRouteFile } from '../../../src/adapters/route-files/read-route-file.ts';
import { startGateway } from '../../../src/gateway/server.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { partitionCounts } from '../../../topology/topics.ts';
import { childOptions, tellParent } from '../child.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { everyTopic } from '../../support/topics.ts';

export type GatewayProcessOptions = { readonly maxConnections: number };
/** Records as the topic holds them, values in base64; or a question. */
export type GatewayOrder = { readonly topic: 'race-states' | 'eta-updates'; readonly records: readonly (readonly [raceId: string, value: string])[] } | { readonly ask: 'usage' | 'slow' };
export type GatewayMessage = {
  readonly address: string;
  readonly cpuMs: number;
  /** Of it in the kernel. */
  readonly systemMs: number;
  readonly rssBytes: number;
  /** Clients closed for not reading. */
  readonly slowCloses: number;
  /** How late a timer of 20 ms was since the last question. */
  readonly delayP99Ms: number;
};

const { maxConnections } = childOptions<GatewayProcessOptions>();
const log = openLocalLog({ storage: memoryStorage() });
await log.ensureTopics(everyTopic());
const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
await codec.register();
let slowCloses = 0;
const { address, close } = await startGateway({
  host: '127.0.0.1', port: 0, log, codec, history: null, clock: { nowMs: () => Date.now() }, logger: silentLogger,
  ready: () => ({ ready: true, roles: {} }), metricsText: async () => '', readRouteFile, hooks: { onSlowClose: () => { slowCloses++; } }, options: { maxConnections },
});

const delays: number[] = [];
let dueMs = performance.now() + 20;
setInterval(() => {
  const nowMs = performance.now();
  delays.push(Math.max(0, nowMs - dueMs));
  dueMs = nowMs + 20;
}, 20).unref();

function usage(): GatewayMessage {
  const { user, system } = process.cpuUsage();
  const sorted = delays.splice(0).sort((a, b) => a - b);
  return { address, cpuMs: (user + system) / 1_000, systemMs: system / 1_000, rssBytes: process.memoryUsage().rss, slowCloses, delayP99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0 };
}

process.on('message', (order: GatewayOrder) => {
  if ('ask' in order) {
    if (order.ask === 'usage') globalThis.gc?.();
    tellParent(usage());
    return;
  }
  const byPartition = Map.groupBy(order.records, ([raceId]) => partitionOf(raceId, partitionCounts.embedded.races));
  for (const [partition, some] of byPartition) {
    void log.append(order.topic, partition, some.map(([raceId, value]) => ({ key: Buffer.from(raceId), value: Buffer.from(value, 'base64') })));
  }
});
process.once('disconnect', () => void close().finally(() => process.exit(0)));
tellParent(usage());
