import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeGate, recordingHandler, textOf } from './recording-handler.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { LogRecord, NewRecord, PartitionId, RecordLog, Subscription, TopicDefinition } from '../../../src/ports/record-log.ts';

/** `slow`: joining a group takes seconds, so deadlines are longer. */
export type LogUnderTest = { readonly log: RecordLog; readonly slow: boolean; cleanup(): Promise<void> };

/** Every topic that the suite uses; all have four partitions, so that a test broker can create them by itself. */
const contractTopics: readonly TopicDefinition[] = [
  { name: 'race-updates', partitions: 4, cleanup: 'delete', retentionMs: 604_800_000, minCompactionLagMs: 0 },
  { name: 'eta-updates', partitions: 4, cleanup: 'delete', retentionMs: 604_800_000, minCompactionLagMs: 0 },
];

/** Not there until a test creates it. */
const compactedTopic: TopicDefinition = { name: 'routes', partitions: 4, cleanup: 'compact', retentionMs: null, minCompactionLagMs: 0 };

const TOPIC = 'race-updates';
const FAST_DEADLINE_MS = 10_000;
const SLOW_DEADLINE_MS = 60_000;
const TEST_TIMEOUT_MS = 180_000;

/**
 * What every RecordLog must do. `makeLog` is called once a test and gives a log whose topics are empty (a fresh
 * file, broker or topic prefix).
 */
