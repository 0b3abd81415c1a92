import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCodec } from '../../../src/adapters/avro/codec.ts';
import { embeddedRegistry } from '../../../src/adapters/avro/embedded-registry.ts';
import { openLocalLog } from '../../../src/adapters/local-log/local-log.ts';
import { memoryStorage } from '../../../src/adapters/local-log/memory-storage.ts';
import type { Gateway } from '../../../src/gateway/server.ts';
import type { LogRecord, RecordLog } from '../../../src/ports/record-log.ts';
import { partitionOf } from '../../../src/race/partition.ts';
import { noHooks } from '../../../src/runtime/hooks.ts';
import { runLearner, type Learner } from '../../../src/runtime/learner.ts';
import { runPipeline, type Pipeline } from '../../../src/runtime/pipeline.ts';
import { start } from '../cli/process.ts';
import { openGateway, send, until } from '../gateway/harness.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { everyTopic } from '../../support/topics.ts';

// A pipeline and a gateway on one log, with a clock moved by hand: what was refused for being ahead of time is in time
// later.

const START_MS = Date.parse('2026-03-01T12:00:00Z');
const LATER_MS = 20 * 60_000;

const clock = { now: START_MS, nowMs: () => clock.now };
let log: RecordLog;
let learner: Learner;
let pipeline: Pipeline;
let gateway: Gateway;

beforeAll(async () => {
  log = openLocalLog({ storage: memoryStorage(), clock, maintenanceIntervalMs: null });
  await log.ensureTopics(everyTopic());
  const codec = createCodec({ registry: embeddedRegistry(), etaFormat: 'avro' });
  await codec.register();
  learner = await runLearner({ log, codec, clock, logger: silentLogger });
  pipeline = await runPipeline({ log, codec, learner, clock, logger: silentLogger, hooks: noHooks, finishedTtlMs: 86_400_000, writerId: 'test' });
  gateway = await openGateway({ log, codec }, { clock });
  await until(() => pipeline.tasks.size === 4);
});
afterAll(async () => {
  await gateway.close();
  await pipeline.close();
  await learner.close();
  await log.close();
});

type Totals = { read: number; applied: number; late: number; duplicate: number; rejected: number };

function totals(): Totals {
  const sum: Totals = { read: 0, applied: 0, late: 0, duplicate: 0, rejected: 0 };
  for (const { store } of pipeline.tasks.values()) for (const name of Object.keys(sum) as (keyof Totals)[]) sum[name] += store.position[name];
  return sum;
}

async function appendRaw(raceId: string, value: string | Buffer, headers: readonly (readonly [string, Buffer])[] = []): Promise<void> {
  await log.append('race-updates', partitionOf(raceId, 4), [{ key: Buffer.from(raceId), value: Buffer.from(value), headers }]);
}

async function recordsOf(topic: 'race-updates' | 'eta-updates'): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const reader = log.readPartitions({ topic, partitions: [0, 1, 2, 3], from: () => 'earliest', onRecords: (batch) => { records.push(...batch); } });
  await reader.caughtUp;
  await reader.close();
  return records;
}

const inTwentyMinutes = new Date(START_MS + LATER_MS).toISOString();
const ahead = JSON.stringify({ race_id: 'ahead', source: 'ci', title: 'ahead', at: inTwentyMinutes, state: 'running', started_at: inTwentyMinutes });
const timeless = JSON.stringify({ race_id: 'timeless', source: 'ci', title: 'old news', state: 'running', started_at: inTwentyMinutes });
const garbage = Buffer.from([0xff, 0x00, 0x01]);

