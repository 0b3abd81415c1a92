import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { TelemetryPoint } from '../../../src/journey/telemetry.ts';
import type { LogRecord } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { openEngines, openGateway, send, type Engines } from './harness.ts';

let engines: Engines;
let gateway: Gateway;
const NOW_MS = Date.UTC(2026, 0, 31, 12);

beforeAll(async () => {
  engines = await openEngines();
  gateway = await openGateway(engines, { clock: { nowMs: () => NOW_MS } });
});
afterAll(async () => {
  await gateway.close();
  await engines.log.close();
});

async function stored(): Promise<{ readonly partition: number; readonly point: TelemetryPoint }[]> {
  const records: LogRecord[] = [];
  const reader = engines.log.readPartitions({ topic: 'telemetry', partitions: [0, 1, 2, 3], from: () => 'earliest', onRecords: (batch) => { records.push(...batch); } });
  await reader.caughtUp;
  await reader.close();
  return records.map(({ partition, value }) => {
    const result = engines.codec.decode('telemetry', value!);
    if ('error' in result) throw new Error(result.error.message);
    return { partition, point: result.decoded.value as TelemetryPoint };
  });
}

const post = (lines: readonly unknown[]) => send(gateway, 'POST', '/v1/telemetry', lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'), { 'content-type': 'application/x-ndjson' });

describe('POST /v1/telemetry', () => {
  test('takes what is a position and refuses the rest line by line, each with its code', async () => {
    const good = { race_id: 'bus-1', at: NOW_MS, lat: 30.27, lon: -97.74 };
    const { status, body } = await post([
      good,
      { ...good, lat: 91 },
      { ...good, lat: 0, lon: 0 },
      { ...good, at: NOW_MS + 3_600_000 },
      '{"race_id":"bus-1","at":1,"lat":NaN,"lon":1}',
      { ...good, at: '2026-01-31T12:00:01Z', speed_mps: 7.5, device: 'a' },
      { ...good, race_id: '' },
      { ...good, at: 'yesterday' },
      '',
      '[]',
    ]);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      accepted: 2, rejected_total: 7,
      rejected: [
        { line: 2, code: 'position_invalid' }, { line: 3, code: 'position_invalid' }, { line: 4, code: 'at_in_future' }, { line: 5, code: 'undecodable' },
        { line: 7, code: 'id_missing' }, { line: 8, code: 'at_invalid' }, { line: 10, code: 'type_invalid' },
      ],
    });
    const bus = (await stored()).filter(({ point }) => point.race_id === 'bus-1');
    expect(bus.map(({ point }) => [point.at, point.speed_mps, point.device])).toEqual([[NOW_MS, null, null], [NOW_MS + 1_000, 7.5, 'a']]);
  });

  test('puts each position on the partition of its race, in the order of the lines', async () => {
    const lines = Array.from({ length: 2_000 }, (_, i) => ({ race_id: `v${i % 50}`, at: NOW_MS - 1_000_000 + i, lat: 1, lon: 1 }));
    expect((await post(lines)).body).toMatchObject({ accepted: 2_000, rejected_total: 0 });
    const points = (await stored()).filter(({ point }) => point.race_id.startsWith('v'));
    expect(points).toHaveLength(2_000);
    expect(points.every(({ partition, point }) => partition === partitionOf(point.race_id, 4))).toBe(true);
    for (const id of ['v0', 'v49']) {
      const times = points.filter(({ point }) => point.race_id === id).map(({ point }) => point.at);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }
  });
});
