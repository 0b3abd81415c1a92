import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import { readRouteFile } from '../../../src/adapters/route-files/read-route-file.ts';
import type { EtaUpdate } from '../../../src/forecast/eta-update.ts';
import type { GatewayDeps } from '../../../src/gateway/context.ts';
import { startGateway, type Gateway } from '../../../src/gateway/server.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import type { LogRecord, RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import type { RaceState } from '../../../src/race/state.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';
import { openEmbeddedHistory } from '../../support/clickhouse/embedded-history.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { everyTopic } from '../../support/topics.ts';


export type Engines = { readonly log: RecordLog; readonly codec: Codec };

/** The embedded log in memory with every topic, and the Avro codec. */
export async function openEngines(clock: Clock = { nowMs: () => Date.now() }): Promise<Engines> {
  const log = openLocalLog({ storage: memoryStorage(), clock });
  await log.ensureTopics(everyTopic());
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  return { log, codec };
}

/** What a gateway needs: the engines, no ClickHouse, any free port. */
export function gatewayDeps(engines: Engines, more: Partial<GatewayDeps> = {}): GatewayDeps {
  return {
    host: '127.0.0.1', port: 0, ...engines, history: null, clock: { nowMs: () => Date.now() }, logger: silentLogger,
    ready: () => ({ ready: true, roles: { gateway: 'running' } }), metricsText: async () => 'up 1\n', readRouteFile, ...more,
  };
}

export async function openGateway(engines: Engines, more: Partial<GatewayDeps> = {}): Promise<Gateway> {
  const gateway = await startGateway(gatewayDeps(engines, more));
  await until(async () => (await fetch(`${gateway.address}/readyz`)).status !== 503 || more.ready !== undefined);
  return gateway;
}

export type HistoryGateway = { readonly engines: Engines; readonly history: HistoryStore; readonly gateway: Gateway; closeAll(): Promise<void> };

/** A gateway over the embedded ClickHouse, which a process can open once. */
export async function openHistoryGateway(): Promise<HistoryGateway> {
  const { store, dataDir, close } = await openEmbeddedHistory();
  const engines = await openEngines();
  const gateway = await openGateway(engines, { history: store, dataDir });
  return {
    engines,
    history: store,
    gateway,
    async closeAll() {
      await gateway.close();
      await close();
      await engines.log.close();
    },
  };
}

/** Asks again until it is true; fails after 5 s. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const deadlineMs = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`Not so within ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function raceState(fields: Partial<RaceState> & { race_id: string }): RaceState {
  return {
    source: 'ci', title: 'build', attempt: 1, version: 0, state: 'running', queued_at: null, started_at: 1_000_000, completed_at: null,
    started_derived: false, completed_derived: false, progress: null, eta_sec: null, eta_kind: null, metadata: [], stages: [], stages_dropped: 0, plan: [],
    update_interval_hint_sec: null, deeplink: null, deadline_at: null, route_id: null, position: null, events: [], events_dropped: 0,
    field_at: { title: 0, state: 0, progress: 0, eta: 0, queued: 0, started: 0, completed: 0, plan: 0, hint: 0, deeplink: 0, deadline: 0, route: 0, position: 0 },
    first_at: 1_000_000, last_at: 1_000_000, appended_at: 1_000_000, first_offset: 0, progress_points: [], gap_count: 0, gap_mean_sec: 0, epoch: 0, applied_offset: 0, revision: 0,
    published: null, previous_eta_sec: null, display: { finish_at: null, state: 'cold' }, eta_revisions: [], checkpoints: [], shown_progress: 0,
    history_index: 0, wake_at: null, ...fields,
  };
}

export function etaUpdate(fields: Partial<EtaUpdate> & { race_id: string }): EtaUpdate {
  return {
    source: 'ci', title: 'build', revision: 1, issued_at: 1_000_000, event_at: 1_000_000, state: 'running', attempt: 1, first_offset: 0, queued_at: null,
    started_at: 1_000_000, completed_at: null, eta_sec: 30.4, remaining_sec: 30.4, finish_at: 1_030_400, p10_sec: 20, p50_sec: 30, p90_sec: 60,
    confidence: 0.6, deadline_at: null, deadline_probability: null, basis: 'key', reason: 'submitted', model_version: 'm1', cluster_id: null,
    previous_eta_sec: null, display: { finish_at: 1_030_400, state: 'stable' }, progress: null, milestones: [], milestones_dropped: 0,
    eta_revisions: [{ revision: 1, eta_sec: 30.4, issued_at: 1_000_000, confidence: 0.6, basis: 'key', reason: 'submitted' }],
    metadata: {}, deeplink: null, update_interval_hint_sec: 10, ...fields,
  };
}

/** Appends what the pipeline would: records of race-states and eta-updates. */
export function pipelineWriter({ log, codec }: Engines): {
  state(state: RaceState): Promise<number>;
  eta(eta: EtaUpdate): Promise<number>;
  removed(raceId: string): Promise<number>;
} {
  const append = async (topic: 'race-states' | 'eta-updates', raceId: string, value: Buffer | null): Promise<number> =>
    await log.append(topic, partitionOf(raceId, await log.partitionCount(topic)), [{ key: Buffer.from(raceId), value }]);
  return {
    state: (state) => append('race-states', state.race_id, codec.encode('race-states', state, 'RaceState')),
    eta: (eta) => append('eta-updates', eta.race_id, codec.encode('eta-updates', eta)),
    removed: (raceId) => append('race-states', raceId, null),
  };
}

/** Every update that is in race-updates, decoded; null = forget. */
export async function readUpdates({ log, codec }: Engines): Promise<{ readonly raceId: string; readonly partition: number; readonly update: RaceUpdate | null }[]> {
  const records: LogRecord[] = [];
  const count = await log.partitionCount('race-updates');
  const reader = log.readPartitions({
    topic: 'race-updates', partitions: Array.from({ length: count }, (_, i) => i), from: () => 'earliest',
    onRecords: (batch) => { records.push(...batch); },
  });
  await reader.caughtUp;
  await reader.close();
  await codec.prepare('race-updates', records.map((record) => record.value));
  return records.map((record) => {
    const result = record.value === null ? null : codec.decode('race-updates', record.value);
    if (result !== null && 'error' in result) throw new Error(result.error.message);
    return { raceId: String(record.key), partition: record.partition, update: result === null ? null : result.decoded.value as RaceUpdate };
  });
}

export type Answer = { readonly status: number; readonly body: any; readonly headers: Headers };

export async function send(gateway: Gateway, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${gateway.address}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  const text = await response.text();
  return { status: response.status, body: parsed(text), headers: response.headers };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