test('a refused record is kept with its bytes, its headers and the reason', async () => {
  await appendRaw('ahead', ahead, [['trace', Buffer.from('t-1')]]);
  await appendRaw('timeless', timeless);
  await appendRaw('garbage', garbage);
  await until(() => totals().rejected === 3);
  await until(async () => (await send(gateway, 'GET', '/v1/dead-letters')).body.items.length === 3);
  const { body } = await send(gateway, 'GET', '/v1/dead-letters?code=at_in_future&key=ahead');
  expect(body.items).toMatchObject([{ topic: 'race-updates', partition: partitionOf('ahead', 4), code: 'at_in_future', key: 'ahead', value: ahead }]);
  const one = await send(gateway, 'GET', `/v1/dead-letters/${body.items[0].dead_letter_offset}`);
  expect(one.body).toMatchObject({ decoded: { race_id: 'ahead' }, headers: expect.arrayContaining([{ name: 'appended_at', value: String(START_MS) }, { name: 'header.trace', value: 't-1' }]) });
  expect(Buffer.from(one.body.value_base64, 'base64').toString()).toBe(ahead);
  expect((await send(gateway, 'GET', `/v1/dead-letters?since=${START_MS + 1}`)).body.items).toEqual([]);
  expect((await send(gateway, 'GET', '/v1/dead-letters/99')).status).toBe(404);
});

test('replayed after the fix it is taken, and what is still wrong is refused again with the same code', async () => {
  clock.now += LATER_MS + 60_000;
  expect((await send(gateway, 'POST', '/v1/dead-letters/replay', { all: true, dry_run: true })).body).toMatchObject({ replayed: 3 });
  expect((await send(gateway, 'POST', '/v1/dead-letters/replay', { all: true })).body).toEqual({ replayed: 3, skipped: 0, problems: [] });
  await until(() => totals().read === 6);
  expect(totals()).toMatchObject({ applied: 2, rejected: 4, duplicate: 0, late: 0 });
  await until(async () => (await send(gateway, 'GET', '/v1/dead-letters')).body.items.length === 4);
  const [again] = (await send(gateway, 'GET', '/v1/dead-letters?limit=1')).body.items;
  expect(again).toMatchObject({ code: 'undecodable', key: 'garbage', bytes: 3 });
  const replayed = (await recordsOf('race-updates')).filter(({ headers }) => headers.some(([name]) => name === 'replayed_from'));
  const [first] = replayed.filter(({ key }) => String(key) === 'ahead');
  expect(first!.value!.toString()).toBe(ahead);
  expect(first!.headers.map(([name, value]) => [name, String(value)])).toEqual([['trace', 't-1'], ['replayed_from', expect.stringMatching(/^dead-letters\/0@\d$/)], ['appended_at', String(START_MS)]]);
});

test('an update that does not say when it was is as old as it was at first', async () => {
  await until(async () => (await send(gateway, 'GET', '/v1/races/timeless')).status === 200);
  expect((await send(gateway, 'GET', '/v1/races/timeless')).body).toMatchObject({ title: 'old news', updated_at: START_MS });
});

test('replayed twice, nothing changes', async () => {
  const seen = async (): Promise<unknown> => [(await send(gateway, 'GET', '/v1/races/ahead')).body, (await send(gateway, 'GET', '/v1/races/timeless')).body, (await recordsOf('eta-updates')).length];
  await until(async () => (await send(gateway, 'GET', '/v1/races/ahead')).body.eta !== null);
  const before = await seen();
  for (let round = 1; round <= 2; round++) {
    const { rejected, read, ...rest } = totals();
    const { replayed } = (await send(gateway, 'POST', '/v1/dead-letters/replay', { topic: 'race-updates' })).body;
    await until(() => totals().read === read + replayed);
    // The two are known already; the garbage is refused once for every letter that holds it.
    expect(totals()).toEqual({ read: read + replayed, rejected: rejected + replayed - 2, applied: rest.applied, duplicate: rest.duplicate + 2, late: rest.late });
    expect(await seen()).toEqual(before);
    await until(async () => (await send(gateway, 'GET', '/v1/dead-letters')).body.scanned === totals().rejected);
  }
  const { items } = (await send(gateway, 'GET', '/v1/dead-letters?key=garbage')).body;
  expect(new Set(items.map((item: { code: string }) => item.code))).toEqual(new Set(['undecodable']));
});

