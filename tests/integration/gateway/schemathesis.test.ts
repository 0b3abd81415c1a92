import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schemathesis, whyNoSchemathesis } from '../../support/engines/schemathesis.ts';
import { openHistoryGateway, type HistoryGateway } from './harness.ts';

// What the OpenAPI document says, tried by a tool that reads nothing else.

const checks = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_schema_conformance', 'negative_data_rejection'];

describe.skipIf(whyNoSchemathesis() !== null)('schemathesis', () => {
  let opened: HistoryGateway;
  beforeAll(async () => { opened = await openHistoryGateway(); });
  afterAll(() => opened.closeAll());

  test('finds nothing', async () => {
    const { code, output } = await schemathesis(`${opened.gateway.address}/docs/json`, [
      '--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing', '--max-examples', '15', '--seed', '20260301', '--continue-on-failure',
      // Their lines are tried by tests of their own: schemathesis cannot write NDJSON.
      '--exclude-path', '/v1/updates', '--exclude-path', '/v1/telemetry',
      // Without a service behind it there is nothing to look at.
      '--exclude-path', '/v1/doctor',
    ]);
    expect(code, output.slice(-12_000)).toBe(0);
    expect(output).toMatch(/\d{3,} generated/);
  }, 480_000);
});
