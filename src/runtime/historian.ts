import { messageOf } from '../errors.ts';
import { advance, createOriginGate, type OriginGate } from '../forecast/origin-gate.ts';
import { parseRange } from '../history/pending-range.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { HistoryStore } from '../ports/history-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { PartitionId, RecordLog, Subscription } from '../ports/record-log.ts';
import { HistorianPartition, type BatchLimits, type HistorianHooks, type HistorianLag, type HistorianStart } from './historian-partition.ts';
import { pause, systemTimers, type Timers } from './timers.ts';

export type HistorianOptions = {
  readonly log: RecordLog;
  readonly codec: Codec;
  /** Migrated. */
  readonly store: HistoryStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks?: HistorianHooks;
  readonly limits?: Partial<BatchLimits>;
  readonly timers?: Timers;
};

export type Historian = {
  /** By partition held now. */
  lag(): HistorianLag[];
  /** Stores what is in hand, for at most `drainMs` (default 10 s), then leaves the group. Idempotent. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
};

const DEFAULT_LIMITS: BatchLimits = { maxRows: 5_000, maxBytes: 4 * 1024 * 1024, maxWaitMs: 1_000 };
const DEFAULT_DRAIN_MS = 10_000;
const MAX_RETRY_MS = 30_000;

/**
 * Copies finished races, revisions, audit totals and thinned positions from the log to ClickHouse, as a member of the group `historian`.
 *
 * **Delivery.** Each record's rows are stored once, after any crash of either side (see HistorianPartition). While
 * ClickHouse does not answer, each partition holds at most two batches and waits; nothing is given up.
 * Memory: per partition two batches of `maxRows` rows or `maxBytes` bytes.
 */
export async function runHistorian(options: HistorianOptions): Promise<Historian> {
  const { log, codec, store, logger, hooks = {}, timers = systemTimers } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const partitions = new Map<string, HistorianPartition>();
  const subscribed = Promise.withResolvers<Subscription>();
  const stopping = new AbortController();

  const context = {
    log, codec, store, logger, hooks, limits, timers,
    commit: async (id: PartitionId, nextOffset: number, metadata: string) => (await subscribed.promise).commit(id, nextOffset, metadata),
  };

  const startOf = async (id: PartitionId): Promise<HistorianStart> => {
    const [committed, ends] = await Promise.all([(await subscribed.promise).committed(id), log.endOffsets(id.topic)]);
    const pending = parseRange(committed.metadata);
    const gate = id.topic === 'race-history'
      ? await loadGate(store, id, pending?.first ?? committed.offset, ends[id.partition] ?? 0, logger)
      : createOriginGate();
    return { committed: committed.offset, pending, gate };
  };

  const subscription = await log.subscribe({
    group: 'historian',
    topics: ['race-history', 'eta-updates', 'race-states', 'telemetry'],
    handler: {
      async onAssigned(ids) {
        await Promise.all(ids.map(async (id) => {
          partitions.get(nameOf(id))?.lose();
          const start = await withoutEnd(() => startOf(id), timers, stopping.signal, (error) => {
            hooks.onInsertFailure?.(id, error);
            logger.warn({ ...id, error: messageOf(error) }, 'Could not read from ClickHouse where a partition stands, trying again');
          });
          if (start !== null) partitions.set(nameOf(id), new HistorianPartition(id, start, context));
        }));
      },
      async onRevoked(ids) {
        for (const id of ids) {
          partitions.get(nameOf(id))?.lose();
          partitions.delete(nameOf(id));
        }
      },
      async onBatch(batch) {
        // Closing: what is not taken now is not committed, and comes again to the next owner.
        if (!stopping.signal.aborted) await partitions.get(nameOf(batch))?.take(batch);
      },
    },
  });
  subscribed.resolve(subscription);

  let closing: Promise<void> | null = null;
  const shutDown = async (drainMs: number): Promise<void> => {
    stopping.abort();
    await Promise.all([...partitions.values()].map((partition) => partition.close(drainMs)));
    await subscription.close({ drainMs });
  };
  return {
    lag: () => [...partitions.values()].map((partition) => partition.lag()),
    close: ({ drainMs = DEFAULT_DRAIN_MS } = {}) => closing ??= shutDown(drainMs),
  };
}

type StoredOrigin = { origin_partition: number; highest: [number, number, number] };

/**
 * The highest origin stored, by input partition, from records before `first`, those of forgotten races among them: exactly what the owner before had when
 * it cut the batch that begins there. null = nothing was ever committed: from all that is stored.
 */
async function loadGate(store: HistoryStore, id: PartitionId, first: number | null, endOffset: number, logger: Logger): Promise<OriginGate> {
  const gate = createOriginGate();
  const parameters = { topic: id.topic, partition: id.partition, first: first ?? Number.MAX_SAFE_INTEGER };
  const [stored] = await store.query<{ last: number | null }>(
    'SELECT maxOrNull(offset) AS last FROM races WHERE topic = {topic:String} AND partition = {partition:UInt32}', parameters,
  );
  if (stored !== undefined && stored.last !== null && Number(stored.last) >= endOffset) {
    logger.error(
      { ...id, storedOffset: Number(stored.last), endOffset },
      'ClickHouse holds offsets that the log has not reached: the topic was made anew. Its races are stored as new ones; use another CLICKHOUSE_DATABASE to keep both apart',
    );
    return gate;
  }
  const rows = await store.query<StoredOrigin>(
    `SELECT origin_partition, max((origin_epoch, origin_offset, origin_index)) AS highest FROM (
       SELECT origin_partition, origin_epoch, origin_offset, origin_index FROM races
       WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset < {first:UInt64}
       UNION ALL SELECT origin_partition, origin_epoch, origin_offset, origin_index FROM forgotten_origins
       WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset < {first:UInt64}
     ) GROUP BY origin_partition`, parameters,
  );
  for (const { origin_partition: partition, highest: [epoch, offset, index] } of rows) {
    advance(gate, { partition, epoch: Number(epoch), offset: Number(offset), index: Number(index) });
  }
  return gate;
}

/** Tries with growing delay until it succeeds; null = aborted. */
async function withoutEnd<T>(work: () => Promise<T>, timers: Timers, signal: AbortSignal, onFailure: (error: unknown) => void): Promise<T | null> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return null;
      onFailure(error);
      await pause(timers, Math.min(MAX_RETRY_MS, 250 * 2 ** failures), signal);
    }
  }
  return null;
}

function nameOf({ topic, partition }: PartitionId): string {
  return `${topic}/${partition}`;
}