test('a record of our own is never sent again, nor is one that has lost its value', async () => {
  const letter = (topic: string, more: readonly (readonly [string, Buffer])[] = []) => ({ key: Buffer.from('old'), value: null, headers: [['topic', Buffer.from(topic)], ...more] as const });
  await log.append('dead-letters', 0, [letter('eta-updates'), letter('race-states'), letter('race-history'), letter('race-updates', [['value_omitted', Buffer.from('950000')]]), letter('no-such-topic')]);
  const { read } = totals();
  const { body } = await send(gateway, 'POST', '/v1/dead-letters/replay', { key: 'old' });
  expect(body).toMatchObject({ replayed: 0, skipped: 5 });
  expect(body.problems.map(({ message }: { message: string }) => message)).toEqual([
    expect.stringContaining('eta-updates cannot be sent again'), expect.stringContaining('race-states'), expect.stringContaining('race-history'), 'its value was too large to be kept', expect.stringContaining('no-such-topic'),
  ]);
  expect(totals().read).toBe(read);
});

test('a record that just fitted is put aside without its value, and the rest goes on', async () => {
  const { rejected, applied } = totals();
  await log.append('race-updates', partitionOf('vast', 4), [{ key: Buffer.from('vast'), value: Buffer.alloc(899_900, 1) }]);
  await appendRaw('vast', JSON.stringify({ race_id: 'vast', source: 'ci', title: 'goes on', state: 'running' }));
  await until(() => totals().rejected === rejected + 1 && totals().applied === applied + 1);
  await until(async () => (await send(gateway, 'GET', '/v1/dead-letters?key=vast')).body.items.length === 1);
  const { body } = await send(gateway, 'GET', '/v1/dead-letters?key=vast');
  expect((await send(gateway, 'GET', `/v1/dead-letters/${body.items[0].dead_letter_offset}`)).body).toMatchObject({ value: null, headers: expect.arrayContaining([{ name: 'value_omitted', value: '899900' }]) });
});

test.each([
  ['/v1/dead-letters/replay', {}], ['/v1/dead-letters/replay', { all: 'yes' }], ['/v1/dead-letters/replay', { offset: -1 }], ['/v1/dead-letters/replay', { offset: 1.5 }], ['/v1/dead-letters/replay', { since: 'yesterday' }], ['/v1/dead-letters/replay', { code: 7 }],
  ['/v1/dead-letters/purge', {}], ['/v1/dead-letters/purge', { before: 'x' }], ['/v1/dead-letters/purge', { before: START_MS, before_offset: 1 }], ['/v1/dead-letters/purge', []],
])('%s refuses %j', async (path, body) => {
  expect(await send(gateway, 'POST', path, body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test('the command line shows, replays and purges', async () => {
  const raceline = async (...args: string[]): Promise<{ code: unknown; out: string; err: string }> => {
    const run = start(['dead-letters', ...args, '--server', gateway.address]);
    const code = await run.ended;
    return { code, out: run.output.stdout, err: run.output.stderr };
  };
  const list = await raceline('ls', '--key', 'garbage', '--since', '2026-03-01T12:00:00Z', '--limit', '2');
  expect(list.out.trim().split('\n')).toHaveLength(2);
  const oldest = (await send(gateway, 'GET', '/v1/dead-letters?key=garbage')).body.items.at(-1).dead_letter_offset as number;
  const shown = await raceline('show', String(oldest));
  expect(shown.out).toMatch(/undecodable garbage: .*\n\ntopic: race-updates\n[^]*code: undecodable\n[^]*\n00000000 {2}ff 00 01 +\.\.\.\n$/);
  const { read } = totals();
  expect(await raceline('replay', String(oldest))).toEqual({ code: 0, out: 'Replayed 1, skipped 0\n', err: '' });
  await until(() => totals().read === read + 1);
  expect(await raceline('replay')).toMatchObject({ code: 1, err: expect.stringContaining('invalid_request') });
  expect(await raceline('purge')).toMatchObject({ code: 1, err: expect.stringContaining('Exactly one of') });
  await until(async () => (await send(gateway, 'GET', '/v1/dead-letters')).body.scanned === totals().rejected + 5);
  expect((await raceline('purge', '--before', '2026-03-01T12:10:00Z')).out).toBe('Purged 3; the first one left has offset 3 or more\n');
  expect(await raceline('show', '1')).toMatchObject({ code: 1, err: expect.stringContaining('not_found') });
  expect((await raceline('purge', '--before-offset', '1000000')).out).toMatch(/^Purged \d+; the first one left/);
  expect(await raceline('ls')).toEqual({ code: 0, out: '', err: 'No dead letters.\n' });
});