export function recordLogContract(name: string, makeLog: () => Promise<LogUnderTest>): void {
  describe(`${name} holds the RecordLog contract:`, { timeout: TEST_TIMEOUT_MS }, () => {
    let underTest: LogUnderTest;
    let log: RecordLog;
    let deadlineMs: number;

    beforeEach(async () => {
      underTest = await makeLog();
      log = underTest.log;
      deadlineMs = underTest.slow ? SLOW_DEADLINE_MS : FAST_DEADLINE_MS;
      await log.ensureTopics(contractTopics);
    });

    afterEach(async () => {
      await underTest.cleanup();
    });

    const eventually = async (what: string, condition: () => boolean): Promise<void> => {
      await waitUntil(what, condition, deadlineMs);
    };

    /** A partition that is assigned takes commits once its position is known. */
    const commitOnceReady = async (subscription: Subscription, partition: PartitionId, nextOffset: number, metadata?: string): Promise<void> => {
      await waitUntil('the commit', () => subscription.commit(partition, nextOffset, metadata).then(() => true), deadlineMs);
    };

    const readAll = async (partition: number, from: number | 'earliest' = 'earliest'): Promise<LogRecord[]> => {
      const records: LogRecord[] = [];
      const reader = log.readPartitions({ topic: TOPIC, partitions: [partition], from: () => from, onRecords: (some) => { records.push(...some); } });
      await reader.caughtUp;
      await reader.close();
      await reader.done;
      return records;
    };

    describe('topics', () => {
      it('ensureTopics() is idempotent and partitionCount() tells the count', async () => {
        await log.ensureTopics(contractTopics);
        expect(await log.partitionCount(TOPIC)).toBe(4);
      });

      it('ensureTopics() refuses another partition count', async () => {
        const changed = { ...contractTopics[0]!, partitions: 5 };
        await expect(log.ensureTopics([changed])).rejects.toMatchObject({ code: 'partition_count_changed' });
        expect(await log.partitionCount(TOPIC)).toBe(4);
      });
    });

    describe('deleteRecords()', () => {
      it('removes what lies below the offset, for good, and nothing else', async () => {
        await log.append(TOPIC, 1, ['a', 'b', 'c', 'd', 'e'].map(record));
        await log.append(TOPIC, 2, [record('other')]);
        await log.deleteRecords(TOPIC, 1, 3);
        expect((await readAll(1)).map((one) => [one.offset, textOf(one)])).toEqual([[3, 'd'], [4, 'e']]);
        await log.deleteRecords(TOPIC, 1, 3);
        await log.deleteRecords(TOPIC, 1, 1);
        expect((await readAll(1)).map(textOf)).toEqual(['d', 'e']);
        expect((await readAll(2)).map(textOf)).toEqual(['other']);
      });

      it('beyond the end removes everything; offsets go on', async () => {
        await log.append(TOPIC, 1, ['a', 'b'].map(record));
        await log.deleteRecords(TOPIC, 1, 1_000);
        expect(await readAll(1)).toEqual([]);
        expect((await log.endOffsets(TOPIC))[1]).toBe(2);
        expect(await log.append(TOPIC, 1, [record('c')])).toBe(2);
        expect((await readAll(1)).map((one) => [one.offset, textOf(one)])).toEqual([[2, 'c']]);
      });

      it('removes thousands', async () => {
        for (let n = 0; n < 3; n++) await log.append(TOPIC, 1, Array.from({ length: 1_000 }, (_, i) => record(`${n}-${i}`)));
        await log.deleteRecords(TOPIC, 1, 2_500);
        const read = await readAll(1);
        expect([read.length, read[0]?.offset]).toEqual([500, 2_500]);
      });

      it('refuses a compacted topic', async () => {
        await log.ensureTopics([compactedTopic]);
        await log.append(compactedTopic.name, 0, [{ key: Buffer.from('k'), value: Buffer.from('v') }]);
        await expect(log.deleteRecords(compactedTopic.name, 0, 1)).rejects.toMatchObject({ code: 'invalid_request' });
      });
    });

    describe('usage() and compact()', () => {
      it('count what is left, and do no harm', async () => {
        await log.append(TOPIC, 0, [{ key: Buffer.from('a'), value: Buffer.from('1') }, { key: Buffer.from('b'), value: Buffer.from('2') }]);
        await log.append(TOPIC, 3, [{ key: Buffer.from('c'), value: Buffer.from('3') }]);
        await log.deleteRecords(TOPIC, 0, 1);
        expect((await log.usage([TOPIC, 'eta-updates'])).topics).toEqual([{ topic: TOPIC, records: 2 }, { topic: 'eta-updates', records: 0 }]);
        expect(typeof await log.compact()).toBe('boolean');
        expect(await readAll(0)).toHaveLength(1);
      });
    });

    describe('inspect()', () => {
      it('finds nothing where all is as declared', async () => {
        const { engine, findings } = await log.inspect(contractTopics);
        expect(engine).toMatch(/log|Kafka/);
        expect(findings).toEqual([]);
      });

      it('tells what is missing and what is otherwise', async () => {
        const { findings } = await log.inspect([{ ...contractTopics[0]!, partitions: 7 }, { ...contractTopics[1]!, retentionMs: 1_000 }, compactedTopic]);
        expect(findings.map(({ topic }) => topic).sort()).toEqual(['eta-updates', 'race-updates', 'routes']);
        expect(findings.find(({ topic }) => topic === 'race-updates')?.problem).toBe('it has 4 partitions, 7 are declared');
        expect(findings.find(({ topic }) => topic === 'routes')).toEqual({ topic: 'routes', isMissing: true, problem: 'it does not exist', remedy: 'Run: raceline topics apply' });
        expect(await log.partitionCount(TOPIC)).toBe(4);
      });
    });

    describe('append()', () => {
      it('returns the offset of the first record and stores in order', async () => {
        const base = await log.append(TOPIC, 2, [record('a'), record('b'), record('c')]);
        const next = await log.append(TOPIC, 2, [record('d')]);
        expect(next).toBe(base + 3);
        const read = await readAll(2);
        expect(read.map(textOf)).toEqual(['a', 'b', 'c', 'd']);
        expect(read.map((one) => one.offset)).toEqual([base, base + 1, base + 2, base + 3]);
        expect(read.every((one) => one.topic === TOPIC && one.partition === 2)).toBe(true);
      });

      it('stamps records with the time of the append', async () => {
        const beforeMs = Date.now();
        await log.append(TOPIC, 0, [record('a')]);
        const [read] = await readAll(0);
        // A broker on this machine may round; it must not be event time or zero.
        expect(read!.appendedAtMs).toBeGreaterThanOrEqual(beforeMs - 1_000);
        expect(read!.appendedAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
      });

      it('keeps the order of concurrent calls for one partition', async () => {
        const values = Array.from({ length: 60 }, (_, index) => `v${index}`);
        const bases = await Promise.all(values.map((value) => log.append(TOPIC, 1, [record(value)])));
        expect(bases).toEqual(bases.toSorted((a, b) => a - b));
        expect((await readAll(1)).map(textOf)).toEqual(values);
      });

      it('keeps partitions apart', async () => {
        await Promise.all([log.append(TOPIC, 0, [record('zero')]), log.append(TOPIC, 3, [record('three')]), log.append('eta-updates', 0, [record('other topic')])]);
        expect((await readAll(0)).map(textOf)).toEqual(['zero']);
        expect((await readAll(3)).map(textOf)).toEqual(['three']);
      });

      it('keeps tombstones, null keys, empty values and binary bytes as they are', async () => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
        await log.append(TOPIC, 0, [
          { key: Buffer.from('k'), value: null },
          { key: null, value: Buffer.from('no key') },
          { key: Buffer.from('empty'), value: Buffer.alloc(0) },
          { key: bytes, value: bytes },
        ]);
        const read = await readAll(0);
        expect(read.map((one) => one.key?.toString('hex') ?? null)).toEqual([Buffer.from('k').toString('hex'), null, Buffer.from('empty').toString('hex'), bytes.toString('hex')]);
        expect(read.map((one) => one.value?.toString('hex') ?? null)).toEqual([null, Buffer.from('no key').toString('hex'), '', bytes.toString('hex')]);
      });

      it('keeps headers: order, repeated names, binary and empty values', async () => {
        const headers = [['a', Buffer.from('1')], ['b', Buffer.from([0, 255, 254, 10])], ['a', Buffer.from('2')], ['empty', Buffer.alloc(0)], ['ünïcode', Buffer.from('ü')]] as const;
        await log.append(TOPIC, 0, [{ key: null, value: Buffer.from('x'), headers }, { key: null, value: Buffer.from('y'), headers: [] }, record('z')]);
        const read = await readAll(0);
        const seen = read[0]!.headers.map(([headerName, value]) => [headerName, value.toString('hex')]);
        // Clients group repeated names: the values of one name keep their order, names need not interleave as sent.
        const byName = (pairs: readonly (readonly [string, string])[], wanted: string): string[] => pairs.filter(([headerName]) => headerName === wanted).map(([, value]) => value);
        expect(seen).toHaveLength(headers.length);
        for (const [wanted] of headers) {
          expect(byName(seen as [string, string][], wanted)).toEqual(byName(headers.map(([headerName, value]) => [headerName, value.toString('hex')] as const), wanted));
        }
        expect(read[1]!.headers).toEqual([]);
        expect(read[2]!.headers).toEqual([]);
      });

      it('stores a batch of 1,000 records whole', async () => {
        const values = Array.from({ length: 1_000 }, (_, index) => `${index}-${'x'.repeat(200)}`);
        const base = await log.append(TOPIC, 0, values.map(record));
        expect((await readAll(0)).map(textOf)).toEqual(values);
        expect((await log.endOffsets(TOPIC))[0]).toBe(base + 1_000);
      });

      it('takes 890,000 bytes and refuses 930,000, leaving nothing behind', async () => {
        await log.append(TOPIC, 0, [{ key: null, value: Buffer.alloc(890_000, 7) }]);
        await expect(log.append(TOPIC, 0, [{ key: null, value: Buffer.alloc(930_000, 7) }])).rejects.toMatchObject({ code: 'record_too_large' });
        await expect(log.append(TOPIC, 0, [record('small'), ...Array.from({ length: 93 }, () => ({ key: null, value: Buffer.alloc(10_000) }))])).rejects.toMatchObject({ code: 'record_too_large' });
        await log.append(TOPIC, 0, [record('after')]);
        expect((await readAll(0)).map((one) => one.value!.length)).toEqual([890_000, 5]);
      });
    });

    describe('endOffsets()', () => {
      it('gives the next offset of every partition', async () => {
        const before = await log.endOffsets(TOPIC);
        expect(before).toHaveLength(4);
        await log.append(TOPIC, 1, [record('a'), record('b')]);
        await log.append(TOPIC, 3, [record('c')]);
        const after = await log.endOffsets(TOPIC);
        expect(after.map((offset, partition) => offset - before[partition]!)).toEqual([0, 2, 0, 1]);
      });
    });

    describe('a subscription', () => {
      it('is given every partition of its topics when it is alone', async () => {
        const handler = recordingHandler();
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC, 'eta-updates'], handler });
        await eventually('8 partitions assigned', () => subscription.assigned().length === 8 && handler.assignedIds.length === 8);
        expect(subscription.assigned().map(label).toSorted()).toEqual(handler.assignedIds.map(label).toSorted());
        await subscription.close();
        expect(subscription.assigned()).toEqual([]);
      });

      it('delivers from the earliest offset where nothing is committed, and goes on with what comes', async () => {
        await log.append(TOPIC, 0, [record('a'), record('b')]);
        const handler = recordingHandler();
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler });
        await eventually('the old records', () => handler.valuesOf(0).length === 2);
        await log.append(TOPIC, 0, [record('c')]);
        await eventually('the new record', () => handler.valuesOf(0).length === 3);
        expect(handler.valuesOf(0)).toEqual(['a', 'b', 'c']);
        await subscription.close();
      });

      it('gives batches with their partition, the end offset and a live signal', async () => {
        await log.append(TOPIC, 1, [record('a'), record('b')]);
        const handler = recordingHandler();
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler });
        await eventually('the records', () => handler.valuesOf(1).length === 2);
        const [batch] = handler.batches;
        expect(batch).toMatchObject({ topic: TOPIC, partition: 1 });
        expect(batch!.endOffset).toBeGreaterThan(batch!.records.at(-1)!.offset);
        expect(batch!.signal.aborted).toBe(false);
        await subscription.close();
      });

      it('delivers nothing before onAssigned has resolved', async () => {
        await log.append(TOPIC, 0, [record('a')]);
        const events: string[] = [];
        const restored = makeGate();
        const subscription = await log.subscribe({
          group: freshGroup(), topics: [TOPIC],
          handler: {
            async onAssigned() {
              events.push('assigned');
              await restored.opened;
              events.push('restored');
            },
            async onRevoked() {},
            async onBatch() {
              events.push('batch');
            },
          },
        });
        await eventually('onAssigned', () => events.length > 0);
        // Gives a wrong delivery the time to happen: a second subscription has got the record meanwhile.
        const other = recordingHandler();
        const witness = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler: other });
        await eventually('the witness', () => other.valuesOf(0).length === 1);
        restored.open();
        await eventually('the batch', () => events.includes('batch'));
        expect(events).toEqual(['assigned', 'restored', 'batch']);
        await Promise.all([subscription.close(), witness.close()]);
      });

      it('splits a backlog into batches of at most maxBatchRecords, in order', async () => {
        const values = Array.from({ length: 95 }, (_, index) => `v${index}`);
        await log.append(TOPIC, 0, values.map(record));
        const handler = recordingHandler();
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler, maxBatchRecords: 10 });
        await eventually('all records', () => handler.valuesOf(0).length === 95);
        expect(handler.valuesOf(0)).toEqual(values);
        expect(Math.max(...handler.batches.map((batch) => batch.records.length))).toBeLessThanOrEqual(10);
        await subscription.close();
      });

      it('hands over the next batch of a partition only when the one before has resolved', async () => {
        await log.append(TOPIC, 0, Array.from({ length: 30 }, (_, index) => record(`v${index}`)));
        let inHand = 0;
        let mostInHand = 0;
        const handler = recordingHandler(async () => {
          inHand += 1;
          mostInHand = Math.max(mostInHand, inHand);
          await new Promise((resolve) => { setTimeout(resolve, 2); });
          inHand -= 1;
        });
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler, maxBatchRecords: 5 });
        await eventually('all records', () => handler.valuesOf(0).length === 30);
        expect(mostInHand).toBe(1);
        await subscription.close();
      });

      it('lets a slow partition stall no other', async () => {
        const slow = makeGate();
        const handler = recordingHandler(async (batch) => {
          if (batch.partition === 0) await slow.opened;
        });
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler });
        await log.append(TOPIC, 0, [record('slow 1')]);
        await eventually('the slow batch in hand', () => handler.batches.some((batch) => batch.partition === 0));
        await log.append(TOPIC, 0, [record('slow 2')]);
        for (const round of [1, 2, 3]) {
          for (const partition of [1, 2, 3]) await log.append(TOPIC, partition, [record(`fast ${round}`)]);
          await eventually(`round ${round}`, () => [1, 2, 3].every((partition) => handler.valuesOf(partition).length === round));
        }
        expect(handler.batches.filter((batch) => batch.partition === 0)).toHaveLength(1);
        slow.open();
        await eventually('the slow partition', () => handler.valuesOf(0).length === 2);
        await subscription.close();
      });

      it('brings a failed batch again until it is handled, and nothing behind it before', async () => {
        await log.append(TOPIC, 0, [record('a'), record('b')]);
        let failures = 0;
        const handler = recordingHandler(async () => {
          if (failures < 2) {
            failures += 1;
            throw new Error('The test refuses the batch');
          }
        });
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler });
        await eventually('a first failure', () => failures > 0);
        await log.append(TOPIC, 0, [record('c')]);
        await eventually('all records', () => handler.valuesOf(0).length === 3);
        expect(handler.valuesOf(0)).toEqual(['a', 'b', 'c']);
        const firstOffsets = handler.batches.slice(0, 3).map((batch) => batch.records[0]!.offset);
        expect(new Set(firstOffsets).size).toBe(1);
        await subscription.close();
      });

      it('starts at the committed offset', async () => {
        const group = freshGroup();
        const base = await log.append(TOPIC, 0, [record('a'), record('b'), record('c')]);
        const first = recordingHandler();
        const before = await log.subscribe({ group, topics: [TOPIC], handler: first });
        await eventually('all records', () => first.valuesOf(0).length === 3);
        await before.commit({ topic: TOPIC, partition: 0 }, base + 2);
        await before.close();
        const second = recordingHandler();
        const after = await log.subscribe({ group, topics: [TOPIC], handler: second });
        await eventually('the rest', () => second.valuesOf(0).length > 0);
        expect(second.valuesOf(0)).toEqual(['c']);
        await after.close();
      });

      it('keeps commits with their metadata, the last one standing', async () => {
        const group = freshGroup();
        const partition = { topic: TOPIC, partition: 0 } as const;
        const base = await log.append(TOPIC, 0, [record('a'), record('b')]);
        const subscription = await log.subscribe({ group, topics: [TOPIC], handler: recordingHandler() });
        await eventually('the assignment', () => subscription.assigned().length === 4);
        expect(await subscription.committed(partition)).toEqual({ offset: null, metadata: '' });
        await commitOnceReady(subscription, partition, base + 1, 'one');
        await subscription.commit(partition, base + 2, '{"streamTimeMs":123}');
        await subscription.commit(partition, base + 2, '{"streamTimeMs":123}');
        expect(await subscription.committed(partition)).toEqual({ offset: base + 2, metadata: '{"streamTimeMs":123}' });
        await commitOnceReady(subscription, { topic: TOPIC, partition: 1 }, 0);
        expect(await subscription.committed({ topic: TOPIC, partition: 1 })).toEqual({ offset: 0, metadata: '' });
        await subscription.close();
      });

      it('lets every group read everything', async () => {
        const handlers = [recordingHandler(), recordingHandler()];
        const subscriptions = await Promise.all(handlers.map((handler) => log.subscribe({ group: freshGroup(), topics: [TOPIC], handler })));
        await log.append(TOPIC, 3, [record('a')]);
        await eventually('both', () => handlers.every((handler) => handler.valuesOf(3).length === 1));
        await Promise.all(subscriptions.map((subscription) => subscription.close()));
      });
    });

    describe('groupOffsets()', () => {
      it('gives the commits of any group, null where there are none', async () => {
        const group = freshGroup();
        const base = await log.append(TOPIC, 2, [record('a')]);
        const subscription = await log.subscribe({ group, topics: [TOPIC], handler: recordingHandler() });
        await eventually('the assignment', () => subscription.assigned().length === 4);
        await commitOnceReady(subscription, { topic: TOPIC, partition: 2 }, base + 1, 'm');
        const none = { offset: null, metadata: '' };
        expect(await log.groupOffsets(group, TOPIC)).toEqual([none, none, { offset: base + 1, metadata: 'm' }, none]);
        expect(await log.groupOffsets(freshGroup(), TOPIC)).toEqual([none, none, none, none]);
        await subscription.close();
      });
    });

    describe('a group of two', () => {
      it('shares the partitions, partition p of every topic with one member, and takes them all back when one leaves', async () => {
        const group = freshGroup();
        const topics = [TOPIC, 'eta-updates'] as const;
        const handlers = [recordingHandler(), recordingHandler()];
        const first = await log.subscribe({ group, topics, handler: handlers[0]! });
        await eventually('the first has all', () => first.assigned().length === 8);
        const second = await log.subscribe({ group, topics, handler: handlers[1]! });
        await eventually('both have half', () => first.assigned().length === 4 && second.assigned().length === 4);
        const labels = [first, second].map((subscription) => subscription.assigned().map(label).toSorted());
        expect(new Set(labels.flat()).size).toBe(8);
        for (const subscription of [first, second]) {
          const of = (topic: string): number[] => subscription.assigned().filter((one) => one.topic === topic).map((one) => one.partition).toSorted();
          expect(of(TOPIC)).toEqual(of('eta-updates'));
        }
        await second.close();
        await eventually('the first has all again', () => first.assigned().length === 8);
        await first.close();
      });

      it('sees every record at least once while members come and go', async () => {
        const group = freshGroup();
        const handlers = [recordingHandler(), recordingHandler()];
        const sent: string[] = [];
        const send = async (count: number): Promise<void> => {
          for (let index = 0; index < count; index += 1) {
            const value = `v${sent.length}`;
            sent.push(value);
            await log.append(TOPIC, index % 4, [record(value)]);
          }
        };
        const seen = (): Set<string> => new Set(handlers.flatMap((handler) => handler.values()));
        const first = await log.subscribe({ group, topics: [TOPIC], handler: handlers[0]! });
        await send(40);
        await eventually('the first 40', () => seen().size === 40);
        const second = await log.subscribe({ group, topics: [TOPIC], handler: handlers[1]! });
        await send(40);
        await eventually('both have some', () => first.assigned().length === 2 && second.assigned().length === 2);
        await send(40);
        await eventually('120 in all', () => seen().size === 120);
        expect(handlers.every((handler) => handler.batches.length > 0)).toBe(true);
        await first.close();
        await send(40);
        await eventually('160 in all', () => seen().size === 160);
        expect([...seen()].toSorted()).toEqual(sent.toSorted());
        await second.close();
      });

      it('tells the loser: aborts the signal, calls onRevoked, refuses its commits', async () => {
        const group = freshGroup();
        const blocked = makeGate();
        const loser = recordingHandler(() => blocked.opened);
        const winner = recordingHandler();
        const first = await log.subscribe({ group, topics: [TOPIC], handler: loser });
        for (const partition of [0, 1, 2, 3]) await log.append(TOPIC, partition, [record(`p${partition}`)]);
        await eventually('a batch of each in hand', () => loser.batches.length === 4);
        const second = await log.subscribe({ group, topics: [TOPIC], handler: winner });
        await eventually('two partitions moved', () => second.assigned().length === 2 && winner.values().length === 2);
        await eventually('onRevoked', () => loser.revokedIds.length >= 2);
        for (const lost of second.assigned()) {
          const batch = loser.batches.find((one) => one.partition === lost.partition);
          expect(batch!.signal.aborted).toBe(true);
          await expect(first.commit(lost, batch!.records[0]!.offset + 1)).rejects.toMatchObject({ code: 'partition_lost' });
        }
        blocked.open();
        await Promise.all([first.close(), second.close()]);
      });

      it('consumes again a partition that was lost with its handler blocked and has come back', async () => {
        const group = freshGroup();
        const blocked = makeGate();
        let blocking = true;
        const stayer = recordingHandler(async () => {
          if (blocking) await blocked.opened;
        });
        const visitor = recordingHandler();
        const first = await log.subscribe({ group, topics: [TOPIC], handler: stayer });
        for (const partition of [0, 1, 2, 3]) await log.append(TOPIC, partition, [record(`old ${partition}`)]);
        await eventually('a batch of each in hand', () => new Set(stayer.batches.map((batch) => batch.partition)).size === 4);
        const second = await log.subscribe({ group, topics: [TOPIC], handler: visitor });
        await eventually('two partitions moved', () => second.assigned().length === 2 && visitor.values().length === 2);
        await second.close();
        blocking = false;
        blocked.open();
        await eventually('all come back', () => first.assigned().length === 4);
        for (const partition of [0, 1, 2, 3]) await log.append(TOPIC, partition, [record(`new ${partition}`)]);
        await eventually('old and new of all', () => [0, 1, 2, 3].every((partition) => {
          const values = stayer.valuesOf(partition);
          return values.includes(`old ${partition}`) && values.at(-1) === `new ${partition}`;
        }));
        await first.close();
      });
    });

    describe('Subscription.close()', () => {
      it('waits for the batch in hand, whose commit still counts', async () => {
        const group = freshGroup();
        const base = await log.append(TOPIC, 0, [record('a')]);
        const events: string[] = [];
        const working = makeGate();
        const handler = recordingHandler(async (batch) => {
          await working.opened;
          await subscription.commit({ topic: TOPIC, partition: 0 }, batch.records.at(-1)!.offset + 1);
          events.push('committed');
        });
        const subscription = await log.subscribe({ group, topics: [TOPIC], handler });
        await eventually('the batch in hand', () => handler.batches.length === 1);
        const closed = subscription.close({ drainMs: deadlineMs }).then(() => events.push('closed'));
        working.open();
        await closed;
        expect(events).toEqual(['committed', 'closed']);
        expect((await log.groupOffsets(group, TOPIC))[0]).toEqual({ offset: base + 1, metadata: '' });
      });

      it('gives up after drainMs, aborts the signal and can be called again', async () => {
        await log.append(TOPIC, 0, [record('a')]);
        const never = makeGate();
        const handler = recordingHandler(() => never.opened);
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler });
        await eventually('the batch in hand', () => handler.batches.length === 1);
        await subscription.close({ drainMs: 20 });
        expect(handler.batches[0]!.signal.aborted).toBe(true);
        await expect(subscription.commit({ topic: TOPIC, partition: 0 }, 1)).rejects.toMatchObject({ code: 'partition_lost' });
        never.open();
        await subscription.close();
      });

      it('delivers nothing afterwards', async () => {
        const handler = recordingHandler();
        const subscription = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler });
        await log.append(TOPIC, 0, [record('before')]);
        await eventually('the record', () => handler.values().length === 1);
        await subscription.close();
        await log.append(TOPIC, 0, [record('after')]);
        const witness = recordingHandler();
        const other = await log.subscribe({ group: freshGroup(), topics: [TOPIC], handler: witness });
        await eventually('the witness', () => witness.values().length === 2);
        expect(handler.values()).toEqual(['before']);
        await other.close();
      });
    });

    describe('readPartitions()', () => {
      it('hands over what is there, then what comes', async () => {
        await log.append(TOPIC, 0, [record('a0')]);
        await log.append(TOPIC, 1, [record('a1'), record('b1')]);
        await log.append(TOPIC, 2, [record('not read')]);
        const values: string[] = [];
        const reader = log.readPartitions({ topic: TOPIC, partitions: [0, 1], from: () => 'earliest', onRecords: (records) => { values.push(...records.map(textOf)); } });
        await reader.caughtUp;
        expect(values.toSorted()).toEqual(['a0', 'a1', 'b1']);
        await log.append(TOPIC, 1, [record('c1')]);
        await eventually('the new record', () => values.length === 4);
        expect(values.filter((value) => value.endsWith('1'))).toEqual(['a1', 'b1', 'c1']);
        await reader.close();
        await reader.done;
      });

      it('catches up at once where there is nothing', async () => {
        const reader = log.readPartitions({ topic: TOPIC, partitions: [0, 1, 2, 3], from: () => 'earliest', onRecords: () => {} });
        await reader.caughtUp;
        await reader.close();
        await reader.done;
      });

      it('starts at the offset asked for, by partition', async () => {
        const base = await log.append(TOPIC, 0, ['a', 'b', 'c', 'd'].map(record));
        await log.append(TOPIC, 1, [record('e')]);
        const values: string[] = [];
        const reader = log.readPartitions({
          topic: TOPIC, partitions: [0, 1], from: (partition) => (partition === 0 ? base + 2 : 'earliest'),
          onRecords: (records) => { values.push(...records.map(textOf)); },
        });
        await reader.caughtUp;
        expect(values.toSorted()).toEqual(['c', 'd', 'e']);
        await reader.close();
      });

      it('starts behind everything with latest', async () => {
        await log.append(TOPIC, 0, [record('old')]);
        const values: string[] = [];
        const reader = log.readPartitions({ topic: TOPIC, partitions: [0], from: () => 'latest', onRecords: (records) => { values.push(...records.map(textOf)); } });
        await reader.caughtUp;
        await log.append(TOPIC, 0, [record('new')]);
        await eventually('the new record', () => values.length > 0);
        expect(values).toEqual(['new']);
        await reader.close();
      });

      it('makes one call at a time and awaits it', async () => {
        for (const partition of [0, 1, 2, 3]) await log.append(TOPIC, partition, Array.from({ length: 50 }, (_, index) => record(`${index}`)));
        let running = 0;
        let mostRunning = 0;
        const byPartition = new Map<number, string[]>();
        const reader = log.readPartitions({
          topic: TOPIC, partitions: [0, 1, 2, 3], from: () => 'earliest',
          onRecords: async (records) => {
            running += 1;
            mostRunning = Math.max(mostRunning, running);
            await new Promise((resolve) => { setTimeout(resolve, 2); });
            for (const one of records) byPartition.set(one.partition, [...(byPartition.get(one.partition) ?? []), textOf(one)]);
            running -= 1;
          },
        });
        await reader.caughtUp;
        expect(mostRunning).toBe(1);
        for (const partition of [0, 1, 2, 3]) expect(byPartition.get(partition)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`));
        await reader.close();
      });

      it('can be closed inside the callback, and calls no more', async () => {
        for (const partition of [0, 1]) await log.append(TOPIC, partition, [record(`v${partition}`)]);
        let calls = 0;
        const reader = log.readPartitions({
          topic: TOPIC, partitions: [0, 1], from: () => 'earliest',
          onRecords: async () => {
            calls += 1;
            await reader.close();
          },
        });
        await reader.done;
        expect(calls).toBe(1);
      });

      it('breaks when the callback fails: caughtUp and done reject', async () => {
        await log.append(TOPIC, 0, [record('a')]);
        const reader = log.readPartitions({ topic: TOPIC, partitions: [0], from: () => 'earliest', onRecords: () => { throw new Error('The test refuses the records'); } });
        await expect(reader.caughtUp).rejects.toThrow('The test refuses the records');
        await expect(reader.done).rejects.toThrow('The test refuses the records');
      });
    });
  });
}

function record(value: string): NewRecord {
  return { key: Buffer.from('key'), value: Buffer.from(value) };
}

function freshGroup(): string {
  return `group-${randomUUID()}`;
}

function label(id: PartitionId): string {
  return `${id.topic}/${id.partition}`;
}
