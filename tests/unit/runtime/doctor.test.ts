import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import { AppError } from '../../../src/errors.ts';
import type { RecordLog } from '../../../src/ports/record-log.ts';
import { examine, type Check, type Patient } from '../../../src/runtime/doctor.ts';
import { partitionCounts, topics } from '../../../topology/topics.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const definitions = topics.map((topic) => ({ ...topic, partitions: partitionCounts.embedded[topic.partitions] }));
const logClock = { now: NOW_MS, nowMs: () => logClock.now };
let log: RecordLog;
let patient: Patient;

beforeEach(async () => {
  logClock.now = NOW_MS;
  log = openLocalLog({ storage: memoryStorage(), clock: logClock, maintenanceIntervalMs: null });
  await log.ensureTopics(definitions);
  patient = {
    log, codec: createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' }), history: null, topics: definitions, clock: { nowMs: () => NOW_MS }, dataDir: null,
    packages: [{ name: 'chdb', missing: null }], openGateway: null, nodeVersion: '24.21.0',
  };
});
afterEach(() => log.close());

const found = async (changes: Partial<Patient> = {}): Promise<readonly Check[]> => (await examine({ ...patient, ...changes })).checks.filter(({ status }) => status !== 'ok');

test('finds nothing wrong where nothing is', async () => {
  const report = await examine(patient);
  expect(report).toMatchObject({ at: NOW_MS, healthy: true });
  expect(report.checks.map(({ name, status }) => [name, status])).toEqual([['node', 'ok'], ['packages', 'ok'], ['log', 'ok'], ['topics', 'ok'], ['clock', 'ok'], ['lag', 'ok'], ['dead-letters', 'ok'], ['schemas', 'ok']]);
});

test('the probe changes nothing but a key that never was', async () => {
  await examine(patient);
  const ends = await Promise.all(topics.map(async ({ name }) => [name, (await log.endOffsets(name)).reduce((a, b) => a + b)]));
  expect(ends.filter(([, end]) => end !== 0)).toEqual([['ingest-targets', 1]]);
});

test.each([[60_000, 'ahead of'], [-3_600_000, 'behind']])('a log whose clock is off by %d ms is a problem', async (offMs, words) => {
  logClock.now = NOW_MS + offMs;
  expect(await found()).toMatchObject([{ name: 'clock', status: 'problem', detail: expect.stringContaining(`${Math.abs(offMs) / 1_000} s ${words} this one`), remedy: expect.stringContaining('NTP') }]);
});

test('dead letters of the last day are counted by code; a defect of ours is a problem', async () => {
  const letter = (code: string) => ({ key: null, value: Buffer.from('x'), headers: [['code', Buffer.from(code)]] as const });
  logClock.now = NOW_MS - 25 * 3_600_000;
  await log.append('dead-letters', 0, [letter('state_invalid')]);
  logClock.now = NOW_MS;
  await log.append('dead-letters', 0, ['at_in_future', 'at_in_future', 'undecodable'].map(letter));
  expect(await found()).toMatchObject([{ status: 'warning', detail: '2 in the last day with at_in_future', remedy: 'Look at them: raceline dead-letters ls --code at_in_future' }, { detail: '1 in the last day with undecodable' }]);
  expect((await examine(patient)).healthy).toBe(true);
  await log.append('dead-letters', 0, [letter('processing_failed')]);
  expect((await examine(patient)).healthy).toBe(false);
});

test('what is unread by the thousands is a problem', async () => {
  for (let n = 0; n < 11; n++) await log.append('race-updates', n % 4, Array.from({ length: 1_000 }, () => ({ key: null, value: Buffer.from('x') })));
  expect(await found()).toMatchObject([{ name: 'lag', status: 'problem', detail: 'pipeline has still to read 11000 of race-updates', remedy: expect.stringContaining('pipeline') }]);
});

test('topics that are missing are one finding, and nothing is looked for in them', async () => {
  const empty = openLocalLog({ storage: memoryStorage(), maintenanceIntervalMs: null });
  expect(await found({ log: empty })).toMatchObject([{ name: 'topics', detail: `${topics.map(({ name }) => name).join(', ')}: it does not exist`, remedy: 'Run: raceline topics apply' }]);
  await empty.close();
});

test('an engine that cannot be opened is a problem, and the rest is looked at', async () => {
  const checks = await found({ log: new AppError('log_unavailable', 'gone'), history: new AppError('history_locked', 'process 7 has it open'), codec: new AppError('registry_unavailable', 'refused') });
  expect(checks).toMatchObject([
    { name: 'log', status: 'problem', detail: 'log_unavailable: gone', remedy: expect.stringContaining('KAFKA_BROKERS') },
    { name: 'schemas', detail: 'registry_unavailable: refused', remedy: expect.stringContaining('SCHEMA_REGISTRY_URL') },
    { name: 'history', detail: 'history_locked: process 7 has it open', remedy: expect.stringContaining('Stop the other process') },
  ]);
});

test('an engine that breaks while it is looked at is a problem, not a crash', async () => {
  const broken: RecordLog = { ...log, inspect: () => Promise.reject(new Error('socket hang up')) };
  expect(await found({ log: broken, dataDir: '/no/such/directory' })).toMatchObject([{ name: 'disk', status: 'problem' }, { name: 'log', status: 'problem', detail: 'internal: socket hang up' }]);
});

test('an old Node, a missing package and an open gateway are told', async () => {
  expect(await found({ nodeVersion: '20.20.2', packages: [{ name: 'chdb', missing: 'no history' }], openGateway: 'Whoever can reach it' })).toMatchObject([
    { name: 'node', status: 'problem' }, { name: 'packages', status: 'warning', detail: 'chdb is not installed: no history' }, { name: 'gateway', status: 'warning', remedy: expect.stringContaining('RACELINE_TOKENS_FILE') },
  ]);
});

test('schemas that are not registered, or would be refused, are told by subject', async () => {
  const states = ['registered', 'missing', 'incompatible'] as const;
  const codec = createCodec({ registry: { ...embeddedRegistry(), inspect: async (subject) => states[['race-updates-value', 'routes-value'].indexOf(subject) + 1]! }, etaFormat: 'avro' });
  expect(await found({ codec })).toMatchObject([{ detail: 'race-updates-value is not registered' }, { detail: 'routes-value would be refused as incompatible' }]);
});
