import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { confluentRegistry } from '../../../src/adapters/avro/confluent-registry.ts';
import type { ModelSwap } from '../../../src/forecast/history-record.ts';
import { raceRow } from '../../../src/history/rows.ts';
import type { Codec } from '../../../src/ports/codec.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import type { LogRecord } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { finishedRace } from '../../support/clickhouse/history-records.ts';
import { openServedHistory, type ServedHistory } from '../../support/clickhouse/served-history.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { raceFleet, type FleetRace } from '../../support/race-fleet.ts';
import { seededRandom } from '../../support/random.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

const SOURCE = 'ci/fleet';
const DAY_MS = 86_400_000;
/** Seconds that a killed rebuilder stays a member of its group. */
const SESSION_SEC = 6;
const NOW_MS = Date.now();
const random = seededRandom(1);

/** Two pipelines and two rebuilders, each a process of its own, on one broker and one ClickHouse. One rebuilder is killed while it rebuilds. */
describe.skipIf(whyNoEngines() !== null)('rebuilders and pipelines on Kafka', { timeout: 120_000 }, () => {
  const directories = Array.from({ length: 5 }, temporaryDirectory);
  const running: RunningService[] = [];
  let kafka: KafkaSetting;
  let history: ServedHistory;
  let store: HistoryStore;
  let gateway: RunningService;
  let rebuilders: RunningService[];
  let codec: Codec;
  let active = '';
  let probes = 0;
  let started = 0;

  async function start(roles: string): Promise<RunningService> {
    const service = await startService({ ...kafka.env, KAFKA_SESSION_TIMEOUT_SEC: String(SESSION_SEC), CLICKHOUSE_URL: history.server.url, RACELINE_ROLES: roles, RACELINE_DATA_DIR: directories[started++]!.path }, { deadlineMs: 120_000 });
    running.push(service);
    return service;
  }

  beforeAll(async () => {
    [kafka, history] = await Promise.all([kafkaSetting(), openServedHistory()]);
    ({ store } = history);
    codec = createCodec({ registry: confluentRegistry({ url: kafka.registry, username: '', password: '' }), etaFormat: 'avro', topicPrefix: kafka.prefix });
    gateway = await start('gateway,historian,pipeline');
    const others = await Promise.all([start('pipeline'), start('rebuilder'), start('rebuilder')]);
    rebuilders = others.slice(1);
    await waitUntil('two pipelines share the partitions', async () => {
      const shares = [...(await kafka.pipelineMembers()).values()];
      return shares.length === 2 && shares.every(({ length }) => length === kafka.partitions / 2);
    }, 30_000);
    await run(raceFleet({ seed: 1, races: 700, metadata: 'weak' }));
  }, 240_000);

  afterAll(async () => {
    await Promise.all(running.map((service) => service.kill()));
    await history?.close();
    for (const directory of directories) directory.remove();
  });

  test('a decision is made once, by one of the two, and both pipelines swap by it', async () => {
    expect(await rebuilt(await ask('/v1/rebuilds'))).toBe('accepted');
    for (const [index, stage] of ['canary', 'active'].entries()) {
      await ask('/v1/rollout/promote');
      await waitUntil(`it is ${stage}`, async () => (await decisions()).length === 2 + index);
    }
    const made = await swaps();
    expect(made.map(({ stage }) => stage)).toEqual(['shadow', 'canary', 'active']);
    expect(new Set(made.map(({ version }) => version)).size).toBe(1);
    expect(await decisions()).toEqual(['start shadow', 'promote canary', 'promote active']);
    active = made[0]!.version;
    await waitUntil('both forecast by it', async () => JSON.stringify(await versionsByPipeline()) === JSON.stringify([[active], [active]]));
    expect(rebuilders.map((one) => one.logs().match(/Rebuilt clusters/g)?.length ?? 0).sort()).toEqual([0, 1]);
  });

  test('a rebuilder that is killed half-way leaves the old model serving; the other does the work, once', async () => {
    await insert(raceFleet({ seed: 2, races: 6_000, metadata: 'weak' }));
    const [busy, other] = rebuilders.toSorted((a, b) => b.logs().split('Rebuilt clusters').length - a.logs().split('Rebuilt clusters').length) as [RunningService, RunningService];
    const id = await ask('/v1/rebuilds');
    await waitUntil('a rebuilder is at it', async () => (await reports(id)).length === 1);
    await busy.kill();
    expect(await reports(id)).toEqual(['running']);
    expect(await versionsByPipeline()).toEqual([[active], [active]]);
    expect(await swaps()).toHaveLength(3);
    const outcome = await rebuilt(id);
    expect(['accepted', 'refused']).toContain(outcome);
    expect(await reports(id)).toEqual([outcome]);
    expect(other.logs().match(/Rebuilt clusters/g)).toHaveLength(1);
    expect((await swaps()).map(({ stage }) => stage)).toEqual(['shadow', 'canary', 'active', ...(outcome === 'accepted' ? ['shadow'] : [])]);
    expect(await versionsByPipeline(), 'on trial it serves none').toEqual([[active], [active]]);
  });

  /** Has races run and end some days ago; resolves when they are in history. */
  async function run(races: readonly FleetRace[]): Promise<void> {
    for (let at = 0; at < races.length; at += 100) {
      await post('/v1/updates', 200, races.slice(at, at + 100).flatMap((race, n) => {
        const { startedAt, completedAt } = lifeOf(race, 10, at + n);
        const { id, title, metadata } = race;
        return [{ race_id: id, source: SOURCE, title, metadata, at: startedAt, started_at: startedAt, state: 'running' }, { race_id: id, source: SOURCE, at: completedAt, state: 'passed', completed_at: completedAt }];
      }).map((update) => JSON.stringify(update)).join('\n'));
    }
    await waitUntil('they are in history', async () => Number((await query<{ n: number }>(gateway.url, 'SELECT count() AS n FROM races'))[0]?.n) === races.length);
  }

  /** More work for a rebuild, without a run through the pipelines. */
  async function insert(races: readonly FleetRace[]): Promise<void> {
    const rows = races.map((race, n) => {
      const { startedAt, completedAt } = lifeOf(race, 20, n);
      const { id, title, metadata } = race;
      const finished = finishedRace(n, { race_id: id, source: SOURCE, title, metadata: { ...metadata }, started_at: startedAt, completed_at: completedAt, duration_sec: (completedAt - startedAt) / 1_000, stages: [], checkpoints: [], first_offset: n });
      return raceRow(finished, { topic: 'race-history', partition: 0, offset: n, appendedAtMs: Date.now() });
    });
    for (let at = 0; at < rows.length; at += 5_000) await store.insert('races', rows.slice(at, at + 5_000), `races:${at}`);
  }

  async function ask(path: string): Promise<string> {
    return (JSON.parse(await post(path, 202, JSON.stringify({ source: SOURCE }), 'application/json')) as { id: string }).id;
  }

  async function post(path: string, status: number, body: string, type = 'application/x-ndjson'): Promise<string> {
    const answer = await fetch(gateway.url + path, { method: 'POST', headers: { 'content-type': type }, body });
    const text = await answer.text();
    expect(answer.status, text).toBe(status);
    return text;
  }

  /** What becomes of a rebuild. */
  async function rebuilt(id: string): Promise<string> {
    return await waitUntil('the rebuild is done', async () => (await reports(id)).find((status) => status !== 'running'), 90_000);
  }

  /** States of all that is stored of a request. */
  async function reports(id: string): Promise<string[]> {
    return (await query<{ status: string }>(gateway.url, `SELECT status FROM v_rebuilds WHERE request_id = '${id}'`)).map(({ status }) => status);
  }

  async function decisions(): Promise<string[]> {
    return (await query<{ kind: string; stage: string }>(gateway.url, 'SELECT kind, stage FROM model_swaps ORDER BY decided_at')).map(({ kind, stage }) => `${kind} ${stage}`);
  }

  /** What race-history says of versions, in its order. */
  async function swaps(): Promise<ModelSwap[]> {
    const log = await kafka.openLog();
    try {
      const found: LogRecord[] = [];
      const partition = partitionOf(SOURCE, await log.partitionCount('race-history'));
      const reader = log.readPartitions({ topic: 'race-history', partitions: [partition], from: () => 'earliest', onRecords: (records) => { found.push(...records); } });
      await reader.caughtUp;
      await reader.close();
      await codec.prepare('race-history', found.map(({ value }) => value));
      return found.flatMap(({ value }) => {
        const result = value === null ? null : codec.decode('race-history', value);
        return result !== null && 'decoded' in result && result.decoded.kind === 'ModelSwap' ? [result.decoded.value as ModelSwap] : [];
      });
    } finally {
      await log.close();
    }
  }

  /** By pipeline: the versions of clusters that a race on each of its partitions is forecast by now, '' for none. */
  async function versionsByPipeline(): Promise<string[][]> {
    probes += 1;
    const ids = Array.from({ length: kafka.partitions }, (_, partition) => {
      for (let n = 0; ; n++) if (partitionOf(`probe-${probes}-${n}`, kafka.partitions) === partition) return `probe-${probes}-${n}`;
    });
    await post('/v1/updates', 200, ids.map((id) => JSON.stringify({ race_id: id, source: SOURCE, title: `Nightly / lint ${id}`, at: Date.now(), started_at: Date.now(), state: 'running' })).join('\n'));
    const said = await waitUntil('all are forecast', async () => {
      const rows = await query<{ race_id: string; model_version: string }>(gateway.url, `SELECT race_id, any(model_version) AS model_version FROM eta_revisions WHERE race_id LIKE 'probe-${probes}-%' GROUP BY race_id`);
      return rows.length === ids.length ? new Map(rows.map((row) => [row.race_id, row.model_version.split('/')[1] ?? ''])) : null;
    });
    return [...(await kafka.pipelineMembers()).values()].map((partitions) => [...new Set(partitions.map((partition) => said.get(ids[partition]!)!))]);
  }
});

/** A template has its own duration. */
function lifeOf({ template }: FleetRace, daysAgo: number, n: number): { readonly startedAt: number; readonly completedAt: number } {
  const startedAt = NOW_MS - daysAgo * DAY_MS + n * 10_000;
  return { startedAt, completedAt: Math.round(startedAt + 20_000 * 1.7 ** (template % 9) * Math.exp(0.1 * (random() - 0.5))) };
}
