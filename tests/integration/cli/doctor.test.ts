import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DoctorReport } from '../../../src/runtime/doctor.ts';
import { whyNoEngines } from '../../support/engines/engines.ts';
import { kafkaSetting } from '../../support/kafka-service.ts';
import { startService, temporaryDirectory, type RunningService } from '../../support/service.ts';
import { start } from './process.ts';

let folder: { readonly path: string; remove(): void };
let service: RunningService | null = null;
beforeEach(() => { folder = temporaryDirectory(); });
afterEach(async () => {
  await service?.stop();
  service = null;
  folder.remove();
});

const bare = { KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '', CLICKHOUSE_URL: '', RACELINE_TOKEN_FILE: '' };

async function doctor(args: readonly string[], env: Record<string, string>): Promise<{ code: unknown; report: DoctorReport; err: string }> {
  const run = start(['doctor', '--json', ...args], { env: { ...bare, RACELINE_DATA_DIR: folder.path, RACELINE_PORT: '1', ...env } });
  const code = await run.ended;
  return { code, report: run.output.stdout === '' ? { at: 0, healthy: false, checks: [] } : JSON.parse(run.output.stdout) as DoctorReport, err: run.output.stderr };
}

const problems = (report: DoctorReport) => report.checks.filter(({ status }) => status === 'problem');

test('asks the running service, which holds the embedded engines, with a token where one is needed', async () => {
  const token = join(folder.path, 'token');
  writeFileSync(token, 'boss\n');
  writeFileSync(join(folder.path, 'tokens'), `admin ${createHash('sha256').update('boss').digest('hex')} ops\n`);
  service = await startService({ RACELINE_DATA_DIR: folder.path, RACELINE_TOKENS_FILE: join(folder.path, 'tokens') });
  expect(await doctor(['--server', service.url], {})).toMatchObject({ code: 1, err: expect.stringContaining('unauthenticated') });
  const { code, report } = await doctor(['--server', service.url], { RACELINE_TOKEN_FILE: token });
  expect(problems(report)).toEqual([]);
  expect(code).toBe(0);
  expect(new Set(report.checks.map(({ name }) => name))).toEqual(new Set(['gateway', 'node', 'packages', 'disk', 'log', 'topics', 'clock', 'lag', 'dead-letters', 'schemas', 'history']));
  const text = start(['doctor', '--server', service.url], { env: { RACELINE_TOKEN_FILE: token } });
  expect(await text.ended).toBe(0);
  expect(text.output.stdout).toMatch(/^Asked http[^]*\nok {6}history {6}embedded chDB, version \d[^]*\nNo problem was found\.\n$/);
});

test('says who holds the engines when the service cannot be asked', async () => {
  service = await startService({ RACELINE_DATA_DIR: folder.path, RACELINE_ROLES: 'pipeline,historian' });
  const { code, report } = await doctor([], {});
  expect(code).toBe(1);
  expect(problems(report).map(({ name, detail }) => [name, detail])).toEqual([
    ['log', expect.stringContaining('log_unavailable: ')], ['history', expect.stringMatching(new RegExp(`^history_locked: .*process ${service.pid} has it open`))],
  ]);
});

test('a named server that does not answer is an error, not a reason to look elsewhere', async () => {
  expect(await doctor(['--server', 'http://127.0.0.1:1'], {})).toMatchObject({ code: 1, err: expect.stringContaining('unavailable') });
});

test('a setting that is wrong is said, without its secret', async () => {
  const { code, err } = await doctor([], { SCHEMA_REGISTRY_URL: 'ftp://user:hunter2@registry' });
  expect([code, err]).toEqual([1, 'raceline: config_invalid: Cannot start: SCHEMA_REGISTRY_URL must be an http or https URL, got something else\n']);
});

describe.skipIf(whyNoEngines() !== null)('on Kafka and a registry', () => {
  test('opens the engines itself, and finds what is missing until it is there', async () => {
    const { env } = await kafkaSetting();
    const engines = { ...env, CLICKHOUSE_URL: 'http://127.0.0.1:1' };
    const before = await doctor([], engines);
    expect(before.code).toBe(1);
    expect(before.report.checks).toContainEqual(expect.objectContaining({ name: 'log', status: 'ok', detail: expect.stringMatching(/^Kafka, 1 broker: /) }));
    const missing = problems(before.report);
    expect(missing.find(({ name }) => name === 'topics')?.detail).toMatch(/^race-updates, .*: it does not exist$/);
    expect(missing.filter(({ name }) => name === 'schemas')).toHaveLength(11);
    expect(missing.find(({ name }) => name === 'history')?.detail).toMatch(/^history_unavailable: /);
    expect(await start(['topics', 'apply'], { env: engines }).ended).toBe(0);
    const after = await doctor([], engines);
    expect(problems(after.report).map(({ name }) => name)).toEqual(['history']);
    expect(after.report.checks).toContainEqual(expect.objectContaining({ name: 'clock', status: 'ok' }));
  });
});
