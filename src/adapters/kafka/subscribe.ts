import type { Batch, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { CommittedOffset, PartitionId, SubscribeOptions, Subscription } from '../../ports/record-log.ts';
import { stickyAssigner } from './assigner.ts';
import { createCommitter, keyOf, lostError, type OffsetToCommit } from './committer.ts';
import { clientRetry } from './client.ts';
import { holdPartition, type HeldPartition } from './held-partition.ts';
import { createMembership } from './membership.ts';
import {
  DEFAULT_BATCH_RECORDS, DEFAULT_DRAIN_MS, FETCH_BYTES, FETCH_PARTITION_BYTES, FETCH_WAIT_MS, FULL_QUEUE_WAIT_MS, HEARTBEAT_MS, JOIN_GRACE_MS,
  METADATA_MAX_AGE_MS, REBALANCE_TIMEOUT_MS, REQUEST_TIMEOUT_MS,
} from './limits.ts';
import type { OffsetRange } from './offsets.ts';
import { toLogRecord, type TopicName } from './records.ts';
import { growingDelaysMs, pause } from './retry.ts';

export type SubscriptionContext = {
  readonly kafka: Kafka;
  readonly prefix: string;
  /** Of a member that says nothing, ms: a killed instance's partitions are given on after this. */
  readonly sessionTimeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Committed offsets of a group (both by our names), by partition; retries inside. */
  readonly committedOf: (group: string, topic: TopicName) => Promise<CommittedOffset[]>;
  readonly rangesOf: (topic: TopicName) => Promise<OffsetRange[]>;
};

/** kafkajs's Batch also says where its fetch began, which its types leave out. */
type FetchedBatch = Batch & { readonly fetchedOffset: string };

/** One kafkajs consumer, from its start to its crash or our close. */
type Session = {
  readonly consumer: Consumer;
  commitNow: EachBatchPayload['commitOffsetsIfNecessary'] | null;
  /** Under which it joined last; '' = it has not yet. */
  memberId: string;
  /** Joins begun since the last that succeeded. */
  joins: number;
};

/**
 * A group subscription on kafkajs. Resolves when the topics are known and the join is under way, not when it is done.
 *
 * What surprised us in kafkajs 2.2.4, and what is done about it:
 * - no heartbeat while a handler runs, and one slow partition stalls its broker's others: `eachBatch` only fills a
 *   bounded queue per partition; a full queue holds it up for 50 ms, then the partition is paused. (Pausing at once
 *   would cost a fast handler up to 250 ms each time: kafkajs looks at pauses between fetches only.)
 * - after every rebalance it reads on from the committed offsets, also where the partition never moved: kept
 *   partitions are sought back to where they were.
 * - pauses outlive rebalances: all are lifted at each join and our own set again.
 * - `consumer.commitOffsets` repeats a refused commit under the next generation, even for a partition lost meanwhile:
 *   commits go through the batch's own function, which tries once.
 * - it restarts itself after some crashes only: never here, a crashed consumer is replaced.
 * - a batch of nothing but control or compacted records moves its offset without a call: followed by event.
 * - an answer that was lost with its connection may be waited for without end, a join's among them: a member that has not been
 *   heard by its coordinator for as long as a session and a join may take is replaced.
 * - a member that was thrown out (it slept beyond its session) joins again by itself under another id, and may be given
 *   what it had before. Others owned it meanwhile: all that was held is lost first, and restored. The same after a join
 *   that failed half-way, since a generation may have come and gone behind it.
 *
 * A member that has heard nothing from its coordinator for a session's time delivers nothing until it has: when it wakes
 * up, somebody else may own its partitions.
 */
export async function openSubscription(context: SubscriptionContext, options: SubscribeOptions): Promise<Subscription> {
  const { kafka, prefix, clock, logger } = context;
  const { group, handler, maxBatchRecords = DEFAULT_BATCH_RECORDS } = options;
  const groupId = prefix + group;
  const topicNames = new Map<string, TopicName>(options.topics.map((topic) => [prefix + topic, topic]));
  const held = new Map<string, HeldPartition>();
  /** What must have settled before a partition that was lost is restored again. */
  const aftermath = new Map<string, Promise<unknown>>();
  const stopping = new AbortController();
  let session: Session | null = null;
  let closing: Promise<void> | null = null;

  const membership = createMembership({ sessionTimeoutMs: context.sessionTimeoutMs, clock });

  const committer = createCommitter({ send: sendCommit, clock, logger });

  async function startSession(): Promise<Session> {
    let joining = (): void => undefined;
    const consumer = kafka.consumer({
      groupId,
      partitionAssigners: [stickyAssigner(() => {
        joining();
        return [...new Set([...held.values()].map((one) => one.id.partition))];
      })],
      sessionTimeout: context.sessionTimeoutMs,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      allowAutoTopicCreation: false,
      maxBytesPerPartition: FETCH_PARTITION_BYTES,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      readUncommitted: false,
      retry: { ...clientRetry, restartOnFailure: async () => false },
    });
    const started: Session = { consumer, commitNow: null, memberId: '', joins: 0 };
    joining = () => { started.joins += 1; };
    consumer.on(consumer.events.HEARTBEAT, () => { if (session === started) membership.confirm(); });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const wasMember = started.joins <= 1 && payload.memberId === started.memberId;
      started.joins = 0;
      started.memberId = payload.memberId;
      if (session !== started) return;
      if (!wasMember && held.size > 0) {
        logger.warn({ groupId, held: held.size }, 'This member was out of its group for a while: what it held is restored');
        lose([...held.values()]);
      }
      takeAssignment(started, payload.memberAssignment);
      membership.confirm();
    });
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) skipTo(payload.topic, payload.partition, Number(payload.lastOffset) + 1);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      logger.warn({ groupId, error: messageOf(payload.error) }, 'Consumer crashed, starting another');
      if (session === started) void replaceSession();
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topicNames.keys()], fromBeginning: true });
    } catch (error) {
      await consumer.disconnect().catch(() => undefined);
      throw error;
    }
    return started;
  }

  /** Joins the group. Failures come as CRASH events. */
  function run(started: Session): void {
    session = started;
    started.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      // Each may be held up by a full queue; they must not hold up one another.
      partitionsConsumedConcurrently: 64,
      eachBatch: (payload) => takeBatch(started, payload),
    }).catch((error: unknown) => {
      logger.error({ groupId, error: messageOf(error) }, 'Consumer did not start, starting another');
      if (session === started) void replaceSession();
    });
  }

  /** Looks are counted, not time, which goes on while a process sleeps: who wakes up joins again by itself. */
  function watchSilence(): () => void {
    const mostLooks = Math.ceil((context.sessionTimeoutMs + REBALANCE_TIMEOUT_MS + JOIN_GRACE_MS) / HEARTBEAT_MS);
    let looks = 0;
    const timer = setInterval(() => {
      const silent = session;
      if (silent === null || membership.wasHeard()) {
        looks = 0;
        return;
      }
      looks += 1;
      if (looks <= mostLooks) return;
      looks = 0;
      logger.warn({ groupId, silentSec: (mostLooks * HEARTBEAT_MS) / 1_000 }, 'Nothing was heard of the group, starting another consumer');
      void replaceSession();
      silent.consumer.disconnect().catch(() => undefined);
    }, HEARTBEAT_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  async function replaceSession(): Promise<void> {
    session = null;
    lose([...held.values()]);
    for (const delayMs of growingDelaysMs(10_000)) {
      await pause(delayMs, stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        const started = await startSession();
        if (stopping.signal.aborted) await started.consumer.disconnect();
        else run(started);
        return;
      } catch (error) {
        logger.warn({ groupId, error: messageOf(error) }, 'Consumer did not start, trying again');
      }
    }
  }

  function takeAssignment(current: Session, assignment: Readonly<Record<string, readonly number[]>>): void {
    if (stopping.signal.aborted) return;
    const wanted = new Map<string, PartitionId>();
    for (const [name, partitions] of Object.entries(assignment)) {
      const topic = topicNames.get(name);
      if (topic !== undefined) for (const partition of partitions) wanted.set(keyOf({ topic, partition }), { topic, partition });
    }
    const lost = [...held].filter(([key]) => !wanted.has(key)).map(([, one]) => one);
    const fresh: HeldPartition[] = [];
    for (const [key, id] of wanted) {
      if (held.has(key)) continue;
      const one = holdPartition({ id, handler, maxBatchRecords, stopping: stopping.signal, confirmed: membership.confirmed, logger });
      held.set(key, one);
      fresh.push(one);
    }
    lose(lost);
    current.consumer.resume([...topicNames.keys()].map((topic) => ({ topic })));
    for (const one of held.values()) {
      if (one.ready) seek(current, one);
      if (!one.ready || one.isFull) current.consumer.pause([place(one)]);
    }
    logger.info({ groupId, held: held.size, gained: fresh.length, lost: lost.length }, 'Joined the group');
    if (fresh.length > 0) void restore(fresh);
  }

  function lose(lost: readonly HeldPartition[]): void {
    if (lost.length === 0) return;
    for (const one of lost) {
      held.delete(keyOf(one.id));
      one.lose();
    }
    committer.dropLost();
    const told = tell(() => handler.onRevoked(lost.map((one) => one.id)), 'onRevoked failed');
    for (const one of lost) {
      const key = keyOf(one.id);
      leaveBehind(key, Promise.all([aftermath.get(key), told, one.idle()]));
    }
  }

  /** Adds to what a later holding of the partition waits for. */
  function leaveBehind(key: string, work: Promise<unknown>): void {
    const entry = work.finally(() => { if (aftermath.get(key) === entry) aftermath.delete(key); });
    aftermath.set(key, entry);
  }

  async function tell(call: () => Promise<void>, failure: string): Promise<void> {
    try {
      await call();
    } catch (error) {
      logger.error({ groupId, error: messageOf(error) }, failure);
    }
  }

  /** `onAssigned`, then the start of delivery, for those that are still held by then. */
  async function restore(fresh: readonly HeldPartition[]): Promise<void> {
    await Promise.all(fresh.map((one) => aftermath.get(keyOf(one.id))));
    for (const delayMs of growingDelaysMs(10_000)) {
      const remaining = fresh.filter((one) => !one.signal.aborted);
      if (remaining.length === 0 || stopping.signal.aborted) return;
      const restoring = restoreOnce(remaining);
      const settled = restoring.then(() => undefined, () => undefined);
      for (const one of remaining) leaveBehind(keyOf(one.id), settled);
      try {
        await restoring;
        return;
      } catch (error) {
        logger.error({ groupId, partitions: remaining.map((one) => keyOf(one.id)), error: messageOf(error) }, 'Partitions could not be restored, trying again');
      }
      await pause(delayMs, stopping.signal);
    }
  }

  async function restoreOnce(remaining: readonly HeldPartition[]): Promise<void> {
    await handler.onAssigned(remaining.map((one) => one.id));
    const starts = await startOffsets(remaining);
    for (const one of remaining) {
      if (one.signal.aborted || session === null) continue;
      const start = starts.get(one);
      assert(start !== undefined, `No start offset for ${keyOf(one.id)}`);
      one.position = start;
      one.endOffset = start;
      one.ready = true;
      seek(session, one);
      session.consumer.resume([place(one)]);
    }
  }

  async function startOffsets(partitions: readonly HeldPartition[]): Promise<Map<HeldPartition, number>> {
    const starts = new Map<HeldPartition, number>();
    for (const topic of new Set(partitions.map((one) => one.id.topic))) {
      const [committed, ranges] = await Promise.all([context.committedOf(group, topic), context.rangesOf(topic)]);
      for (const one of partitions) {
        if (one.id.topic !== topic) continue;
        const range = ranges[one.id.partition];
        assert(range !== undefined, `No offsets for ${keyOf(one.id)}`);
        starts.set(one, startWithin(one.id, committed[one.id.partition]?.offset ?? null, range));
      }
    }
    return starts;
  }

  /** kafkajs would go to either end of the log by itself, without a word. */
  function startWithin(id: PartitionId, committed: number | null, { low, high }: OffsetRange): number {
    if (committed === null) return low;
    if (committed < low) logger.warn({ groupId, ...id, committed, earliest: low }, 'Records were deleted before they were read');
    if (committed <= high) return Math.max(committed, low);
    logger.error({ groupId, ...id, committed, end: high }, 'The partition ends below the committed offset: it was created again; reading from its start');
    return low;
  }

  async function takeBatch(current: Session, { batch, commitOffsetsIfNecessary }: EachBatchPayload): Promise<void> {
    current.commitNow = commitOffsetsIfNecessary;
    const one = find(batch.topic, batch.partition);
    if (one === undefined || !one.ready || session !== current) return;
    const fetchedFrom = Number((batch as FetchedBatch).fetchedOffset);
    const endOffset = Number(batch.highWatermark);
    if (fetchedFrom > one.position) return leap(one, fetchedFrom);
    if (endOffset < one.position) {
      logger.error({ groupId, ...one.id, position: one.position, end: endOffset }, 'The partition ends below what was read: it was created again; reading from its start');
      one.position = fetchedFrom;
    }
    const records = [];
    for (const message of batch.messages) {
      if (Number(message.offset) >= one.position) records.push(toLogRecord(one.id.topic, one.id.partition, message));
    }
    one.position = Math.max(one.position, Number(batch.lastOffset()) + 1);
    one.endOffset = Math.max(endOffset, one.position);
    if (records.length === 0) return;
    one.queue.push(records);
    one.deliver();
    if (one.queue.isFull()) await slowDown(one);
  }

  /** A fetch that began behind our position: either a stale one, or the log's start has overtaken us. */
  async function leap(one: HeldPartition, fetchedFrom: number): Promise<void> {
    const low = (await context.rangesOf(one.id.topic))[one.id.partition]?.low ?? 0;
    if (one.signal.aborted || session === null) return;
    if (low > one.position) {
      logger.warn({ groupId, ...one.id, position: one.position, earliest: low }, 'Records were deleted before they were read');
      one.position = low;
    } else {
      logger.debug({ groupId, ...one.id, position: one.position, fetchedFrom }, 'Fetch from another place dropped');
    }
    seek(session, one);
  }

  function skipTo(topicName: string, partition: number, offset: number): void {
    const one = find(topicName, partition);
    if (one !== undefined && one.ready) one.position = Math.max(one.position, offset);
  }

  async function slowDown(one: HeldPartition): Promise<void> {
    const waited = new AbortController();
    const wait = AbortSignal.any([waited.signal, one.signal, stopping.signal]);
    await Promise.race([one.queue.drained(), pause(FULL_QUEUE_WAIT_MS, wait)]);
    waited.abort();
    if (!one.queue.isFull() || one.isFull || one.signal.aborted || stopping.signal.aborted) return;
    one.isFull = true;
    session?.consumer.pause([place(one)]);
    void one.queue.drained().then(() => {
      one.isFull = false;
      if (!one.signal.aborted) session?.consumer.resume([place(one)]);
    });
  }

  async function sendCommit(offsets: readonly OffsetToCommit[]): Promise<void> {
    assert(session !== null, 'A partition is held without a consumer');
    const entries = offsets.map(({ id, offset, metadata }) => ({ topic: prefix + id.topic, partition: id.partition, offset: String(offset), metadata }));
    if (session.commitNow === null) return session.consumer.commitOffsets(entries);
    await session.commitNow({ topics: entries.map(({ topic, ...partition }) => ({ topic, partitions: [partition] })) });
  }

  function find(topicName: string, partition: number): HeldPartition | undefined {
    const topic = topicNames.get(topicName);
    return topic === undefined ? undefined : held.get(keyOf({ topic, partition }));
  }

  function place(one: HeldPartition): { topic: string; partitions: number[] } {
    return { topic: prefix + one.id.topic, partitions: [one.id.partition] };
  }

  function seek(current: Session, one: HeldPartition): void {
    current.consumer.seek({ topic: prefix + one.id.topic, partition: one.id.partition, offset: String(one.position) });
  }

  async function closeOnce(drainMs: number): Promise<void> {
    stopping.abort();
    endWatch();
    const partitions = [...held.values()];
    await withinMs(drainMs, Promise.all(partitions.map((one) => one.idle())).then(() => committer.idle()));
    for (const one of partitions) one.lose();
    held.clear();
    committer.dropLost();
    const last = session;
    session = null;
    if (last !== null) {
      // It may hang in a join that waits for other members.
      await withinMs(REQUEST_TIMEOUT_MS, last.consumer.disconnect().catch((error: unknown) => logger.warn({ groupId, error: messageOf(error) }, 'Consumer did not disconnect cleanly')));
    }
  }

  // A consumer crashes on a coordinator that is still loading, as on a Kafka that has had no group yet.
  for (const topic of options.topics.slice(0, 1)) await context.committedOf(group, topic).catch((error: unknown) => logger.warn({ groupId, error: messageOf(error) }, 'The coordinator of the group does not answer yet'));
  const first = await startSession();
  const endWatch = watchSilence();
  // The caller has the subscription before its handler is called.
  setImmediate(() => { if (!stopping.signal.aborted) run(first); });

  return {
    commit(id, nextOffset, metadata = '') {
      const one = held.get(keyOf(id));
      // Before it is ready nothing of it was delivered: only a batch of an earlier holding can want to commit.
      return one === undefined || !one.ready ? Promise.reject(lostError(id)) : committer.commit({ id, offset: nextOffset, metadata, held: one.signal });
    },
    async committed(id) {
      return (await context.committedOf(group, id.topic))[id.partition] ?? { offset: null, metadata: '' };
    },
    assigned: () => (membership.isConfirmed() ? [...held.values()].map((one) => one.id) : []),
    async close({ drainMs = DEFAULT_DRAIN_MS } = {}) {
      // Closed within the same turn as it was opened: it never ran.
      if (session === null && !stopping.signal.aborted) session = first;
      closing ??= closeOnce(drainMs);
      await closing;
    },
  };
}

/** Waits for the work, but no longer than this. */
async function withinMs(limitMs: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, sleep(limitMs, undefined, { signal: done.signal }).catch(() => undefined)]);
  done.abort();
}
