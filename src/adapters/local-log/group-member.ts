import { AppError, messageOf } from '../../errors.ts';
import { deliverPartition } from './partition-delivery.ts';
import { settlesWithin } from './waiting.ts';
import type { PartitionDelivery } from './partition-delivery.ts';
import type { LogPartition } from './log-partition.ts';
import type { WriteQueue } from './write-queue.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PartitionId, SubscribeOptions, Subscription } from '../../ports/record-log.ts';
import type { TopicName } from '../../../topology/topics.ts';

const DEFAULT_BATCH_RECORDS = 1_000;
const DEFAULT_DRAIN_MS = 10_000;
// A partition waits that long for its old owner to say goodbye. Chosen, not tuned.
const MAX_REVOKE_MS = 10_000;

/** A subscription as its group sees it. */
export type GroupMember = Subscription & {
  readonly topics: readonly TopicName[];
  /** Makes the held partitions a subset of these; resolves when the handler has been told. */
  releaseAllBut(partitions: readonly PartitionId[]): Promise<void>;
  /** Takes those of the partitions that it does not hold yet; delivery begins when the handler is ready. */
  acquire(partitions: readonly PartitionId[]): void;
};

export type GroupMemberOptions = SubscribeOptions & {
  readonly findPartition: (id: PartitionId) => LogPartition;
  readonly queue: WriteQueue;
  readonly retryDelayMs: number;
  readonly logger: Logger;
  readonly onLeft: (member: GroupMember) => void;
};

type Holding = { readonly id: PartitionId; delivery: PartitionDelivery | null };

export function makeGroupMember(options: GroupMemberOptions): GroupMember {
  const { group, topics, handler, maxBatchRecords = DEFAULT_BATCH_RECORDS, findPartition, queue, retryDelayMs, logger, onLeft } = options;
  const held = new Map<string, Holding>();
  // Handlers that still run for partitions lost meanwhile: such a partition starts again only behind them.
  const leftovers = new Map<string, Promise<void>>();
  let preparing: Promise<void> = Promise.resolve();
  let closing: Promise<void> | null = null;

  const isHeld = (holding: Holding): boolean => held.get(keyOf(holding.id)) === holding;

  const prepare = async (holdings: readonly Holding[]): Promise<void> => {
    for (let failures = 0; ; failures += 1) {
      const wanted = holdings.filter(isHeld);
      if (wanted.length === 0 || closing !== null) return;
      try {
        await handler.onAssigned(wanted.map(({ id }) => id));
        for (const holding of wanted.filter(isHeld)) start(holding);
        return;
      } catch (error) {
        if (closing !== null) return;
        logger.error({ group, partitions: wanted.map(({ id }) => id), err: error }, `onAssigned failed, trying again: ${messageOf(error)}`);
        await new Promise<void>((resolve) => { setTimeout(resolve, retryDelayMs); });
      }
    }
  };

  const start = (holding: Holding): void => {
    if (closing !== null) return;
    // The last commits of the owner before count.
    queue.flush();
    holding.delivery = deliverPartition({
      partition: findPartition(holding.id), group, maxBatchRecords, retryDelayMs, logger,
      onBatch: (batch) => handler.onBatch(batch),
    });
  };

  const prepareInTurn = (holdings: readonly Holding[]): void => {
    if (holdings.length > 0) preparing = preparing.then(() => prepare(holdings));
  };

  const release = async (holdings: readonly Holding[]): Promise<void> => {
    if (holdings.length === 0) return;
    for (const { id, delivery } of holdings) {
      const key = keyOf(id);
      held.delete(key);
      if (delivery === null) continue;
      delivery.abort();
      const leftover = delivery.ended.then(() => {
        if (leftovers.get(key) === leftover) leftovers.delete(key);
      });
      leftovers.set(key, leftover);
    }
    const ids = holdings.map(({ id }) => id);
    const told = (async () => {
      try {
        await handler.onRevoked(ids);
      } catch (error) {
        logger.error({ group, partitions: ids, err: error }, `onRevoked failed: ${messageOf(error)}`);
      }
    })();
    if (!(await settlesWithin(told, MAX_REVOKE_MS))) logger.error({ group, partitions: ids, limitMs: MAX_REVOKE_MS }, 'onRevoked takes too long, going on without it');
  };

  const leave = async (drainMs: number): Promise<void> => {
    const drained = Promise.all([...held.values()].map((holding) => holding.delivery?.drain()));
    if (!(await settlesWithin(drained, drainMs))) logger.warn({ group, drainMs }, 'Batches in hand were not done in time and are dropped');
    await release([...held.values()]);
    onLeft(member);
  };

  const member: GroupMember = {
    topics,
    async releaseAllBut(partitions) {
      const kept = new Set(partitions.map(keyOf));
      await release([...held.values()].filter(({ id }) => !kept.has(keyOf(id))));
    },
    acquire(partitions) {
      if (closing !== null) return;
      const taken = partitions.filter((id) => !held.has(keyOf(id))).map((id): Holding => ({ id, delivery: null }));
      for (const holding of taken) held.set(keyOf(holding.id), holding);
      prepareInTurn(taken.filter(({ id }) => !leftovers.has(keyOf(id))));
      for (const holding of taken) leftovers.get(keyOf(holding.id))?.then(() => { prepareInTurn([holding]); });
    },
    async commit(id, nextOffset, metadata = '') {
      if (!held.has(keyOf(id))) throw new AppError('partition_lost', `Cannot commit ${id.topic}/${id.partition} for ${group}: it belongs to another member now`);
      await queue.commit(findPartition(id), group, nextOffset, metadata);
    },
    async committed(id) {
      return findPartition(id).committed(group);
    },
    assigned: () => [...held.values()].map(({ id }) => id),
    close({ drainMs = DEFAULT_DRAIN_MS } = {}) {
      closing ??= leave(drainMs);
      return closing;
    },
  };
  return member;
}

function keyOf({ topic, partition }: PartitionId): string {
  return `${topic}/${partition}`;
}
