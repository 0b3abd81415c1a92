import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EtaUpdate } from '../../../src/forecast/eta-update.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import type { RaceUpdate } from '../../../src/race/update.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { consumeForeignAvro, produceForeignAvro, produceForeignJson, whyNoLibrdkafka, type ForeignValue } from '../../support/engines/librdkafka.ts';
import { fleetUpdates } from '../../support/fleet.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { totalsOf } from './exactly-once.ts';

const RACES = 40;

/** Clients that are not ours: librdkafka with its own partitioner, JSON by hand, Avro by Confluent's serializers. */
describe.skipIf(whyNoEngines() !== null || whyNoLibrdkafka() !== null)('a service fed and read by librdkafka', { timeout: 60_000 }, () => {
  const directory = temporaryDirectory();
  let kafka: KafkaSetting;
  let service: RunningService;
  let updates: readonly RaceUpdate[] = [];
  let misplaced = 0;
  let revisions: readonly ForeignValue[] = [];

  beforeAll(async () => {
    kafka = await kafkaSetting();
    service = await startService({ ...kafka.env, RACELINE_DATA_DIR: directory.path });
    const startMs = Date.now() - 60_000;
    const fleet = (idPrefix: string): RaceUpdate[] => fleetUpdates({ seed: 3, races: RACES, startMs, spacingMs: 500, durationMs: 20_000, idPrefix });
    const [json, avro] = [fleet('json'), fleet('avro')];
    updates = [...json, ...avro];
    const topic = `${kafka.prefix}race-updates`;
    const placed = await Promise.all([
      produceForeignJson(kafka.broker, topic, json.map((update) => ({ key: update.race_id, value: asWritten(update) }))),
      produceForeignAvro(kafka.broker, topic, kafka.registry, avro.map((update) => ({ key: update.race_id, value: update }))),
    ]);
    misplaced = placed.flat().filter(([key, partition]) => partition !== partitionOf(key, kafka.partitions)).length;
    await waitUntil('every race is in ClickHouse', async () => {
      const [row] = await query<{ n: string }>(service.url, 'SELECT uniqExact(race_id) AS n FROM races');
      return Number(row?.n) === 2 * RACES;
    }, 30_000);
    await waitUntil('the totals of every update are in ClickHouse', async () => (await totalsOf(service.url)).applied >= updates.length, 30_000);
    revisions = await consumeForeignAvro(kafka.broker, `${kafka.prefix}eta-updates`, kafka.registry);
  }, 120_000);

  afterAll(async () => {
    await service?.kill();
    directory.remove();
  });

  test('every race ended as it was told, once, whatever wrote it', async () => {
    const rows = await query<{ race_id: string; outcome: string; completed: string; metadata: Record<string, string> }>(
      service.url, 'SELECT race_id, outcome, toUnixTimestamp64Milli(completed_at) AS completed, metadata FROM races',
    );
    const told = updates.filter((update) => update.completed_at !== null).map((update) => `${update.race_id} ${update.state} ${update.completed_at}`).sort();
    expect(rows.map((row) => `${row.race_id} ${row.outcome} ${row.completed}`).sort()).toEqual(told);
    const metadata = new Map(updates.filter((update) => update.metadata !== null).map((update) => [update.race_id, update.metadata]));
    for (const row of rows) expect(row.metadata).toEqual(metadata.get(row.race_id));
  });

  test('updates on another partition than their race\'s are counted as rerouted, each once', async () => {
    expect(misplaced).toBeGreaterThan(updates.length / 2);
    expect(await totalsOf(service.url)).toEqual({
      read: updates.length + misplaced, applied: updates.length, rerouted: misplaced, late: 0, duplicate: 0, forgotten: 0, rejected: 0,
      balanced: kafka.partitions, partitions: kafka.partitions,
    });
  });

  test('a consumer decodes every revision by the registry\'s schema, with what ClickHouse has of it', async () => {
    await waitUntil('every revision is in ClickHouse', async () => {
      const [row] = await query<{ n: string }>(service.url, 'SELECT count() AS n FROM eta_revisions');
      return Number(row?.n) === revisions.length;
    }, 30_000);
    const stored = await query<Record<string, unknown>>(service.url, `SELECT partition, toInt64(offset) AS offset, race_id, source, attempt, revision, state, reason, basis, model_version,
      eta_sec, p10_sec, p50_sec, p90_sec, confidence, display_state, toUnixTimestamp64Milli(issued_at) AS issued_at, toUnixTimestamp64Milli(finish_at) AS finish_at
      FROM eta_revisions ORDER BY partition, offset`);
    expect(revisions.map(asStored)).toEqual(stored.map((row) => ({ ...row, offset: Number(row['offset']), issued_at: Number(row['issued_at']), finish_at: row['finish_at'] === null ? null : Number(row['finish_at']) })));
  });

  test('the last revision of each race says what really was', async () => {
    const last = new Map(revisions.map(({ value }) => [value['race_id'], value as unknown as EtaUpdate]));
    expect(last.size).toBe(2 * RACES);
    for (const update of updates.filter(({ completed_at }) => completed_at !== null)) {
      const eta = last.get(update.race_id);
      expect(eta).toMatchObject({ state: update.state, reason: 'finished', basis: 'exact', confidence: 1, completed_at: update.completed_at, finish_at: update.completed_at, remaining_sec: 0 });
      expect(eta?.milestones.map(({ name }) => name)).toEqual(['checkout', 'restore cache', 'compile', 'test', 'upload']);
      expect(eta?.metadata['event']).toBe('push');
    }
  });
});

/** As a script would write it: instants in ISO 8601, and a field that no schema knows. */
function asWritten(update: RaceUpdate): object {
  const said = Object.fromEntries(Object.entries(update).filter(([, value]) => value !== null));
  return { ...said, at: new Date(update.at).toISOString(), written_by: 'a script' };
}

function asStored({ partition, offset, value }: ForeignValue): Record<string, unknown> {
  const { race_id, source, attempt, revision, state, reason, basis, model_version, eta_sec, p10_sec, p50_sec, p90_sec, confidence, display, issued_at, finish_at } = value as unknown as EtaUpdate;
  return { partition, offset, race_id, source, attempt, revision, state, reason, basis, model_version, eta_sec, p10_sec, p50_sec, p90_sec, confidence, display_state: display.state, issued_at, finish_at };
}
