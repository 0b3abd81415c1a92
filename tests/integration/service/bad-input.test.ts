import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { confluentRegistry } from '../../../src/adapters/avro/confluent-registry.ts';
import type { RejectionCode } from '../../../src/errors.ts';
import type { NewRecord } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { emptyUpdate } from '../../../src/race/update.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaSetting, type KafkaSetting } from '../../support/kafka-service.ts';
import { query, startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { start } from '../cli/process.ts';
import { totalsOf } from './exactly-once.ts';

const DAY_MS = 86_400_000;

describe.skipIf(whyNoEngines() !== null)('bad input to a running service on Kafka', () => {
  const directory = temporaryDirectory();
  let kafka: KafkaSetting;
  let service: RunningService;

  beforeAll(async () => {
    kafka = await kafkaSetting();
    service = await startService({ ...kafka.env, RACELINE_DATA_DIR: directory.path });
  }, 120_000);

  afterAll(async () => {
    await service?.kill();
    directory.remove();
  });

  const ok = { id: 'refused', source: 'ci/bad', title: 'build' };

  test.each<[string, object, RejectionCode, unknown, string]>([
    ['progress 140', { ...ok, progress: 140 }, 'progress_out_of_range', 140, '0..100'],
    ['a negative duration', { ...ok, state: 'passed', duration_sec: -5 }, 'duration_out_of_range', -5, '0..315,360,000'],
    ['a negative ETA', { ...ok, eta_sec: -1 }, 'eta_out_of_range', -1, '0..315,360,000'],
    ['a state that does not exist', { ...ok, state: 'exploded' }, 'state_invalid', 'exploded', 'queued, running, passed, failed, canceled'],
    ['10,000 metadata keys', { ...ok, metadata: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, 'v'])) }, 'metadata_too_large', 'an object', 'at most 100 keys'],
    ['an id with NUL', { ...ok, id: 'a\0b' }, 'id_invalid', 'a\0b', '1..200 characters without control characters'],
  ])('POST /race refuses %s with 400, code, value and range', async (_, body, code, value, range) => {
    const response = await post('/race', JSON.stringify(body), 'application/json');
    const answer = await response.json() as { range: string };
    expect([response.status, answer]).toEqual([400, expect.objectContaining({ code, value })]);
    expect(answer.range).toContain(range);
  });

  test('POST /race refuses a body of 2 MB with 413', async () => {
    const response = await post('/race', JSON.stringify({ ...ok, title: 'x'.repeat(2_000_000) }), 'application/json');
    expect([response.status, await response.json()]).toEqual([413, expect.objectContaining({ code: 'too_large' })]);
  });

  test('POST /v1/updates names each bad line and takes the rest', async () => {
    const nowMs = Date.now();
    const lines = [
      { race_id: 'line-ok', source: 'ci/bad', at: nowMs, title: 'ok', state: 'passed', started_at: nowMs - 1_000, completed_at: nowMs },
      { race_id: 'line', source: 'ci/bad', at: nowMs, progress: 140 },
      { race_id: 'line', source: 'ci/bad', at: nowMs, started_at: nowMs, completed_at: nowMs - 5_000 },
      { race_id: 'line', source: 'ci/bad', at: nowMs, stage: { name: 's', state: 'exploded' } },
      { race_id: 'li\0ne', source: 'ci/bad', at: nowMs },
      { race_id: 'line', source: 'ci/bad', at: nowMs + DAY_MS },
    ];
    const response = await post('/v1/updates', `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"race_id": \n`, 'application/x-ndjson');
    const { rejected, ...rest } = await response.json() as { rejected: { line: number; code: string; message: string }[] };
    expect([response.status, rest]).toEqual([200, { accepted: 1, rejected_total: 6 }]);
    expect(rejected.map(({ line, code }) => [line, code])).toEqual([
      [2, 'progress_out_of_range'], [3, 'finish_before_start'], [4, 'enum_invalid'], [5, 'id_invalid'], [6, 'at_in_future'], [7, 'undecodable'],
    ]);
    expect(rejected[0]?.message).toMatch(/0\.\.100.*140/);
  });

  test('rubbish on race-updates goes to dead-letters with its code, where the command line shows it, and the rest goes on', async () => {
    const codec = createCodec({ registry: confluentRegistry({ url: kafka.registry, username: '', password: '' }), etaFormat: 'avro', topicPrefix: kafka.prefix });
    await codec.register();
    const nowMs = Date.now();
    const framed = codec.encode('race-updates', { ...emptyUpdate('cut', 'ci/rubbish', nowMs), title: 'a title that is cut off' });
    const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
    const said = { race_id: 'rubbish', source: 'ci/rubbish', at: nowMs };
    const rubbish: readonly (readonly [RejectionCode, NewRecord])[] = [
      ['undecodable', { key: Buffer.from('bytes'), value: Buffer.from([0xff, 0xfe, 0x00, 0x13, 0x37]) }],
      ['undecodable', { key: Buffer.from('empty'), value: Buffer.alloc(0) }],
      ['undecodable', { key: Buffer.from('half'), value: Buffer.from('{"race_id": "half", ') }],
      ['undecodable', { key: Buffer.from('list'), value: json([said]) }],
      ['undecodable', { key: Buffer.from('cut'), value: framed.subarray(0, framed.length - 30) }],
      ['unknown_schema', { key: Buffer.from('schema'), value: Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), framed.subarray(5)]) }],
      ['key_missing', { key: null, value: json(said) }],
      ['key_mismatch', { key: Buffer.from('another'), value: json(said) }],
      ['id_missing', { key: Buffer.from('rubbish'), value: json({ source: 'ci/rubbish' }) }],
      ['source_missing', { key: Buffer.from('rubbish'), value: json({ race_id: 'rubbish' }) }],
      ['progress_out_of_range', { key: Buffer.from('rubbish'), value: json({ ...said, progress: 140 }) }],
      ['at_in_future', { key: Buffer.from('rubbish'), value: json({ ...said, at: nowMs + DAY_MS }) }],
      ['type_invalid', { key: Buffer.from('rubbish'), value: json({ ...said, title: 7 }) }],
      ['metadata_too_large', { key: Buffer.from('rubbish'), value: json({ ...said, metadata: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, 'v'])) }) }],
    ];
    const log = await kafka.openLog();
    const placed: { code: RejectionCode; partition: number; offset: number; key: string | null; bytes: number }[] = [];
    const good: string[] = [];
    try {
      for (const [index, [code, record]] of rubbish.entries()) {
        const partition = record.key === null ? 0 : partitionOf(record.key.toString(), kafka.partitions);
        placed.push({ code, partition, offset: await log.append('race-updates', partition, [record]), key: record.key?.toString() ?? null, bytes: record.value?.length ?? 0 });
        good.push(await appendGoodRace(index, partition));
      }
    } finally {
      await log.close();
    }

    await waitUntil('every good race is in ClickHouse', async () => {
      const rows = await query<{ race_id: string }>(service.url, "SELECT race_id FROM races WHERE source = 'ci/good'");
      return new Set(rows.map((row) => row.race_id)).size === good.length;
    });
    const run = start(['dead-letters', 'ls', '--topic', 'race-updates', '--json', '--server', service.url]);
    expect(await run.ended).toBe(0);
    const letters = run.output.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    const order = (a: { partition?: unknown; offset?: unknown }, b: { partition?: unknown; offset?: unknown }): number => Number(a.partition) - Number(b.partition) || Number(a.offset) - Number(b.offset);
    expect(letters.map(({ code, partition, offset, key, bytes }) => ({ code, partition, offset, key, bytes })).sort(order)).toEqual(placed.sort(order));
    for (const letter of letters) expect(letter['message']).toMatch(/\S/);

    const one = start(['dead-letters', 'ls', '--code', 'progress_out_of_range', '--server', service.url]);
    expect(await one.ended).toBe(0);
    expect(one.output.stdout).toMatch(/^\d+ \S+ race-updates\/\d@\d+ progress_out_of_range rubbish: .*0\.\.100.*140\n$/);

    await waitUntil('the totals are in ClickHouse', async () => (await totalsOf(service.url)).applied === good.length + 1);
    const totals = await totalsOf(service.url);
    expect(totals).toMatchObject({ rejected: rubbish.length, late: 0, duplicate: 0, forgotten: 0, rerouted: 0, read: good.length + 1 + rubbish.length });
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);

    /** A race on the partition of the rubbish, through the gateway, behind it. */
    async function appendGoodRace(index: number, partition: number): Promise<string> {
      let id = `good-${index}`;
      while (partitionOf(id, kafka.partitions) !== partition) id += '+';
      const line = { race_id: id, source: 'ci/good', at: nowMs, title: 'good', state: 'passed', started_at: nowMs - 1_000, completed_at: nowMs };
      expect(await (await post('/v1/updates', JSON.stringify(line), 'application/x-ndjson')).json()).toMatchObject({ accepted: 1 });
      return id;
    }
  });

  function post(path: string, body: string, type: string): Promise<Response> {
    return fetch(service.url + path, { method: 'POST', headers: { 'content-type': type }, body });
  }
});
