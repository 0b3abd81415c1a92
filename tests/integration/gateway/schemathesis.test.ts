import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHistoryStore } from '../../../src/adapters/clickhouse/history-store.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { HistoryStore } from '../../../src/ports/history-store.ts';
import { schemathesis, whyNoSchemathesis } from '../../support/engines/schemathesis.ts';
import { openEngines, openGateway, type Engines } from './harness.ts';

// What the OpenAPI document says, tried by a tool that reads nothing else.

const checks = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_schema_conformance', 'negative_data_rejection'];

describe.skipIf(whyNoSchemathesis() !== null)('schemathesis', () => {
  let engines: Engines;
  let history: HistoryStore;
  let gateway: Gateway;
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'raceline-schemathesis-'));
    history = await openHistoryStore({
      config: { url: null, database: 'raceline', username: 'default', password: '' }, dataDir: directory, historyTtlDays: 365, logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
    await history.migrate();
    engines = await openEngines();
    gateway = await openGateway(engines, { history });
  });
  afterAll(async () => {
    await gateway.close();
    await history.close();
    await engines.log.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('finds nothing', async () => {
    const { code, output } = await schemathesis(`${gateway.address}/docs/json`, [
      '--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing', '--max-examples', '15', '--seed', '20260301', '--continue-on-failure',
      // Their lines are tried by tests of their own: schemathesis cannot write NDJSON.
      '--exclude-path', '/v1/updates', '--exclude-path', '/v1/telemetry',
      // Without a service behind it there is nothing to look at.
      '--exclude-path', '/v1/doctor',
    ]);
    expect(code, output.slice(-12_000)).toBe(0);
    expect(output).toMatch(/\d{3,} generated/);
  }, 300_000);
});
