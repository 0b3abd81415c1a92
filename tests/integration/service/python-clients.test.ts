import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { python, whyNoPython } from '../../support/engines/python.ts';
import { startService, type RunningService } from '../../support/service.ts';
import { waitUntil } from '../../support/wait-until.ts';

// The whole service as clients in another language see it.

const root = new URL('../../..', import.meta.url).pathname;

describe.skipIf(whyNoPython() !== null)('Python', () => {
  const directory = mkdtempSync(join(tmpdir(), 'raceline-foreign-'));
  let service: RunningService;
  let grpcPort: string;
  beforeAll(async () => {
    service = await startService({ RACELINE_DATA_DIR: join(directory, 'data') });
    grpcPort = await waitUntil('the service prints its gRPC address', () => /^grpc +(?:\S+):(\d+)$/m.exec(service.logs())?.[1] ?? null);
  });
  afterAll(async () => {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('grpcio streams races: snapshot, changes, and after a cut exactly what changed', async () => {
    const descriptors = join(directory, 'race.binpb');
    const built = spawnSync(join(root, 'node_modules/.bin/buf'), ['build', join(root, 'schemas/proto'), '--as-file-descriptor-set', '-o', descriptors], { encoding: 'utf8' });
    expect([built.status, built.stderr]).toEqual([0, '']);
    const seen = await python<Record<string, any>>('grpc-client.py', [`127.0.0.1:${grpcPort}`, descriptors, service.url]);
    const ids = Array.from({ length: 10 }, (_, i) => `py-${i}`);
    expect(seen['error']).toEqual(['NOT_FOUND', 'No race has the id "nope"']);
    expect(seen['snapshot'][0]).toEqual(['SNAPSHOT_BEGIN', '']);
    expect(seen['snapshot'].slice(1, -1).sort()).toEqual(ids.map((id) => ['CREATED', id]));
    expect(seen['live']).toEqual([['UPDATED', 'py-3']]);
    expect(seen['resumed'][0]).toEqual(['RESUMED', '']);
    expect(seen['resumed'].slice(1).sort()).toEqual([2, 5, 7].map((i) => ['UPDATED', `py-${i}`]));
    expect(seen['race']).toMatchObject({ id: 'py-2', source: 'py/a', state: 'RUNNING', eta_source: 'ETA_SOURCE_BOOTSTRAP', events: [{ type: 'note' }] });
    expect(seen['empty'][0][0]).toBe('CREATED');
  }, 120_000);

  test('websocket-client follows /v1/etas: snapshot, delta, and after a cut every changed race exactly once', async () => {
    const seen = await python<Record<string, any>>('websocket-client.py', [service.url]);
    expect(seen['snapshot']).toEqual(Array.from({ length: 20 }, (_, i) => `ws-${i}`).sort());
    expect(seen['first'][0]).toBe(1);
    expect(seen['delta']).toEqual(['delta', seen['first'].length + 1, ['ws-4'], []]);
    // The change before the cut carried no token: it comes again with the others.
    expect(seen).toMatchObject({ resumed: 'resumed', changed: ['ws-1', 'ws-13', 'ws-4', 'ws-9'], removed: ['ws-2'], extra: null });
  }, 120_000);

  test('clickhouse-connect reads history, and reaches neither files nor network', async () => {
    await fetch(`${service.url}/race`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id: 'ch-1', source: 'ch/a', title: 'job', state: 'passed', started_at: new Date(Date.now() - 60_000).toISOString(), duration_sec: 60 }) });
    await waitUntil('it is in history', async () => (await (await fetch(`${service.url}/v1/sql?format=TSV&query=${encodeURIComponent("SELECT count() FROM races WHERE race_id = 'ch-1'")}`)).text()).trim() === '1', 20_000);
    const { hostname, port } = new URL(service.url);
    const seen = await python<Record<string, any>>('clickhouse-client.py', [hostname, port, 'ch-1']);
    expect(seen).toMatchObject({ version: true, settings: 0, names: ['race_id', 'source', 'duration_sec'], rows: [['ch-1', 'ch/a', 60]], command: 1, tables: true, inline: "x'y", write: true, file: true, network: true });
  }, 120_000);
});
